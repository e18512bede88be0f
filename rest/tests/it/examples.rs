//! `examples.json`, from which the OpenAPI document takes its examples: the first `ok` case of each route's golden files.
//!
//! `LINNET_BLESS=1` writes it anew.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::golden::format::{Case, File, Is, files, is_part, load};
use crate::golden::replay::{Values, fill, fill_text, seeds};

/// What the first number is that stands for one which differs from run to run.
const FIRST: u64 = 1_000_001;

#[test]
fn examples_are_those_of_the_golden_files() {
    let mut examples = BTreeMap::new();
    for (name, file) in files().into_iter().filter(|(name, _)| !is_part(name)) {
        let dialect = name.split('/').next().unwrap();
        let first = |case: &&Case| case.is == Is::Ok && case.request.method.is_none() && case.request.text.is_none();
        let Some(case) = file.cases.iter().find(first) else { continue };
        let example = example(&file, case);
        for method in &file.route.methods {
            let key = format!("{dialect} {method} {}", file.route.path);
            examples.entry(key).or_insert_with(|| example.clone());
        }
    }
    let text = serde_json::to_string_pretty(&examples).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples.json");
    if std::env::var_os("LINNET_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let same = std::fs::read_to_string(&path).unwrap() == text;
    assert!(same, "run this test with LINNET_BLESS=1 to take over what changed in the golden files");
}

fn example(file: &File, case: &Case) -> Value {
    let values = samples(file);
    let path = case.request.path.as_deref().unwrap_or(&file.route.path);
    let path = fill_text(path, &values);
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut example = json!({});
    if !query.is_empty() {
        example["query"] = json!(query);
    }
    if let Some(body) = &case.request.body {
        example["request"] = fill(body, &values);
    }
    if let Some(reply) = case.reply.as_ref().and_then(|reply| reply.body.as_ref()).and_then(|body| shown(body, &values))
    {
        example["reply"] = reply;
    }
    example
}

/// Something of the right form for every name that a file uses.
fn samples(file: &File) -> Values {
    let mut values: Values = seeds();
    values.extend([("secret".to_owned(), json!("s3cret")), ("other_secret".to_owned(), json!("0ther"))]);
    let mut next = FIRST;
    let mut learn = |file: &File| {
        for reply in file.cases.iter().filter_map(|case| case.reply.as_ref()?.body.as_ref()) {
            names(reply, &mut |form, name| {
                let value = sample(form, name, next);
                next += 1;
                values.entry(name.to_owned()).or_insert(value);
            });
        }
    };
    for part in &file.before {
        learn(&load(part));
    }
    learn(file);
    values
}

/// Calls `tell` with every mask that saves a value.
fn names(reply: &Value, tell: &mut impl FnMut(&str, &str)) {
    match reply {
        Value::String(text) => {
            if let Some((form, name)) = mask(text).and_then(|mask| mask.split_once(" as ")) {
                tell(form, name);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, tell)),
        Value::Object(map) => map.values().for_each(|item| names(item, tell)),
        _ => {}
    }
}

fn mask(text: &str) -> Option<&str> {
    text.strip_prefix('<')?.strip_suffix('>')
}

fn sample(form: &str, name: &str, number: u64) -> Value {
    let letters = form.trim_end_matches(|c: char| c.is_ascii_digit());
    let length = form[letters.len()..].parse().unwrap_or(24);
    match letters {
        "int" => json!(number),
        "hex" => json!("5d41402abc4b2a76b9719d911017c592".chars().cycle().take(length).collect::<String>()),
        "alnum" => json!(
            format!("{name}Token")
                .replace('_', "")
                .chars()
                .chain("x7Qk2Lw9".chars().cycle())
                .take(length)
                .collect::<String>()
        ),
        "sign" => json!("1700003600.9f86d081884c7d659a2feaa0c55ad015"),
        _ => json!(name),
    }
}

/// A reply with something in the place of every mask; `None` where anything may stand there.
fn shown(reply: &Value, values: &Values) -> Option<Value> {
    Some(match reply {
        Value::String(text) => match mask(text) {
            Some("any") => return None,
            Some(inner) => {
                let (form, name) = inner.split_once(" as ").unwrap_or((inner, "text"));
                if form == "sign" {
                    let sign = sample(form, name, FIRST);
                    return Some(json!(json!({ "token": sign, "sign": sign, "expire": 1_700_003_600 }).to_string()));
                }
                values.get(name).cloned().unwrap_or_else(|| sample(form, name, FIRST))
            }
            None => fill(reply, values),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| shown(item, values)).collect::<Option<_>>()?),
        Value::Object(map) => {
            let shown: Option<Map<String, Value>> =
                map.iter().map(|(key, item)| Some((key.clone(), shown(item, values)?))).collect();
            Value::Object(shown?)
        }
        other => other.clone(),
    })
}
