//! Writers: phones that write without pause, and app servers that do. Each enters what became of its messages in the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use linnet_sdk::{Client, ConversationId, Outgoing, content};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::harness::http::AppServer;
use crate::ledger::{Ledger, Name, Operation, Outcome, Place};

/// Messages that a writer leaves unacknowledged at a time.
const WINDOW: usize = 16;
/// How long an app server waits before it asks again.
const RETRY: Duration = Duration::from_millis(50);
/// What maxim's API answers when all went well.
const SUCCESS: u64 = 200;

/// Who writes, where, and how fast.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) number: u32,
    pub(crate) conversation: ConversationId,
    /// Time between two messages, while acknowledgements keep up.
    pub(crate) pace: Duration,
}

/// Sends numbered messages through an SDK client, several at a time, until told to stop; then waits for the last answers.
pub(crate) async fn write(writer: Writer, client: Client, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
    let mut tick = tokio::time::interval(writer.pace);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = FuturesUnordered::new();
    let mut number = 0;
    loop {
        let writing = !stop.load(Ordering::Relaxed);
        if !writing && unanswered.is_empty() {
            return;
        }
        tokio::select! {
            _ = tick.tick(), if writing && unanswered.len() < WINDOW => {
                number += 1;
                let name = Name { writer: writer.number, number };
                let invoked = ledger.now();
                let client_msg_id = name.to_string();
                let content = content::text(client_msg_id.clone());
                let outgoing = Outgoing { conversation: writer.conversation, content, client_msg_id, online_only: false };
                // Submitted here and awaited there, so that messages leave in the order of their numbers.
                let pending = client.submit(outgoing).await;
                unanswered.push(async move {
                    let answer = match pending {
                        Ok(pending) => pending.acknowledged().await,
                        Err(error) => Err(error),
                    };
                    (name, invoked, answer)
                });
            }
            Some((name, invoked, answer)) = unanswered.next() => {
                let outcome = match answer {
                    Ok(sent) => Outcome::Acked(Some(Place { epoch: sent.epoch, seq: sent.seq })),
                    Err(error) if error.is_definite() => Outcome::Refused,
                    Err(_) => Outcome::Unknown,
                };
                ledger.enter(writer.conversation, Operation { name, invoked, answered: ledger.now(), outcome });
            }
        }
    }
}

/// An app server of maxim's API that writes in a user's name, one message after the other, through whichever REST node answers.
pub(crate) struct Office {
    pub(crate) writer: Writer,
    /// The REST nodes.
    pub(crate) nodes: Vec<AppServer>,
    pub(crate) app: &'static str,
    /// The sender's token.
    pub(crate) token: String,
    pub(crate) receiver: u64,
    /// Answers that told nothing, over all offices: the message was sent again under its id.
    pub(crate) repeats: Arc<AtomicUsize>,
}

enum Answer {
    Acked,
    Refused,
    /// Nothing happened.
    Later,
    Nothing,
}

impl Office {
    /// Writes until told to stop. Blocks.
    pub(crate) fn run(self, ledger: &Ledger, stop: &AtomicBool) {
        let mut node = 0;
        for number in 1.. {
            let name = Name { writer: self.writer.number, number };
            let invoked = ledger.now();
            let Some(outcome) = self.deliver(name, &mut node, stop) else { return };
            ledger.enter(self.writer.conversation, Operation { name, invoked, answered: ledger.now(), outcome });
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(self.writer.pace.saturating_sub(ledger.now().since(invoked)));
        }
    }

    /// Sends one message under one id until there is an answer that says what became of it.
    fn deliver(&self, name: Name, node: &mut usize, stop: &AtomicBool) -> Option<Outcome> {
        let mut doubt = false;
        loop {
            match self.ask(name, *node) {
                Answer::Acked => return Some(Outcome::Acked(None)),
                Answer::Refused if doubt => return Some(Outcome::Unknown),
                Answer::Refused => return Some(Outcome::Refused),
                Answer::Later => {}
                Answer::Nothing => {
                    doubt = true;
                    self.repeats.fetch_add(1, Ordering::Relaxed);
                    *node = (*node + 1) % self.nodes.len();
                }
            }
            // Whoever stops an app server in the middle of this does not know either.
            if stop.load(Ordering::Relaxed) {
                return Some(Outcome::Unknown);
            }
            std::thread::sleep(RETRY);
        }
    }

    fn ask(&self, name: Name, node: usize) -> Answer {
        let transaction = u64::from(name.writer) << 32 | u64::from(name.number);
        let body = json!({
            "type": 1, "targets": [self.receiver], "content_type": 0, "content": name.to_string(), "transaction_id": transaction,
        });
        let headers = [("app_id", self.app), ("access-token", self.token.as_str())];
        match self.nodes[node].try_post("/message/send", &headers, &body) {
            Ok(answer) if answer.status == 429 => Answer::Later,
            Ok(answer) if answer.status >= 500 => Answer::Nothing,
            Ok(answer) => match serde_json::from_str::<Value>(&answer.text).map(|body| body["code"].as_u64()) {
                Ok(Some(SUCCESS)) => Answer::Acked,
                Ok(Some(_)) => Answer::Refused,
                _ => Answer::Nothing,
            },
            Err(_) => Answer::Nothing,
        }
    }
}
