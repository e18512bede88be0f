//! The pages under `docs/`: every command on them, run against the real binary.
//!
//! A page's ```` ```sh ```` blocks run one after another in one shell. A ```` ```json ```` block behind one says what its last command
//! answers; `"…"` stands for any value there, and as a field's name for any further fields.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Role, Site};

/// What the pages ask the reader to have at hand.
const BEFORE: &str = r#"
set -euo pipefail
field() { grep -o "\"$1\":\"[^\"]*" | head -n 1 | cut -d'"' -f4; }
number() { grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d: -f2; }
linnet app create --id shop --number 42 --secret s3cret --admin boss >&2
"#;
/// Where the pages think that the service listens.
const ADDRESS: &str = "http://127.0.0.1:8080";
/// Stands between the outputs of two blocks.
const MARK: &str = "----8<----";

/// A block of commands, and what the last of them answers.
struct Step {
    commands: String,
    answer: Option<Value>,
}

#[test]
fn gobelieve() {
    check("gobelieve");
}

#[test]
fn maxim() {
    check("maxim");
}

#[test]
fn openim() {
    check("openim");
}

#[test]
fn tenured() {
    check("tenured");
}

#[test]
fn tim() {
    check("tim");
}

#[test]
fn what_is_ours_is_on_the_page() {
    let page = std::fs::read_to_string(page("tenured")).expect("the page");
    for table in rest::tables().iter().filter(|table| table.dialect == "tenured") {
        for endpoint in &table.endpoints {
            assert!(page.contains(endpoint.path), "docs/tenured.md does not tell of {}", endpoint.path);
        }
    }
}

fn check(page: &str) {
    let steps = read(page);
    assert!(steps.len() > 3, "{page}: there is no session");
    let site = Site::new();
    let server = site.start(Role::Serve);
    let address = format!("http://{}", server.ready.rest.expect("it serves REST"));
    let mut script = BEFORE.to_owned();
    for step in &steps {
        script.push_str(&step.commands.replace(ADDRESS, &address));
        script.push_str(&format!("\nprintf '\\n%s\\n' '{MARK}'\n"));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_linnet")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash").args(["-c", &script]).current_dir(site.path()).env("PATH", path).output();
    let output = output.expect("bash runs");
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{page}: a command fails\n{said}\n{complaint}");
    for (step, said) in steps.iter().zip(said.split(MARK)) {
        let Some(wanted) = &step.answer else { continue };
        // Earlier commands of the block may have answered too.
        let answers = serde_json::Deserializer::from_str(said).into_iter::<Value>();
        let came = answers.map_while(Result::ok).last().unwrap_or_default();
        if let Err(problem) = matches(wanted, &came, "") {
            panic!("{page}: {problem}\n{}\ncame: {said}", step.commands);
        }
    }
}

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/{name}.md"))
}

fn read(page: &str) -> Vec<Step> {
    let text = std::fs::read_to_string(self::page(page)).expect("the page");
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').expect("a block has a kind");
        match kind {
            "sh" => steps.push(Step { commands: body.to_owned(), answer: None }),
            "json" => {
                let answer = serde_json::from_str(body).unwrap_or_else(|error| panic!("{page}: {error}: {body}"));
                steps.last_mut().expect("an answer follows commands").answer = Some(answer);
            }
            _ => {}
        }
    }
    steps
}

fn matches(wanted: &Value, came: &Value, at: &str) -> Result<(), String> {
    match (wanted, came) {
        (Value::String(any), _) if any == "…" => Ok(()),
        (Value::Object(fields), Value::Object(found)) => {
            for (name, wanted) in fields.iter().filter(|(name, _)| *name != "…") {
                let came = found.get(name).ok_or_else(|| format!("{at}/{name} is missing"))?;
                matches(wanted, came, &format!("{at}/{name}"))?;
            }
            match found.keys().find(|name| !fields.contains_key(*name)) {
                Some(further) if !fields.contains_key("…") => Err(format!("{at}/{further} is there too")),
                _ => Ok(()),
            }
        }
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => {
            (0..items.len()).try_for_each(|row| matches(&items[row], &found[row], &format!("{at}/{row}")))
        }
        _ if wanted == came => Ok(()),
        _ => Err(format!("{at}: {came} instead of {wanted}")),
    }
}
