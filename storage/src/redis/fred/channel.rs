//! Channels, heard with `fred`.
//!
//! It would resubscribe by itself, and lose subscriptions in doing so: whoever listens subscribes anew instead.

use bytes::Bytes;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::Message;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{Connected, Fred, lost};
use crate::redis::channel::{Channel, Heard, Listen};
use crate::redis::node::Lost;
use crate::redis::url::Host;

/// Messages kept for whoever is slow to take them; older ones are lost, and it is told.
const MESSAGES: usize = 1 << 16;

struct Subscribed {
    connected: Connected,
    messages: Receiver<Message>,
}

impl Listen for Fred {
    fn listen<'a>(&'a self, host: &'a Host, channel: &'a Bytes) -> BoxFuture<'a, Result<Box<dyn Channel>, Lost>> {
        async move {
            let connected = self.open(host, MESSAGES).await.map_err(|Lost(why)| Lost(format!("{host}: {why}")))?;
            let messages = connected.client.message_rx();
            let name = String::from_utf8_lossy(channel).into_owned();
            let subscribed = tokio::time::timeout(self.silence, connected.client.ssubscribe(name)).await;
            match subscribed {
                Ok(Ok(())) => Ok(Box::new(Subscribed { connected, messages }) as Box<dyn Channel>),
                Ok(Err(error)) => Err(lost(&error)),
                Err(_) => Err(Lost(format!("{host}: no answer within {:?}", self.silence))),
            }
        }
        .boxed()
    }
}

impl Channel for Subscribed {
    fn next(&mut self) -> BoxFuture<'_, Heard> {
        async move {
            if self.connected.task.is_finished() && self.messages.is_empty() {
                return Heard::Over;
            }
            loop {
                let received = tokio::select! {
                    biased;
                    received = self.messages.recv() => received,
                    _ = &mut self.connected.task => return Heard::Over,
                };
                match received.map(|message| message.value.into_bytes()) {
                    Ok(Some(payload)) => return Heard::Message(payload),
                    Ok(None) => {}
                    Err(RecvError::Lagged(missed)) => return Heard::Missed(missed),
                    Err(RecvError::Closed) => return Heard::Over,
                }
            }
        }
        .boxed()
    }
}
