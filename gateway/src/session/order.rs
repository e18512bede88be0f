//! The order of a client's own messages: once one was refused for now, those behind it are refused too, until it has come again.
//!
//! Messages have *turns*, in the order in which they first came; one that comes again keeps its turn. Refusals become known in any order:
//! the one that broke a chain may be the last of which the session hears. So what is waited for is not one message but every one that
//! was refused, or is certain to be, and a message is let through only when none of those has an earlier turn.
//!
//! A client that has waited too long for an answer may send a message again while it is under way. Its copies share the first one's turn.
//!
//! A client may also never send a refused message again, and others do not wait for ever. Time alone does not tell: what comes late may have
//! been sent before the client heard of the refusal. But who sends a message again that was refused after another has heard of both.

use std::time::{Duration, Instant};

use domain::ConversationId;
use domain::messages::Chain;

use super::Session;
use super::exchange::Asked;

/// How long others wait at least for a refused message to come again, after the last that was heard of those before it.
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

    /// The earlier of two.
    fn first(self, other: Self) -> Self {
        if other.is_before(self) { other } else { self }
    }

    fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The messages that must come again; nearly always, there are none.
#[derive(Debug, Default)]
pub(super) struct Holds {
    refused: Vec<Refused>,
    /// Refusals that the client was told of.
    told: u32,
}

/// A message that was refused for now, or certainly will be.
#[derive(Debug)]
struct Refused {
    conversation: ConversationId,
    turn: Turn,
    client_msg_id: Box<str>,
    until: Instant,
    /// The how manieth refusal the client was told of; `None` for one that it will be.
    told: Option<u32>,
}

/// When the client hears of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Now,
    /// When the outcome of what is under way is known.
    Later,
}

impl Holds {
    fn find(&self, conversation: ConversationId, client_msg_id: &str) -> Option<&Refused> {
        self.refused.iter().find(|held| held.is(conversation, client_msg_id))
    }

    fn has_before(&self, conversation: ConversationId, turn: Turn) -> bool {
        self.refused.iter().any(|held| held.conversation == conversation && held.turn.is_before(turn))
    }

    /// Something was heard of a message: those behind it wait for it in turn, and come again no sooner.
    fn renew_behind(&mut self, conversation: ConversationId, turn: Turn, until: Instant) {
        for held in
            self.refused.iter_mut().filter(|held| held.conversation == conversation && turn.is_before(held.turn))
        {
            held.until = until;
        }
    }

    /// A message has come again: stops waiting for those that its client knew to be refused and has passed over, for long enough.
    fn give_up_for(&mut self, conversation: ConversationId, client_msg_id: &str, now: Instant) {
        let Some(own) = self.find(conversation, client_msg_id).and_then(|own| own.told) else { return };
        let is_passed_over = |held: &Refused| held.told.is_some_and(|told| told < own) && held.until <= now;
        self.refused.retain(|held| held.conversation != conversation || !is_passed_over(held));
    }

    fn add(&mut self, now: Instant, refused: Refused) {
        let Refused { conversation, turn, client_msg_id, until, told } = &refused;
        if let Some(held) = self.refused.iter_mut().find(|held| held.is(*conversation, client_msg_id)) {
            held.turn = held.turn.first(*turn);
            held.until = *until;
            held.told = told.or(held.told);
            return;
        }
        if self.refused.len() >= MOST {
            self.refused.retain(|held| held.until > now);
        }
        if self.refused.len() < MOST {
            self.refused.push(refused);
        }
    }
}

impl Refused {
    fn is(&self, conversation: ConversationId, client_msg_id: &str) -> bool {
        self.conversation == conversation && *self.client_msg_id == *client_msg_id
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
        let came_before = self.turn_of(to, client_msg_id);
        if let (Some(turn), Some(holds)) = (came_before, &mut self.held) {
            holds.renew_behind(to, turn, now + PATIENCE);
        }
        self.give_up_for(now, to, client_msg_id);
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
            self.wait_for(now, to, turn, client_msg_id, Told::Now);
            return None;
        }
        self.settle_turn(to, client_msg_id);
        Some((turn, chain.unwrap_or_default()))
    }

    /// Stops waiting for what should have come again before this message. What is behind a message under way cannot have.
    fn give_up_for(&mut self, now: Instant, to: ConversationId, client_msg_id: &str) {
        let under_way: Vec<Turn> = self.sends_to(to).map(|(turn, _, _)| turn).collect();
        if let Some(holds) = &mut self.held {
            under_way.iter().for_each(|turn| holds.renew_behind(to, *turn, now + PATIENCE));
            holds.give_up_for(to, client_msg_id, now);
        }
    }

    /// A message was refused for now: others wait until it has come again, and until those have that are refused because of it.
    pub(super) fn hold(&mut self, now: Instant, to: ConversationId, turn: Turn, client_msg_id: &str) {
        self.wait_for(now, to, turn, client_msg_id, Told::Now);
        let cut_off: Vec<(Turn, Box<str>)> = self
            .sends_to(to)
            .filter(|(_, _, chain)| chain.is_broken())
            .map(|(turn, client_msg_id, _)| (turn, client_msg_id.clone()))
            .collect();
        for (turn, client_msg_id) in cut_off {
            self.wait_for(now, to, turn, &client_msg_id, Told::Later);
        }
    }

    /// As [`Self::hold`], for a message that was refused unread.
    pub(super) fn hold_unread(&mut self, now: Instant, to: ConversationId, client_msg_id: &str) {
        let turn = self.turn_of(to, client_msg_id).unwrap_or_else(|| self.next_turn());
        self.hold(now, to, turn, client_msg_id);
    }

    /// A message will not be sent again: it was let through, or there is nothing more to say about it.
    pub(super) fn settle_turn(&mut self, to: ConversationId, client_msg_id: &str) {
        self.forget(|held| held.is(to, client_msg_id));
    }

    /// The turn of a message that came before, and is under way or has to come again.
    fn turn_of(&self, to: ConversationId, client_msg_id: &str) -> Option<Turn> {
        let held = self.held.as_ref().and_then(|holds| holds.find(to, client_msg_id)).map(|held| held.turn);
        let under_way =
            self.sends_to(to).filter(|(_, pending, _)| ***pending == *client_msg_id).map(|(turn, _, _)| turn);
        held.into_iter().chain(under_way).reduce(Turn::first)
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

    fn wait_for(&mut self, now: Instant, conversation: ConversationId, turn: Turn, client_msg_id: &str, told: Told) {
        let until = now + PATIENCE;
        let holds = self.held.get_or_insert_default();
        let told = (told == Told::Now).then(|| {
            holds.told += 1;
            holds.told
        });
        holds.renew_behind(conversation, turn, until);
        holds.add(now, Refused { conversation, turn, client_msg_id: client_msg_id.into(), until, told });
    }

    fn forget(&mut self, which: impl Fn(&Refused) -> bool) {
        if let Some(holds) = &mut self.held {
            holds.refused.retain(|held| !which(held));
            self.held.take_if(|holds| holds.refused.is_empty());
        }
    }
}
