//! How an app server shows who it is, in each dialect.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Rest;
use super::calls::{Call, Dialect};
use super::http::Connection;

/// An app's secret. It stands in no log and no report.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.0.is_empty() { "Secret(none)" } else { "Secret(…)" })
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

/// What the app server shows.
#[derive(Clone, Default)]
pub(super) struct Access {
    pub(super) app: String,
    /// tenured's sign.
    pub(super) sign: String,
    /// gobelieve's `Authorization`.
    pub(super) basic: String,
    /// openim's administrator's token.
    pub(super) admin: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Access({})", self.app)
    }
}

impl Access {
    /// Asks the service for what the dialects need.
    pub(super) async fn obtain(rest: &Rest) -> anyhow::Result<Self> {
        let mut access = Self { app: rest.app.clone(), ..Self::default() };
        let needs_secret = |dialect: &&Dialect| !matches!(dialect, Dialect::Tim | Dialect::Maxim);
        if let Some(dialect) = rest.dialects.iter().find(needs_secret)
            && rest.app_secret.0.is_empty()
        {
            bail!("{dialect} needs the app's secret: --app-file, or LINNET_APP_SECRET");
        }
        let secret = &rest.app_secret.0;
        let md5: String = Md5::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
        access.basic = format!("Basic {}", STANDARD.encode(format!("{}:{md5}", rest.app_number)));
        let mut connection = Connection::new(&rest.url);
        if rest.dialects.contains(&Dialect::Tenured) {
            let body = json!({"appId": rest.app, "private": secret});
            let answer = ask(&mut connection, Dialect::Tenured, "/v1/build_token", &body).await?;
            // JSON in a string.
            let data = answer["data"].as_str().context("no data in the sign's answer")?;
            let data: Value = serde_json::from_str(data)?;
            access.sign = data["sign"].as_str().context("no sign")?.to_owned();
        }
        if rest.dialects.contains(&Dialect::Openim) {
            // The administrator is a user like others; who exists already is an error that changes nothing.
            let register = json!({"secret": secret, "platform": 7, "uid": rest.admin, "name": rest.admin});
            let _ = ask(&mut connection, Dialect::Openim, "/auth/user_register", &register).await;
            let token = json!({"secret": secret, "platform": 8, "uid": rest.admin});
            let answer = ask(&mut connection, Dialect::Openim, "/auth/user_token", &token).await?;
            access.admin = answer["data"]["token"].as_str().context("no token for the administrator")?.to_owned();
        }
        Ok(access)
    }
}

async fn ask(connection: &mut Connection, dialect: Dialect, path: &'static str, body: &Value) -> anyhow::Result<Value> {
    let call = Call::post(dialect, path, path, Vec::new(), body);
    let answer = connection.call(call).await.context(path)?;
    dialect.judge(&answer).map_err(|why| anyhow::anyhow!("{path}: {why}"))?;
    Ok(serde_json::from_slice(&answer.body)?)
}

/// Takes the app's credentials out of what `linnet app create` printed; other lines are passed over.
pub(super) fn printed(text: &str, rest: &mut Rest) -> anyhow::Result<()> {
    let find = |name: &str| {
        text.lines().find_map(|line| {
            let value = line.trim().strip_prefix(name)?;
            value.starts_with(char::is_whitespace).then(|| value.trim().to_owned())
        })
    };
    rest.app = find("app id").context("no line `app id`")?;
    rest.app_secret = find("secret").context("no line `secret`")?.into();
    if let Some(number) = find("number") {
        rest.app_number = number;
    }
    if let Some(admins) = find("admins") {
        rest.admin = admins.split([',', ' ']).next().unwrap_or_default().to_owned();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_printed_is_found_among_other_words() {
        let text = "  app id   shop\n  number   42\n  key      k\n  secret   s3cret\n  admins   boss, other\nWrite the key down.";
        let mut rest = Rest::default();
        printed(text, &mut rest).unwrap();
        assert_eq!((rest.app.as_str(), rest.app_number.as_str(), rest.admin.as_str()), ("shop", "42", "boss"));
        assert_eq!(rest.app_secret.0, "s3cret");
        assert!(!format!("{rest:?}").contains("s3cret"));
        let error = printed("app id shop", &mut rest).unwrap_err();
        assert!(error.to_string().contains("secret"));
    }
}
