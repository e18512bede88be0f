//! Signs: proof, good for a while, that an app's server knew its private key.
//!
//! A sign is `<unix seconds of expiry>.<hmac>` and is kept nowhere. The MAC covers the app, the expiry and the hash of the secret,
//! so that rotating the secret voids all signs.

use domain::{Caller, Domain, record};
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use super::Error;
use crate::context::Call;

/// A sign for an app.
pub(super) fn make(app: &record::App, expire: i64) -> String {
    format!("{expire}.{}", hex::encode(mac(app, expire).finalize().into_bytes()))
}

/// The app's server, by its sign.
pub(super) async fn authenticate(domain: &Domain, call: &Call) -> Result<Caller, Error> {
    let Presented { app_id, sign } = presented(call);
    let (Some(app_id), Some(sign)) = (app_id, sign) else { return Err(Error::NotCertified) };
    // Not believed yet: the record, with the key to check the sign with, comes with the caller. It goes no further unless that fits.
    let number = domain.apps.find(&app_id).await?.number;
    let claimed = domain.apps.operator(domain::AppNumber(number)).await?;
    let (expire, tag) = sign.split_once('.').ok_or(Error::NotCertified)?;
    let expire: i64 = expire.parse().map_err(|_| Error::NotCertified)?;
    let tag = hex::decode(tag).map_err(|_| Error::NotCertified)?;
    mac(claimed.app_record(), expire).verify_slice(&tag).map_err(|_| Error::NotCertified)?;
    if call.arrived.0 / 1000 >= expire {
        return Err(Error::NotCertified);
    }
    Ok(claimed)
}

fn mac(app: &record::App, expire: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&app.signing_key).expect("HMAC takes a key of any length");
    for part in [&b"tenured"[..], app.id.as_bytes(), &expire.to_be_bytes(), &app.secret_hash] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[derive(Debug, Default, Deserialize)]
struct Presented {
    #[serde(rename = "appId", default)]
    app_id: Option<String>,
    #[serde(default)]
    sign: Option<String>,
}

/// The document puts both into "request parameters" without saying where, so each is looked for everywhere.
fn presented(call: &Call) -> Presented {
    let body: Presented = serde_json::from_slice(&call.body).unwrap_or_default();
    let find = |name: &str| call.query_value(name).or_else(|| call.header(name).map(str::to_owned));
    Presented { app_id: find("appId").or(body.app_id), sign: find("sign").or(body.sign) }
}
