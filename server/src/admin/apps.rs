//! `linnet app`: the tenants.

use anyhow::{Context, Result, bail};
use domain::apps::{Credentials, NewApp};
use domain::record;

use crate::admin::Admin;
use crate::cli::AppCommand;
use crate::config::Config;

/// Runs one of the commands.
///
/// # Errors
/// For people.
pub(crate) async fn run(config: &Config, command: AppCommand) -> Result<()> {
    let admin = Admin::open(config).await?;
    let apps = &admin.domain.apps;
    match command {
        AppCommand::Create { id, number, key, secret, admins, friends_only, registration_closed } => {
            let settings = record::AppSettings { friends_only, registration_closed, ..Default::default() };
            let created = apps.create(NewApp { id, number, key, secret, admins, settings }).await?;
            print_credentials(&created);
        }
        AppCommand::Set { id, friends_only, registration_open, retention } => {
            let kept = retention.as_deref().map(span).transpose()?;
            let change = |settings: &mut record::AppSettings| {
                settings.friends_only = friends_only.unwrap_or(settings.friends_only);
                settings.registration_closed = registration_open.map_or(settings.registration_closed, |open| !open);
                settings.retention_ms = kept.unwrap_or(settings.retention_ms);
            };
            show(apps.set(&id, change).await.with_context(|| format!("app `{id}`"))?);
        }
        AppCommand::List => {
            println!("{:<6} {:<24} {:<20} ADMINS", "NUMBER", "ID", "CREATED");
            for app in apps.list().await? {
                println!(
                    "{:<6} {:<24} {:<20} {}",
                    app.number,
                    app.id,
                    crate::time::format(app.created),
                    app.admins.join(",")
                );
            }
        }
        AppCommand::Show { id } => {
            show(apps.find(&id).await.with_context(|| format!("app `{id}`"))?);
        }
        AppCommand::Webhook(args) => super::rules::webhook(&admin, args).await?,
        AppCommand::Limit(args) => super::rules::limit(&admin, args).await?,
        AppCommand::Rotate { id } => {
            let rotated = apps.rotate(&id).await.with_context(|| format!("app `{id}`"))?;
            print_credentials(&rotated);
        }
        AppCommand::Delete { id, yes } => {
            apps.find(&id).await.with_context(|| format!("app `{id}`"))?;
            if !yes && !super::confirmed(&format!("Delete app `{id}` with all its users and messages?"))? {
                bail!("nothing was deleted");
            }
            apps.delete(&id).await?;
            admin.flush().await;
            println!("app `{id}` is deleted");
        }
    }
    Ok(())
}

/// Prints what is shown once.
pub(crate) fn print_credentials(made: &Credentials) {
    println!("app id   {}", made.app.id);
    println!("number   {}", made.app.number);
    println!("key      {}", made.key);
    println!("secret   {}", made.secret);
    if !made.app.admins.is_empty() {
        println!("admins   {}", made.app.admins.join(", "));
    }
    println!("Write the key and the secret down: only hashes are kept.");
}

fn show(app: record::App) {
    let settings = app.settings.unwrap_or_default();
    println!("id            {}", app.id);
    println!("number        {}", app.number);
    println!("created       {}", crate::time::format(app.created));
    println!("admins        {}", app.admins.join(", "));
    println!("friends only  {}", if settings.friends_only { "yes" } else { "no" });
    println!("registration  {}", if settings.registration_closed { "closed" } else { "open" });
    println!("retention     {}", retention(settings.retention_ms));
    println!("key, secret   kept as hashes: `linnet app rotate {}` makes new ones", app.id);
}

/// Milliseconds of a span such as `90d`.
fn span(text: &str) -> Result<i64> {
    let span = storage::units::duration::parse(text).map_err(anyhow::Error::msg).context("--retention")?;
    Ok(i64::try_from(span.as_millis())?)
}

fn retention(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(millis) if millis > 0 => storage::units::duration::format(std::time::Duration::from_millis(millis)),
        _ => "for ever".to_owned(),
    }
}
