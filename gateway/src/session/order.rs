//! The order of a client's own messages: once one was refused for now, those behind it are refused too, until it has come again.
//!
//! Messages have *turns*, in the order in which they first came; one that comes again keeps its turn. Refusals become known in any order:
//! the one that broke a chain may be the last of which the session hears. So what is waited for is not one message but every one that
//! was refused, or is certain to be, and a message is let through only when none of those has an earlier turn.

use std::time::{Duration, Instant};

use domain::ConversationId;
use domain::messages::Chain;

use super::Session;
use super::exchange::Asked;

/// How long others wait for a refused message to come again, after the last that was heard of those before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages that are waited for at once; others are refused behind them all the same.
const MOST: usize = 1024;

/// A message's place among those of its client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Turn(u32);

impl Turn {
    /// Turns wrap around; those of one moment are close together.
    fn is_before(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) > u32::MAX / 2
    }

    fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The messages that must come again; nearly always, there are none.
#[derive(Debug, Default)]
pub(super) struct Holds(Vec<Refused>);

/// A message that was refused for now, or certainly will be.
#[derive(Debug)]
struct Refused {
    conversation: ConversationId,
    turn: Turn,
    client_msg_id: Box<str>,
    until: Instant,
}

impl Holds {
    /// The turn that a message had when it came before.
    fn turn_of(&self, conversation: ConversationId, client_msg_id: &str) -> Option<Turn> {
        let same = |held: &&Refused| held.conversation == conversation && *held.client_msg_id == *client_msg_id;
        self.0.iter().find(same).map(|held| held.turn)
    }

    fn has_before(&self, conversation: ConversationId, turn: Turn) -> bool {
        self.0.iter().any(|held| held.conversation == conversation && held.turn.is_before(turn))
    }

    /// Something was heard of a message: those behind it wait for it in turn, and come again no sooner.
    fn renew_behind(&mut self, conversation: ConversationId, turn: Turn, until: Instant) {
        for held in self.0.iter_mut().filter(|held| held.conversation == conversation && turn.is_before(held.turn)) {
            held.until = until;
        }
    }

    fn add(&mut self, refused: Refused) {
        if let Some(held) = self.0.iter_mut().find(|held| held.turn == refused.turn) {
            held.until = refused.until;
        } else if self.0.len() < MOST {
            self.0.push(refused);
        }
    }
}

impl Session {
    /// The turn of a message that has come, and the chain that it goes on with; `None` if another has to come before it.
    pub(super) fn turn_for(&mut self, now: Instant, to: ConversationId, client_msg_id: &str) -> Option<(Turn, Chain)> {
        if self.held.is_none() {
            // Whatever is under way into one conversation has one chain, until the first refusal is known.
            let latest = self.sends_to(to).next_back().map(|(_, _, chain)| chain.clone());
            return Some((self.next_turn(), latest.unwrap_or_default()));
        }
        self.give_up(now, to);
        let came_before = self.held.as_ref().and_then(|holds| holds.turn_of(to, client_msg_id)).or_else(|| {
            let under_way = self.sends_to(to).find(|(_, pending, _)| ***pending == *client_msg_id);
            under_way.map(|(turn, _, _)| turn)
        });
        let turn = came_before.unwrap_or_else(|| self.next_turn());
        let mut behind = self.held.as_ref().is_some_and(|holds| holds.has_before(to, turn));
        let mut chain = None;
        for (other, _, theirs) in self.sends_to(to) {
            if !theirs.is_broken() {
                chain = Some(theirs.clone());
            } else if other.is_before(turn) {
                behind = true;
            }
        }
        if behind {
            self.wait_for(now, to, turn, client_msg_id);
            return None;
        }
        self.settle_turn(turn);
        if let Some(holds) = &mut self.held {
            holds.renew_behind(to, turn, now + PATIENCE);
        }
        Some((turn, chain.unwrap_or_default()))
    }

    /// Stops waiting for what should have come again by now. What is behind a message under way cannot have.
    fn give_up(&mut self, now: Instant, to: ConversationId) {
        let under_way: Vec<Turn> = self.sends_to(to).map(|(turn, _, _)| turn).collect();
        if let Some(holds) = &mut self.held {
            under_way.iter().for_each(|turn| holds.renew_behind(to, *turn, now + PATIENCE));
        }
        self.forget(|held| held.until <= now);
    }

    /// A message was refused for now: others wait until it has come again, and until those have that are refused because of it.
    pub(super) fn hold(&mut self, now: Instant, to: ConversationId, turn: Turn, client_msg_id: &str) {
        self.wait_for(now, to, turn, client_msg_id);
        let cut_off: Vec<(Turn, Box<str>)> = self
            .sends_to(to)
            .filter(|(_, _, chain)| chain.is_broken())
            .map(|(turn, client_msg_id, _)| (turn, client_msg_id.clone()))
            .collect();
        for (turn, client_msg_id) in cut_off {
            self.wait_for(now, to, turn, &client_msg_id);
        }
    }

    /// As [`Self::hold`], for a message that was refused unread.
    pub(super) fn hold_unread(&mut self, now: Instant, to: ConversationId, client_msg_id: &str) {
        let came_before = self.held.as_ref().and_then(|holds| holds.turn_of(to, client_msg_id));
        let turn = came_before.unwrap_or_else(|| self.next_turn());
        self.hold(now, to, turn, client_msg_id);
    }

    /// A message will not be sent again: it was let through, or there is nothing more to say about it.
    pub(super) fn settle_turn(&mut self, turn: Turn) {
        self.forget(|held| held.turn == turn);
    }

    /// What is under way into a conversation, in the order in which it came.
    fn sends_to(&self, to: ConversationId) -> impl DoubleEndedIterator<Item = (Turn, &Box<str>, &Chain)> {
        self.pending.iter().filter_map(move |pending| match &pending.kind {
            Asked::Send { conversation, client_msg_id, turn, chain, .. } if *conversation == to => {
                Some((*turn, client_msg_id, chain))
            }
            _ => None,
        })
    }

    fn next_turn(&mut self) -> Turn {
        let next = self.latest_turn.next();
        self.latest_turn = next;
        next
    }

    fn wait_for(&mut self, now: Instant, conversation: ConversationId, turn: Turn, client_msg_id: &str) {
        let refused = Refused { conversation, turn, client_msg_id: client_msg_id.into(), until: now + PATIENCE };
        let holds = self.held.get_or_insert_default();
        holds.renew_behind(conversation, turn, refused.until);
        holds.add(refused);
    }

    fn forget(&mut self, which: impl Fn(&Refused) -> bool) {
        if let Some(holds) = &mut self.held {
            holds.0.retain(|held| !which(held));
            self.held.take_if(|holds| holds.0.is_empty());
        }
    }
}
