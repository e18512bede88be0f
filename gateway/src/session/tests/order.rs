//! Messages do not overtake one that was refused for now.

use std::collections::VecDeque;

use domain::messages::Chain;
use proptest::prelude::*;

use super::*;

/// A message that reached the domain.
struct Begun {
    key: u32,
    chain: Chain,
}

/// Sends a message, which has to reach the domain.
fn begin(bench: &mut Bench, id: u64, client_msg_id: &str) -> Begun {
    bench.hear(id, send(client_msg_id));
    match bench.call() {
        (key, Request::Send(message, chain)) if message.client_msg_id == client_msg_id => Begun { key, chain },
        (_, other) => panic!("{client_msg_id} is not sent but {other:?}"),
    }
}

fn limited() -> domain::Error {
    domain::Error::Limited { retry_after: Duration::from_millis(500) }
}

/// What the domain does with a message and with those behind it.
fn refuse(bench: &mut Bench, begun: &Begun) {
    begun.chain.note(&limited());
    bench.session.handle_reply(bench.now(), Reply::Sent { key: begun.key, outcome: Err(limited()) });
    assert_eq!(bench.error().code(), Code::RetryLater);
}

/// Sends a message that has to be refused without reaching the domain.
fn is_refused(bench: &mut Bench, id: u64, client_msg_id: &str) {
    bench.hear(id, send(client_msg_id));
    assert!(bench.session.poll_call().is_none(), "{client_msg_id}");
    assert_eq!(bench.error().code(), Code::RetryLater, "{client_msg_id}");
}

#[test]
fn what_follows_a_refused_message_waits_for_it() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, &first);
    is_refused(&mut bench, 3, "b");
    is_refused(&mut bench, 4, "c");
    begin(&mut bench, 5, "a");
    begin(&mut bench, 6, "b");
    begin(&mut bench, 7, "c");
}

#[test]
fn another_conversation_goes_on() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, &first);
    let Body::Send(mut other) = send("b") else { unreachable!() };
    other.conversation = Some(ConversationId::direct(USER, UserId(11)).to_wire());
    bench.hear(3, Body::Send(other));
    assert_eq!(bench.call().1.name(), "send");
}

#[test]
fn a_frame_that_came_too_early_is_waited_for_too() {
    let frames = Rate { per_second: 1, burst: 2 };
    let mut bench = Bench::open(Config { frames, ..Config::default() });
    begin(&mut bench, 2, "a");
    begin(&mut bench, 3, "b");
    bench.hear(4, send("c"));
    assert_eq!(bench.error().code(), Code::RetryLater);
    bench.pass(Duration::from_secs(2));
    is_refused(&mut bench, 5, "d");
    begin(&mut bench, 6, "c");
}

#[test]
fn a_message_that_never_comes_again_is_not_waited_for_for_ever() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, &first);
    is_refused(&mut bench, 3, "b");
    bench.pass(Duration::from_secs(5));
    begin(&mut bench, 4, "b");
}

#[test]
fn a_message_that_waits_for_those_before_it_is_waited_for_as_long() {
    let mut bench = Bench::open(Config::default());
    let [a, b, c] = [(2, "a"), (3, "b"), (4, "c")].map(|(id, name)| begin(&mut bench, id, name));
    [&a, &b, &c].into_iter().for_each(|begun| refuse(&mut bench, begun));
    // The store is away for long: "a" comes again and again, and takes its time; the client keeps the others back.
    for id in 5..8 {
        let again = begin(&mut bench, id, "a");
        bench.pass(Duration::from_secs(6));
        refuse(&mut bench, &again);
        bench.pass(Duration::from_secs(1));
    }
    let again = begin(&mut bench, 8, "a");
    bench.pass(Duration::from_secs(6));
    is_refused(&mut bench, 9, "c");
    begin(&mut bench, 10, "b");
    begin(&mut bench, 11, "c");
    drop(again);
}

#[test]
fn refusals_that_become_known_in_another_order_let_nothing_overtake() {
    let mut bench = Bench::open(Config::default());
    let begun = [(2, "a"), (3, "b"), (4, "c")].map(|(id, name)| begin(&mut bench, id, name));
    // "a" was refused, and the others for its sake; it is heard of last.
    for begun in begun.iter().rev() {
        refuse(&mut bench, begun);
    }
    is_refused(&mut bench, 5, "c");
    is_refused(&mut bench, 6, "b");
    begin(&mut bench, 7, "a");
    begin(&mut bench, 8, "b");
    begin(&mut bench, 9, "c");
}

#[test]
fn what_is_certain_to_be_refused_is_waited_for_too() {
    let mut bench = Bench::open(Config::default());
    let [a, b, c] = [(2, "a"), (3, "b"), (4, "c")].map(|(id, name)| begin(&mut bench, id, name));
    refuse(&mut bench, &a);
    begin(&mut bench, 5, "a");
    // The client does not know yet that "b" and "c" are refused, so it sends what follows them.
    is_refused(&mut bench, 6, "d");
    refuse(&mut bench, &b);
    refuse(&mut bench, &c);
    is_refused(&mut bench, 7, "d");
    begin(&mut bench, 8, "b");
    begin(&mut bench, 9, "c");
    begin(&mut bench, 10, "d");
}

