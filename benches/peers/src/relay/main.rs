//! `relay ADDRESS [--sync FOLDER]`: the relay as a process, which the suite of `make bench` measures beside Linnet.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use linnet_peers::relay::{self, Promise};
use tokio::net::TcpListener;

/// The least that a server which relays messages can cost.
#[derive(Debug, Parser)]
#[command(name = "relay")]
struct Arguments {
    /// `host:port` to listen on.
    address: String,
    /// Has each message in a file of this folder, synced, before it is delivered and acknowledged.
    #[arg(long, value_name = "FOLDER")]
    sync: Option<PathBuf>,
}

// The same as Linnet has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let promise = arguments.sync.map_or(Promise::Delivered, Promise::Synced);
    let listener = TcpListener::bind(&arguments.address).await?;
    println!("ready");
    relay::serve(listener, promise).await
}
