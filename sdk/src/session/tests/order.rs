//! Entries come to the app in order, once, with every hole filled or announced.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;

#[test]
fn what_arrives_in_order_is_delivered_at_once() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.push([1, 2]);
    bench.push([3]);
    assert_eq!(bench.delivered(), [1, 2, 3]);
}

#[test]
fn repeats_are_dropped() {
    let mut bench = Bench::open(&[cursor(2)]);
    bench.push([1, 2, 3, 3]);
    bench.push([3, 4]);
    assert_eq!(bench.delivered(), [3, 4]);
}

#[test]
fn a_short_disorder_settles_without_asking() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.push([2, 3]);
    assert!(bench.delivered().is_empty());
    bench.pass(Duration::from_millis(40));
    bench.push([1]);
    assert_eq!(bench.delivered(), [1, 2, 3]);
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.sent(), [], "nothing is missing, so nothing is asked for");
}

#[test]
fn a_gap_that_stays_is_fetched() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([4]);
    bench.pass(Duration::from_millis(49));
    assert_eq!(bench.sent(), []);
    bench.pass(Duration::from_millis(1));
    let history = bench.answer_history([2, 3, 4], 1, 4);
    assert_eq!((history.from_seq, history.forward), (2, true));
    assert_eq!(bench.delivered(), [2, 3, 4]);
    bench.push([5]);
    assert_eq!(bench.delivered(), [5]);
}

#[test]
fn a_gap_is_fetched_page_by_page() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.push([7]);
    bench.pass(Duration::from_millis(50));
    bench.answer_history([1, 2, 3], 1, 7);
    bench.pass(Duration::ZERO);
    let history = bench.answer_history([4, 5, 6, 7], 1, 7);
    assert_eq!(history.from_seq, 4);
    assert_eq!(bench.delivered(), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_gap_too_long_is_announced_and_skipped() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([60]);
    bench.pass(Duration::from_millis(50));
    assert_eq!(bench.sent(), []);
    let gap = Event::Gap { conversation: C, from_seq: 2, to_seq: 59 };
    let events = bench.events();
    assert_eq!(events[0], gap);
    assert!(matches!(&events[1..], [Event::Entry(delivered)] if delivered.entry.seq == 60));
}

#[test]
fn entries_gone_by_retention_are_announced() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([6]);
    bench.pass(Duration::from_millis(50));
    bench.answer_history([5, 6], 5, 6);
    let events = bench.events();
    assert_eq!(events[0], Event::Gap { conversation: C, from_seq: 2, to_seq: 4 });
    assert_eq!(events.len(), 3);
}

#[test]
fn a_conversation_joined_late_starts_at_its_first_readable_entry() {
    let mut bench = Bench::open(&[]);
    bench.push([31]);
    bench.pass(Duration::from_millis(50));
    bench.answer_history([30, 31], 30, 31);
    assert_eq!(bench.delivered(), [30, 31], "what was never this user's is no gap");
}

#[test]
fn a_server_that_cannot_fill_a_gap_does_not_stop_the_conversation() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([3]);
    for _ in 0..4 {
        bench.pass(Duration::from_secs(2));
        bench.answer_history([], 1, 3);
    }
    let events = bench.events();
    assert_eq!(events[0], Event::Gap { conversation: C, from_seq: 2, to_seq: 2 });
    assert!(matches!(&events[1..], [Event::Entry(delivered)] if delivered.entry.seq == 3));
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_gap_is_asked_for_again_after_an_error() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([3]);
    bench.pass(Duration::from_millis(50));
    let id = bench.sent()[0].id;
    bench.receive(id, error(wire::error::Code::Unavailable, 0));
    bench.pass(Duration::from_secs(3));
    bench.answer_history([2], 1, 3);
    assert_eq!(bench.delivered(), [2, 3]);
}

#[test]
fn a_gap_in_a_conversation_that_was_left_is_given_up() {
    let mut bench = Bench::open(&[cursor(1)]);
    bench.push([3]);
    bench.pass(Duration::from_millis(50));
    let id = bench.sent()[0].id;
    bench.receive(id, error(wire::error::Code::Denied, 0));
    assert_eq!(bench.events()[0], Event::Gap { conversation: C, from_seq: 2, to_seq: 2 });
}

