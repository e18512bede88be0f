//! One server, one connection, commands in a row: all that the engine asks of a Redis client.
//!
//! A client library stands behind two small traits, and nothing else in the engine knows which.
//! A connection never sends anything twice and never connects again: whoever holds it does, on a new one.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::url::Host;

/// Makes connections.
pub(crate) trait Connect: Send + Sync + fmt::Debug {
    /// A new connection, with whoever comes introduced.
    fn connect<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Node>, Lost>>;
}

/// A connection to one server.
pub(crate) trait Node: Send + Sync {
    /// Sends commands at once and waits for all answers, for so long at most.
    ///
    /// There are as many answers as commands, in their order. Without them, each command may have been executed or not,
    /// now or later, and the connection is no good any more.
    fn run(&self, commands: Vec<Command>, within: Duration) -> BoxFuture<'_, Result<Vec<Answer>, Lost>>;

    /// Whether nothing is known to be wrong with it.
    fn is_open(&self) -> bool;
}

/// What a server answers to one command.
pub(crate) type Answer = Result<Reply, Refusal>;

/// A command: its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<Bytes>,
}

impl Command {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, arguments: Vec::new() }
    }

    /// With one more word.
    pub(crate) fn arg(mut self, word: impl Into<Bytes>) -> Self {
        self.arguments.push(word.into());
        self
    }

    /// With one more number.
    pub(crate) fn number(self, number: impl fmt::Display) -> Self {
        self.arg(number.to_string())
    }

    /// With more words.
    pub(crate) fn args(mut self, words: impl IntoIterator<Item = Bytes>) -> Self {
        self.arguments.extend(words);
        self
    }
}

/// What a server says, other than no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Number(i64),
    Text(Bytes),
    List(Vec<Self>),
}

impl Reply {
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn into_text(self) -> Option<String> {
        self.into_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn into_list(self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}

/// A connection that is gone, or was never there, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Lost(pub(crate) String);

/// A server's no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

/// What follows from a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing was executed: the slot is served by this other server.
    Moved(u16, Host),
    /// Nothing was executed, and soon it may be: the slot is on its way, or the server is not (or not yet, or no more) one that serves.
    NotNow,
    /// Nothing was executed: our functions are not there.
    NoFunction,
    /// Nothing was executed: this chunk, by its table and number, lies in an object store, and must come back first.
    Sealed(u8, u64),
    /// Nothing was executed: memory is full.
    Full,
    /// Something else, and it may have been executed in part.
    Other,
}

impl Refusal {
    pub(crate) fn meaning(&self, asked: &Host) -> Meaning {
        let mut words = self.0.split_whitespace();
        match words.next().unwrap_or_default() {
            "MOVED" => {
                let slot = words.next().and_then(|slot| slot.parse().ok());
                let host = words.next().and_then(|host| elsewhere(host, asked));
                slot.zip(host).map_or(Meaning::NotNow, |(slot, host)| Meaning::Moved(slot, host))
            }
            "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN" | "NOREPLICAS" | "MISCONF"
            | "BUSY" => Meaning::NotNow,
            "SEALED" => {
                words.next().and_then(chunk).map_or(Meaning::Other, |(code, number)| Meaning::Sealed(code, number))
            }
            "OOM" => Meaning::Full,
            "ERR" if self.0.contains("Function not found") => Meaning::NoFunction,
            _ => Meaning::Other,
        }
    }
}

/// A chunk as the end of its key names it.
fn chunk(text: &str) -> Option<(u8, u64)> {
    let (code, number) = text.split_once('c')?;
    Some((code.parse().ok()?, u64::from_str_radix(number, 16).ok()?))
}

/// A host of a redirection, which may leave out the name when it is that of the server asked.
fn elsewhere(text: &str, asked: &Host) -> Option<Host> {
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Some(Host { name: asked.name.clone(), port });
    }
    // An IPv6 address comes without its brackets.
    let (name, port) = text.rsplit_once(':')?;
    Some(Host { name: name.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_mean_what_follows_from_them() {
        let asked: Host = "here:7000".parse().unwrap();
        let meaning = |text: &str| Refusal(text.to_owned()).meaning(&asked);
        let host = |text: &str| text.parse::<Host>().unwrap();
        assert_eq!(meaning("MOVED 7 there:7001"), Meaning::Moved(7, host("there:7001")));
        assert_eq!(meaning("MOVED 7 :7001"), Meaning::Moved(7, host("here:7001")));
        assert_eq!(meaning("MOVED 7 ::1:7001"), Meaning::Moved(7, host("[::1]:7001")));
        assert_eq!(meaning("ASK 7 there:7001"), Meaning::NotNow);
        assert_eq!(meaning("TRYAGAIN Multiple keys request during rehashing of slot"), Meaning::NotNow);
        assert_eq!(meaning("ERR Function not found"), Meaning::NoFunction);
        assert_eq!(meaning("SEALED 21c00000000000000ff"), Meaning::Sealed(21, 255));
        assert_eq!(meaning("OOM command not allowed when used memory > 'maxmemory'."), Meaning::Full);
        assert_eq!(meaning("ERR user_function:1: attempt to index a nil value"), Meaning::Other);
    }
}
