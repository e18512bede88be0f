//! Puts a configuration together: defaults, then the file, then the environment, then flags.
//!
//! Every layer is checked as it is laid, so that a complaint can name the file, the variable or the flag at fault.

use anyhow::{Context, Result, anyhow, bail};
use toml::{Table, Value};

use super::Config;

/// What variables that set a key begin with; levels are parted by two underscores.
const PREFIX: &str = "LINNET__";

/// The keys that were set, over the defaults.
#[derive(Debug)]
pub(super) struct Layers {
    defaults: Table,
    set: Table,
}

impl Layers {
    pub(super) fn new() -> Self {
        let defaults = Table::try_from(Config::default()).expect("the defaults can be written");
        Self { defaults, set: Table::new() }
    }

    /// Lays a file's text on top.
    pub(super) fn file(&mut self, name: &str, text: &str) -> Result<()> {
        let table: Table = toml::from_str(text).map_err(|error| anyhow!("{name}: {error}"))?;
        self.refuse_unknown(name, &table)?;
        // From the text itself, since only that error shows the line.
        toml::from_str::<Config>(text).map_err(|error| anyhow!("{name}: {error}"))?;
        merge(&mut self.set, table);
        Ok(())
    }

    /// Lays the environment on top: `LINNET__GATEWAY__TCP__LISTEN` is `gateway.tcp.listen`.
    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<()> {
        let mut ours: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, text) in ours {
            let path: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
            self.key(&format!("environment variable {name}"), &path, &text)?;
        }
        Ok(())
    }

    /// Lays one flag's `key=value` on top.
    pub(super) fn flag(&mut self, flag: &str, assignment: &str) -> Result<()> {
        let Some((key, text)) = assignment.split_once('=') else {
            bail!("{flag} {assignment}: write it as KEY=VALUE");
        };
        let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
        self.key(flag, &path, text)
    }

    /// Whether a key was set by any layer, rather than left to its default.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        let Some((last, tables)) = path.split_last() else { return false };
        let inner = tables.iter().try_fold(&self.set, |table, step| table.get(*step)?.as_table());
        inner.is_some_and(|table| table.contains_key(*last))
    }

    /// The configuration that results.
    pub(super) fn finish(&self) -> Result<Config> {
        let mut all = self.defaults.clone();
        merge(&mut all, self.set.clone());
        Value::Table(all).try_into().context("the configuration as a whole")
    }

    fn key(&mut self, source: &str, path: &[String], text: &str) -> Result<()> {
        let Some((last, tables)) = path.split_last() else { bail!("{source}: there is no key") };
        let default = lookup(&self.defaults, path);
        let mut layer = Table::new();
        let mut inner = &mut layer;
        for step in tables {
            let value = inner.entry(step.clone()).or_insert_with(|| Value::Table(Table::new()));
            inner = value.as_table_mut().expect("it was made a table just now");
        }
        let value = read_value(default, text).with_context(|| format!("{source}: `{}`", path.join(".")))?;
        inner.insert(last.clone(), value);
        self.refuse_unknown(source, &layer)?;
        let mut all = self.defaults.clone();
        merge(&mut all, self.set.clone());
        merge(&mut all, layer.clone());
        let check: Result<Config, _> = Value::Table(all).try_into();
        check.map_err(|error| anyhow!("{source}: `{}`: {}", path.join("."), error.message()))?;
        merge(&mut self.set, layer);
        Ok(())
    }

    /// Refuses keys that no section has. The defaults tell nearly all keys; what has no default is for the sections themselves to know.
    fn refuse_unknown(&self, source: &str, layer: &Table) -> Result<()> {
        for path in unknown(&self.defaults, layer) {
            let alone = nest(&path, lookup(layer, &path).cloned().unwrap_or(Value::Boolean(false)));
            let refusal = match Value::Table(alone).try_into::<Config>() {
                Err(error) if error.message().contains("unknown field") => error.message().to_owned(),
                _ => continue,
            };
            let suggestion = suggest(&self.defaults, &path, &refusal);
            let hint = suggestion.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default();
            bail!("{source}: unknown key `{}`{hint}", path.join("."));
        }
        Ok(())
    }
}

/// The value that a text stands for, given what the key holds by default.
fn read_value(default: Option<&Value>, text: &str) -> Result<Value> {
    Ok(match default {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        Some(Value::Integer(_)) => Value::Integer(text.trim().parse().context("expected a whole number")?),
        Some(Value::Float(_)) => Value::Float(text.trim().parse().context("expected a number")?),
        Some(Value::Boolean(_)) => Value::Boolean(text.trim().parse().context("expected true or false")?),
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        Some(Value::Table(_)) => bail!("this is a section, not a key"),
        Some(Value::Array(_) | Value::Datetime(_)) | None => {
            let line = format!("value = {text}");
            let parsed = toml::from_str::<Table>(&line).ok().and_then(|mut table| table.remove("value"));
            parsed.unwrap_or_else(|| Value::String(text.to_owned()))
        }
    })
}

