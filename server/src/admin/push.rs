//! `linnet push`: over which providers an app reaches phones.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use domain::record::{PushChannel, PushProvider};

use crate::admin::Admin;
use crate::cli::{ProviderArg, PushCommand};
use crate::config::Config;

/// Runs one of the commands.
///
/// # Errors
/// For people.
pub(crate) async fn run(config: &Config, command: PushCommand) -> Result<()> {
    let admin = Admin::open(config).await?;
    match command {
        PushCommand::Set { app, name, provider, development, app_id, app_key, app_secret, certificate, url } => {
            let operator = admin.operator(&app.app).await?;
            let channel = PushChannel {
                name: name.clone(),
                provider: PushProvider::from(provider) as i32,
                development,
                app_id: app_id.unwrap_or_default(),
                app_key: app_key.unwrap_or_default(),
                app_secret: app_secret.unwrap_or_default(),
                certificate: certificate.as_deref().map(read).transpose()?.unwrap_or_default(),
                url: url.unwrap_or_default(),
            };
            admin.domain.push.set_channel(&operator, channel).await?;
            println!("app `{}` pushes over `{name}`", app.app);
        }
        PushCommand::List { app } => {
            let operator = admin.operator(&app.app).await?;
            println!("{:<24} {:<10} {:<12} {:<32} URL", "NAME", "PROVIDER", "ENVIRONMENT", "APP ID");
            for channel in admin.domain.push.channels(&operator).await? {
                let environment = if channel.development { "development" } else { "production" };
                let provider = format!("{:?}", channel.provider()).to_lowercase();
                println!(
                    "{:<24} {provider:<10} {environment:<12} {:<32} {}",
                    channel.name, channel.app_id, channel.url
                );
            }
        }
        PushCommand::Remove { app, name } => {
            let operator = admin.operator(&app.app).await?;
            admin.domain.push.remove_channel(&operator, &name).await?;
            println!("app `{}` does not push over `{name}` any more", app.app);
        }
    }
    Ok(())
}

/// A file, or what comes on the standard input for `-`.
fn read(path: &Path) -> Result<String> {
    if path != Path::new("-") {
        return std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read the standard input")?;
    Ok(text)
}

impl From<ProviderArg> for PushProvider {
    fn from(provider: ProviderArg) -> Self {
        match provider {
            ProviderArg::Apns => Self::Apns,
            ProviderArg::Fcm => Self::Fcm,
            ProviderArg::Huawei => Self::Huawei,
            ProviderArg::Xiaomi => Self::Xiaomi,
            ProviderArg::Oppo => Self::Oppo,
            ProviderArg::Vivo => Self::Vivo,
            ProviderArg::Meizu => Self::Meizu,
        }
    }
}
