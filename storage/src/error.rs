//! What a store can answer besides the data.

/// Why a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// An expectation of the batch did not hold; nothing changed. Read again and decide anew.
    #[error("the row changed meanwhile")]
    Conflict,
    /// The store cannot be reached or has stopped. Whether a commit took effect is unknown.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Stored bytes are not what was written. Never served.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The disk is full; nothing changed. Reads and deletes still work.
    #[error("the disk is full")]
    Full,
    /// More commits are waiting than the configured limit; nothing changed. Try again later.
    #[error("too many commits are waiting")]
    Overloaded,
}

/// A call's outcome.
pub type Result<T> = std::result::Result<T, Error>;
