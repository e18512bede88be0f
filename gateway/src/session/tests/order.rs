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
fn one_that_comes_late_is_still_before_those_behind_it() {
    let mut bench = Bench::open(Config::default());
    let [a, b] = [(2, "a"), (3, "b")].map(|(id, name)| begin(&mut bench, id, name));
    refuse(&mut bench, &a);
    bench.pass(Duration::from_secs(3));
    refuse(&mut bench, &b);
    // Nothing was heard of "a" for so long that others need not wait for it; but here it is, and "b" is behind it.
    bench.pass(Duration::from_secs(3));
    begin(&mut bench, 4, "a");
    begin(&mut bench, 5, "b");
}

#[test]
fn a_message_that_comes_again_while_it_is_under_way_keeps_its_turn() {
    let mut bench = Bench::open(Config::default());
    let first = [(2, "a"), (3, "b"), (2, "a"), (3, "b")].map(|(id, name)| begin(&mut bench, id, name));
    // The copies are refused first.
    for begun in first.iter().rev() {
        refuse(&mut bench, begun);
    }
    is_refused(&mut bench, 3, "b");
    begin(&mut bench, 2, "a");
    begin(&mut bench, 3, "b");
    begin(&mut bench, 4, "c");
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
    /// It has waited too long for an answer, and sends that one again which is under way longest.
    Repeat,
    /// The session hears what the client sent.
    Hear,
    /// The client hears what the session said.
    Told,
    /// The lane comes to its next message, and stores or refuses it.
    Decide { store: bool },
    /// The latest message is refused before it comes to the lane.
    RefuseEarly,
    /// The session hears of an outcome.
    Reply(prop::sample::Index),
    /// Nothing happens for so many milliseconds.
    Pass(u64),
}

fn step(rare: impl Strategy<Value = Step> + 'static) -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => rare,
        3 => Just(Step::New),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        6 => Just(Step::Hear),
        6 => Just(Step::Told),
        4 => prop::bool::weighted(0.7).prop_map(|store| Step::Decide { store }),
        1 => Just(Step::RefuseEarly),
        4 => any::<prop::sample::Index>().prop_map(Step::Reply),
    ]
}

/// What a client knows of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    UnderWay,
    /// Under way behind one that was refused: it will be refused too.
    Doubtful,
    Refused,
    Acked,
}

/// A client as the SDK is one, and a lane that refuses what it likes but nothing in between.
///
/// However long anything takes, the client sends no message while an earlier one has to come again.
struct Way {
    bench: Bench,
    known: Vec<Known>,
    /// When each message was sent last.
    sends: Vec<usize>,
    sent_in_all: usize,
    /// On the way to the session.
    sent: VecDeque<usize>,
    lane: VecDeque<(usize, Begun)>,
    outcomes: Vec<(usize, u32, Result<Sent, domain::Error>)>,
    /// On the way to the client.
    said: VecDeque<(usize, Known)>,
    stored: Vec<usize>,
}

impl Way {
    /// The messages of which the client thinks so, and which it may send now.
    fn free(&self, is: impl Fn(Known) -> bool) -> Vec<usize> {
        let waits = |known: &Known| matches!(known, Known::Refused | Known::Doubtful);
        let first = self.known.iter().position(waits).unwrap_or(self.known.len());
        (0..self.known.len()).filter(|number| *number <= first && is(self.known[*number])).collect()
    }

    fn send(&mut self, number: usize) {
        self.known[number] = Known::UnderWay;
        self.sent_in_all += 1;
        self.sends[number] = self.sent_in_all;
        self.sent.push_back(number);
    }

    fn hear(&mut self) {
        let Some(number) = self.sent.pop_front() else { return };
        self.bench.hear(number as u64 + 2, send(&number.to_string()));
        match self.bench.session.poll_call() {
            Some(Call::Ask { key, request: Request::Send(_, chain) }) => {
                self.lane.push_back((number, Begun { key, chain }));
            }
            None => {}
            other => panic!("{other:?}"),
        }
    }

    fn told(&mut self) {
        let Some((number, outcome)) = self.said.pop_front() else { return };
        if self.known[number] == Known::Acked {
            return;
        }
        self.known[number] = outcome;
        for behind in &mut self.known[number + 1..] {
            if outcome == Known::Refused && *behind == Known::UnderWay {
                *behind = Known::Doubtful;
            }
        }
    }

