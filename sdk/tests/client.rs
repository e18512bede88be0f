//! The whole client against a fake gateway, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod fake;

use std::sync::atomic::Ordering;
use std::time::Duration;

use fake::Fake;
use linnet_sdk::{
    Client, ConversationId, Error, Event, Events, KickReason, Limits, Options, Outgoing, Range, Transport, Trust,
    content,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn options(fake: &Fake, transport: Transport, token: &str) -> Options {
    let port = match transport {
        Transport::Tcp => fake.tcp.port(),
        Transport::Tls | Transport::Auto => fake.tls.port(),
        Transport::Quic => fake.quic.port(),
    };
    let limits = Limits {
        backoff_base: Duration::from_millis(20),
        backoff_cap: Duration::from_millis(200),
        ack_after: Duration::from_millis(50),
        ..Limits::default()
    };
    Options {
        transport,
        trust: Trust::Authorities(fake.authority.clone()),
        quic_address: (transport == Transport::Auto).then(|| format!("localhost:{}", fake.quic.port())),
        limits,
        ..Options::new(format!("localhost:{port}"), token)
    }
}

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(PATIENCE, events.next()).await.expect("no event in time").expect("the client is closed")
}

/// The next entry's seq and text, past all other events.
async fn next_text(events: &mut Events) -> (u64, String) {
    loop {
        match next(events).await {
            Event::Entry(delivered) => {
                return (delivered.entry.seq, content::text_of(&delivered.entry).unwrap().to_owned());
            }
            Event::Gap { .. } | Event::Reset { .. } | Event::Closed(_) => panic!("something is missing"),
            _ => {}
        }
    }
}

async fn until(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        let event = next(events).await;
        if wanted(&event) {
            return event;
        }
    }
}

async fn exchange(transport: Transport) {
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, transport, "alice:1")).await.unwrap();
    let bob = Client::connect(options(&fake, transport, "bob:2")).await.unwrap();
    assert_eq!(alice.me().await.unwrap().user, 1);
    let (mut to_alice, mut to_bob) = (alice.events(), bob.events());
    until(&mut to_alice, |event| *event == Event::Synced).await;
    until(&mut to_bob, |event| *event == Event::Synced).await;
    let sent = alice.send_text("bob", "hello").await.unwrap();
    assert_eq!((sent.seq, sent.conversation), (1, ConversationId::between(1, 2)));
    assert_eq!(next_text(&mut to_bob).await, (1, "hello".to_owned()));
    let large = "x".repeat(300_000);
    bob.send_text("alice", large.clone()).await.unwrap();
    assert_eq!(next_text(&mut to_alice).await, (1, "hello".to_owned()), "one's own message comes back in its place");
    for events in [&mut to_alice, &mut to_bob] {
        assert_eq!(next_text(events).await, (2, large.clone()));
    }
    let page = alice.history(sent.conversation, Range::Newest, 10).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
    alice.close().await;
    assert_eq!(fake.state.commands().last().map(String::as_str), Some("Bye"), "the server heard it");
    assert_eq!(until(&mut to_alice, |event| matches!(event, Event::Closed(_))).await, Event::Closed(Error::Closed));
    assert_eq!(to_alice.next().await, None);
    assert_eq!(alice.send_text("bob", "late").await, Err(Error::Closed));
}

#[tokio::test]
async fn two_clients_talk_over_tcp() {
    exchange(Transport::Tcp).await;
}

#[tokio::test]
async fn two_clients_talk_over_tls() {
    exchange(Transport::Tls).await;
}

#[tokio::test]
async fn two_clients_talk_over_quic() {
    exchange(Transport::Quic).await;
}

#[tokio::test]
async fn two_clients_talk_over_whatever_is_up_first() {
    exchange(Transport::Auto).await;
}

