//! Numbers that arrive as strings and strings that arrive as numbers.
//!
//! Clients of systems written in loosely typed languages send `"7"` for `7` and the other way round. For `#[serde(deserialize_with)]`,
//! and only where the system itself took both.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// An unsigned integer, or a string of its digits.
///
/// # Errors
/// If it is neither.
pub fn u64<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let value = input.deserialize_any(Either("an unsigned integer"))?;
    value.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&value), &"an unsigned integer"))
}

/// A signed integer, or a string of its digits.
///
/// # Errors
/// If it is neither.
pub fn i64<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
    let value = input.deserialize_any(Either("an integer"))?;
    value.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&value), &"an integer"))
}

/// A string, or an integer, which is written out.
///
/// # Errors
/// If it is neither.
pub fn string<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    input.deserialize_any(Either("a string"))
}

/// As [`u64()`], for optional fields; null counts as absent.
///
/// # Errors
/// If it is something else.
pub fn opt_u64<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    let Some(Lenient(value)) = serde::Deserialize::deserialize(input)? else { return Ok(None) };
    value.parse().map(Some).map_err(|_| D::Error::invalid_value(Unexpected::Str(&value), &"an unsigned integer"))
}

/// As [`string`], for optional fields; null counts as absent.
///
/// # Errors
/// If it is something else.
pub fn opt_string<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let value: Option<Lenient> = serde::Deserialize::deserialize(input)?;
    Ok(value.map(|Lenient(text)| text))
}

/// A list of integers or strings of digits, for `Vec<u64>`.
///
/// # Errors
/// If one is neither.
pub fn vec_u64<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u64>, D::Error> {
    let values: Vec<Lenient> = serde::Deserialize::deserialize(input)?;
    let parse = |Lenient(value): Lenient| {
        value.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&value), &"an unsigned integer"))
    };
    values.into_iter().map(parse).collect()
}

/// A list of strings or integers, for `Vec<String>`.
///
/// # Errors
/// If one is neither.
pub fn vec_string<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    let values: Vec<Lenient> = serde::Deserialize::deserialize(input)?;
    Ok(values.into_iter().map(|Lenient(value)| value).collect())
}

/// A boolean, or 0 or 1, or either as a string.
///
/// # Errors
/// If it is neither.
pub fn boolean<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    struct Boolean;

    impl Visitor<'_> for Boolean {
        type Value = bool;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a boolean, 0 or 1")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
            if value < 2 { Ok(value == 1) } else { Err(E::invalid_value(Unexpected::Unsigned(value), &self)) }
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<bool, E> {
            match value {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(E::invalid_value(Unexpected::Str(value), &self)),
            }
        }
    }

    input.deserialize_any(Boolean)
}

/// As [`boolean`], for optional fields; null counts as absent.
///
/// # Errors
/// If it is something else.
pub fn opt_boolean<'de, D: Deserializer<'de>>(input: D) -> Result<Option<bool>, D::Error> {
    struct Truth(bool);

    impl<'de> serde::Deserialize<'de> for Truth {
        fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
            boolean(input).map(Self)
        }
    }

    let value: Option<Truth> = serde::Deserialize::deserialize(input)?;
    Ok(value.map(|Truth(truth)| truth))
}

struct Lenient(String);

impl<'de> serde::Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(Either("a string or an integer")).map(Self)
    }
}

struct Either(&'static str);

impl Visitor<'_> for Either {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<String, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Row {
        #[serde(deserialize_with = "super::u64")]
        id: u64,
        #[serde(default, deserialize_with = "super::opt_string")]
        name: Option<String>,
    }

    #[test]
    fn takes_both_spellings() {
        for text in [r#"{"id":7,"name":"8"}"#, r#"{"id":"7","name":8}"#] {
            assert_eq!(serde_json::from_str::<Row>(text).unwrap(), Row { id: 7, name: Some("8".into()) });
        }
        for text in [r#"{"id":"x"}"#, r#"{"id":-1}"#, r#"{"id":1.5}"#, r#"{"id":true}"#, r#"{"id":1,"name":[]}"#] {
            assert!(serde_json::from_str::<Row>(text).is_err(), "{text}");
        }
    }
}
