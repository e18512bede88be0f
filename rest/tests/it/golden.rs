//! Golden request and reply pairs: `tests/<dialect>/<noun>/<name>.json`, each about one route.
//!
//! A file names its route and lists cases, which run in order in one fresh world. `is` says what a case shows: `ok`, `refused`
//! (a wrong credential), `error` or `setup`. Strings in requests and replies may hold `${name}`: a value that an earlier reply saved.
//! In a reply, what differs from run to run is masked, and named where it is needed later: `<hex32>`, `<alnum30 as token>`,
//! `<text>`, `<int>`, `<any>`, `<sign>`. Files whose names begin with `_` are run by others, which list them under `before`.
//! A file for several methods runs once for each.
//!
//! `access` tells the least that may make the file's first `ok` request: `public` (anyone), `app` (the app's server or an administrator
//! of the app), `user` (any user who is logged in), `member`, `admin` or `owner`. The last three are of the group that `group` names by
//! a saved value, as in `"access": "owner", "group": "${g}"`. From these the authorisation matrix is made, which sends that first `ok`
//! request under credentials that must not do.
//!
//! With `LINNET_BLESS=1`, cases without a reply get the one that came; read it before you commit it.
//! `LINNET_GOLDEN=maxim/` runs only files whose names begin so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::world::{Answer, World, basic};
use axum::body::Body;
use axum::http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    route: Route,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Access>,
    /// The group that the first `ok` request is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    cases: Vec<Case>,
}

/// The least that may make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Access {
    Public,
    App,
    User,
    Member,
    Admin,
    Owner,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    methods: Vec<String>,
    path: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    is: Is,
    #[serde(default)]
    request: Ask,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Reply>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Is {
    Ok,
    Refused,
    Error,
    Setup,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The route's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// The route's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// A body that is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    status: u16,
    /// Those that must be there; others may be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Every golden file, with its path under `tests/`.
fn files() -> Vec<(String, File)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name.clone(), load(&name)));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn load(name: &str) -> File {
    let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn is_part(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|file| file.starts_with('_'))
}

#[tokio::test]
async fn every_pair_holds() {
    let bless = std::env::var_os("LINNET_BLESS").is_some();
    let only = std::env::var("LINNET_GOLDEN").unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, mut file) in files().into_iter().filter(|(name, _)| !is_part(name) && name.starts_with(&only)) {
        for method in file.route.methods.clone() {
            wrong.extend(run(&name, &mut file, &method).await);
        }
        if bless {
            std::fs::write(root().join(&name), serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} pairs do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs a file in a world of its own; what did not hold.
async fn run(name: &str, file: &mut File, method: &str) -> Vec<String> {
    let world = World::new().await;
    let mut values = seeds();
    let mut wrong = Vec::new();
    for part in &file.before {
        let mut part_file = load(part);
        let first = part_file.route.methods[0].clone();
        let path = part_file.route.path.clone();
        for case in &mut part_file.cases {
            wrong.extend(run_case(&world, part, &path, &first, case, &mut values).await);
        }
    }
    let path = file.route.path.clone();
    for case in &mut file.cases {
        wrong.extend(run_case(&world, name, &path, method, case, &mut values).await);
    }
    wrong
}

fn seeds() -> Map<String, Value> {
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

async fn run_case(
    world: &World,
    file: &str,
    path: &str,
    method: &str,
    case: &mut Case,
    values: &mut Map<String, Value>,
) -> Option<String> {
    let answer = ask(world, &case.request, path, method, values).await;
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

async fn ask(world: &World, ask: &Ask, path: &str, method: &str, values: &Map<String, Value>) -> Answer {
    let mut request = Request::builder()
        .method(ask.method.as_deref().unwrap_or(method))
        .uri(fill_text(ask.path.as_deref().unwrap_or(path), values));
    for (name, value) in &ask.headers {
        request = request.header(name, fill_text(value, values));
    }
    let body = match (&ask.text, &ask.body) {
        (Some(text), _) => Body::from(fill_text(text, values)),
        (None, Some(body)) => Body::from(fill(body, values).to_string()),
        (None, None) => Body::empty(),
    };
    world.send(request.body(body).unwrap()).await
}

/// Puts saved values in. A string that is one name alone becomes the value itself, so that numbers stay numbers.
fn fill(value: &Value, values: &Map<String, Value>) -> Value {
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

fn fill_text(text: &str, values: &Map<String, Value>) -> String {
    let mut out = text.to_owned();
    for (name, value) in values {
        let spelled = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        out = out.replace(&format!("${{{name}}}"), &spelled);
    }
    assert!(!out.contains("${"), "nothing saved this: {out}");
    out
}

fn compare(reply: &Reply, answer: &Answer, values: &mut Map<String, Value>) -> Result<(), String> {
    if reply.status != answer.status {
        return Err(format!("status {} instead of {}", answer.status, reply.status));
    }
    for (name, wanted) in &reply.headers {
        let came = answer.headers.get(name).and_then(|value| value.to_str().ok());
        if came != Some(wanted) {
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

fn matches(wanted: &Value, came: &Value, at: &str, values: &mut Map<String, Value>) -> Result<(), String> {
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
fn masked(mask: &str, came: &Value, at: &str, values: &mut Map<String, Value>) -> Result<(), String> {
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

/// Whether a path is an instance of a route's.
fn is_under(path: &str, route: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').count() == route.split('/').count()
        && path.split('/').zip(route.split('/')).all(|(part, name)| name.starts_with('{') || part == name)
}

#[test]
fn every_route_has_a_pair_and_a_refusal() {
    let files = files();
    let mut missing = Vec::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            for method in endpoint.methods.each() {
                let shown = |is: Is| {
                    let about = |(name, file): &&(String, File)| {
                        name.starts_with(&format!("{}/", table.dialect))
                            && !is_part(name)
                            && file.route.path == endpoint.path
                            && file.route.methods.iter().any(|each| each == method.as_str())
                    };
                    files.iter().filter(about).flat_map(|(_, file)| &file.cases).any(|case| {
                        let ask = &case.request;
                        case.is == is
                            && ask.method.as_deref().is_none_or(|each| each == method.as_str())
                            && ask.path.as_deref().is_none_or(|path| is_under(path, endpoint.path))
                    })
                };
                let route = format!("{} {method} {}", table.dialect, endpoint.path);
                if !shown(Is::Ok) {
                    missing.push(format!("{route}: no pair that is `ok`"));
                }
                if !endpoint.public && !shown(Is::Refused) {
                    missing.push(format!("{route}: no pair that is `refused`"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_file_is_about_a_route_that_exists() {
    let tables = rest::tables();
    for (name, file) in files().iter().filter(|(name, _)| !is_part(name)) {
        for method in &file.route.methods {
            let exists = tables.iter().flat_map(|table| &table.endpoints).any(|endpoint| {
                endpoint.path == file.route.path && endpoint.methods.each().any(|each| each.as_str() == method)
            });
            assert!(exists, "{name}: no route {method} {}", file.route.path);
        }
        let of_a_group = matches!(file.access, Some(Access::Member | Access::Admin | Access::Owner));
        assert!(!of_a_group || file.group.is_some(), "{name}: `access` is about a group; `group` must name it");
    }
}
