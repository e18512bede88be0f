//! Settings of the REST service: every limit and every timeout.

use std::time::Duration;

use domain::units::{ByteSize, duration};
use serde::{Deserialize, Serialize};

/// Every setting of the REST service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on. Default `127.0.0.1:8080`; port 0 picks one.
    pub listen: String,
    /// What URLs of this service begin with where clients are given some, as `https://im.example.com`.
    /// Default empty: what the client called the service by.
    pub public_url: String,
    /// App of tim and maxim calls that name none in the header `app_id`. Default `demo`.
    pub default_app: String,

    /// Most connections at once. Default 10000; further ones are closed at once.
    pub max_connections: usize,
    /// Most connections from one address. Default 2000, which leaves room for a proxy in front.
    pub max_connections_per_address: usize,
    /// Most requests being worked on at once. Default 2048; further ones are answered that the server is busy.
    pub max_requests: usize,
    /// Largest body of a request. Default 1MiB. Worst case in memory: this times `max_requests`.
    pub max_body: ByteSize,
    /// Largest head of an HTTP/1 request, and the read buffer of a connection. Default 16KiB, at least 8KiB.
    pub max_head: ByteSize,
    /// Most headers of an HTTP/1 request. Default 64.
    pub max_headers: usize,
    /// Most streams of one HTTP/2 connection. Default 100.
    pub h2_max_streams: u32,
    /// Most streams of one HTTP/2 connection that its client reset before we took them. Default 20; more end the connection.
    pub h2_max_pending_resets: usize,
    /// Most streams of one HTTP/2 connection that we had to reset. Default 200; more end the connection.
    pub h2_max_local_resets: usize,
    /// Receive window of an HTTP/2 stream. Default 64KiB.
    pub h2_stream_window: ByteSize,
    /// Receive window of an HTTP/2 connection. Default 1MiB.
    pub h2_connection_window: ByteSize,
    /// Bytes of answers that one HTTP/2 stream may hold unsent. Default 256KiB.
    pub h2_send_buffer: ByteSize,

    /// How long a new connection may take to its first request, whatever protocol it turns out to speak. Default 10s.
    #[serde(with = "duration")]
    pub first_request_timeout: Duration,
    /// How long the head of an HTTP/1 request may take; also how long a connection may idle between requests. Default 30s.
    #[serde(with = "duration")]
    pub head_timeout: Duration,
    /// How long the body of a request may take. Default 15s.
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// How long an upload may take. Default 10m.
    #[serde(with = "duration")]
    pub upload_timeout: Duration,
    /// How long a request may take once it has been read. Default 30s.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// How long a client may leave an answer unread. Default 30s; then the connection is cut.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// How often an HTTP/2 connection is probed when it is silent. Default 20s.
    #[serde(with = "duration")]
    pub h2_ping_interval: Duration,
    /// How long such a probe may go unanswered. Default 20s.
    #[serde(with = "duration")]
    pub h2_ping_timeout: Duration,
    /// How long `/readyz` waits for the store. Default 2s.
    #[serde(with = "duration")]
    pub ready_timeout: Duration,
    /// How long open requests get to finish when the server stops. Default 15s.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,

    /// Most users in one call that takes a list of them. Default 500. A longer list is refused.
    pub max_users_per_call: usize,
    /// Most public groups in one list that has no pages. Default 500.
    pub max_listed_groups: usize,
    /// Most users whose uids openim's `/manager/get_all_users_uid` lists. Default 1000000. Where there are more, the call is refused.
    ///
    /// Worst case in memory: 100 bytes for each, times the calls at the same time.
    pub openim_max_uids: usize,
    /// Good for how long a tenured sign is. Default 7d.
    #[serde(with = "duration")]
    pub tenured_sign_lifetime: Duration,
    /// Good for how long a tim token is. Default 30d.
    #[serde(with = "duration")]
    pub tim_token_lifetime: Duration,
    /// Good for how long a maxim token is. Default 30d.
    #[serde(with = "duration")]
    pub maxim_token_lifetime: Duration,
    /// Whether gobelieve's `/auth/customer` asks for the app's key. Default false, as its document has it.
    ///
    /// Worst case: whoever knows an app's number and what it calls a customer can be that customer. Set it where these can be guessed.
    pub gobelieve_customer_key: bool,
    /// Good for how long an openim token is. Default 7d.
    #[serde(with = "duration")]
    pub openim_token_lifetime: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            public_url: String::new(),
            default_app: "demo".into(),
            max_connections: 10_000,
            max_connections_per_address: 2_000,
            max_requests: 2_048,
            max_body: ByteSize::mib(1),
            max_head: ByteSize(16 << 10),
            max_headers: 64,
            h2_max_streams: 100,
            h2_max_pending_resets: 20,
            h2_max_local_resets: 200,
            h2_stream_window: ByteSize(64 << 10),
            h2_connection_window: ByteSize::mib(1),
            h2_send_buffer: ByteSize(256 << 10),
            first_request_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(15),
            upload_timeout: Duration::from_secs(600),
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            h2_ping_interval: Duration::from_secs(20),
            h2_ping_timeout: Duration::from_secs(20),
            ready_timeout: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(15),
            max_users_per_call: 500,
            openim_max_uids: 1_000_000,
            max_listed_groups: 500,
            tenured_sign_lifetime: Duration::from_secs(7 * 86_400),
            tim_token_lifetime: Duration::from_secs(30 * 86_400),
            maxim_token_lifetime: Duration::from_secs(30 * 86_400),
            gobelieve_customer_key: false,
            openim_token_lifetime: Duration::from_secs(7 * 86_400),
        }
    }
}
