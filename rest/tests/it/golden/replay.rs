//! Sends what golden files say, and compares what comes.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value};

use super::format::{Ask, Case, Reply};
use crate::world::{self, Answer, World, basic};

/// What earlier replies saved, by name.
pub type Values = Map<String, Value>;

/// A request with every name replaced by its value.
#[derive(Debug, Clone)]
pub struct Filled {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
    /// A body that is not JSON.
    pub text: Option<String>,
}

pub fn seeds() -> Values {
    let mut values = Map::new();
    for (name, value) in [
        ("secret", world::SECRET.to_owned()),
        ("other_secret", world::OTHER_SECRET.to_owned()),
        ("admin_uid", world::ADMIN.to_owned()),
        ("basic", basic(7, world::SECRET)),
        ("other_basic", basic(8, world::OTHER_SECRET)),
        ("wrong_basic", basic(7, "wrong")),
    ] {
        values.insert(name.to_owned(), value.into());
    }
    values
}

pub async fn run_case(
    world: &World,
    file: &str,
    path: &str,
    method: &str,
    case: &mut Case,
    values: &mut Values,
) -> Option<String> {
    let request = fill_request(&case.request, path, method, values);
    if let Some(missing) = request.missing() {
        return Some(format!("{file}: {}: nothing saved what this names: {missing}", case.name));
    }
    let answer = request.send(world).await;
    let Some(reply) = &case.reply else {
        let shown = format!("{file}: {}: has no reply; this came: {} {}", case.name, answer.status, answer.text);
        case.reply = Some(Reply {
            status: answer.status,
            headers: BTreeMap::new(),
            body: serde_json::from_str(&answer.text).ok(),
            text: serde_json::from_str::<Value>(&answer.text).is_err().then(|| answer.text.clone()),
        });
        return Some(shown);
    };
    let problem = compare(reply, &answer, values).err()?;
    Some(format!("{file} ({method}): {}: {problem}\n    came: {} {}", case.name, answer.status, answer.text))
}

/// Puts the values into a request.
pub fn fill_request(ask: &Ask, path: &str, method: &str, values: &Values) -> Filled {
    Filled {
        method: ask.method.as_deref().unwrap_or(method).to_owned(),
        path: fill_text(ask.path.as_deref().unwrap_or(path), values),
        headers: ask.headers.iter().map(|(name, value)| (name.clone(), fill_text(value, values))).collect(),
        body: ask.body.as_ref().map(|body| fill(body, values)),
        text: ask.text.as_ref().map(|text| fill_text(text, values)),
    }
}

impl Filled {
    /// Where a name is left that nothing was saved under.
    pub fn missing(&self) -> Option<String> {
        let headers = self.headers.iter().map(|(_, value)| value.clone());
        let body = self.body.iter().map(Value::to_string).chain(self.text.clone());
        let mut texts = std::iter::once(self.path.clone()).chain(headers).chain(body);
        texts.find(|text| text.contains("${"))
    }

    pub async fn send(&self, world: &World) -> Answer {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let body = match (&self.text, &self.body) {
            (Some(text), _) => Body::from(text.clone()),
            (None, Some(body)) => Body::from(body.to_string()),
            (None, None) => Body::empty(),
        };
        world.send(request.body(body).unwrap()).await
    }
}

/// Puts saved values in. A string that is one name alone becomes the value itself, so that numbers stay numbers.
pub fn fill(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => {
            let alone =
                text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.contains('}'));
            match alone.and_then(|name| values.get(name)) {
                Some(saved) => saved.clone(),
                None => Value::String(fill_text(text, values)),
            }
        }
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, item)| (key.clone(), fill(item, values))).collect()),
        other => other.clone(),
    }
}

pub fn fill_text(text: &str, values: &Values) -> String {
    let mut out = text.to_owned();
    for (name, value) in values {
        let spelled = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out = out.replace(&format!("${{{name}}}"), &spelled);
    }
    out
}

