//! Requests as openim binds them: a missing field counts as its zero value, every broken rule is reported, and the report names
//! the request and its fields as the original's source does, since its users search for these words.

use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::{Error, OpenIm};
use crate::context::Call;
use crate::input::{Input, from_json};
use crate::openapi::OperationDoc;

/// A request with rules.
pub(super) trait Bind: DeserializeOwned + ToSchema + Send + 'static {
    /// Its name in the original's messages.
    const NAME: &'static str;

    /// Checks every rule.
    fn rules(&self, rules: &mut Rules);
}

/// A JSON body that kept its rules.
#[derive(Debug)]
pub(super) struct Bound<T>(pub(super) T);

/// The rules that were broken so far.
#[derive(Debug)]
pub(super) struct Rules {
    name: &'static str,
    broken: Vec<String>,
}

impl<T: Bind> Input<OpenIm> for Bound<T> {
    fn read(call: &Call) -> Result<Self, Error> {
        bind(call).map(Self)
    }

    fn describe(doc: &mut OperationDoc) {
        doc.body::<T>(&["application/json"]);
    }
}

/// Reads a body and checks its rules.
pub(super) fn bind<T: Bind>(call: &Call) -> Result<T, Error> {
    let value: T = from_json(&call.body)?;
    let mut rules = Rules::new(T::NAME);
    value.rules(&mut rules);
    rules.finish().map_err(Error::Binding)?;
    Ok(value)
}

impl Rules {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, broken: Vec::new() }
    }

    /// Every broken rule on a line of its own, if there are any.
    pub(super) fn finish(self) -> Result<(), String> {
        if self.broken.is_empty() { Ok(()) } else { Err(self.broken.join("\n")) }
    }

    /// The field must be there.
    pub(super) fn required(&mut self, field: &str, there: bool) {
        self.keep(field, "required", there);
    }

    /// The field must be there and have at most so many characters.
    pub(super) fn text(&mut self, field: &str, value: &str, max: usize) {
        self.required(field, !value.is_empty());
        self.max(field, value, max);
    }

    /// The field may have at most so many characters.
    pub(super) fn max(&mut self, field: &str, value: &str, max: usize) {
        self.keep(field, "max", value.chars().count() <= max);
    }

    /// The number must be there and within bounds.
    pub(super) fn number(&mut self, field: &str, value: i64, min: i64, max: i64) {
        if value == 0 && min > 0 {
            return self.required(field, false);
        }
        self.keep(field, "min", value >= min);
        self.keep(field, "max", value <= max);
    }

    /// Any other rule.
    pub(super) fn keep(&mut self, field: &str, tag: &str, kept: bool) {
        if !kept {
            let name = self.name;
            self.broken
                .push(format!("Key: '{name}.{field}' Error:Field validation for '{field}' failed on the '{tag}' tag"));
        }
    }
}
