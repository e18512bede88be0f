//! Any order of events at all.

use super::*;
use proptest::prelude::*;

/// What may happen to a session.
#[derive(Debug, Clone)]
enum Step {
    /// Bytes that may or may not be a frame.
    Bytes(Vec<u8>),
    Hello,
    Send(u8),
    History,
    /// One of all requests.
    Ask(prop::sample::Index),
    PushAck(u64),
    Push(u8),
    Own(u8),
    Kick,
    Missed,
    Drain,
    Stall(bool),
    Reply,
    Fail,
    Transmit,
    Pass(u32),
    Disconnect,
    Resume(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Bytes),
        Just(Step::Hello),
        any::<u8>().prop_map(Step::Send),
        Just(Step::History),
        any::<prop::sample::Index>().prop_map(Step::Ask),
        (0..20u64).prop_map(Step::PushAck),
        any::<u8>().prop_map(Step::Push),
        any::<u8>().prop_map(Step::Own),
        Just(Step::Kick),
        Just(Step::Missed),
        Just(Step::Drain),
        any::<bool>().prop_map(Step::Stall),
        Just(Step::Reply),
        Just(Step::Reply),
        Just(Step::Fail),
        Just(Step::Transmit),
        (0..400_000u32).prop_map(Step::Pass),
        Just(Step::Disconnect),
        (0..20u64).prop_map(Step::Resume),
    ]
}

impl Bench {
    fn take(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Bytes(bytes) => match wire::Frame::decode(Bytes::from(bytes)) {
                Ok(frame) => self.session.handle_frame(now, frame),
                Err(error) => self.session.handle_malformed(now, &error.into()),
            },
            Step::Hello => self.hear(1, hello()),
            Step::Send(number) => self.hear(2, send(&number.to_string())),
            Step::History => self.hear(3, history()),
            Step::Ask(index) => self.hear(5, index.get(&every_request()).clone()),
            Step::PushAck(received) => self.hear(4, Body::PushAck(wire::PushAck { received })),
            Step::Push(seq) => self.push(seq.into()),
            Step::Own(number) => self.push_from(USER, number.into(), &number.to_string()),
            Step::Kick => self.event(&Event::Kick { reason: 2, message: "" }),
            Step::Missed => self.event(&Event::Missed { after: Duration::ZERO }),
            Step::Drain => self.event(&Event::Drain { reconnect_after: Duration::ZERO }),
            Step::Stall(stalled) => self.session.handle_stall(stalled.then_some(now.at)),
            Step::Reply => match self.session.poll_call() {
                Some(Call::Authenticate(_)) => self.session.handle_reply(now, authenticated()),
                Some(Call::Resume { .. }) => self.session.handle_reply(now, Reply::StaleTicket),
                Some(Call::Confirm) => {}
                Some(Call::Ask { key, request: Request::Send(..) }) => {
                    self.session.handle_reply(now, Reply::Sent { key, outcome: Ok(sent(1)) });
                }
                Some(Call::Ask { key, .. }) => {
                    let outcome = Ok(Box::new(Body::Ok(wire::Ok {})));
                    self.session.handle_reply(now, Reply::Answer { key, outcome });
                }
                None => {}
            },
            Step::Fail => {
                if let Some(Call::Ask { key, .. }) = self.session.poll_call() {
                    self.session.handle_reply(now, Reply::Sent { key, outcome: Err(domain::Error::Full) });
                }
            }
            Step::Transmit => drop(self.said()),
            Step::Pass(millis) => self.pass(Duration::from_millis(millis.into())),
            Step::Disconnect => self.disconnect(),
            Step::Resume(received) => {
                if self.session.identity().is_some() {
                    self.session.handle_resume(now, 1, ticket(), received);
                }
            }
        }
    }
}

proptest! {
    /// The twin of a fuzz target: nothing makes a session panic, hold more than it may, or come back from its end.
    #[test]
    fn anything_may_happen(logged_in: bool, steps in prop::collection::vec(step(), 0..200)) {
        let config = Config {
            outbound_queue: ByteSize(600),
            resume_buffer: ByteSize(500),
            max_in_flight: 4,
            frames: Rate { per_second: 100, burst: 50 },
            ..Config::default()
        };
        let mut bench = if logged_in { Bench::open(config) } else { Bench::new(config) };
        for step in steps {
            let ended = bench.session.is_ended();
            bench.take(step);
            prop_assert!(!ended || bench.session.is_ended());
            prop_assert!(!bench.session.is_ended() || bench.session.poll_transmit().is_none());
            if bench.session.wants_frames() {
                prop_assert!(bench.session.status() == Status::Running);
            }
        }
    }
}