#[test]
fn another_epoch_is_looked_up_and_starts_the_conversation_over() {
    let mut bench = Bench::open(&[Cursor { epoch: 100, ..cursor(5) }]);
    bench.push([2]);
    assert_eq!(bench.events(), [], "a push may be late: only a page tells which epoch holds");
    bench.pass(Duration::from_millis(50));
    bench.answer_history([], 1, 2);
    assert_eq!(bench.events(), [Event::Reset { conversation: C, epoch: EPOCH }]);
    bench.pass(Duration::ZERO);
    let history = bench.answer_history([1, 2], 1, 2);
    assert_eq!(history.from_seq, 1);
    assert_eq!(bench.delivered(), [1, 2]);
}

#[test]
fn a_late_push_of_an_old_epoch_changes_nothing() {
    let mut bench = Bench::open(&[cursor(5)]);
    bench.push_in(100, [2]);
    bench.pass(Duration::from_millis(50));
    bench.answer_history([], 1, 5);
    bench.push([6]);
    assert_eq!(bench.delivered(), [6]);
}

#[test]
fn own_messages_take_their_place_from_the_ack() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.send(1, "m1");
    let frames = bench.sent();
    let id = sends(&frames)[0].0;
    bench.push([1]);
    bench.ack(id, "m1", 2);
    bench.push([2, 3]);
    let events = bench.events();
    let Event::Entry(own) = &events[1] else { panic!("{events:?}") };
    assert_eq!((own.entry.seq, own.entry.sender, own.entry.client_msg_id.as_str()), (2, ME, "m1"));
    assert_eq!(content::text_of(&own.entry), Some("hello"));
    assert_eq!(events.len(), 3, "its push, if there is one, is a repeat");
}

#[test]
fn an_ack_that_overtakes_pushes_waits_for_them() {
    let mut bench = Bench::open(&[cursor(0)]);
    bench.send(1, "m1");
    let id = sends(&bench.sent())[0].0;
    bench.ack(id, "m1", 3);
    assert!(matches!(bench.replies()[..], [(1, Ok(Body::SendAck(_)))]));
    assert!(bench.delivered().is_empty());
    bench.push([1, 2]);
    assert_eq!(bench.delivered(), [1, 2, 3]);
}

#[test]
fn online_only_messages_have_no_place() {
    let mut bench = Bench::open(&[cursor(3)]);
    let delivery = Delivery { conversation: Some(C.to_wire()), epoch: EPOCH, entry: Some(entry(0)), online_only: true };
    bench.receive(0, Body::Push(Push { deliveries: vec![delivery] }));
    assert!(matches!(bench.events()[..], [Event::OnlineOnly(_)]));
    bench.push([4]);
    assert_eq!(bench.delivered(), [4]);
}

/// Any shuffling, repeating and losing of pushes comes out in order, with history filling what never came.
#[test]
fn random_disorder_comes_out_in_order() {
    for seed in 0..200 {
        let mut random = rand::rngs::SmallRng::seed_from_u64(seed);
        let mut bench = Bench::open(&[cursor(0)]);
        let last = random.random_range(1..40u64);
        let mut seqs: Vec<u64> = (1..=last).filter(|&seq| seq == last || random.random_bool(0.8)).collect();
        seqs.extend((0..10).map(|_| random.random_range(1..=last)));
        seqs.shuffle(&mut random);
        let mut delivered = Vec::new();
        for seq in seqs {
            bench.push([seq]);
            bench.pass(Duration::from_millis(random.random_range(0..30)));
            answer_gaps(&mut bench, last);
            delivered.extend(bench.delivered());
        }
        for _ in 0..20 {
            bench.pass(Duration::from_millis(100));
            answer_gaps(&mut bench, last);
        }
        delivered.extend(bench.delivered());
        assert_eq!(delivered, (1..=last).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// Plays the server: answers history requests three entries at a time.
fn answer_gaps(bench: &mut Bench, last: u64) {
    for frame in bench.sent() {
        if let Some(Body::History(history)) = frame.body {
            let entries = (history.from_seq..=last).take(3).map(entry).collect();
            let page = HistoryPage { epoch: EPOCH, entries, first_seq: 1, last_seq: last, ..HistoryPage::default() };
            bench.receive(frame.id, Body::HistoryPage(page));
        }
    }
}
