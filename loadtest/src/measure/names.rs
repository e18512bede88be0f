//! Names of what is measured, the same in every scenario, in files and in reports.

/// Times, microseconds.
pub mod timing {
    /// From beginning to connect until logged in.
    pub const LOGIN: &str = "login";
    /// Until the sender knew a message to be durable; open model: from the time it was due.
    pub const ACK: &str = "ack";
    /// Until a receiver had a message; open model: from the time it was due.
    pub const DELIVERY: &str = "delivery";
    /// Until the last of a group's readers had a message.
    pub const ROOM: &str = "room";
    /// From a login, or from the loss of a connection, until everything missed was there.
    pub const SYNC: &str = "sync";
    /// From the loss of a connection until the session was open again.
    pub const OUTAGE: &str = "outage";
    /// From the beginning of a storm until a session had everything again: the largest is when all had.
    pub const BACK: &str = "back";
    /// As [`ACK`], from the beginning of a storm until everybody is back.
    pub const STORM_ACK: &str = "ack in storm";
    /// As [`DELIVERY`], to someone who was away when the message was sent.
    pub const AWAY: &str = "away";
    /// A REST call; open model: from the time it was due.
    pub const REQUEST: &str = "request";
    /// As delivery, of readers that stop now and then on purpose.
    pub const SLOW_DELIVERY: &str = "slow delivery";
    /// A question over the gateway's connection, from asking to its answer; open model: from the time it was due.
    pub const CALL: &str = "call";
    /// How late the generator was on its own schedule.
    pub const LAG: &str = "lag";
}

/// Counts.
pub mod count {
    /// Logins.
    pub const CONNECTED: &str = "connected";
    /// Logins that failed.
    pub const CONNECT_FAILED: &str = "connect failed";
    /// Connections that broke.
    pub const DISCONNECTED: &str = "disconnected";
    /// Messages given to the client library.
    pub const SENT: &str = "sent";
    /// Messages acknowledged.
    pub const ACKED: &str = "acked";
    /// Messages refused.
    pub const REFUSED: &str = "refused";
    /// Arrivals at readers.
    pub const RECEIVED: &str = "received";
    /// Due messages that found their sender's window full (open model).
    pub const NOT_SENT: &str = "not sent";
    /// Sessions closed on purpose and opened anew.
    pub const RECONNECTED: &str = "reconnected";
    /// Questions over the gateway's connection that were answered.
    pub const CALLS: &str = "calls";
    /// Questions over the gateway's connection that were refused, or not answered.
    pub const CALL_ERRORS: &str = "call errors";
    /// What was said without an answer: somebody is writing.
    pub const NOTICES: &str = "notices";
    /// What came that is no message: receipts, presence, somebody is writing.
    pub const HINTS: &str = "hints";
    /// Sessions that were cut.
    pub const CUT: &str = "cut";
    /// Sessions that were cut, or users who were away, and did not have everything in time.
    pub const NOT_BACK: &str = "not back";
    /// Messages that users who were away were owed when they woke up, each counted once for every such user.
    pub const OWED: &str = "owed";
    /// Bytes that they received from then on until all had everything.
    pub const WAKE_BYTES: &str = "wake bytes";
    /// REST calls answered.
    pub const REQUESTS: &str = "requests";
    /// REST calls answered with an error, or not at all.
    pub const REQUEST_ERRORS: &str = "request errors";

    /// Those that tell of trouble.
    pub const TROUBLE: [&str; 6] = [REFUSED, NOT_SENT, DISCONNECTED, CONNECT_FAILED, CALL_ERRORS, REQUEST_ERRORS];
}

/// Levels.
pub mod gauge {
    /// Sessions open now.
    pub const CONNECTIONS: &str = "connections";
}
