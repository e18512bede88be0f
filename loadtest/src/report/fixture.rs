//! A real run, kept as a file, that tests of reports are made with.

use crate::outcome::Outcome;

/// Pairs in the open model over plain TCP, with the server's processes and metrics watched.
pub(crate) fn outcome() -> Outcome {
    Outcome::parse(include_str!("../../tests/fixtures/peer.json")).unwrap()
}
