//! `linnet app`: the tenants.

use std::io::{BufRead, IsTerminal, Write};

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
        AppCommand::Create { id, number, key, secret, admins, friends_only } => {
            let settings = record::AppSettings { friends_only, ..Default::default() };
            let created = apps.create(NewApp { id, number, key, secret, admins, settings }).await?;
            print_credentials(&created);
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
            let app = apps.find(&id).await.with_context(|| format!("app `{id}`"))?;
            let settings = app.settings.unwrap_or_default();
            println!("id            {}", app.id);
            println!("number        {}", app.number);
            println!("created       {}", crate::time::format(app.created));
            println!("admins        {}", app.admins.join(", "));
            println!("friends only  {}", if settings.friends_only { "yes" } else { "no" });
            println!("retention     {}", retention(settings.retention_ms));
            println!("key, secret   kept as hashes: `linnet app rotate {}` makes new ones", app.id);
        }
        AppCommand::Rotate { id } => {
            let rotated = apps.rotate(&id).await.with_context(|| format!("app `{id}`"))?;
            print_credentials(&rotated);
        }
        AppCommand::Delete { id, yes } => {
            apps.find(&id).await.with_context(|| format!("app `{id}`"))?;
            if !yes && !confirmed(&format!("Delete app `{id}` with all its users and messages?"))? {
                bail!("nothing was deleted");
            }
            apps.delete(&id).await?;
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

fn retention(millis: i64) -> String {
    match u64::try_from(millis) {
        Ok(millis) if millis > 0 => storage::units::duration::format(std::time::Duration::from_millis(millis)),
        _ => "for ever".to_owned(),
    }
}

/// Asks on the terminal. Without one, the answer is no: a script says `--yes`.
fn confirmed(question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{question} Say --yes to do so without a terminal");
    }
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
