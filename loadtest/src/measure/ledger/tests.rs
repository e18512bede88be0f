use super::*;

/// Three messages, sent and acknowledged at 11, 12 and 13; one reader.
fn books() -> (Books, Arc<Stream>, Arc<Reader>) {
    let books = Books::default();
    let stream = books.stream(ConversationId::between(1, 2), true);
    for seq in 11..=13 {
        let number = stream.send();
        stream.ack(number, seq);
    }
    let reader = books.reader([&stream]);
    (books, stream, reader)
}

fn judged(arrivals: &[(u64, u64)]) -> Verdict {
    let (books, stream, reader) = books();
    for &(number, seq) in arrivals {
        reader.arrive(stream.conversation, stream.id, number, seq);
    }
    books.verdict()
}

#[test]
fn books_that_balance_are_kept() {
    let verdict = judged(&[(0, 11), (1, 12), (2, 13)]);
    assert!(verdict.kept());
    assert_eq!((verdict.sent, verdict.acked, verdict.received), (3, 3, 3));
}

#[test]
fn every_breach_is_found() {
    let lost = judged(&[(0, 11), (1, 12)]);
    assert_eq!((lost.lost, lost.kept()), (1, false));
    let repeated = judged(&[(0, 11), (1, 12), (1, 12), (2, 13)]);
    assert_eq!((repeated.duplicated, repeated.reordered, repeated.kept()), (1, 1, false));
    let disordered = judged(&[(1, 12), (0, 11), (2, 13)]);
    assert_eq!((disordered.reordered, disordered.kept()), (1, false));
    let hole = judged(&[(0, 11), (2, 13)]);
    assert_eq!((hole.gaps, hole.lost, hole.kept()), (1, 1, false));
    let elsewhere = judged(&[(0, 11), (1, 12), (2, 14)]);
    assert_eq!((elsewhere.misplaced, elsewhere.kept()), (1, false));
    let unheard_of = judged(&[(0, 11), (1, 12), (2, 13), (9, 14)]);
    assert_eq!((unheard_of.unheard_of, unheard_of.kept()), (1, false));
}

#[test]
fn the_senders_order_counts_and_not_only_the_seqs() {
    let books = Books::default();
    let stream = books.stream(ConversationId::between(1, 2), true);
    let (first, second) = (stream.send(), stream.send());
    stream.ack(first, 2);
    stream.ack(second, 1);
    let reader = books.reader([&stream]);
    reader.arrive(stream.conversation, stream.id, second, 1);
    reader.arrive(stream.conversation, stream.id, first, 2);
    assert_eq!(books.verdict().reordered, 1);
}

#[test]
fn an_announced_gap_is_kept_once_it_is_read_back() {
    let (books, stream, reader) = books();
    reader.arrive(stream.conversation, stream.id, 0, 11);
    reader.skip(stream.conversation, 12, 12);
    reader.arrive(stream.conversation, stream.id, 2, 13);
    assert_eq!((books.verdict().lost, books.verdict().gaps, books.settled()), (1, 0, false));
    reader.read_back(stream.id, 1, 12);
    reader.close_gap();
    assert!(books.verdict().kept() && books.settled());
    reader.read_back(stream.id, 1, 12);
    assert_eq!(books.verdict().duplicated, 1);
}

#[test]
fn a_gap_announced_too_short_leaves_a_hole() {
    let (books, stream, reader) = books();
    reader.arrive(stream.conversation, stream.id, 0, 11);
    reader.skip(stream.conversation, 13, 13);
    assert_eq!(books.verdict().gaps, 1);
}

#[test]
fn a_refused_message_must_not_arrive_and_an_unknown_one_may() {
    let books = Books::default();
    let stream = books.stream(ConversationId::between(1, 2), true);
    let reader = books.reader([&stream]);
    let (unknown, refused) = (stream.send(), stream.send());
    stream.refuse(refused);
    reader.arrive(stream.conversation, stream.id, unknown, 1);
    assert!(books.verdict().kept());
    assert_eq!(books.verdict().unknown, 1);
    reader.arrive(stream.conversation, stream.id, refused, 2);
    assert_eq!((books.verdict().ghosts, books.verdict().kept()), (1, false));
}

#[test]
fn each_reader_is_owed_each_message() {
    let (books, stream, first) = books();
    let second = books.reader([&stream]);
    for (number, seq) in [(0, 11), (1, 12), (2, 13)] {
        first.arrive(stream.conversation, stream.id, number, seq);
    }
    second.arrive(stream.conversation, stream.id, 0, 11);
    let verdict = books.verdict();
    assert_eq!((verdict.sent, verdict.received, verdict.lost), (3, 4, 2));
}

#[test]
fn the_last_reader_is_told_apart() {
    let (books, stream, first) = books();
    let second = books.reader([&stream]);
    assert_eq!(first.arrive(stream.conversation, stream.id, 0, 11), Arrival::Entered);
    assert_eq!(second.arrive(stream.conversation, stream.id, 0, 11), Arrival::Last);
    assert_eq!(second.arrive(stream.conversation, stream.id, 0, 11), Arrival::Void);
    assert_eq!(first.read_back(stream.id, 1, 12), Arrival::Entered);
    assert_eq!(second.read_back(stream.id, 1, 12), Arrival::Last);
}

#[test]
fn what_a_reader_does_not_follow_only_takes_its_place() {
    let books = Books::default();
    let conversation = ConversationId::Group(7);
    let (own, other) = (books.stream(conversation, true), books.stream(conversation, true));
    let reader = books.reader([&other]);
    for (stream, seq) in [(&other, 1), (&own, 2), (&other, 3)] {
        let number = stream.send();
        stream.ack(number, seq);
        reader.arrive(conversation, stream.id, number, seq);
    }
    let verdict = books.verdict();
    assert!(verdict.kept(), "{verdict:?}");
    assert_eq!((verdict.received, reader.newest(conversation)), (2, 3));
}

#[test]
fn what_is_not_stored_is_missed_and_not_lost() {
    let books = Books::default();
    let stream = books.stream(ConversationId::between(1, 2), false);
    let number = stream.send();
    stream.ack(number, 0);
    books.reader([&stream]);
    let verdict = books.verdict();
    assert!(verdict.kept() && books.settled());
    assert_eq!(verdict.missed, 1);
}

#[test]
fn what_is_not_acknowledged_makes_room_when_the_last_reader_has_it() {
    let books = Books::default();
    let stream = books.stream(ConversationId::between(1, 2), false);
    let number = stream.send();
    let readers = [books.reader([&stream]), books.reader([&stream])];
    for (reader, landed) in readers.iter().zip([0, 1]) {
        reader.arrive(stream.conversation, stream.id, number, 0);
        // A repeat makes none.
        reader.arrive(stream.conversation, stream.id, number, 0);
        assert_eq!(stream.landed.available_permits(), landed);
    }
}