pub fn compare(reply: &Reply, answer: &Answer, values: &mut Values) -> Result<(), String> {
    if reply.status != answer.status {
        return Err(format!("status {} instead of {}", answer.status, reply.status));
    }
    for (name, wanted) in &reply.headers {
        let came = answer.headers.get(name).and_then(|value| value.to_str().ok());
        if wanted.starts_with('<') {
            masked(wanted, &Value::from(came), name, values)?;
        } else if came != Some(wanted) {
            return Err(format!("header {name} is {came:?} instead of {wanted:?}"));
        }
    }
    match (&reply.body, &reply.text) {
        (Some(wanted), _) => {
            let came = serde_json::from_str(&answer.text).map_err(|error| format!("no JSON: {error}"))?;
            matches(wanted, &came, "", values)
        }
        (None, wanted) => {
            let wanted = wanted.as_deref().unwrap_or_default();
            if wanted == answer.text { Ok(()) } else { Err(format!("another text than {wanted:?}")) }
        }
    }
}

pub fn matches(wanted: &Value, came: &Value, at: &str, values: &mut Values) -> Result<(), String> {
    match (wanted, came) {
        (Value::String(mask), came) if mask.starts_with('<') && mask.ends_with('>') => masked(mask, came, at, values),
        (Value::Object(wanted), Value::Object(came)) => {
            let extra: Vec<_> = came.keys().filter(|key| !wanted.contains_key(*key)).collect();
            if !extra.is_empty() {
                return Err(format!("{at}: has {extra:?} beside"));
            }
            wanted.iter().try_for_each(|(key, wanted)| {
                let came = came.get(key).ok_or_else(|| format!("{at}/{key}: is missing"))?;
                matches(wanted, came, &format!("{at}/{key}"), values)
            })
        }
        (Value::Array(wanted), Value::Array(came)) if wanted.len() == came.len() => {
            (0..wanted.len()).try_for_each(|row| matches(&wanted[row], &came[row], &format!("{at}/{row}"), values))
        }
        (wanted, came) => {
            let wanted = fill(wanted, values);
            if wanted == *came { Ok(()) } else { Err(format!("{at}: {came} instead of {wanted}")) }
        }
    }
}

/// Checks a masked value's form and saves it.
pub fn masked(mask: &str, came: &Value, at: &str, values: &mut Values) -> Result<(), String> {
    let inner = &mask[1..mask.len() - 1];
    let (form, name) = inner.split_once(" as ").map_or((inner, None), |(form, name)| (form, Some(name)));
    let letters = form.trim_end_matches(|c: char| c.is_ascii_digit());
    let length: Option<usize> = form[letters.len()..].parse().ok();
    let text_of = |allowed: fn(char) -> bool| {
        came.as_str().is_some_and(|text| {
            !text.is_empty() && text.chars().all(allowed) && length.is_none_or(|length| text.chars().count() == length)
        })
    };
    let fits = match letters {
        "any" => true,
        "int" => came.is_i64() || came.is_u64(),
        "text" => text_of(|_| true),
        "hex" => text_of(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
        "alnum" => text_of(|c| c.is_ascii_alphanumeric()),
        // A URL; what is saved is the value of its only parameter.
        "query" => {
            let value = came.as_str().and_then(|url| url.split_once('?')?.1.split_once('='));
            let Some((_, value)) = value else { return Err(format!("{at}: {came} is no {mask}")) };
            if let Some(name) = name {
                values.insert(name.to_owned(), value.into());
            }
            return Ok(());
        }
        // tenured's `data`: a string that holds JSON; what is saved is the sign in it.
        "sign" => {
            let data = came.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
            let same = data["sign"].is_string() && data["sign"] == data["token"] && data["expire"].is_i64();
            if let Some(name) = name {
                values.insert(name.to_owned(), data["sign"].clone());
            }
            return if same { Ok(()) } else { Err(format!("{at}: {came} is no {mask}")) };
        }
        _ => return Err(format!("{at}: no such mask: {mask}")),
    };
    if let Some(name) = name {
        values.insert(name.to_owned(), came.clone());
    }
    if fits { Ok(()) } else { Err(format!("{at}: {came} is no {mask}")) }
}
