//! Where to connect, how, and as whom. Shared by every scenario.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use linnet_sdk::{Limits, Network, Options, Platform, Transport, Trust};
use serde::{Deserialize, Serialize};

use super::credentials::User;

/// Kinds of devices that a user may be logged in from side by side.
pub(crate) const PLATFORMS: [Platform; 8] = [
    Platform::Android,
    Platform::Ios,
    Platform::Windows,
    Platform::Macos,
    Platform::Web,
    Platform::MiniProgram,
    Platform::Linux,
    Platform::Unknown,
];

/// Options of every scenario.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// `host:port` of the gateway's listener for the transport; several gateways are taken in turn.
    /// One that begins with a transport (`tls:127.0.0.1:5101`) is for that transport only.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:5100")]
    pub address: Vec<String>,
    /// How to connect: tcp, tls, quic or auto; or shares of a mix, `tcp=1,tls=6,quic=3`.
    #[arg(long, default_value = "tcp")]
    pub transport: Mix,
    /// Users, one a line: `uid<TAB>id<TAB>token`, as `linnet user create --count` writes them.
    #[arg(long)]
    pub credentials: PathBuf,
    /// The authority that vouches for the server's certificate, as PEM. Default: the public ones.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Accepts any certificate, such as a development server's.
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// Local addresses to connect from, taken in turn: `127.0.0.1,127.0.0.2` or `127.0.0.1-8`. One address has about 28,000 ports.
    #[arg(long, value_delimiter = ',')]
    pub source: Vec<String>,
    /// Process ids of the server, to tell its memory and processor time; several are added up.
    #[arg(long, value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// Pages of metrics of the server, read each second: `http://127.0.0.1:8080/metrics`; several are added up.
    #[arg(long, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            address: vec!["127.0.0.1:5100".to_owned()],
            transport: Mix::default(),
            credentials: PathBuf::new(),
            ca: None,
            insecure: false,
            source: Vec::new(),
            server_pid: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// QUIC.
    Quic,
    /// QUIC raced against TLS.
    Auto,
}

impl Way {
    const ALL: [(&'static str, Self); 4] =
        [("tcp", Self::Tcp), ("tls", Self::Tls), ("quic", Self::Quic), ("auto", Self::Auto)];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, way)| way)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, way)| *way == self).map_or("", |&(name, _)| name)
    }
}

impl From<Way> for Transport {
    fn from(way: Way) -> Self {
        match way {
            Way::Tcp => Self::Tcp,
            Way::Tls => Self::Tls,
            Way::Quic => Self::Quic,
            Way::Auto => Self::Auto,
        }
    }
}

/// Shares of ways to connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix(Vec<(Way, usize)>);

impl Default for Mix {
    fn default() -> Self {
        Self(vec![(Way::Tcp, 1)])
    }
}

impl Mix {
    /// How many of so many clients have a socket of their own. Those of QUIC share one.
    #[must_use]
    pub fn sockets(&self, clients: usize) -> usize {
        let of = |filter: fn(Way) -> bool| {
            self.0.iter().filter(|(way, _)| filter(*way)).map(|(_, share)| share).sum::<usize>()
        };
        (clients * of(|way| way != Way::Quic)).div_ceil(of(|_| true).max(1))
    }

    /// The way of the client of this number.
    #[must_use]
    pub fn way(&self, number: usize) -> Way {
        let total: usize = self.0.iter().map(|(_, share)| share).sum();
        let mut rest = number % total.max(1);
        for &(way, share) in &self.0 {
            if rest < share {
                return way;
            }
            rest -= share;
        }
        Way::Tcp
    }
}

impl std::str::FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut ways = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, "1"));
            let way = Way::parse(name.trim()).ok_or_else(|| format!("{name} is none of tcp, tls, quic, auto"))?;
            let share: u16 =
                share.trim().parse().map_err(|_| format!("{share} is no share: from 0 to {}", u16::MAX))?;
            ways.push((way, usize::from(share)));
        }
        if ways.iter().all(|&(_, share)| share == 0) {
            return Err(format!("{text} has no share"));
        }
        Ok(Self(ways))
    }
}

impl TryFrom<String> for Mix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mix> for String {
    fn from(mix: Mix) -> Self {
        mix.to_string()
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [(way, _)] = self.0.as_slice() {
            return out.write_str(way.name());
        }
        let parts: Vec<String> = self.0.iter().map(|(way, share)| format!("{}={share}", way.name())).collect();
        out.write_str(&parts.join(","))
    }
}

/// Makes options for one client after the other.
#[derive(Debug)]
pub(crate) struct Dialer {
    /// Each with the only way that it is for; those of a way are taken in turn.
    addresses: Vec<(Option<Way>, String)>,
    mix: Mix,
    /// One per source address, taken in turn.
    networks: Vec<Network>,
    limits: Limits,
    next: usize,
    /// Clients of each way so far.
    turns: HashMap<Way, usize>,
}

impl Target {
    /// Reads the file of authorities, if there is one.
    pub(crate) fn authorities(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        self.ca.as_ref().map(read).transpose()
    }

