//! The order of a client's own messages: once one was refused for now, those behind it are refused too, until it has come again.

use std::time::{Duration, Instant};

use domain::ConversationId;
use domain::messages::Chain;

use super::Session;
use super::exchange::Asked;

/// How long a conversation waits for a refused message to come again, before others may be sent into it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Conversations that wait at once; the one that has waited longest makes room for another.
const MOST: usize = 64;

/// The conversations that wait; nearly always, there are none.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Held>);

/// A conversation that waits for a message to come again.
#[derive(Debug)]
struct Held {
    conversation: ConversationId,
    client_msg_id: Box<str>,
    until: Instant,
}

impl Session {
    /// The chain that a message goes on with; `None` if another message has to come again first.
    pub(super) fn chain_for(&mut self, now: Instant, to: ConversationId, client_msg_id: &str) -> Option<Chain> {
        let mut released = false;
        if let Some(holds) = &mut self.held
            && let Some(at) = holds.0.iter().position(|held| held.conversation == to)
        {
            if *holds.0[at].client_msg_id != *client_msg_id && now < holds.0[at].until {
                return None;
            }
            holds.0.remove(at);
            released = true;
            self.held.take_if(|holds| holds.0.is_empty());
        }
        let latest = self.pending.iter().rev().find_map(|pending| match &pending.kind {
            Asked::Send { conversation, chain, .. } if *conversation == to => Some(chain),
            _ => None,
        });
        Some(match latest {
            // What is still under way in a broken chain will be refused; the message that broke it is here again.
            Some(chain) if released && chain.is_broken() => Chain::default(),
            Some(chain) => chain.clone(),
            None => Chain::default(),
        })
    }

    /// A message was refused for now: the conversation waits for it.
    pub(super) fn hold(&mut self, now: Instant, conversation: ConversationId, client_msg_id: &str) {
        let holds = &mut self.held.get_or_insert_default().0;
        if holds.iter().any(|held| held.conversation == conversation) {
            return;
        }
        if holds.len() >= MOST {
            holds.remove(0);
        }
        holds.push(Held { conversation, client_msg_id: client_msg_id.into(), until: now + PATIENCE });
    }
}