#[tokio::test]
async fn without_quic_the_race_ends_with_tls() {
    let fake = Fake::start().await;
    // Nothing listens on the TCP listener's port for UDP.
    let quic_address = Some(format!("127.0.0.1:{}", fake.tcp.port()));
    let options = Options { quic_address, ..options(&fake, Transport::Auto, "alice:1") };
    let alice = Client::connect(options).await.unwrap();
    assert_eq!(alice.me().await.unwrap().uid, "alice");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let fake = Fake::start().await;
    for (transport, logins) in [(Transport::Tls, 1), (Transport::Quic, 2)] {
        let wary = Options {
            trust: Trust::PublicAuthorities,
            login_timeout: Duration::from_secs(1),
            ..options(&fake, transport, "alice:1")
        };
        let refused = Client::connect(wary.clone()).await;
        assert!(matches!(&refused, Err(Error::Connect(reason)) if reason.contains("certificate")), "{refused:?}");
        let hellos = fake.state.commands().iter().filter(|name| *name == "Hello").count();
        assert_eq!(hellos, logins - 1, "the token was not given away");
        let careless = Options { trust: Trust::DangerAcceptAnyCertificate, ..wary };
        assert!(Client::connect(careless).await.is_ok());
        assert_eq!(fake.logins(), logins);
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_at_once() {
    let fake = Fake::start().await;
    let refused = Client::connect(options(&fake, Transport::Tcp, "nonsense")).await;
    assert!(matches!(refused, Err(Error::Unauthenticated(_))), "{refused:?}");
}

#[tokio::test]
async fn unusable_options_are_refused() {
    let fake = Fake::start().await;
    let good = || options(&fake, Transport::Tcp, "alice:1");
    for bad in [
        Options { address: "no-port".to_owned(), ..good() },
        Options { token: String::new(), ..good() },
        Options { device_id: "x".repeat(65), ..good() },
        Options { trust: Trust::Authorities(b"not PEM".to_vec()), ..good() },
        Options { limits: Limits { event_queue: 0, ..Limits::default() }, ..good() },
    ] {
        assert!(matches!(Client::start(bad), Err(Error::Options(_))));
    }
}

/// Both talk while the network is cut again and again: every message arrives once, in order, everywhere.
async fn storm(transport: Transport) {
    const MESSAGES: usize = 60;
    let fake = Fake::start().await;
    fake.state.swallow_acks.store(3, Ordering::SeqCst);
    let alice = Client::connect(options(&fake, transport, "alice:1")).await.unwrap();
    let bob = Client::connect(options(&fake, transport, "bob:2")).await.unwrap();
    let (mut to_alice, mut to_bob) = (alice.events(), bob.events());
    let sender = |client: Client, peer: &'static str| async move {
        for number in 0..MESSAGES {
            client.send_text(peer, format!("to {peer} {number}")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let cutter = async {
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            fake.cut();
        }
    };
    let collect = async |events: &mut Events| {
        let mut texts = Vec::new();
        while texts.len() < 2 * MESSAGES {
            let (seq, text) = next_text(events).await;
            texts.push(text);
            assert_eq!(seq, texts.len() as u64, "in order, without repeats or holes");
        }
        texts
    };
    let work = async {
        tokio::join!(
            sender(alice.clone(), "bob"),
            sender(bob.clone(), "alice"),
            cutter,
            collect(&mut to_alice),
            collect(&mut to_bob)
        )
    };
    let (.., at_alice, at_bob) = tokio::time::timeout(Duration::from_secs(60), work).await.expect("stuck");
    let stored = fake.state.texts(1, 2);
    assert_eq!(at_alice, stored);
    assert_eq!(at_bob, stored);
    assert!(fake.logins() > 4, "the cuts had an effect");
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_over_a_tcp_that_breaks() {
    storm(Transport::Tcp).await;
}

#[tokio::test]
async fn nothing_is_lost_or_repeated_over_a_quic_that_breaks() {
    storm(Transport::Quic).await;
}

#[tokio::test]
async fn a_client_that_is_cut_comes_back_and_misses_nothing() {
    let fake = Fake::start().await;
    for transport in [Transport::Tcp, Transport::Tls, Transport::Quic] {
        let token = format!("bob:{}", 2 + transport as u64);
        let bob = Client::connect(options(&fake, transport, &token)).await.unwrap();
        let mut events = bob.events();
        until(&mut events, |event| *event == Event::Synced).await;
        bob.cut().await.unwrap();
        let lost = until(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
        assert!(matches!(lost, Event::Disconnected { reason, .. } if reason.contains("cut")));
        fake.state.write(1, 2 + transport as u64, 1, "meanwhile");
        assert_eq!(next_text(&mut events).await, (1, "meanwhile".to_owned()));
        bob.close().await;
        assert!(bob.cut().await.is_err(), "a closed client has nothing to lose");
    }
}

#[tokio::test]
async fn lost_pushes_are_fetched() {
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, Transport::Tcp, "alice:1")).await.unwrap();
    let mut events = alice.events();
    until(&mut events, |event| *event == Event::Synced).await;
    fake.state.write(1, 2, 2, "one");
    fake.state.lose_pushes.store(true, Ordering::SeqCst);
    fake.state.write(1, 2, 2, "two");
    fake.state.write(1, 2, 2, "three");
    fake.state.lose_pushes.store(false, Ordering::SeqCst);
    fake.state.write(1, 2, 2, "four");
    for (seq, text) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
        assert_eq!(next_text(&mut events).await, (seq, text.to_owned()));
    }
}

#[tokio::test]
async fn an_app_that_lags_behind_holds_the_server_up_and_misses_nothing() {
    const MESSAGES: usize = 400;
    let fake = Fake::start().await;
    let lagging = Options {
        limits: Limits { event_queue: 2, ..options(&fake, Transport::Tcp, "x:1").limits },
        ..options(&fake, Transport::Tcp, "alice:1")
    };
    let alice = Client::connect(lagging).await.unwrap();
    let mut events = alice.events();
    until(&mut events, |event| *event == Event::Synced).await;
    let text = "y".repeat(100_000);
    for _ in 0..MESSAGES {
        fake.state.write(1, 2, 2, &text);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = fake.state.written();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(fake.state.written(), before, "nothing more is read");
    assert!(before < MESSAGES * text.len() / 2, "{before} bytes were taken");
    for seq in 1..=MESSAGES as u64 {
        assert_eq!(next_text(&mut events).await.0, seq);
    }
}

#[tokio::test]
async fn cursors_spare_the_next_run_what_is_had() {
    let fake = Fake::start().await;
    for text in ["one", "two", "three"] {
        fake.state.write(1, 2, 2, text);
    }
    let first = Client::connect(options(&fake, Transport::Tcp, "alice:1")).await.unwrap();
    let mut events = first.events();
    next_text(&mut events).await;
    next_text(&mut events).await;
    // The third has arrived as well, but the app never took it.
    let cursors = first.cursors();
    assert_eq!(cursors.len(), 1);
    assert_eq!(cursors[0].seq, 2);
    first.close().await;
    let second = Options { cursors, ..options(&fake, Transport::Tcp, "alice:1") };
    let second = Client::connect(second).await.unwrap();
    assert_eq!(next_text(&mut second.events()).await, (3, "three".to_owned()));
}

#[tokio::test]
async fn a_client_started_before_its_server_connects_later() {
    let spare = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = spare.local_addr().unwrap();
    drop(spare);
    let fake = Fake::start().await;
    let early = Options { address: address.to_string(), ..options(&fake, Transport::Tcp, "alice:1") };
    let client = Client::start(early).unwrap();
    let sending = tokio::spawn({
        let client = client.clone();
        async move { client.send_text(ConversationId::between(1, 2), "patience").await }
    });
    let mut events = client.events();
    until(&mut events, |event| matches!(event, Event::Disconnected { .. })).await;
    // The server's place is taken: whoever connects there is passed on to it.
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = tokio::net::TcpStream::connect(fake.tcp).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    client.wake().await.unwrap();
    let sent = tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap();
    assert_eq!(sent.seq, 1);
}

#[tokio::test]
async fn a_draining_server_is_left_and_found_again() {
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, Transport::Tls, "alice:1")).await.unwrap();
    let mut events = alice.events();
    until(&mut events, |event| *event == Event::Synced).await;
    fake.drain(100);
    until(&mut events, |event| matches!(event, Event::Draining { .. })).await;
    let back = until(&mut events, |event| matches!(event, Event::Connected { .. })).await;
    assert_eq!(back, Event::Connected { user: 1, resumed: true });
    assert_eq!(fake.logins(), 2);
}

#[tokio::test]
async fn a_kicked_client_stays_away() {
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, Transport::Quic, "alice:1")).await.unwrap();
    let mut events = alice.events();
    fake.kick();
    let closed = until(&mut events, |event| matches!(event, Event::Closed(_))).await;
    assert_eq!(closed, Event::Closed(Error::Kicked { reason: KickReason::Admin, message: "out".to_owned() }));
    assert_eq!(events.next().await, None);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn messages_submitted_together_keep_their_order() {
    // More than the events that wait for an app: who takes none and says so is not held up.
    const COUNT: u64 = 600;
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, Transport::Tcp, "alice:1")).await.unwrap();
    alice.ignore_events().await.unwrap();
    let conversation = ConversationId::between(1, 2);
    let mut pending = Vec::new();
    for number in 0..COUNT {
        let content = content::text(number.to_string());
        let outgoing = Outgoing { conversation, content, client_msg_id: String::new(), online_only: false };
        pending.push(alice.submit(outgoing).await.unwrap());
    }
    let acks = futures_util::future::join_all(pending.into_iter().map(|pending| pending.acknowledged())).await;
    let seqs: Vec<u64> = acks.into_iter().map(|ack| ack.unwrap().seq).collect();
    assert_eq!(seqs, (1..=COUNT).collect::<Vec<_>>());
    assert_eq!(fake.state.texts(1, 2), (0..COUNT).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_listener_hears_first_what_waits_and_then_everything_in_order() {
    const BEFORE: u64 = 10;
    const COUNT: u64 = 600;
    let fake = Fake::start().await;
    let alice = Client::connect(options(&fake, Transport::Tcp, "alice:1")).await.unwrap();
    alice.ignore_events().await.unwrap();
    // More waits than fits into the queue: the rest is with the session, and must not come twice or too early.
    let few =
        Options { limits: Limits { event_queue: 4, ..Limits::default() }, ..options(&fake, Transport::Tcp, "bob:2") };
    let bob = Client::connect(few).await.unwrap();
    let mut events = bob.events();
    for number in 0..BEFORE {
        alice.send_text("bob", number.to_string()).await.unwrap();
    }
    assert_eq!(next_text(&mut events).await, (1, "0".to_owned()));
    let (tell, mut told) = tokio::sync::mpsc::channel(COUNT as usize);
    bob.listen(move |event| {
        if let Event::Entry(delivered) = event {
            tell.try_send(delivered.entry.seq).unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(events.next().await, None, "events go to the listener");
    for number in BEFORE..COUNT {
        alice.send_text("bob", number.to_string()).await.unwrap();
    }
    for seq in 2..=COUNT {
        assert_eq!(tokio::time::timeout(PATIENCE, told.recv()).await.unwrap(), Some(seq));
    }
    let cursors = bob.cursors();
    assert_eq!(cursors.iter().map(|cursor| cursor.seq).collect::<Vec<_>>(), [COUNT]);
    bob.close().await;
    assert_eq!(told.recv().await, None, "the listener goes with the client");
}

#[tokio::test]
async fn the_same_id_is_stored_once_across_runs() {
    let fake = Fake::start().await;
    let outgoing = Outgoing {
        conversation: ConversationId::between(1, 2),
        content: content::text("once"),
        client_msg_id: "kept-on-disk".to_owned(),
        online_only: false,
    };
    let mut seqs = Vec::new();
    for _ in 0..2 {
        let client = Client::connect(options(&fake, Transport::Tcp, "alice:1")).await.unwrap();
        seqs.push(client.submit(outgoing.clone()).await.unwrap().acknowledged().await.unwrap().seq);
        client.close().await;
    }
    assert_eq!(seqs, [1, 1]);
    assert_eq!(fake.state.texts(1, 2), ["once"]);
}
