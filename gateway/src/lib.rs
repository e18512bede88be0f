//! Client connections: phones and desktops hold one each, over TCP, TLS or QUIC, and speak `proto/wire.proto`.
//!
//! [`session`] decides, `drive.rs` moves bytes, `registry.rs` (the [`Hub`]) brings events, `call.rs` asks the domain.
//! This crate knows no rule of the product (those are the domain's) and no engine.
//!
//! ```no_run
//! # async fn start(store: storage::Store) -> Result<(), Box<dyn std::error::Error>> {
//! use domain::{Clock, Domain, Outlet};
//!
//! let hub = gateway::Hub::new(gateway::Config::default());
//! let domain = Domain::open(store, Clock::system(), Outlet::Here(hub.clone()), domain::Config::default()).await?;
//! let certs = gateway::Certs::from_pem(&std::fs::read("chain.pem")?, &std::fs::read("key.pem")?)?;
//! let gateway = gateway::Gateway::start(domain, hub, Clock::system(), Some(certs)).await?;
//! println!("{:?}", gateway.addresses());
//! gateway.drain(std::time::Duration::from_secs(20)).await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod answer;
mod call;
mod certs;
pub mod config;
mod drive;
mod encode;
mod error;
mod gateway;
mod limit;
pub mod metrics;
mod presence;
mod registry;
pub mod session;
mod ticket;
mod wire;

pub use certs::{ALPN, Certs, CertsError};
pub use config::Config;
pub use gateway::{Gateway, LocalAddresses, StartError};
pub use registry::Hub;