    fn decide(&mut self, at: usize, store: bool) {
        let Some((number, begun)) = self.lane.remove(at) else { return };
        let is_repeat = self.stored.contains(&number);
        let store = (store || is_repeat) && !begun.chain.is_broken();
        if !store {
            begun.chain.note(&limited());
        } else if !is_repeat {
            self.stored.push(number);
        }
        let outcome = if store { Ok(sent(number as u64 + 1)) } else { Err(limited()) };
        self.outcomes.push((number, begun.key, outcome));
    }

    fn reply(&mut self, at: usize) {
        let (_, key, outcome) = self.outcomes.swap_remove(at);
        self.bench.session.handle_reply(self.bench.now(), Reply::Sent { key, outcome });
    }

    fn take(&mut self, step: Step) {
        let choose = |from: Vec<usize>, which: prop::sample::Index| (!from.is_empty()).then(|| *which.get(&from));
        match step {
            Step::New => {
                if self.known.iter().all(|known| matches!(known, Known::UnderWay | Known::Acked)) {
                    self.known.push(Known::UnderWay);
                    self.sends.push(0);
                    self.send(self.known.len() - 1);
                }
            }
            Step::Again(which) => {
                let refused = choose(self.free(|known| known == Known::Refused), which);
                refused.into_iter().for_each(|number| self.send(number));
            }
            Step::Repeat => {
                let is_under_way = |number: usize| matches!(self.known[number], Known::UnderWay | Known::Doubtful);
                let oldest = (0..self.known.len()).filter(|number| is_under_way(*number));
                let oldest = oldest.min_by_key(|number| self.sends[*number]);
                // One that was refused before it has to come again first.
                let oldest = oldest.filter(|oldest| self.free(|_| true).contains(oldest));
                oldest.into_iter().for_each(|number| self.send(number));
            }
            Step::Hear => self.hear(),
            Step::Told => self.told(),
            Step::Decide { store } => self.decide(0, store),
            Step::RefuseEarly => self.decide(self.lane.len().wrapping_sub(1), false),
            Step::Reply(which) if !self.outcomes.is_empty() => self.reply(which.index(self.outcomes.len())),
            Step::Reply(_) => {}
            Step::Pass(millis) => self.bench.pass(Duration::from_millis(millis)),
        }
        self.listen();
    }

    fn listen(&mut self) {
        let said = self.bench.said().into_iter().map(|(id, body)| {
            let outcome = if matches!(body, Body::SendAck(_)) { Known::Acked } else { Known::Refused };
            (id as usize - 2, outcome)
        });
        self.said.extend(said);
    }

    /// Nothing is refused any more, and the client sends what was, as often as it takes.
    fn finish(&mut self) {
        for _ in 0..1_000 {
            while !self.sent.is_empty() {
                self.hear();
            }
            while !self.lane.is_empty() {
                self.decide(0, true);
            }
            while !self.outcomes.is_empty() {
                self.reply(0);
            }
            self.listen();
            while !self.said.is_empty() {
                self.told();
            }
            if self.known.iter().all(|known| *known == Known::Acked) {
                return;
            }
            for number in 0..self.known.len() {
                if self.free(|known| known == Known::Refused).contains(&number) {
                    self.send(number);
                }
            }
            self.bench.pass(Duration::from_millis(100));
        }
        panic!("nothing goes on: {:?}", self.known);
    }
}

/// Whether messages are stored in the order in which they were sent first.
fn keeps_order(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let config = Config {
        frames: Rate { per_second: 10_000, burst: 10_000 },
        heartbeat: Duration::from_secs(3_600),
        ..Config::default()
    };
    let mut way = Way {
        bench: Bench::open(config),
        known: Vec::new(),
        sends: Vec::new(),
        sent_in_all: 0,
        sent: VecDeque::new(),
        lane: VecDeque::new(),
        outcomes: Vec::new(),
        said: VecDeque::new(),
        stored: Vec::new(),
    };
    for step in steps {
        way.take(step);
    }
    way.finish();
    prop_assert!(way.stored.is_sorted(), "{:?}", way.stored);
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_refused_the_order_stays(
        steps in prop::collection::vec(step((0u64..7_000).prop_map(Step::Pass)), 0..200)
    ) {
        keeps_order(steps)?;
    }

    #[test]
    fn whatever_comes_twice_the_order_stays(steps in prop::collection::vec(step(Just(Step::Repeat)), 0..200)) {
        keeps_order(steps)?;
    }
}
