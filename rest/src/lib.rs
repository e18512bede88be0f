//! The REST service: five existing systems' documented HTTP APIs over one domain.
//!
//! Each dialect is a folder: `routes.rs` is its table, `error.rs` its one mapping of errors, and a file per noun holds its handlers.
//! [`dialect::Dialect`] is what they differ in, [`route`] how an endpoint is declared, [`input`] how a request is read.
//! [`Service`] puts them together; `server.rs` serves it on a socket. This crate never opens a store and knows no gateway.

pub mod answer;
pub mod config;
pub mod context;
mod cursor;
pub mod dialect;
pub mod gobelieve;
pub mod input;
pub mod lenient;
pub mod maxim;
pub mod media;
pub mod metrics;
pub mod names;
mod numbers;
pub mod openapi;
pub mod openim;
pub mod people;
pub mod preview;
mod probes;
pub mod route;
mod router;
mod seconds;
mod server;
mod service;
mod stall;
pub mod stream;
mod tables;
pub mod tenured;
pub mod tim;

pub use config::Config;
pub use context::{Anonymous, Call, Cx};
pub use dialect::{Dialect, Fault};
pub use probes::RenderMetrics;
pub use service::{Service, Version};
pub use tables::{Table, tables};
