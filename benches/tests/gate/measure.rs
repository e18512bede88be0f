//! What one time of a path costs: the difference between many times and few, divided by how many more.

use std::process::{Command, Output};

use super::limits::Cost;

/// The program that does the work.
const COUNTED: &str = env!("CARGO_BIN_EXE_counted");
const FEW: usize = 20;
const MANY: usize = 120;
/// Paths that leave something to be held.
const HOLDS: [&str; 1] = ["login"];

/// What the program that does the work printed of one run.
#[derive(serde::Deserialize)]
struct Allocated {
    allocations: f64,
    allocated: f64,
    retained: f64,
}

/// What a path costs.
pub(crate) fn cost(path: &str) -> Cost {
    let each = |few: f64, many: f64| (many - few) / (MANY - FEW) as f64;
    let (few, many) = (allocated(path, FEW), allocated(path, MANY));
    Cost {
        instructions: each(instructions(path, FEW), instructions(path, MANY)),
        allocations: each(few.allocations, many.allocations),
        allocated: each(few.allocated, many.allocated),
        retained: HOLDS.contains(&path).then(|| each(few.retained, many.retained)),
    }
}

fn allocated(path: &str, times: usize) -> Allocated {
    let output = run(Command::new(COUNTED).args([path, &times.to_string()]));
    serde_json::from_slice(&output.stdout).expect("the program prints what it counted")
}

/// Instructions of the whole process. What valgrind runs sees the same processor on every machine of the kind.
fn instructions(path: &str, times: usize) -> f64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", COUNTED, path]);
    let output = run(command.arg(times.to_string()));
    let log = String::from_utf8_lossy(&output.stderr);
    let counted = log.lines().find_map(|line| line.split_once("I   refs:").or_else(|| line.split_once("I refs:")));
    let (_, counted) = counted.unwrap_or_else(|| panic!("valgrind counted nothing:\n{log}"));
    counted.trim().replace(',', "").parse().expect("valgrind counts in decimal")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{} does not start ({error}): `scripts/setup.sh test` installs it", command.get_program().display())
    });
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    output
}
