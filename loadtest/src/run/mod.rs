//! How a run goes: workers do the plan's work, the coordinator leads them and adds up what they see.
//!
//! A worker is a task of this process, another process, or an agent on another machine; all speak the same [messages](message).

pub(crate) mod context;
pub mod coordinator;
pub mod message;
pub(crate) mod wall;
pub(crate) mod worker;
