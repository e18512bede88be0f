//! `linnet app webhook` and `linnet app limit`: rules of an app that its operator sets.

use anyhow::{Context, Result};
use domain::record::Webhook;
use domain::rules::SendLimit;

use super::Admin;
use crate::cli::{LimitArgs, WebhookArgs};

/// Sets an app's webhooks, or shows them.
///
/// # Errors
/// For people.
pub(crate) async fn webhook(admin: &Admin, args: WebhookArgs) -> Result<()> {
    let WebhookArgs { id, before, after, secret, timeout, fail_closed, remove } = args;
    let named = || format!("app `{id}`");
    if before.is_some() || after.is_some() || remove {
        let secret = secret.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        let timeout_ms = timeout.as_deref().map(span).transpose()?.unwrap_or_default();
        let timeout_ms = u32::try_from(timeout_ms).context("--timeout")?;
        let hook =
            |url: Option<String>| url.map(|url| Webhook { url, secret: secret.clone(), timeout_ms, fail_closed });
        admin.domain.set_webhooks(&id, hook(before), hook(after)).await.with_context(named)?;
    }
    let (before, after) = admin.domain.webhooks_of(&id).await.with_context(named)?;
    for (name, hook) in [("before", before), ("after", after)] {
        let Some(hook) = hook else {
            println!("{name:<8} none");
            continue;
        };
        println!("{name:<8} {}", hook.url);
        println!("         secret {}", hook.secret);
        if name == "before" {
            println!("         without an answer, messages {}", if hook.fail_closed { "are refused" } else { "pass" });
        }
    }
    Ok(())
}

/// Limits how many messages a user of an app may send, or shows the limit.
///
/// # Errors
/// For people.
pub(crate) async fn limit(admin: &Admin, args: LimitArgs) -> Result<()> {
    let LimitArgs { id, messages, per, none } = args;
    let app = admin.domain.apps.find(&id).await.with_context(|| format!("app `{id}`"))?;
    let operator = admin.domain.apps.operator(domain::AppNumber(app.number)).await?;
    let rules = &admin.domain.rules;
    if none {
        rules.set_send_limit(&operator, None).await?;
    } else if let Some(messages) = messages {
        let span = storage::units::duration::parse(&per).map_err(anyhow::Error::msg).context("--per")?;
        rules.set_send_limit(&operator, Some(SendLimit { messages, span })).await?;
    }
    match rules.send_limit(&operator).await? {
        Some(SendLimit { messages, span }) => {
            println!("each user may send {messages} messages in {}", storage::units::duration::format(span));
        }
        None => println!("no limit"),
    }
    Ok(())
}

/// Milliseconds of a span such as `2s`.
fn span(text: &str) -> Result<u128> {
    Ok(storage::units::duration::parse(text).map_err(anyhow::Error::msg).context("--timeout")?.as_millis())
}
