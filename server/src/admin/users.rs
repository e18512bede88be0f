//! `linnet user`: the users of an app.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::tokens::Issue;
use domain::users::{NewUser, uid_of};
use domain::{Caller, Domain, UserId, UserRef, record};
use futures_util::{StreamExt, TryStreamExt};

use crate::admin::Admin;
use crate::cli::UserCommand;
use crate::config::Config;

/// Users created at once: enough to fill the store's groups of commits, few enough to stay far from its limits.
const AT_ONCE: usize = 256;

/// How often a user of many is tried while the store is busy, and how much longer each pause is than the one before.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);

/// `wire.Kicked.Reason.ADMIN`.
const KICKED_BY_ADMIN: u32 = 2;

/// A user and a token.
pub(crate) struct Credential {
    pub(crate) uid: String,
    pub(crate) id: UserId,
    pub(crate) token: String,
}

/// Runs one of the commands.
///
/// # Errors
/// For people.
pub(crate) async fn run(config: &Config, command: UserCommand) -> Result<()> {
    let admin = Admin::open(config).await?;
    match command {
        UserCommand::Create { app, uid, name, count: None, .. } => {
            let caller = admin.operator(&app.app).await?;
            let profile = record::Profile { name: name.unwrap_or_default(), ..Default::default() };
            let new = NewUser { uid, profile, ..Default::default() };
            let user = admin.domain.users.create(&caller, new).await?;
            println!("uid  {}\nid   {}", uid_of(&user), user.id);
        }
        UserCommand::Create { app, name, count: Some(count), prefix, credentials, .. } => {
            let caller = admin.operator(&app.app).await?;
            let made = create_many(&admin.domain, &caller, count, &prefix, name.as_deref()).await?;
            match credentials {
                Some(file) => write(&file, &made)?,
                None => print!("{}", lines(&made)),
            }
        }
        UserCommand::Token { app, uid, lifetime } => {
            let caller = admin.operator(&app.app).await?;
            let lifetime = lifetime.map(|text| storage::units::duration::parse(&text)).transpose();
            let lifetime = lifetime.map_err(anyhow::Error::msg).context("--lifetime")?;
            let user = find(&admin, &caller, &uid).await?;
            let issued = admin.domain.tokens.issue(&caller, user, Issue { lifetime, ..plain() }).await?;
            println!("{}", issued.text);
        }
        UserCommand::Kick { app, uid, device } => {
            let caller = admin.operator(&app.app).await?;
            let user = find(&admin, &caller, &uid).await?;
            let message = "ended by the operator";
            admin.domain.devices.kick(&caller, user, device.as_deref(), KICKED_BY_ADMIN, message).await?;
            admin.flush().await;
            println!("sessions of `{uid}` are ended");
        }
        UserCommand::Disable { app, uid } => set_disabled(&admin, &app.app, &uid, true).await?,
        UserCommand::Enable { app, uid } => set_disabled(&admin, &app.app, &uid, false).await?,
        UserCommand::Delete { app, uid, yes } => delete(&admin, &app.app, &uid, yes).await?,
    }
    Ok(())
}

/// A user by the app's own id, created if there is none.
///
/// # Errors
/// What the domain says.
pub(crate) async fn ensure(domain: &Domain, caller: &Caller, uid: &str, name: &str) -> Result<UserId> {
    let profile = record::Profile { name: name.to_owned(), ..Default::default() };
    let new = NewUser { uid: Some(uid.to_owned()), profile, ..Default::default() };
    let user = domain.users.ensure(caller, new).await.with_context(|| format!("user `{uid}`"))?;
    Ok(UserId(user.id))
}

/// As [`ensure`], with a new token.
///
/// # Errors
/// What the domain says.
pub(crate) async fn ensure_with_token(domain: &Domain, caller: &Caller, uid: &str, name: &str) -> Result<Credential> {
    let id = ensure(domain, caller, uid, name).await?;
    let issued = domain.tokens.issue(caller, id, plain()).await.with_context(|| format!("user `{uid}`"))?;
    Ok(Credential { uid: uid.to_owned(), id, token: issued.text })
}

/// A token of the wire protocol, for any platform, good for ever.
fn plain() -> Issue {
    Issue { dialect: "", platform: 0, lifetime: None, repeatable: false }
}

async fn create_many(
    domain: &Domain,
    caller: &Caller,
    count: u32,
    prefix: &str,
    name: Option<&str>,
) -> Result<Vec<Credential>> {
    let each = futures_util::stream::iter(1..=count).map(|number| async move {
        let uid = format!("{prefix}{number}");
        let name = name.unwrap_or(&uid).to_owned();
        ensure_patiently(domain, caller, &uid, &name).await
    });
    each.buffered(AT_ONCE).try_collect().await
}

/// As [`ensure_with_token`], which may be done again: among many, one that a busy store has no time for is no reason to give up.
async fn ensure_patiently(domain: &Domain, caller: &Caller, uid: &str, name: &str) -> Result<Credential> {
    let mut tries = 0;
    loop {
        let made = ensure_with_token(domain, caller, uid, name).await;
        let busy = made.as_ref().is_err_and(|error| {
            matches!(error.downcast_ref(), Some(domain::Error::Unavailable(_) | domain::Error::Limited { .. }))
        });
        tries += 1;
        if !busy || tries == TRIES {
            return made;
        }
        tokio::time::sleep(PAUSE * tries).await;
    }
}

async fn find(admin: &Admin, caller: &Caller, uid: &str) -> Result<UserId> {
    let user = admin.domain.users.find(caller, &UserRef::Uid(uid.to_owned())).await;
    Ok(UserId(user.with_context(|| format!("user `{uid}`"))?.id))
}

async fn set_disabled(admin: &Admin, app: &str, uid: &str, disabled: bool) -> Result<()> {
    let caller = admin.operator(app).await?;
    let user = find(admin, &caller, uid).await?;
    admin.domain.users.set_disabled(&caller, user, disabled).await?;
    if disabled {
        admin.flush().await;
    }
    println!("`{uid}` is {}", if disabled { "disabled" } else { "enabled" });
    Ok(())
}

async fn delete(admin: &Admin, app: &str, uid: &str, yes: bool) -> Result<()> {
    let caller = admin.operator(app).await?;
    let user = find(admin, &caller, uid).await?;
    if !yes && !super::confirmed(&format!("Delete user `{uid}` for good?"))? {
        bail!("nobody was deleted");
    }
    admin.domain.delete_user(&caller, user).await?;
    admin.flush().await;
    println!("user `{uid}` is deleted");
    Ok(())
}

fn lines(made: &[Credential]) -> String {
    made.iter().map(|user| format!("{}\t{}\t{}\n", user.uid, user.id, user.token)).collect()
}

/// Writes the file for its owner alone: who has it is these users.
fn write(file: &Path, made: &[Credential]) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = opened.and_then(|mut out| out.write_all(lines(made).as_bytes()));
    written.with_context(|| format!("cannot write {}", file.display()))?;
    println!("{} users, with their tokens in {}", made.len(), file.display());
    Ok(())
}
