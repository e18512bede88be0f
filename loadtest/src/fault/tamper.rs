//! What is done to the frames of one connection. Knows no socket.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::entry::{Content, ConversationId, Text, content::Kind, entry};
use proto::wire::frame::Body;
use proto::wire::{Delivery, Error, Frame, Push, SendAck, error::Code};

use super::Fault;
use crate::measure::mark::Mark;

/// Added to the number of a message that nobody sent.
const INVENTED: u64 = 1_000_000_000;

/// Says which messages are hit: one of so many, over all connections.
#[derive(Debug)]
pub(super) struct Counter {
    every: u64,
    seen: AtomicU64,
}

impl Counter {
    pub(super) fn new(every: u64) -> Self {
        Self { every: every.max(1), seen: AtomicU64::new(0) }
    }

    fn hits(&self) -> bool {
        (self.seen.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(self.every)
    }
}

/// Where a frame of the client's goes.
#[derive(Debug, PartialEq)]
pub(super) enum Passed {
    /// On to the server.
    Onward(Frame),
    /// Back to the client, as if the server had answered.
    Back(Frame),
}

/// One connection's state.
#[derive(Debug)]
pub(super) struct Tamper {
    fault: Fault,
    counter: Arc<Counter>,
    /// The last text that was delivered in each conversation.
    texts: HashMap<Vec<u8>, String>,
    /// The last place that was acknowledged in each conversation.
    places: HashMap<Vec<u8>, SendAck>,
    /// Requests whose acks are to become refusals.
    ghosts: HashSet<u64>,
    /// A push whose message waits for the next one of its conversation.
    held: Option<Push>,
}

impl Tamper {
    pub(super) fn new(fault: Fault, counter: Arc<Counter>) -> Self {
        Self { fault, counter, texts: HashMap::new(), places: HashMap::new(), ghosts: HashSet::new(), held: None }
    }

    /// A frame of the client's.
    pub(super) fn up(&mut self, frame: Frame) -> Passed {
        let Some(Body::Send(send)) = &frame.body else { return Passed::Onward(frame) };
        match self.fault {
            Fault::AckBeforeCommit => {
                // Until a place is known, none can be made up.
                let last = self.places.get(&name(send.conversation.as_ref()));
                let Some(last) = last.filter(|_| self.counter.hits()) else { return Passed::Onward(frame) };
                let ack = SendAck {
                    client_msg_id: send.client_msg_id.clone(),
                    // A message that is not stored has none.
                    seq: if last.seq == 0 { 0 } else { last.seq + 1 },
                    message_id: last.message_id + 1,
                    time: last.time + 1,
                    ..last.clone()
                };
                return Passed::Back(Frame { id: frame.id, body: Some(Body::SendAck(ack)) });
            }
            Fault::Ghost if self.counter.hits() => {
                self.ghosts.insert(frame.id);
            }
            _ => {}
        }
        Passed::Onward(frame)
    }

    /// A frame of the server's: what goes on to the client.
    pub(super) fn down(&mut self, frame: Frame) -> Vec<Frame> {
        let Frame { id, body } = frame;
        let body = match body {
            Some(Body::SendAck(ack)) => Some(self.ack(id, ack)),
            Some(Body::Push(push)) => return self.push(push),
            body => body,
        };
        vec![Frame { id, body }]
    }

    /// Whether a push is held back.
    pub(super) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Lets go of the push that is held back.
    pub(super) fn release(&mut self) -> Option<Frame> {
        self.held.take().map(pushed)
    }

    fn ack(&mut self, id: u64, ack: SendAck) -> Body {
        self.places.insert(name(ack.conversation.as_ref()), ack.clone());
        if self.ghosts.remove(&id) {
            let message = "refused by the proxy, and passed on all the same".to_owned();
            return Body::Error(Error { code: Code::Invalid.into(), message, ..Error::default() });
        }
        if self.fault == Fault::Misplace && ack.seq > 0 && self.counter.hits() {
            return Body::SendAck(SendAck { seq: ack.seq + 1, ..ack });
        }
        Body::SendAck(ack)
    }

    fn push(&mut self, mut push: Push) -> Vec<Frame> {
        if self.fault == Fault::Reorder {
            return self.swap(push);
        }
        // The count of pushes must stay, or the session could not be resumed; what is within is ours.
        push.deliveries.retain_mut(|delivery| {
            let conversation = name(delivery.conversation.as_ref());
            let Some(text) = text_of(delivery) else { return true };
            match self.fault {
                Fault::Hole => return !self.counter.hits(),
                Fault::Drop if self.counter.hits() => text.clear(),
                Fault::Invent if self.counter.hits() => invent(text),
                Fault::Duplicate => {
                    let before = self.texts.insert(conversation, text.clone());
                    if let Some(before) = before.filter(|_| self.counter.hits()) {
                        *text = before;
                    }
                }
                _ => {}
            }
            true
        });
        vec![pushed(push)]
    }

