//! Examples of the OpenAPI document. They come from the golden files of the tests, by way of `examples.json`, which a test keeps equal.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What one operation may be asked, and what it answers to that.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Example {
    /// What stands after `?`.
    pub(super) query: BTreeMap<String, String>,
    /// The request's body.
    pub(super) request: Option<Value>,
    /// The answer's body.
    pub(super) reply: Option<Value>,
}

/// All examples, by `dialect METHOD /path`.
#[derive(Debug)]
pub(super) struct Examples(BTreeMap<String, Example>);

impl Examples {
    pub(super) fn new() -> Self {
        let text = include_str!("../../examples.json");
        Self(serde_json::from_str(text).expect("a test keeps the file as it has to be"))
    }

    pub(super) fn of(&self, dialect: &str, method: &str, path: &str) -> Option<&Example> {
        self.0.get(&format!("{dialect} {} {path}", method.to_ascii_uppercase()))
    }
}
