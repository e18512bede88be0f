//! What each path may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is written above the limits.
const HEADER: &str = "\
# What one time of each hot path may cost in the development build; `make test` fails where one is exceeded\n# by more than its tolerance in `benches/tests/gate/limits.rs`.
# Written by `make bench-limits`: `benches/tests/gate` says how it is measured, `benches/src/bin/counted.rs` what.
#
# instructions  of server and client together
# allocations   of the server alone, how many
# allocated     bytes of these
# retained      bytes of these that an idle session goes on holding, with its rows in the store in memory
";
/// How far instructions may go above their limit, as a share: they waver by a few in a hundred, with how threads take turns.
const INSTRUCTIONS: f64 = 0.12;
/// The same for how many allocations there are, which hardly wavers: two or three more for each message show.
const ALLOCATIONS: f64 = 0.05;
/// The same for bytes, which tables that grow let waver a little.
const BYTES: f64 = 0.08;

/// What one time of a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    /// Bytes.
    pub(crate) allocated: f64,
    /// Bytes. Elsewhere than in a login they are what a store in memory and tables that grow happen to hold, and not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retained: Option<f64>,
}

/// The limits of every path.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Limits(BTreeMap<String, Cost>);

impl Limits {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(file()).expect("`limits.toml` is there");
        toml::from_str(&text).expect("`limits.toml` holds four numbers for each path")
    }

    pub(crate) fn write(measured: impl IntoIterator<Item = (String, Cost)>) {
        let rounded = measured.into_iter().map(|(path, cost)| (path, cost.rounded()));
        let body = toml::to_string(&Self(rounded.collect())).expect("numbers can be written");
        std::fs::write(file(), format!("{HEADER}\n{body}")).expect("`limits.toml` can be written");
    }

    pub(crate) fn of(&self, path: &str) -> Option<&Cost> {
        self.0.get(path)
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Cost {
    /// A line for each number that is above its limit.
    pub(crate) fn exceeded_by(&self, measured: &Self) -> Vec<String> {
        let numbers = [
            ("instructions", INSTRUCTIONS, self.instructions, measured.instructions),
            ("allocations", ALLOCATIONS, self.allocations, measured.allocations),
            ("bytes allocated", BYTES, self.allocated, measured.allocated),
        ];
        let held = self.retained.zip(measured.retained).map(|(limit, held)| ("bytes retained", BYTES, limit, held));
        let above = (numbers.into_iter().chain(held))
            .filter(|(_, share, limit, measured)| *measured > limit.max(1.0) * (1.0 + share));
        above
            .map(|(what, _, limit, measured)| format!("  {what}: {measured:.1}, and the limit is {limit:.1}"))
            .collect()
    }

    /// Three digits: the rest is noise.
    fn rounded(self) -> Self {
        let round = |number: f64| {
            let unit = 10f64.powf((number.abs().max(1.0).log10().floor() - 2.0).max(-1.0));
            // Divided by the inverse, since 0.1 has no exact form.
            if unit < 1.0 { (number * 10.0).round() / 10.0 } else { (number / unit).round() * unit }
        };
        Self {
            instructions: round(self.instructions),
            allocations: round(self.allocations),
            allocated: round(self.allocated),
            retained: self.retained.map(round),
        }
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("limits.toml")
}

const LIMIT: Cost = Cost { instructions: 1000.0, allocations: 10.0, allocated: 500.0, retained: Some(100.0) };

#[test]
fn what_is_within_the_tolerance_passes() {
    assert_eq!(LIMIT.exceeded_by(&LIMIT), Vec::<String>::new());
    let near = Cost { instructions: 1079.0, allocations: 10.1, allocated: 524.0, retained: Some(104.0) };
    assert_eq!(LIMIT.exceeded_by(&near), Vec::<String>::new());
}

#[test]
fn each_number_that_grew_is_named() {
    let grown = Cost { instructions: 1201.0, allocations: 11.0, allocated: 500.0, retained: Some(164.0) };
    let lines = LIMIT.exceeded_by(&grown);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "  instructions: 1201.0, and the limit is 1000.0");
    assert!(lines[1].contains("allocations: 11.0") && lines[2].contains("bytes retained: 164.0"), "{lines:?}");
}

#[test]
fn limits_are_rounded_to_what_can_be_repeated() {
    let rounded = Cost { instructions: 416_788.0, allocations: 63.52, allocated: 20_497.3, retained: None }.rounded();
    assert_eq!(rounded, Cost { instructions: 417_000.0, allocations: 63.5, allocated: 20_500.0, retained: None });
}
