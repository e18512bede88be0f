//! Synchronising a new session.

use proto::wire::error::Code;
use proto::wire::{Conversation, ConversationSync, Verdict};

use super::*;

fn synced(
    verdict: Verdict,
    epoch: u64,
    first_seq: u64,
    last_seq: u64,
    seqs: impl IntoIterator<Item = u64>,
) -> SyncPage {
    let entries: Vec<Entry> = seqs.into_iter().map(entry).collect();
    let from_seq = if verdict == Verdict::Truncated { entries.first().map_or(0, |entry| entry.seq) } else { 0 };
    let state = Conversation { id: Some(C.to_wire()), epoch, first_seq, last_seq, ..Conversation::default() };
    let conversation = ConversationSync { state: Some(state), verdict: verdict.into(), entries, from_seq };
    SyncPage { conversations: vec![conversation], next: Bytes::new() }
}

/// Logs in and takes one page; returns the events after `Connected`, without the conversation's state.
fn sync(cursors: &[Cursor], page: SyncPage) -> (Bench, Vec<Event>) {
    let mut bench = Bench::new(cursors);
    bench.log_in();
    bench.answer_sync(page);
    let mut events = bench.events();
    assert!(matches!(events.remove(0), Event::Connected { resumed: false, .. }));
    let state = events.iter().position(|event| matches!(event, Event::Conversation(_))).unwrap();
    events.remove(state);
    assert_eq!(events.pop(), Some(Event::Synced));
    (bench, events)
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().filter_map(|e| if let Event::Entry(d) = e { Some(d.entry.seq) } else { None }).collect()
}

#[test]
fn what_is_held_is_told_and_what_is_missing_is_taken() {
    let (mut bench, events) = sync(&[cursor(3)], synced(Verdict::Complete, EPOCH, 1, 5, [4, 5]));
    assert_eq!(seqs(&events), [4, 5]);
    assert_eq!(events.len(), 2);
    bench.push([6]);
    assert_eq!(bench.delivered(), [6]);
}

#[test]
fn complete_without_entries_means_nothing_is_missing() {
    let (mut bench, events) = sync(&[], synced(Verdict::Complete, EPOCH, 8, 7, []));
    assert_eq!(events, []);
    bench.push([8]);
    assert_eq!(bench.delivered(), [8]);
}

#[test]
fn a_truncated_conversation_announces_its_gap() {
    let (_, events) = sync(&[cursor(3)], synced(Verdict::Truncated, EPOCH, 1, 50, [49, 50]));
    assert_eq!(events[0], Event::Gap { conversation: C, from_seq: 4, to_seq: 48 });
    assert_eq!(seqs(&events), [49, 50]);
}

#[test]
fn on_a_new_device_the_gap_starts_at_the_first_readable_entry() {
    let (_, events) = sync(&[], synced(Verdict::Truncated, EPOCH, 10, 50, [49, 50]));
    assert_eq!(events[0], Event::Gap { conversation: C, from_seq: 10, to_seq: 48 });
}

#[test]
fn a_reset_voids_what_is_held() {
    let (mut bench, events) = sync(&[Cursor { epoch: 3, ..cursor(90) }], synced(Verdict::Reset, EPOCH, 1, 2, [1, 2]));
    assert_eq!(events[0], Event::Reset { conversation: C, epoch: EPOCH });
    assert_eq!(seqs(&events), [1, 2]);
    bench.push([3]);
    assert_eq!(bench.delivered(), [3]);
}

#[test]
fn every_page_is_fetched_and_live_pushes_mix_in() {
    let mut bench = Bench::new(&[cursor(0)]);
    bench.log_in();
    bench.push([4]);
    let next = Bytes::from_static(b"more");
    bench.answer_sync(SyncPage { conversations: Vec::new(), next: next.clone() });
    bench.pass(Duration::from_millis(200));
    bench.push([3]);
    let second = bench.answer_sync(synced(Verdict::Complete, EPOCH, 1, 3, [1, 2, 3]));
    assert_eq!((second.cursor, second.have.len()), (next, 1));
    let events = bench.events();
    assert_eq!(seqs(&events), [1, 2, 3, 4]);
    assert_eq!(events.last(), Some(&Event::Synced));
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.sent(), [], "the pages closed the gap");
}

#[test]
fn a_gap_that_sync_left_is_fetched_afterwards() {
    let mut bench = Bench::new(&[cursor(0)]);
    bench.log_in();
    bench.push([3]);
    bench.answer_sync(SyncPage::default());
    bench.events();
    bench.pass(Duration::from_millis(50));
    bench.answer_history([1, 2], 1, 3);
    assert_eq!(bench.delivered(), [1, 2, 3]);
}

#[test]
fn a_failed_sync_starts_over() {
    let mut bench = Bench::new(&[]);
    bench.log_in();
    let id = bench.sent()[0].id;
    bench.receive(id, error(Code::RetryLater, 1000));
    bench.pass(Duration::from_millis(999));
    assert_eq!(bench.sent(), []);
    bench.pass(Duration::from_secs(2));
    bench.answer_sync(SyncPage::default());
    assert!(bench.events().contains(&Event::Synced));
}

