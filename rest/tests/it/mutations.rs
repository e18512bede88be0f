//! Every route's first `ok` request, spoiled in every field: the answer is the dialect's own error that names the field, or the field
//! is not one that the route reads. Never a 5xx, never a framework's word.

use serde_json::{Map, Value, json};

use crate::errors::form;
use crate::golden::format::{files, is_part, load};
use crate::golden::replay::Filled;
use crate::golden::stage;
use crate::world::{Answer, World};

/// What dialects call a field of the request where they do not use its own name.
const SPELLED: &[(&str, &str)] =
    &[("group_id", "group"), ("user_id", "user"), ("msgid", "message"), ("userID", "username"), ("content", "Elem")];

/// How each dialect's answer shows that a parameter is wrong, and not something else.
const PARAMETER: &[(&str, &str)] = &[
    ("tenured", "\"9999\""),
    ("openim", "\"errCode\":400"),
    ("openim", "\"errCode\":403"),
    ("gobelieve", "invalid param"),
    ("tim", "\"code\":10004"),
    ("tim", "\"code\":60003"),
    ("maxim", "\"code\":10002"),
];

#[tokio::test]
async fn a_spoiled_field_is_named() {
    let only = std::env::var("LINNET_GOLDEN").unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, file) in files().into_iter().filter(|(name, _)| !is_part(name) && name.starts_with(&only)) {
        // Twins share a handler.
        let method = &file.route.methods[0];
        match stage(&name, &mut load(&name), method).await {
            Ok((world, request, _)) => {
                let problems = spoil(&name, &world, &request).await;
                wrong.extend(problems.into_iter().map(|problem| format!("{name} ({method}): {problem}")));
            }
            Err(problem) => wrong.push(problem),
        }
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

async fn spoil(name: &str, world: &World, request: &Filled) -> Vec<String> {
    let dialect = name.split('/').next().unwrap_or_default();
    let mut wrong = Vec::new();
    if let Some(body) = &request.body {
        for (field, what, body) in spoiled(body) {
            let request = Filled { body: Some(body), text: None, ..request.clone() };
            wrong.extend(judge(dialect, &field, what, &request.send(world).await));
        }
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (at, (field, _)) in pairs.iter().enumerate() {
        for (what, value) in [
            ("left out", None),
            ("empty", Some("")),
            ("a word", Some("x'\"<")),
            ("negative", Some("-1")),
            ("huge", Some("99999999999999999999999")),
            ("fractional", Some("1.5")),
            ("not text", Some("\u{0}")),
        ] {
            let mut pairs = pairs.clone();
            match value {
                Some(value) => pairs[at].1 = value.to_owned(),
                None => drop(pairs.remove(at)),
            }
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let request = Filled { path: format!("{path}?{query}"), ..request.clone() };
            wrong.extend(judge(dialect, field, what, &request.send(world).await));
        }
    }
    wrong
}

/// Every way in which a body is spoiled: the field, how, and the body.
fn spoiled(body: &Value) -> Vec<(String, &'static str, Value)> {
    match body {
        Value::Object(map) => map.keys().flat_map(|field| spoiled_field(map, field)).collect(),
        Value::Array(rows) => {
            let of_first = rows.first().map(spoiled).unwrap_or_default().into_iter();
            of_first.map(|(field, what, row)| (field, what, json!([row]))).collect()
        }
        _ => Vec::new(),
    }
}

fn spoiled_field(map: &Map<String, Value>, field: &str) -> Vec<(String, &'static str, Value)> {
    let with = |value: Value| {
        let mut map = map.clone();
        map.insert(field.to_owned(), value);
        Value::Object(map)
    };
    let mut without = map.clone();
    without.remove(field);
    let mut all = vec![
        (field.to_owned(), "left out", Value::Object(without)),
        (field.to_owned(), "null", with(Value::Null)),
        (field.to_owned(), "true", with(json!(true))),
        (field.to_owned(), "empty", with(json!(""))),
        (field.to_owned(), "a word", with(json!("x'\"<"))),
        (field.to_owned(), "not text", with(json!("\u{0}\u{ffff}"))),
        (field.to_owned(), "long", with(json!("字".repeat(30_000)))),
        (field.to_owned(), "negative", with(json!(-1))),
        (field.to_owned(), "huge", with(json!(u64::MAX))),
        (field.to_owned(), "fractional", with(json!(1.5))),
        (field.to_owned(), "a list", with(json!([[]]))),
        (field.to_owned(), "an object", with(json!({ "x": {} }))),
    ];
    if let Some(inner @ (Value::Object(_) | Value::Array(_))) = map.get(field) {
        all.extend(
            spoiled(inner).into_iter().map(|(inner, what, value)| (format!("{field}.{inner}"), what, with(value))),
        );
    }
    all
}

/// What is wrong with an answer to a spoiled field.
fn judge(dialect: &str, field: &str, what: &str, answer: &Answer) -> Option<String> {
    // openim answers 500 where the original does: for whoever exists already, or does not.
    let original = dialect == "openim" && answer.status == 500 && answer.text.contains("\"errCode\":500");
    let refused = match form(dialect, answer) {
        Ok(_) => true,
        Err(_) if original => return None,
        // A good answer: the field may be left out, or take this too.
        Err(_) if answer.status < 400 => false,
        Err(problem) => return Some(format!("{field} is {what}: {problem}")),
    };
    let text = answer.text.to_lowercase();
    // The field, or what it is in.
    let named = field.split('.').any(|part| {
        let spelled = SPELLED.iter().filter(|(name, _)| *name == part).map(|(_, spelled)| *spelled);
        spelled.chain([part]).any(|name| text.contains(&name.to_lowercase()))
    });
    // What is not of the right form at all has to be named; other values may be refused for what they lead to.
    let parameter = PARAMETER.iter().any(|(of, sign)| *of == dialect && answer.text.contains(sign));
    let formal = ["a list", "an object"].contains(&what) && parameter;
    (refused && formal && !named).then(|| format!("{field} is {what}: it is not named: {}", answer.text))
}