    /// Holds a push back until the next message of its conversation comes, and has the two change their texts.
    fn swap(&mut self, mut push: Push) -> Vec<Frame> {
        let Some(mut held) = self.held.take() else {
            if push.deliveries.iter_mut().any(|delivery| text_of(delivery).is_some()) && self.counter.hits() {
                self.held = Some(push);
                return Vec::new();
            }
            return vec![pushed(push)];
        };
        for delivery in held.deliveries.iter_mut().rev() {
            let conversation = delivery.conversation;
            let Some(text) = text_of(delivery) else { continue };
            let mut others = push.deliveries.iter_mut().filter(|other| other.conversation == conversation);
            if let Some(other) = others.find_map(text_of) {
                std::mem::swap(text, other);
                return vec![pushed(held), pushed(push)];
            }
        }
        self.held = Some(held);
        vec![pushed(push)]
    }
}

fn pushed(push: Push) -> Frame {
    Frame { id: 0, body: Some(Body::Push(push)) }
}

/// A conversation as a key.
fn name(conversation: Option<&ConversationId>) -> Vec<u8> {
    conversation.map(proto::Message::encode_to_vec).unwrap_or_default()
}

fn text_of(delivery: &mut Delivery) -> Option<&mut String> {
    match delivery.entry.as_mut()?.body.as_mut()? {
        entry::Body::Message(Content { kind: Some(Kind::Text(Text { text })), .. }) => Some(text),
        _ => None,
    }
}

/// Gives a message a number that was never sent.
fn invent(text: &mut String) {
    if let Some(mark) = Mark::parse(text) {
        let length = text.len();
        *text = Mark { number: mark.number.saturating_add(INVENTED), ..mark }.text(length);
    }
}

#[cfg(test)]
mod tests {
    use proto::wire::Send;

    use super::*;

    fn conversation() -> Option<ConversationId> {
        Some(ConversationId { kind: Some(proto::entry::conversation_id::Kind::Group(7)) })
    }

    fn push(seq: u64) -> Frame {
        let content = Content { kind: Some(Kind::Text(Text { text: text(seq) })), ..Content::default() };
        let entry = proto::entry::Entry { seq, body: Some(entry::Body::Message(content)), ..Default::default() };
        let delivery = Delivery { conversation: conversation(), entry: Some(entry), ..Delivery::default() };
        pushed(Push { deliveries: vec![delivery] })
    }

    fn text(number: u64) -> String {
        Mark { run: 1, stream: 0, number, nanos: 0 }.text(0)
    }

    /// The seqs and texts that come out of four pushes, every second of which is hit; and how many frames these are.
    fn through(fault: Fault) -> (Vec<(u64, String)>, usize) {
        let mut tamper = Tamper::new(fault, Arc::new(Counter::new(2)));
        let mut frames: Vec<Frame> = (1..=4).flat_map(|seq| tamper.down(push(seq))).collect();
        frames.extend(tamper.release());
        let count = frames.len();
        let pushes = frames.into_iter().map(|frame| match frame.body {
            Some(Body::Push(push)) => push,
            other => panic!("{other:?}"),
        });
        let deliveries = pushes.flat_map(|push| push.deliveries);
        let texts = deliveries.map(|mut delivery| {
            let text = text_of(&mut delivery).unwrap().clone();
            (delivery.entry.unwrap().seq, text)
        });
        (texts.collect(), count)
    }

    #[test]
    fn every_second_message_is_hit_and_no_push_is_lost_count_of() {
        let plain = |seq| (seq, text(seq));
        assert_eq!(through(Fault::None), ((1..=4).map(plain).collect(), 4));
        assert_eq!(through(Fault::Hole), (vec![plain(1), plain(3)], 4));
        assert_eq!(through(Fault::Drop), (vec![plain(1), (2, String::new()), plain(3), (4, String::new())], 4));
        assert_eq!(through(Fault::Reorder), (vec![plain(1), (2, text(3)), (3, text(2)), plain(4)], 4));
        // The first has none before it, and is not counted.
        assert_eq!(through(Fault::Duplicate), (vec![plain(1), plain(2), (3, text(2)), plain(4)], 4));
        let invented = |seq| (seq, text(seq + INVENTED));
        assert_eq!(through(Fault::Invent), (vec![plain(1), invented(2), plain(3), invented(4)], 4));
    }

    #[test]
    fn an_ack_is_made_up_refused_or_moved() {
        let send = |id| Frame {
            id,
            body: Some(Body::Send(Send { conversation: conversation(), client_msg_id: "x".into(), ..Send::default() })),
        };
        let ack = |id, seq| Frame {
            id,
            body: Some(Body::SendAck(SendAck { conversation: conversation(), seq, ..SendAck::default() })),
        };
        let seq = |frame: &Frame| match &frame.body {
            Some(Body::SendAck(ack)) => ack.seq,
            other => panic!("{other:?}"),
        };
        let one = || Arc::new(Counter::new(1));
        let mut before = Tamper::new(Fault::AckBeforeCommit, one());
        assert_eq!(before.up(send(1)), Passed::Onward(send(1)), "no place is known yet");
        before.down(ack(1, 7));
        let Passed::Back(answer) = before.up(send(2)) else { panic!("passed on") };
        assert_eq!((answer.id, seq(&answer)), (2, 8));
        let mut ghost = Tamper::new(Fault::Ghost, one());
        assert_eq!(ghost.up(send(1)), Passed::Onward(send(1)));
        assert!(matches!(&ghost.down(ack(1, 7))[..], [Frame { id: 1, body: Some(Body::Error(_)) }]));
        let mut moved = Tamper::new(Fault::Misplace, one());
        assert_eq!(seq(&moved.down(ack(1, 7))[0]), 8);
    }
}