#[test]
fn what_is_held_fills_at_most_half_a_frame() {
    let many: Vec<Cursor> =
        (1..10_000).map(|group| Cursor { conversation: ConversationId::Group(group), ..cursor(1) }).collect();
    let mut bench = Bench::new(&many);
    bench.log_in();
    let sync = bench.answer_sync(SyncPage::default());
    assert!(sync.have.len() > 1000);
    assert!(proto::Message::encoded_len(&sync) <= 32 * 1024);
}

#[test]
fn a_session_that_may_have_missed_something_synchronises_when_told() {
    let mut bench = Bench::open(&[cursor(3)]);
    bench.receive(0, Body::Resync(wire::Resync { after_ms: 400 }));
    bench.pass(Duration::from_millis(399));
    assert_eq!(bench.sent(), []);
    bench.pass(Duration::from_millis(1));
    let asked = bench.answer_sync(synced(Verdict::Complete, EPOCH, 1, 4, [4]));
    assert_eq!(asked.have[0].seq, 3);
    let events = bench.events();
    assert_eq!(seqs(&events), [4]);
    assert_eq!(events.last(), Some(&Event::Synced));
}

/// A push of an entry that is not the one which the server had in this place before.
fn push_another(bench: &mut Bench, seq: u64) {
    let entry = Entry { message_id: 2000 + seq, ..entry(seq) };
    let delivery = Delivery { conversation: Some(C.to_wire()), epoch: EPOCH, entry: Some(entry), online_only: false };
    bench.receive(0, Body::Push(Push { deliveries: vec![delivery] }));
}

/// The server says that what is held is void, without a new epoch.
fn reset(bench: &mut Bench) -> wire::Sync {
    let asked = bench.answer_sync(synced(Verdict::Reset, EPOCH, 1, 3, [1, 2, 3]));
    let events = bench.events();
    assert_eq!(events[0], Event::Reset { conversation: C, epoch: EPOCH });
    assert_eq!(seqs(&events), [1, 2, 3]);
    asked
}

#[test]
fn the_newest_entries_are_named() {
    let mut bench = Bench::new(&[Cursor { message_id: 77, ..cursor(3) }]);
    bench.log_in();
    let asked = bench.answer_sync(synced(Verdict::Complete, EPOCH, 1, 23, 4..=23));
    assert_eq!(asked.have[0].message_ids, [77]);
    bench.receive(0, Body::Resync(wire::Resync::default()));
    bench.pass(Duration::ZERO);
    let asked = bench.answer_sync(SyncPage::default());
    assert_eq!(asked.have[0].message_ids, (1008..=1023).collect::<Vec<_>>());
}

#[test]
fn ids_below_a_gap_are_forgotten() {
    let (mut bench, _) = sync(&[], synced(Verdict::Complete, EPOCH, 1, 3, [1, 2, 3]));
    bench.receive(0, Body::Resync(wire::Resync::default()));
    bench.pass(Duration::ZERO);
    bench.answer_sync(synced(Verdict::Truncated, EPOCH, 1, 50, [50]));
    bench.receive(0, Body::Resync(wire::Resync::default()));
    bench.pass(Duration::ZERO);
    assert_eq!(bench.answer_sync(SyncPage::default()).have[0].message_ids, [1050]);
}

#[test]
fn another_entry_in_the_place_of_one_that_is_held_is_asked_about() {
    let mut bench = Bench::open(&[cursor(2)]);
    bench.push([3, 4, 5]);
    bench.events();
    bench.push([4]);
    bench.pass(Duration::from_secs(5));
    assert!(bench.sent().iter().all(|frame| !matches!(frame.body, Some(Body::Sync(_)))), "a repeat is none");
    push_another(&mut bench, 4);
    assert!(bench.events().is_empty());
    bench.pass(Duration::from_secs(5));
    assert_eq!(reset(&mut bench).have[0].message_ids, [1003, 1004, 1005]);
    bench.push([4]);
    assert_eq!(bench.delivered(), [4]);
}

#[test]
fn an_own_message_in_the_place_of_another_is_asked_about_even_after_a_new_connection() {
    let mut bench = Bench::open(&[cursor(2)]);
    bench.push([3]);
    bench.send(7, "mine");
    let frames = bench.sent();
    let ack = wire::SendAck { epoch: EPOCH, seq: 3, message_id: 2003, ..wire::SendAck::default() };
    let id = frames.iter().find(|frame| matches!(frame.body, Some(Body::Send(_)))).unwrap().id;
    bench.receive(id, Body::SendAck(ack));
    bench.drop_and_wait();
    bench.session.handle_connected(bench.now);
    bench.sent();
    bench.events();
    bench.welcome(Resumed::Complete);
    bench.events();
    reset(&mut bench);
}
