//! Durations in JSON: kept in milliseconds, spelled in seconds, whole ones without a fraction.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration. Reads `5`, `5.25`; writes the same.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds {
    pub(crate) ms: u32,
}

impl Seconds {
    /// Whether there is none to speak of.
    pub(crate) fn is_zero(&self) -> bool {
        self.ms == 0
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.ms.is_multiple_of(1000) {
            to.serialize_u32(self.ms / 1000)
        } else {
            to.serialize_f64(f64::from(self.ms) / 1000.0)
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The cast saturates, and takes what is not a number as 0.
        Ok(Self { ms: (f64::deserialize(from)? * 1000.0).round() as u32 })
    }
}