    /// Every local address to connect from.
    pub(crate) fn sources(&self) -> anyhow::Result<Vec<Ipv4Addr>> {
        let ranges = self.source.iter().map(|source| addresses(source)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(ranges.concat())
    }

    /// What all clients of the run share. The authorities are what [`Self::authorities`] read, here or elsewhere.
    pub(crate) fn dialer(&self, limits: Limits, authorities: Option<&[u8]>) -> anyhow::Result<Dialer> {
        let trust = match authorities {
            _ if self.insecure => Trust::DangerAcceptAnyCertificate,
            Some(authorities) => Trust::Authorities(authorities.to_vec()),
            None => Trust::PublicAuthorities,
        };
        let sources = self.sources()?;
        let mut sources: Vec<Option<IpAddr>> = sources.into_iter().map(|source| Some(IpAddr::V4(source))).collect();
        if sources.is_empty() {
            sources.push(None);
        }
        let networks =
            sources.into_iter().map(|source| Network::from_source(&trust, source)).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<(Option<Way>, String)> = (self.address.iter())
            .map(|address| {
                let named = address.split_once(':').and_then(|(name, rest)| Some((Way::parse(name)?, rest)));
                named.map_or_else(|| (None, address.clone()), |(way, rest)| (Some(way), rest.to_owned()))
            })
            .collect();
        if addresses.is_empty() {
            bail!("no address to connect to");
        }
        Ok(Dialer { addresses, mix: self.transport.clone(), networks, limits, next: 0, turns: HashMap::new() })
    }
}

impl Dialer {
    /// Options for the next client, one of several devices of a user, from 0. They count as of different platforms, of each of which
    /// a user may have one by default.
    pub(crate) fn device(&mut self, user: &User, number: usize) -> Options {
        let platform = PLATFORMS[number % PLATFORMS.len()];
        Options { device_id: format!("loadtest-{}-{number}", user.id), platform, ..self.options(user) }
    }

    /// Bytes that its clients have received so far.
    pub(crate) fn received(&self) -> u64 {
        self.networks.iter().map(Network::received).sum()
    }

    /// Options for the next client.
    pub(crate) fn options(&mut self, user: &User) -> Options {
        let network = self.networks[self.next % self.networks.len()].clone();
        let way = self.mix.way(self.next);
        let fitting: Vec<&String> = (self.addresses.iter())
            .filter(|(only, _)| only.is_none_or(|only| only == way))
            .map(|(_, address)| address)
            .collect();
        // Not by the client's number: every second client is of the same way in a mix of two, and would have the same address.
        let turn = self.turns.entry(way).or_default();
        // Without a fitting one the first is tried, and the failure says where.
        let address =
            fitting.get(*turn % fitting.len().max(1)).map_or(&self.addresses[0].1, |address| *address).clone();
        *turn += 1;
        self.next += 1;
        Options {
            transport: way.into(),
            network: Some(network),
            platform: Platform::Linux,
            device_id: format!("loadtest-{}", user.id),
            client: concat!("linnet-loadtest/", env!("CARGO_PKG_VERSION")).to_owned(),
            login_timeout: Duration::from_secs(30),
            limits: self.limits.clone(),
            ..Options::new(address, user.token.clone())
        }
    }
}

/// `127.0.0.1`, or `127.0.0.1-8` for a range of the last part.
fn addresses(source: &str) -> anyhow::Result<Vec<Ipv4Addr>> {
    let (first, last) = source.split_once('-').unwrap_or((source, ""));
    let first: Ipv4Addr = first.trim().parse().with_context(|| format!("{source} is not an IPv4 address"))?;
    let [a, b, c, from] = first.octets();
    let to = if last.is_empty() { from } else { last.parse().with_context(|| format!("{source} is not a range"))? };
    if to < from {
        bail!("{source} ends before it starts");
    }
    Ok((from..=to).map(|last| Ipv4Addr::new(a, b, c, last)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_addresses_or_ranges() {
        assert_eq!(addresses("127.0.0.7").unwrap(), [Ipv4Addr::new(127, 0, 0, 7)]);
        assert_eq!(addresses("127.0.0.1-3").unwrap().last(), Some(&Ipv4Addr::new(127, 0, 0, 3)));
        assert_eq!(addresses("127.0.0.1-255").unwrap().len(), 255);
        for bad in ["localhost", "127.0.0.9-3", "127.0.0.1-300"] {
            assert!(addresses(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mix_keeps_its_shares() {
        let mix: Mix = "tcp=1,tls=6,quic=3".parse().unwrap();
        let tls = (0..100).filter(|&number| mix.way(number) == Way::Tls).count();
        assert_eq!(tls, 60);
        assert_eq!((mix.sockets(100), mix.sockets(0)), (70, 0));
        assert_eq!(mix.to_string().parse::<Mix>().unwrap(), mix);
        assert_eq!("tcp=65535,tls=65535".parse::<Mix>().unwrap().sockets(100), 100);
        assert_eq!("quic".parse::<Mix>().unwrap().way(7), Way::Quic);
        for bad in ["carrier-pigeon", "tcp=x", "tcp=0", "tcp=-1", "tcp=18446744073709551615,tls=1"] {
            assert!(bad.parse::<Mix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_way_takes_its_addresses_in_turn() {
        let target = Target {
            address: ["tcp:a:1", "tcp:b:1", "tls:c:1", "tls:d:1"].map(str::to_owned).into(),
            transport: "tcp=1,tls=1".parse().unwrap(),
            insecure: true,
            ..Target::default()
        };
        let mut dialer = target.dialer(Limits::default(), None).unwrap();
        let user = User { uid: "u".to_owned(), id: 1, token: "t".to_owned() };
        let taken: Vec<String> = (0..6).map(|_| dialer.options(&user).address).collect();
        assert_eq!(taken, ["a:1", "c:1", "b:1", "d:1", "a:1", "c:1"]);
    }
}
