//! Where to connect, how, and as whom. Shared by every scenario.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use linnet_sdk::{Limits, Network, Options, Platform, Transport, Trust};

use crate::credentials::User;

/// Options of every scenario.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// `host:port` of the gateway's listener for the transport; several gateways are taken in turn.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:5100")]
    address: Vec<String>,
    /// How to connect.
    #[arg(long, value_enum, default_value_t = Way::Tcp)]
    pub(crate) transport: Way,
    /// Users, one a line: `uid<TAB>id<TAB>token`, as `linnet user create --count` writes them.
    #[arg(long)]
    pub(crate) credentials: PathBuf,
    /// The authority that vouches for the server's certificate, as PEM. Default: the public ones.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Accepts any certificate, such as a development server's.
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
    /// Local addresses to connect from, taken in turn: `127.0.0.1,127.0.0.2` or `127.0.0.1-8`. One address has about 28,000 ports.
    #[arg(long, value_delimiter = ',')]
    source: Vec<String>,
    /// The server's process id, to tell its memory and processor time.
    #[arg(long)]
    pub(crate) server_pid: Option<u32>,
}

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    Tcp,
    Tls,
    Quic,
    Auto,
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

/// Makes options for one client after the other.
#[derive(Debug)]
pub(crate) struct Dialer {
    /// Taken in turn.
    addresses: Vec<String>,
    transport: Transport,
    /// One per source address, taken in turn.
    networks: Vec<Network>,
    limits: Limits,
    next: usize,
}

impl Target {
    /// What all clients of the run share.
    pub(crate) fn dialer(&self, limits: Limits) -> anyhow::Result<Dialer> {
        let trust = match &self.ca {
            _ if self.insecure => Trust::DangerAcceptAnyCertificate,
            Some(path) => {
                Trust::Authorities(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            None => Trust::PublicAuthorities,
        };
        let mut sources: Vec<Option<IpAddr>> = Vec::new();
        for source in &self.source {
            sources.extend(addresses(source)?.into_iter().map(|address| Some(IpAddr::V4(address))));
        }
        if sources.is_empty() {
            sources.push(None);
        }
        let networks =
            sources.into_iter().map(|source| Network::from_source(&trust, source)).collect::<Result<Vec<_>, _>>()?;
        Ok(Dialer { addresses: self.address.clone(), transport: self.transport.into(), networks, limits, next: 0 })
    }
}

impl Dialer {
    /// Options for the next client.
    pub(crate) fn options(&mut self, user: &User) -> Options {
        let network = self.networks[self.next % self.networks.len()].clone();
        let address = self.addresses[self.next % self.addresses.len()].clone();
        self.next += 1;
        Options {
            transport: self.transport,
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
}
