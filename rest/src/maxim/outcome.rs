//! What became of each user of a call about several.

use serde::Serialize;
use utoipa::ToSchema;

use super::Error;

/// One user's outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserOutcome {
    pub(super) user_id: u64,
    /// `success` or `fail`.
    pub(super) result: &'static str,
    /// Why it failed; empty where it did not.
    pub(super) reason: String,
}

impl UserOutcome {
    /// By the outcome of a domain call.
    pub(super) fn of(user_id: u64, outcome: Result<(), domain::Error>) -> Self {
        match outcome {
            Ok(()) => Self { user_id, result: "success", reason: String::new() },
            Err(error) => Self { user_id, result: "fail", reason: Error::from(error).message.into_owned() },
        }
    }
}
