//! How a run goes: workers do the plan's work, the coordinator leads them and adds up what they see.
//!
//! A worker is a task of this process, another process, or one that an [agent] on another machine started; all speak the same
//! [messages](message). How many there are, and who does what, is the [fleet]'s business.

pub mod agent;
mod child;
pub mod clock;
pub(crate) mod context;
pub mod coordinator;
pub mod crew;
pub mod fleet;
mod link;
pub mod message;
mod remote;
mod secret;
mod timeline;
pub(crate) mod wall;
pub(crate) mod worker;

pub(crate) use child::serve;
