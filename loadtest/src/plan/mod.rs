//! What a run is to do: read from a TOML file, or made of flags. It travels to every process that takes part.

pub mod credentials;
pub mod schedule;
pub mod span;
pub mod target;
pub mod threshold;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use toml::Value;

use crate::scenario::Scenario;
use schedule::Load;
use target::Target;
use threshold::Threshold;

/// No option means a larger number, nor a smaller one but 0: rates beyond these have no time between two messages, or no end of it.
const NUMBERS: std::ops::RangeInclusive<f64> = 1e-6..=1e9;

/// A whole run.
///
/// ```toml
/// [target]
/// address = ["127.0.0.1:5100"]
/// credentials = "load.tsv"
///
/// [scenario.peer]
/// pairs = 100
///
/// [load]
/// [[load.stages]]
/// duration = "10s"
/// rate = 1000
/// [[load.stages]]
/// duration = "30s"
/// rate = 5000
/// ramp = true
///
/// [thresholds]
/// "ack p99" = "< 20ms"
/// "acked per second" = "> 2900"
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where to connect, how, and as whom.
    pub target: Target,
    /// What to do there.
    pub scenario: Scenario,
    /// How much of it, and how long.
    #[serde(default)]
    pub load: Load,
    /// What must be true in the end, besides books that balance.
    #[serde(default, with = "threshold::table")]
    pub thresholds: Vec<Threshold>,
}

impl Plan {
    /// Reads a plan. Fails on an unknown key or a value out of range, with its place in the file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let plan: Self = toml::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Fails on values that no run can be made of, and says which.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.load.check().context("[load]")?;
        let scenario = Value::try_from(&self.scenario).context("a number is too large")?;
        in_range(&scenario).with_context(|| format!("[scenario.{}]", self.scenario.name()))
    }

    /// Shares the work out: one plan for each process, which together do what this one says. Whoever has more of the users has more of the
    /// load; some may have neither.
    #[must_use]
    pub fn split(&self, processes: usize) -> Vec<Self> {
        let (processes, all) = (processes.max(1), self.scenario.users());
        (0..processes)
            .map(|index| {
                let scenario = self.scenario.share(index, processes);
                let part = if all > 0 { scenario.users() as f64 / all as f64 } else { 1.0 / processes as f64 };
                Self { scenario, load: self.load.share(part), ..self.clone() }
            })
            .collect()
    }
}

/// Looks at every number of a table, under whatever name: scenarios compute with them, and none is to think of what is out of all reason.
fn in_range(value: &Value) -> anyhow::Result<()> {
    let number = match value {
        Value::Table(table) => {
            return table.iter().try_for_each(|(name, value)| in_range(value).with_context(|| name.clone()));
        }
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => return Ok(()),
    };
    if number != 0.0 && !NUMBERS.contains(&number) {
        bail!("{number} is neither 0 nor between {} and {}", NUMBERS.start(), NUMBERS.end());
    }
    Ok(())
}

/// This process's part of a number of things.
#[must_use]
pub fn share(count: usize, index: usize, processes: usize) -> usize {
    count / processes + usize::from(index < count % processes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Subcommand as _;

    use super::*;

    #[test]
    fn the_example_reads() {
        let plan = Plan::parse(
            r#"
            [target]
            credentials = "load.tsv"
            [scenario.peer]
            pairs = 100
            [[load.stages]]
            duration = "10s"
            rate = 1000
            [thresholds]
            "ack p99" = "< 20ms"
            "#,
        )
        .unwrap();
        let parts = plan.split(3);
        assert_eq!(parts.iter().map(|part| part.scenario.users()).sum::<usize>(), plan.scenario.users());
        let rates = parts.iter().map(|part| part.load.stages[0].rate / part.scenario.users() as f64);
        assert!(rates.map(|rate| (rate - 5.0).abs()).all(|off| off < 1e-9), "everybody sends at the same rate");
    }

    #[test]
    fn every_plan_that_is_shipped_reads_and_names_enough_users() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let mut planned = BTreeSet::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let plan = Plan::parse(&text).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            assert_eq!(path.file_stem().unwrap(), plan.scenario.name());
            // The command at its top makes the users.
            let made = text.split_once("--count ").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap();
            assert!(made.parse::<usize>().unwrap() >= plan.scenario.users(), "{}", path.display());
            planned.insert(plan.scenario.name().to_owned());
        }
        let scenarios = Scenario::augment_subcommands(clap::Command::new("scenarios"));
        let scenarios: BTreeSet<String> =
            scenarios.get_subcommands().map(|scenario| scenario.get_name().to_owned()).collect();
        assert_eq!(planned, scenarios, "each scenario has a plan");
    }

    #[test]
    fn a_key_that_nobody_knows_is_named() {
        let error =
            format!("{:#}", Plan::parse("[target]\ncredentials = \"x\"\n[scenario.peer]\npears = 1").unwrap_err());
        assert!(error.contains("pears"), "{error}");
    }

    #[test]
    fn numbers_that_no_run_can_mean_are_named() {
        let wrong = [
            ("connect", "connect_rate = -1.0", "connect_rate"),
            ("connect", "churn = nan", "churn"),
            ("connect", "connect_rate = 1e-300", "connect_rate"),
            ("group", "groups = 9_000_000_000_000_000_000", "groups"),
            ("mixed", "shares = { direct = inf }", "direct"),
            ("rest", "gateway_rate = -0.5", "gateway_rate"),
            ("peer", "[load]\nrate = -1.0", "-1"),
            ("peer", "[load]\nrate = 1e300", "[load]"),
            ("peer", "[load]\nin_flight = 9_000_000_000_000_000_000", "under way"),
            ("peer", "[load]\n[[load.stages]]\nduration = \"1s\"\nrate = nan", "NaN"),
        ];
        for (scenario, line, named) in wrong {
            let text = format!("[target]\ncredentials = \"x\"\n[scenario.{scenario}]\n{line}");
            let error = format!("{:#}", Plan::parse(&text).expect_err(line));
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn shares_add_up() {
        for (count, processes) in [(10, 3), (3, 5), (0, 2), (8, 4)] {
            assert_eq!((0..processes).map(|index| share(count, index, processes)).sum::<usize>(), count);
        }
    }
}
