//! What a server says once it is ready: where it listens, and on its first start how to use it.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::Result;
use domain::apps::{Credentials, NewApp};
use domain::{Domain, Error};

use crate::running::Running;

/// The app that a first start makes.
const DEMO: &str = "demo";
/// The user that may act for it.
const ADMIN: &str = "admin";

/// Makes the demo app if there is no app at all.
///
/// # Errors
/// If the store does not answer.
pub(crate) async fn first_start(domain: &Domain) -> Result<Option<Credentials>> {
    if !domain.apps.list().await?.is_empty() {
        return Ok(None);
    }
    let new = NewApp { id: Some(DEMO.into()), number: Some(1), admins: vec![ADMIN.into()], ..NewApp::default() };
    match domain.apps.create(new).await {
        Ok(made) => Ok(Some(made)),
        // Another process that starts at the same time was quicker, and tells the credentials.
        Err(Error::Exists(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The text for standard output.
pub(crate) fn text(running: &Running, made: Option<&Credentials>) -> String {
    let mut out = String::new();
    let _ = addresses(&mut out, running);
    if let Some(made) = made {
        let _ = first_steps(&mut out, running, made);
    }
    out
}

fn addresses(out: &mut String, running: &Running) -> std::fmt::Result {
    writeln!(out, "Linnet {} is ready (process {})", env!("CARGO_PKG_VERSION"), running.pid)?;
    if let Some(gateway) = &running.gateway {
        let transports = [("tcp", gateway.tcp), ("tls", gateway.tls), ("quic", gateway.quic)];
        for (name, address) in transports.into_iter().filter_map(|(name, address)| Some((name, address?))) {
            writeln!(out, "  {name:<8} {address}")?;
        }
    }
    if let Some(rest) = running.rest {
        writeln!(out, "  rest     http://{rest}   API: http://{rest}/docs")?;
    }
    if let Some(metrics) = running.metrics {
        writeln!(out, "  metrics  http://{metrics}/metrics")?;
    }
    Ok(())
}

fn first_steps(out: &mut String, running: &Running, made: &Credentials) -> std::fmt::Result {
    let (id, number, secret) = (&made.app.id, made.app.number, &made.secret);
    writeln!(out)?;
    writeln!(out, "This is the first start, so there is now an app to try things with:")?;
    writeln!(out, "  app id   {id}")?;
    writeln!(out, "  number   {number}")?;
    writeln!(out, "  key      {}", made.key)?;
    writeln!(out, "  secret   {secret}")?;
    writeln!(
        out,
        "Key and secret are shown this once; only hashes are kept. `linnet app rotate {id}` makes new ones."
    )?;
    if let Some(rest) = running.rest {
        writeln!(out)?;
        writeln!(out, "A line to try for each dialect:")?;
        for (dialect, line) in lines(rest, made) {
            writeln!(out, "  # {dialect}\n  {line}")?;
        }
    }
    if running.gateway.is_some() {
        let program = std::env::args().next().unwrap_or_else(|| "linnet".into());
        writeln!(out)?;
        writeln!(out, "Chat in two terminals:")?;
        writeln!(out, "  {program} chat --user alice --to bob")?;
        writeln!(out, "  {program} chat --user bob --to alice")?;
    }
    Ok(())
}

/// A request of each dialect that works as it stands.
fn lines(rest: SocketAddr, made: &Credentials) -> [(&'static str, String); 5] {
    let (id, number, secret) = (&made.app.id, made.app.number, &made.secret);
    let url = format!("http://{rest}");
    let md5 = md5_hex(secret);
    [
        (
            "tenured: a sign for the app",
            format!(r#"curl -s --json '{{"appId":"{id}","private":"{secret}"}}' {url}/v1/build_token"#),
        ),
        (
            "tim: a user with a password",
            format!(
                r#"curl -s --json '{{"username":"dora","password":"dora-password","email":"dora@example.com"}}' {url}/register"#
            ),
        ),
        (
            "gobelieve: a token for user 1001",
            format!(r#"curl -s -u '{number}:{md5}' --json '{{"uid":1001,"user_name":"Gob"}}' {url}/auth/grant"#),
        ),
        (
            "openim: a user and a token",
            format!(
                r#"curl -s --json '{{"secret":"{secret}","platform":7,"uid":"olga","name":"Olga"}}' {url}/auth/user_register"#
            ),
        ),
        (
            "maxim: a user with a password",
            format!(
                r#"curl -s -H 'app_id: {id}' --json '{{"username":"mara","password":"mara-password"}}' {url}/user/register/v2"#
            ),
        ),
    ]
}

/// What gobelieve's servers present instead of the secret.
fn md5_hex(secret: &str) -> String {
    use md5::Digest;
    hex::encode(md5::Md5::digest(secret))
}
