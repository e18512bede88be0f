//! Load on the servers that somebody would take instead of Linnet, in the shape in which `linnet-loadtest` puts it on Linnet.
//!
//! One connection for each user, the same payload, the same windows and schedules, latency counted from when a message was due, and a
//! result in the names that `linnet-loadtest --json` uses. What differs is the protocol, and what an ack promises: see `protocol.rs`.
//!
//! `peers --protocol mqtt --qos 1 --address 127.0.0.1:1883 --server-pid 4711 send --pairs 50 --in-flight 32`

mod idle;
mod jetstream;
mod link;
mod mqtt;
mod nats;
mod outcome;
mod protocol;
mod relay;
mod send;
mod topic;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use protocol::Kind;

/// Load generator for MQTT brokers, NATS, and floors.
#[derive(Debug, Parser)]
#[command(name = "peers")]
struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    scenario: Scenario,
}

/// What is measured.
#[derive(Debug, Clone, Args)]
struct Server {
    /// What it speaks.
    #[arg(long, value_enum)]
    protocol: Kind,
    /// Quality of service, of MQTT and the relay: 0 without acks, 1 with.
    #[arg(long, default_value_t = 1)]
    qos: u8,
    /// `host:port`.
    #[arg(long)]
    address: String,
    /// Speaks TLS, and believes any certificate.
    #[arg(long)]
    tls: bool,
    /// Speaks over one stream of QUIC, and believes any certificate. For the floor, since none of the others does.
    #[arg(long, conflicts_with = "tls")]
    quic: bool,
    /// Its process.
    #[arg(long)]
    server_pid: u32,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Opens connections, each subscribed to one topic, and holds them.
    Connect(idle::Idle),
    /// Sends messages, each to one or many receivers.
    Send(send::Send),
}

// The same as linnet-loadtest has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    outcome::raise_file_limit();
    let outcome = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let outcome = runtime.block_on(async {
            match arguments.scenario {
                Scenario::Connect(scenario) => idle::run(&arguments.server, &scenario).await,
                Scenario::Send(scenario) => send::run(&arguments.server, scenario).await,
            }
        });
        // Thousands of connections need not be closed one by one.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(outcome) => {
            println!("{outcome}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}
