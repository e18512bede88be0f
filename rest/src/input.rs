//! Reading a request into a typed struct, and saying which field is wrong when that fails.
//!
//! A handler's second parameter is one of these, or a pair: [`Json`], [`Query`], [`Path`], [`JsonOrForm`], [`Anywhere`], [`Text`], `()`.
//! Unknown fields are ignored, as all five systems do; the content type is not looked at, since their clients send what they like.

mod object;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use self::object::Object;
use crate::context::Call;
use crate::dialect::{Dialect, Fault, Problem};
use crate::openapi::OperationDoc;

/// Something that a request can be read into.
pub trait Input<D: Dialect>: Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// The dialect's own, usually from a [`Fault`].
    fn read(call: &Call) -> Result<Self, D::Error>;

    /// Adds it to the OpenAPI document.
    fn describe(doc: &mut OperationDoc);
}

/// A JSON body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// A JSON body or an HTML form, told apart by how the body begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonOrForm<T>(pub T);

/// What stands after `?`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

/// Fields that stand after `?`, and those that do not in a JSON body, if there is one: some systems' documents put them in the one place
/// and their clients in the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anywhere<T>(pub T);

/// The whole body as text, whatever it says.
#[derive(Debug, Clone, Default)]
pub struct Text(pub String);

/// The values of the path's `{names}`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Path<T>(pub T);

impl<D: Dialect, T: DeserializeOwned + ToSchema + Send + 'static> Input<D> for Json<T> {
    fn read(call: &Call) -> Result<Self, D::Error> {
        Ok(Self(from_json(&call.body)?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.body::<T>(&["application/json"]);
    }
}

impl<D: Dialect, T: DeserializeOwned + ToSchema + Send + 'static> Input<D> for JsonOrForm<T> {
    fn read(call: &Call) -> Result<Self, D::Error> {
        let text = call.text()?;
        let json = text.trim_start().starts_with(['{', '[', '"']);
        Ok(Self(if json { from_json(&call.body)? } else { from_pairs(text)? }))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.body::<T>(&["application/json", "application/x-www-form-urlencoded"]);
    }
}

impl<D: Dialect, T: DeserializeOwned + IntoParams + Send + 'static> Input<D> for Query<T> {
    fn read(call: &Call) -> Result<Self, D::Error> {
        Ok(Self(from_pairs(&call.query)?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.parameters(T::into_params(|| Some(ParameterIn::Query)));
    }
}

impl<D: Dialect, T: DeserializeOwned + IntoParams + ToSchema + Send + 'static> Input<D> for Anywhere<T> {
    fn read(call: &Call) -> Result<Self, D::Error> {
        let mut fields: Map<String, Value> =
            if call.body.trim_ascii().is_empty() { Map::new() } else { from_json(&call.body)? };
        let pairs = form_urlencoded::parse(call.query.as_bytes());
        fields.extend(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))));
        Ok(Self(from_value(Value::Object(fields))?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.parameters(T::into_params(|| Some(ParameterIn::Query)).into_iter().map(optional).collect());
        doc.optional_body::<T>();
    }
}

impl<D: Dialect> Input<D> for Text {
    fn read(call: &Call) -> Result<Self, D::Error> {
        Ok(Self(call.text()?.to_owned()))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.body::<String>(&["text/plain"]);
    }
}

impl<D: Dialect, T: DeserializeOwned + IntoParams + Send + 'static> Input<D> for Path<T> {
    fn read(call: &Call) -> Result<Self, D::Error> {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(&call.path_values);
        Ok(Self(from_pairs(&pairs.finish())?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.parameters(T::into_params(|| Some(ParameterIn::Path)));
    }
}

impl<D: Dialect> Input<D> for () {
    fn read(_: &Call) -> Result<Self, D::Error> {
        Ok(())
    }

    fn describe(_: &mut OperationDoc) {}
}

impl<D: Dialect, A: Input<D>, B: Input<D>> Input<D> for (A, B) {
    fn read(call: &Call) -> Result<Self, D::Error> {
        Ok((A::read(call)?, B::read(call)?))
    }

    fn describe(doc: &mut OperationDoc) {
        A::describe(doc);
        B::describe(doc);
    }
}

/// Reads JSON, naming the field where it fails.
///
/// # Errors
/// [`Fault::Malformed`] or [`Fault::Field`].
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Object(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        // What is no JSON at all is told from a value that a field cannot be: serde_json calls a list for an enum a syntax error.
        let is_json = inner.is_data() || serde_json::from_slice::<IgnoredAny>(body).is_ok();
        if is_json { field(&path, &inner.to_string()) } else { Fault::Malformed(inner.to_string()) }
    })?;
    reader.end().map_err(|error| Fault::Malformed(error.to_string()))?;
    Ok(value)
}

/// Reads a value that was JSON, naming the field where it fails.
fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        field(&path, &error.into_inner().to_string())
    })
}

/// A parameter that may stand elsewhere too.
fn optional(mut parameter: Parameter) -> Parameter {
    parameter.required = Required::False;
    parameter
}

/// Reads `a=1&b=2`, naming the field where it fails.
///
/// # Errors
/// [`Fault::Field`].
pub fn from_pairs<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        field(&path, &error.into_inner().to_string())
    })
}

/// A fault from serde's words for it: they name the missing field in the text, and the path leads to its parent.
fn field(path: &str, message: &str) -> Fault {
    let message = message.split(" at line ").next().unwrap_or(message);
    let parent = if path == "." { "" } else { path };
    let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) else {
        let field = if parent.is_empty() { "body" } else { parent };
        return Fault::Field { field: field.to_owned(), problem: Problem::Invalid(message.to_owned()) };
    };
    let dot = if parent.is_empty() { "" } else { "." };
    Fault::missing(format!("{parent}{dot}{name}"))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Group {
        master: u64,
        #[serde(default)]
        members: Vec<Member>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Member {
        uid: u64,
    }

    fn fault(body: &str) -> Fault {
        from_json::<Group>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn names_the_field_at_fault() {
        assert_eq!(fault("{}"), Fault::missing("master"));
        assert_eq!(fault(r#"{"master":1,"members":[{"uid":2},{}]}"#), Fault::missing("members[1].uid"));
        let Fault::Field { field, problem } = fault(r#"{"master":"one"}"#) else { panic!("a field is at fault") };
        assert_eq!(field, "master");
        assert!(problem.to_string().contains("expected u64"), "{problem}");
    }

    #[test]
    fn tells_broken_json_from_a_wrong_field() {
        for body in ["", "{", "{]", "{\"master\":1} x", "\u{0}"] {
            assert!(matches!(fault(body), Fault::Malformed(_)), "{body:?}");
        }
        assert!(matches!(from_json::<Group>(b"{\"master\":\"\xff\"}"), Err(Fault::Malformed(_) | Fault::Field { .. })));
    }

    #[test]
    fn reads_pairs() {
        assert_eq!(from_pairs::<Group>("other=1").unwrap_err(), Fault::missing("master"));
        let Fault::Field { field, .. } = from_pairs::<Group>("master=x").unwrap_err() else {
            panic!("a field is at fault")
        };
        assert_eq!(field, "master");
    }
}