fn lookup<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { lookup(value.as_table()?, rest) }
}

fn nest(path: &[String], value: Value) -> Table {
    let mut table = Table::new();
    if let Some((first, rest)) = path.split_first() {
        let inner = if rest.is_empty() { value } else { Value::Table(nest(rest, value)) };
        table.insert(first.clone(), inner);
    }
    table
}

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Paths in `layer` that `defaults` has not.
fn unknown(defaults: &Table, layer: &Table) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (key, value) in layer {
        match (defaults.get(key), value) {
            (None, _) => found.push(vec![key.clone()]),
            (Some(Value::Table(known)), Value::Table(given)) => {
                for mut path in unknown(known, given) {
                    path.insert(0, key.clone());
                    found.push(path);
                }
            }
            (Some(_), _) => {}
        }
    }
    found
}

/// The known key that is spelled most like this one, among its neighbours and then among all.
fn suggest(defaults: &Table, path: &[String], refusal: &str) -> Option<String> {
    let (last, parent) = path.split_last()?;
    let beside = if parent.is_empty() { Some(defaults) } else { lookup(defaults, parent).and_then(Value::as_table) };
    let mut neighbours: Vec<String> = beside.map(|table| table.keys().cloned().collect()).unwrap_or_default();
    // Keys without a default are named by the section's own complaint only.
    let expected = refusal.split("expected").nth(1).unwrap_or_default();
    neighbours.extend(expected.split('`').skip(1).step_by(2).map(str::to_owned));
    let near = nearest(last, neighbours.iter().map(String::as_str));
    if let Some(near) = near {
        let mut full = parent.to_vec();
        full.push(near.to_owned());
        return Some(full.join("."));
    }
    let all = leaves(defaults);
    nearest(&path.join("."), all.iter().map(String::as_str)).map(str::to_owned)
}

fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    // Past a third of the word, a suggestion misleads more than it helps.
    (distance <= (word.len() / 3).max(2)).then_some(best)
}

/// Every key as a dotted path.
pub(super) fn leaves(table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => found.extend(leaves(inner).into_iter().map(|rest| format!("{key}.{rest}"))),
            _ => found.push(key.clone()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(result: Result<()>) -> String {
        format!("{:#}", result.expect_err("must be refused"))
    }

    #[test]
    fn later_layers_win() {
        let mut layers = Layers::new();
        layers.file("linnet.toml", "data_dir = \"file\"\n[log]\nfilter = \"debug\"").unwrap();
        let variables = [("LINNET__LOG__FILTER".to_owned(), "warn".to_owned()), ("HOME".to_owned(), "/".to_owned())];
        layers.environment(variables.into_iter()).unwrap();
        layers.flag("--set", "shutdown.deadline=3s").unwrap();
        let config = layers.finish().unwrap();
        assert_eq!(config.data_dir, std::path::PathBuf::from("file"));
        assert_eq!(config.log.filter, "warn");
        assert_eq!(config.shutdown.deadline, std::time::Duration::from_secs(3));
        assert!(layers.has(&["log", "filter"]) && !layers.has(&["log", "format"]));
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        let mut layers = Layers::new();
        let text = refusal(layers.file("linnet.toml", "[log]\nfliter = \"debug\""));
        assert_eq!(text, "linnet.toml: unknown key `log.fliter`; did you mean `log.filter`?");
        let text = refusal(layers.file("linnet.toml", "dta_dir = \"x\""));
        assert_eq!(text, "linnet.toml: unknown key `dta_dir`; did you mean `data_dir`?");
        let variable = ("LINNET__SHUTDOWN__DEADLIN".to_owned(), "1s".to_owned());
        let text = refusal(layers.environment([variable].into_iter()));
        assert!(text.contains("LINNET__SHUTDOWN__DEADLIN") && text.contains("`shutdown.deadline`"), "{text}");
        let text = refusal(layers.flag("--set", "nonsense.of.my.own=1"));
        assert_eq!(text, "--set: unknown key `nonsense`");
    }

    #[test]
    fn wrong_values_are_named_with_their_source() {
        let mut layers = Layers::new();
        let text = refusal(layers.flag("--set", "shutdown.deadline=soon"));
        assert!(text.starts_with("--set: `shutdown.deadline`:") && text.contains("soon"), "{text}");
        let text = refusal(layers.file("linnet.toml", "[shutdown]\ndeadline = 3"));
        assert!(text.starts_with("linnet.toml:") && text.contains("line 2"), "{text}");
        let text = refusal(layers.flag("--set", "log=debug"));
        assert!(text.contains("section"), "{text}");
    }
}
