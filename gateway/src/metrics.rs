//! Every metric of the gateway, by name.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Connections, by `transport`.
pub const CONNECTIONS: &str = "linnet_gateway_connections";
/// Sessions that wait for their client to come back.
pub const PARKED: &str = "linnet_gateway_parked_sessions";
/// Logins, by `outcome`: `new`, `resumed`, `refused`, `stale`.
pub const LOGINS: &str = "linnet_gateway_logins_total";
/// Connections not taken, by `reason`: `address_rate`, `address_count`, `full`, `handshakes`, `handshake`.
pub const REFUSED: &str = "linnet_gateway_refused_connections_total";
/// Frames received.
pub const FRAMES_IN: &str = "linnet_gateway_frames_in_total";
/// Frames sent.
pub const FRAMES_OUT: &str = "linnet_gateway_frames_out_total";
/// Bytes received, frames only.
pub const BYTES_IN: &str = "linnet_gateway_bytes_in_total";
/// Bytes sent, frames only.
pub const BYTES_OUT: &str = "linnet_gateway_bytes_out_total";
/// Entries handed to sessions.
pub const PUSHES: &str = "linnet_gateway_pushes_total";
/// Sessions ended by another device, an app or an admin.
pub const KICKS: &str = "linnet_gateway_kicks_total";
/// Times that all sessions were told to compare with the store, for events were lost.
pub const RESYNCS: &str = "linnet_gateway_resyncs_total";
/// Seconds from a Send to its durable ack.
pub const SEND_SECONDS: &str = "linnet_gateway_send_seconds";
/// QUIC clients that had to prove their address first.
pub const QUIC_RETRIES: &str = "linnet_gateway_quic_retries_total";

/// Handles to what is counted often; looking them up by name each time would cost more than counting.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) parked: Gauge,
    pub(crate) frames_in: Counter,
    pub(crate) frames_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) pushes: Counter,
    pub(crate) kicks: Counter,
    pub(crate) resyncs: Counter,
    pub(crate) send_seconds: Histogram,
}

impl Metrics {
    /// Handles of the recorder that is installed now.
    pub(crate) fn new() -> Self {
        Self {
            parked: gauge!(PARKED),
            frames_in: counter!(FRAMES_IN),
            frames_out: counter!(FRAMES_OUT),
            bytes_in: counter!(BYTES_IN),
            bytes_out: counter!(BYTES_OUT),
            pushes: counter!(PUSHES),
            kicks: counter!(KICKS),
            resyncs: counter!(RESYNCS),
            send_seconds: histogram!(SEND_SECONDS),
        }
    }
}

/// A login was tried.
pub(crate) fn login(outcome: &'static str) {
    counter!(LOGINS, "outcome" => outcome).increment(1);
}

/// A connection was not taken.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Connections of a transport.
pub(crate) fn connections(transport: &'static str) -> Gauge {
    gauge!(CONNECTIONS, "transport" => transport)
}

/// A QUIC client must prove its address.
pub(crate) fn quic_retry() {
    counter!(QUIC_RETRIES).increment(1);
}
