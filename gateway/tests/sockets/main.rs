//! The gateway over real sockets and a real domain, in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

/// Asks something, and takes the one kind of answer that fits.
macro_rules! answer {
    ($client:expr, $body:expr, $kind:ident) => {
        match $client.ask($body).await {
            Body::$kind(answer) => answer,
            other => panic!("no {} but {other:?}", stringify!($kind)),
        }
    };
}

/// Asks something that must be refused.
macro_rules! refusal {
    ($client:expr, $body:expr) => {
        answer!($client, $body, Error)
    };
}

mod abuse;
mod account;
mod board;
mod client;
mod cluster;
mod joining;
mod lifecycle;
mod messages;
mod push;
mod rooms;
mod transports;
mod world;
