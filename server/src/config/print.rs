//! Prints a configuration with the explanations of `config.example.toml`.

use anyhow::{Context, Result};
use toml_edit::{DocumentMut, Item, Table, Value};

use super::Config;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The example, with this configuration's values in the places of the defaults.
pub(super) fn with_comments(config: &Config) -> Result<String> {
    let mut document: DocumentMut = EXAMPLE.parse().context("config.example.toml")?;
    let text = toml::to_string(config).context("this configuration cannot be written")?;
    let effective: DocumentMut = text.parse().context("this configuration cannot be read again")?;
    overlay(document.as_table_mut(), effective.as_table());
    Ok(document.to_string())
}

fn overlay(under: &mut Table, over: &Table) {
    for (key, item) in over {
        match (under.get_mut(key), item) {
            (Some(Item::Table(old)), Item::Table(new)) => overlay(old, new),
            (Some(Item::Value(old)), Item::Value(new)) => replace(old, new),
            // The example writes short sections on one line.
            (Some(Item::Value(old)), Item::Table(new)) => {
                replace(old, &Value::InlineTable(new.clone().into_inline_table()))
            }
            (Some(_), _) => {}
            (None, new) => {
                under.insert(key, new.clone());
            }
        }
    }
}

/// Replaces a value and keeps the comment behind it.
fn replace(old: &mut Value, new: &Value) {
    let decor = old.decor().clone();
    *old = new.clone();
    if let Some(table) = old.as_inline_table_mut() {
        table.fmt();
    }
    *old.decor_mut() = decor;
}
