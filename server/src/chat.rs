//! `linnet chat`: a terminal client on the SDK, for trying a server within a minute.
//!
//! On the server's own machine it needs no token: it makes the user, the peer and the group through the store's socket,
//! and believes the server's self-signed certificate. With `--token` it uses nothing but the wire protocol.

mod input;
mod names;
mod say;
mod screen;
mod talk;

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use domain::groups::{Added, NewGroup};
use domain::{Caller, Error, GroupId, GroupRef, Noun, UserId};
use linnet_sdk::{Client, ConversationId, Limits, Options, Platform, Transport, Trust};

use crate::admin::{Admin, users};
use crate::cli::{ChatArgs, TransportArg};
use crate::config::Config;
use crate::running::{GatewayAddresses, Running};
use crate::tls;

/// Events that wait while the screen waits for a name: far more than a person reads.
const EVENTS: usize = 16_384;

/// Chats until the user leaves.
///
/// # Errors
/// For people: no server, no token, or the session was ended for good.
pub(crate) async fn run(config: &Config, args: ChatArgs) -> Result<()> {
    let (token, prepared) = match &args.token {
        Some(token) => (token.clone(), None),
        None => prepare(config, &args).await?,
    };
    let client = connect(config, &args, token).await?;
    let me = client.me().await?;
    let start = match prepared {
        Some(conversation) => Some(conversation),
        None => asked_for(&client, &args).await?,
    };
    let (inputs, printer) = input::start(format!("{}> ", me.uid))?;
    let events = client.events();
    let screen = screen::Screen::new(printer);
    let mut talk = talk::Talk::new(client, screen, me.user, args.history, input::is_interactive());
    match start {
        Some(conversation) => talk.open(conversation).await,
        None => talk.greet(),
    }
    talk.run(inputs, events).await
}

/// Makes sure of everybody and everything that was named, as the operator of this machine may. Answers the user's token.
async fn prepare(config: &Config, args: &ChatArgs) -> Result<(String, Option<ConversationId>)> {
    let admin = Admin::of_running_server(config).await?;
    let operator = admin.operator(&args.app).await?;
    let user = users::ensure_with_token(&admin.domain, &operator, &args.user, &args.user).await?;
    let conversation = match (&args.to, &args.group) {
        (Some(to), _) => {
            let peer = users::ensure(&admin.domain, &operator, to, to).await?;
            Some(ConversationId::between(user.id.0, peer.0))
        }
        (None, Some(gid)) => Some(ConversationId::Group(join(&admin, &operator, gid, user.id).await?.0)),
        (None, None) => None,
    };
    Ok((user.token, conversation))
}

/// The group with this id, made if there is none, with the user in it.
async fn join(admin: &Admin, operator: &Caller, gid: &str, user: UserId) -> Result<GroupId> {
    let groups = &admin.domain.groups;
    let wanted = GroupRef::Gid(gid.to_owned());
    let group = match groups.find(operator, &wanted).await {
        Err(Error::NotFound(Noun::Group)) => {
            let new = NewGroup {
                gid: Some(gid.to_owned()),
                name: gid.to_owned(),
                owner: Some(user),
                owner_is_member: true,
                ..NewGroup::default()
            };
            match groups.create(operator, new).await {
                // Somebody else was quicker.
                Err(Error::Exists(_)) => groups.find(operator, &wanted).await,
                created => created,
            }
        }
        found => found,
    };
    let id = GroupId(group.with_context(|| format!("group `{gid}`"))?.id);
    for (_, added) in groups.add_members(operator, id, &[(user, String::new())]).await? {
        if let Added::Failed(error) = added {
            return Err(error).with_context(|| format!("group `{gid}`"));
        }
    }
    Ok(id)
}

/// What was named, found over the wire.
async fn asked_for(client: &Client, args: &ChatArgs) -> Result<Option<ConversationId>> {
    Ok(match (&args.to, &args.group) {
        (Some(to), _) => {
            Some(client.conversation_with(to.as_str().into()).await.with_context(|| format!("user `{to}`"))?)
        }
        (None, Some(gid)) => {
            let group = client.group_by_gid(gid).await.with_context(|| format!("group `{gid}`"))?;
            Some(group.conversation())
        }
        (None, None) => None,
    })
}

async fn connect(config: &Config, args: &ChatArgs, token: String) -> Result<Client> {
    let addresses = match Running::read(config).and_then(|running| running.gateway) {
        Some(addresses) => addresses,
        None => configured(config),
    };
    let need = |address: Option<SocketAddr>, name: &str| {
        address.map(|address| address.to_string()).with_context(|| format!("this server has {name} switched off"))
    };
    let (transport, address) = match args.transport {
        TransportArg::Tcp => (Transport::Tcp, need(addresses.tcp, "TCP")?),
        TransportArg::Tls => (Transport::Tls, need(addresses.tls, "TLS")?),
        TransportArg::Quic => (Transport::Quic, need(addresses.quic, "QUIC")?),
        TransportArg::Auto => match (addresses.tls, addresses.quic) {
            (Some(tls), Some(_)) => (Transport::Auto, tls.to_string()),
            (Some(tls), None) => (Transport::Tls, tls.to_string()),
            (None, Some(quic)) => (Transport::Quic, quic.to_string()),
            (None, None) => (Transport::Tcp, need(addresses.tcp, "every transport")?),
        },
    };
    let options = Options {
        quic_address: addresses.quic.map(|address| address.to_string()),
        transport,
        trust: trust(config)?,
        device_id: args.device.clone(),
        platform: Platform::Linux,
        client: concat!("linnet-chat/", env!("CARGO_PKG_VERSION")).to_owned(),
        limits: Limits { event_queue: EVENTS, sync_entries: 1, ..Limits::default() },
        ..Options::new(address, token)
    };
    match Client::connect(options).await {
        Ok(client) => Ok(client),
        Err(linnet_sdk::Error::Connect(reason)) => bail!("cannot connect: {reason}"),
        Err(error) => bail!("{error}"),
    }
}

/// Where the gateway should be, if none runs over this data.
fn configured(config: &Config) -> GatewayAddresses {
    let gateway = &config.gateway;
    let address = |enabled: bool, listen: &str| if enabled { listen.parse().ok() } else { None };
    GatewayAddresses {
        tcp: address(gateway.tcp.enabled, &gateway.tcp.listen),
        tls: address(gateway.tls.enabled, &gateway.tls.listen),
        quic: address(gateway.quic.enabled, &gateway.quic.listen),
    }
}

/// The server's own certificate where it made one itself, else what the public authorities vouch for.
fn trust(config: &Config) -> Result<Trust> {
    let (certificate, _) = tls::self_signed_paths(config);
    if !config.tls.certificate.as_os_str().is_empty() || !certificate.exists() {
        return Ok(Trust::default());
    }
    let pem = std::fs::read(&certificate).with_context(|| format!("cannot read {}", certificate.display()))?;
    Ok(Trust::Authorities(pem))
}
