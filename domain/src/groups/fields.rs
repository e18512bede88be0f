//! Custom fields: names and values of the app's own, kept as the JSON that tim's clients know: `[{"key": …, "value": …}]`.

use serde::{Deserialize, Serialize};

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomField {
    /// Its name, unique among its group's or member's.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Reads kept fields; what was kept as something else counts as none.
#[must_use]
pub fn read_fields(kept: &str) -> Vec<CustomField> {
    serde_json::from_str(kept).unwrap_or_default()
}

/// How fields are kept; none as an empty text.
#[must_use]
pub fn write_fields(fields: &[CustomField]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    serde_json::to_string(fields).expect("a list of texts can be written as JSON")
}

/// Kept fields with these set; the others stay as they are.
pub(super) fn merge(kept: &str, set: &[CustomField]) -> String {
    let mut fields = read_fields(kept);
    for new in set {
        match fields.iter_mut().find(|field| field.key == new.key) {
            Some(field) => field.value.clone_from(&new.value),
            None => fields.push(new.clone()),
        }
    }
    write_fields(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str, value: &str) -> CustomField {
        CustomField { key: key.into(), value: value.into() }
    }

    #[test]
    fn setting_some_fields_leaves_the_others() {
        let kept = merge("", &[field("a", "1"), field("b", "2")]);
        let kept = merge(&kept, &[field("b", "3"), field("c", "")]);
        assert_eq!(read_fields(&kept), [field("a", "1"), field("b", "3"), field("c", "")]);
        assert_eq!(merge(&kept, &[]), kept);
    }

    #[test]
    fn no_fields_are_no_text() {
        assert_eq!(merge("", &[]), "");
        assert_eq!(read_fields("not JSON"), []);
    }
}
