//! Requests to apps' own servers, signed so that they can tell them from anybody's.
//!
//! The header `linnet-signature` is `t=<Unix seconds>,v1=<hex>`: the hex is the HMAC-SHA256 of the seconds, a dot and the body, under the
//! webhook's secret. A receiver compares it, and refuses times that are long past.

use std::future::Future;

use aws_lc_rs::hmac;
use bytes::Bytes;
use domain::Clock;
use domain::record::Webhook;
use domain::webhooks::Carry;
use futures_util::future::BoxFuture;

use crate::http::{Http, Request};

/// The header with the signature.
const SIGNATURE: &str = "linnet-signature";

/// Carries requests to apps' servers.
#[derive(Debug)]
pub struct Webhooks {
    http: Http,
    clock: Clock,
}

impl Webhooks {
    /// Over this client, which decides what addresses are allowed.
    #[must_use]
    pub fn new(http: Http, clock: Clock) -> Self {
        Self { http, clock }
    }

    fn send(&self, hook: &Webhook, body: Bytes) -> impl Future<Output = Result<Bytes, String>> + Send + use<> {
        let signature = signature(&hook.secret, self.clock.now().0 / 1_000, &body);
        let request = Request::new(&hook.url, "application/json", body).header(SIGNATURE, signature);
        let http = self.http.clone();
        async move {
            let answer = http.send(request).await.map_err(|error| error.to_string())?;
            if answer.status.is_success() { Ok(answer.body) } else { Err(format!("status {}", answer.status.as_u16())) }
        }
    }
}

impl Carry for Webhooks {
    fn post<'a>(&'a self, hook: &'a Webhook, body: Bytes) -> BoxFuture<'a, Result<Bytes, String>> {
        Box::pin(self.send(hook, body))
    }
}

fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{seconds}.").as_bytes());
    context.update(body);
    format!("t={seconds},v1={}", hex::encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_other_program_computes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", 1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }
}
