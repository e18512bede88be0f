//! How large a campaign is. `make chaos` sets these; without them it is the short form that every test run has time for.

use std::path::PathBuf;

/// Read from `LINNET_CHAOS_…`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `FAILOVERS`: how many times a master is killed, stopped or cut off.
    pub(crate) failovers: usize,
    /// `MESSAGES`: the run goes on until so many are acknowledged.
    pub(crate) messages: usize,
    /// `RATE`: messages a second that all writers together aim at.
    pub(crate) rate: u32,
    /// `CUTS`: how many replies are cut off.
    pub(crate) cuts: u64,
    /// `KEEP`: keeps logs and books of a run that went well, too.
    pub(crate) keep: bool,
    /// `SEED`: repeats a plan. What runs at which moment within it, the machine decides.
    pub(crate) seed: u64,
    /// `REPORT`: a file to which the report is added, as one line of JSON.
    pub(crate) report: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let settings = Self {
            failovers: number("FAILOVERS").unwrap_or(2),
            messages: number("MESSAGES").unwrap_or(0),
            rate: number("RATE").unwrap_or(100),
            cuts: number("CUTS").unwrap_or(30),
            keep: text("KEEP").is_some(),
            seed: number("SEED").unwrap_or_else(rand::random),
            report: text("REPORT").map(PathBuf::from),
        };
        let Self { failovers, messages, rate, seed, .. } = &settings;
        println!(
            "LINNET_CHAOS_FAILOVERS={failovers} LINNET_CHAOS_MESSAGES={messages} LINNET_CHAOS_RATE={rate} LINNET_CHAOS_SEED={seed}"
        );
        settings
    }
}

fn text(name: &str) -> Option<String> {
    std::env::var(format!("LINNET_CHAOS_{name}")).ok().filter(|text| !text.is_empty())
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    text(name).map(|text| text.parse().unwrap_or_else(|_| panic!("LINNET_CHAOS_{name} is no such number: {text}")))
}
