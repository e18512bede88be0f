//! Where a cluster is and who may come in, as one text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `redis://[user:password@]host[:port][,host[:port]…]`, or `rediss://…` over TLS.
///
/// Any of the hosts is asked for all the others. User and password are percent-encoded where they have to be.
/// `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: bool,
}

/// A server's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) port: u16,
}

/// The port where none is given.
const PORT: u16 = 6_379;

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("no URL of a Redis Cluster: {why}; write it like redis://host:6379,host2:6379");
        let (tls, rest) = match text.split_once("://") {
            Some(("redis", rest)) => (false, rest),
            Some(("rediss", rest)) => (true, rest),
            _ => return Err(wrong("it begins with neither redis:// nor rediss://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, hosts) = rest.rsplit_once('@').map_or((None, rest), |(login, hosts)| (Some(login), hosts));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or(("", login))) {
            None => (None, None),
            Some((user, password)) => {
                let plain = |text: &str| decode(text).ok_or_else(|| wrong("user or password is badly encoded"));
                (Some(plain(user)?).filter(|user| !user.is_empty()), Some(plain(password)?))
            }
        };
        let hosts: Result<Vec<Host>, String> = hosts.split(',').map(str::parse).collect();
        let hosts = hosts.map_err(|why| wrong(&why))?;
        Ok(Self { text: text.to_owned(), hosts, user, password, tls })
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, rest)) => (name, rest.strip_prefix(':')),
            None => text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "/?#".contains(c)) {
            return Err(format!("`{text}` is no host"));
        }
        let port = port.map_or(Ok(PORT), str::parse).map_err(|_| format!("`{text}` has no port that there is"))?;
        Ok(Self { name: name.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(out, "[{}]:{}", self.name, self.port)
        } else {
            write!(out, "{}:{}", self.name, self.port)
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.tls { "rediss://" } else { "redis://" })?;
        if self.password.is_some() {
            write!(out, "{}:…@", self.user.as_deref().unwrap_or_default())?;
        }
        for (n, host) in self.hosts.iter().enumerate() {
            write!(out, "{}{host}", if n > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for RedisUrl {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit(rest.next())? << 4 | digit(rest.next())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_hosts_and_who_comes() {
        let url: RedisUrl = "rediss://lin:p%40ss@one:7000,two,[::1]:7001".parse().unwrap();
        let hosts: Vec<String> = url.hosts.iter().map(Host::to_string).collect();
        assert_eq!(hosts, ["one:7000", "two:6379", "[::1]:7001"]);
        assert_eq!((url.user.as_deref(), url.password.as_deref(), url.tls), (Some("lin"), Some("p@ss"), true));
        assert_eq!(format!("{url:?}"), "rediss://lin:…@one:7000,two:6379,[::1]:7001");

        let url: RedisUrl = "redis://:secret@one/".parse().unwrap();
        assert_eq!((url.user, url.password.as_deref(), url.tls), (None, Some("secret"), false));
    }

    #[test]
    fn what_is_no_url_is_refused_with_a_reason() {
        for wrong in
            ["", "one:7000", "http://one", "redis://", "redis://one,,two", "redis://one:70000", "redis://a:%zz@b"]
        {
            assert!(wrong.parse::<RedisUrl>().is_err(), "{wrong}");
        }
    }
}
