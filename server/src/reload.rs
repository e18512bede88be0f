//! SIGHUP: what can change while the server runs, and what needs a restart.

use anyhow::Result;
use toml::Table;

use crate::config::Config;

/// Keys that take effect without a restart.
const LIVE: &[&str] =
    &["log.filter", "tls.certificate", "tls.key", "gateway.frames", "gateway.sends", "gateway.connects"];

/// How two configurations differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Keys that take effect now.
    pub(crate) live: Vec<String>,
    /// Keys that take effect with the next start.
    pub(crate) restart: Vec<String>,
}

/// Compares two configurations.
///
/// # Errors
/// If one cannot be written, which a configuration that was read always can.
pub(crate) fn compare(old: &Config, new: &Config) -> Result<Changes> {
    let (old, new) = (Table::try_from(old)?, Table::try_from(new)?);
    let mut changes = Changes::default();
    differing(&old, &new, "", &mut changes);
    Ok(changes)
}

fn differing(old: &Table, new: &Table, above: &str, changes: &mut Changes) {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match (old.get(key), new.get(key)) {
            (Some(toml::Value::Table(old)), Some(toml::Value::Table(new))) if !LIVE.contains(&path.as_str()) => {
                differing(old, new, &path, changes);
            }
            (old, new) if old == new => {}
            _ if LIVE.contains(&path.as_str()) => changes.live.push(path),
            _ => changes.restart.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_sorted_by_when_they_take_effect() {
        let old = Config::default();
        let mut new = old.clone();
        assert_eq!(compare(&old, &new).unwrap(), Changes::default());
        new.log.filter = "debug".into();
        new.rest.listen = "127.0.0.1:1".into();
        new.gateway.sends.burst += 1;
        let changes = compare(&old, &new).unwrap();
        assert_eq!(changes.live, ["gateway.sends", "log.filter"]);
        assert_eq!(changes.restart, ["rest.listen"]);
    }

    #[test]
    fn every_live_key_exists() {
        let defaults = Table::try_from(Config::default()).unwrap();
        for path in LIVE {
            let mut steps = path.split('.');
            let first = steps.next().and_then(|step| defaults.get(step));
            assert!(steps.try_fold(first, |value, step| Some(value?.get(step))).flatten().is_some(), "{path}");
        }
    }
}