#[test]
fn one_that_is_refused_twice_keeps_its_turn() {
    let mut bench = Bench::open(Config::default());
    let [a, b] = [(2, "a"), (3, "b")].map(|(id, name)| begin(&mut bench, id, name));
    refuse(&mut bench, &a);
    refuse(&mut bench, &b);
    let again = begin(&mut bench, 4, "a");
    refuse(&mut bench, &again);
    is_refused(&mut bench, 5, "b");
    begin(&mut bench, 6, "a");
    begin(&mut bench, 7, "b");
}

#[test]
fn what_turns_out_to_be_durable_is_not_waited_for() {
    let mut bench = Bench::open(Config::default());
    let [a, b] = [(2, "a"), (3, "b")].map(|(id, name)| begin(&mut bench, id, name));
    refuse(&mut bench, &a);
    bench.session.handle_reply(bench.now(), Reply::Sent { key: b.key, outcome: Ok(sent(1)) });
    bench.said();
    begin(&mut bench, 4, "a");
    begin(&mut bench, 5, "c");
}

#[test]
fn a_new_connection_waits_for_nothing() {
    let mut bench = Bench::open(Config::default());
    let first = begin(&mut bench, 2, "a");
    refuse(&mut bench, &first);
    bench.disconnect();
    bench.resume(0);
    begin(&mut bench, 3, "b");
}

/// What may happen to messages on their way.
#[derive(Debug, Clone)]
enum Step {
    /// The client sends another message.
    New,
    /// It sends one again of which it knows that it was refused.
    Again(prop::sample::Index),
    /// The lane comes to its next message, and stores or refuses it.
    Decide { store: bool },
    /// The latest message is refused before it comes to the lane.
    RefuseEarly,
    /// The session hears of an outcome.
    Reply(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::New),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        4 => prop::bool::weighted(0.7).prop_map(|store| Step::Decide { store }),
        1 => Just(Step::RefuseEarly),
        4 => any::<prop::sample::Index>().prop_map(Step::Reply),
    ]
}

/// A client that sends what it likes in any order, and a lane that refuses what it likes but nothing in between.
struct Way {
    bench: Bench,
    begun: usize,
    refused: Vec<usize>,
    lane: VecDeque<(usize, Begun)>,
    outcomes: Vec<(usize, u32, Result<Sent, domain::Error>)>,
    stored: Vec<usize>,
}

impl Way {
    fn hear(&mut self, number: usize) {
        self.bench.hear(number as u64 + 2, send(&number.to_string()));
        match self.bench.session.poll_call() {
            Some(Call::Ask { key, request: Request::Send(_, chain) }) => {
                self.lane.push_back((number, Begun { key, chain }));
            }
            None => self.refused.push(number),
            other => panic!("{other:?}"),
        }
    }

    fn decide(&mut self, at: usize, store: bool) {
        let Some((number, begun)) = self.lane.remove(at) else { return };
        let store = store && !begun.chain.is_broken();
        if store {
            self.stored.push(number);
        } else {
            begun.chain.note(&limited());
        }
        let outcome = if store { Ok(sent(number as u64 + 1)) } else { Err(limited()) };
        self.outcomes.push((number, begun.key, outcome));
    }

    fn reply(&mut self, at: usize) {
        let (number, key, outcome) = self.outcomes.swap_remove(at);
        self.refused.extend(outcome.is_err().then_some(number));
        self.bench.session.handle_reply(self.bench.now(), Reply::Sent { key, outcome });
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::New => {
                self.hear(self.begun);
                self.begun += 1;
            }
            Step::Again(which) if !self.refused.is_empty() => {
                let number = self.refused.swap_remove(which.index(self.refused.len()));
                self.hear(number);
            }
            Step::Decide { store } => self.decide(0, store),
            Step::RefuseEarly => self.decide(self.lane.len().wrapping_sub(1), false),
            Step::Reply(which) if !self.outcomes.is_empty() => self.reply(which.index(self.outcomes.len())),
            Step::Again(_) | Step::Reply(_) => {}
        }
        self.bench.said();
    }

    /// Nothing is refused any more, and the client sends what was.
    fn finish(&mut self) {
        while self.stored.len() < self.begun {
            let stored = self.stored.len();
            while !self.lane.is_empty() {
                self.decide(0, true);
            }
            while !self.outcomes.is_empty() {
                self.reply(0);
            }
            self.refused.sort_unstable();
            for number in std::mem::take(&mut self.refused) {
                self.hear(number);
            }
            self.bench.said();
            assert!(self.stored.len() > stored || !self.lane.is_empty(), "nothing goes on");
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_refused_the_order_stays(steps in prop::collection::vec(step(), 0..200)) {
        let config = Config { frames: Rate { per_second: 10_000, burst: 10_000 }, ..Config::default() };
        let mut way = Way {
            bench: Bench::open(config),
            begun: 0,
            refused: Vec::new(),
            lane: VecDeque::new(),
            outcomes: Vec::new(),
            stored: Vec::new(),
        };
        for step in steps {
            way.take(step);
        }
        way.finish();
        prop_assert!(way.stored.is_sorted(), "{:?}", way.stored);
    }
}
