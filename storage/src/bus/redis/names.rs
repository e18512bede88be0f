//! What keys and channels are called.

use std::fmt;

use bytes::Bytes;

use crate::bus::Topic;

/// Names one listening process for as long as its lease holds. Random, so that none ever comes back:
/// whoever finds that one is gone may forget it for good.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Boot(u128);

impl Boot {
    /// A name that nobody had before.
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    pub(super) fn to_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self.0.to_be_bytes())
    }

    /// The boot of these bytes, if they are one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

/// What the lease of a process says while it lives.
pub(super) const HERE: &str = "here";
/// What it says once the process has taken leave. If it is not there, the process may only be late.
pub(super) const GONE: &str = "gone";

/// Makes names. What is in braces decides the slot.
#[derive(Debug, Clone)]
pub(super) struct Names(String);

impl Names {
    pub(super) fn new(namespace: &str) -> Self {
        Self(namespace.to_owned())
    }

    /// The channel on which a process hears.
    pub(super) fn channel(&self, boot: Boot) -> Bytes {
        format!("{}:gw:{{{boot}}}", self.0).into()
    }

    /// The key of a process's lease. In the slot of its channel.
    pub(super) fn lease(&self, boot: Boot) -> Bytes {
        format!("{}:alive:{{{boot}}}", self.0).into()
    }

    /// The set of the processes that joined a topic.
    pub(super) fn topic(&self, topic: &Topic) -> Bytes {
        let mut name = format!("{}:t:{{", self.0);
        for byte in topic.as_bytes() {
            name.push_str(&format!("{byte:02x}"));
        }
        name.push('}');
        name.into()
    }

    /// The set of all processes that listen.
    pub(super) fn everybody(&self) -> Bytes {
        format!("{}:boots", self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_other_versions_expect() {
        let names = Names::new("n");
        let boot = Boot(0xab);
        assert_eq!(names.channel(boot), "n:gw:{000000000000000000000000000000ab}");
        assert_eq!(names.lease(boot), "n:alive:{000000000000000000000000000000ab}");
        assert_eq!(names.topic(&Topic::new(&b"\x00u\xff"[..])), "n:t:{0075ff}");
        assert_eq!(names.everybody(), "n:boots");
        assert_eq!(Boot::from_bytes(&boot.to_bytes()), Some(boot));
        assert_eq!(Boot::from_bytes(b"short"), None);
    }
}
