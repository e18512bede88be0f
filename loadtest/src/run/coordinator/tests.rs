use super::*;
use crate::measure::names::count;
use crate::measure::tick::Tick;
use crate::run::crew::Machine;
use crate::show::Shows;

/// What a played worker does, from the assignment on.
struct Player {
    commands: mpsc::Receiver<ToWorker>,
    reports: mpsc::Sender<FromWorker>,
    assignment: Box<Assignment>,
}

/// A worker that answers pings with a clock so far ahead, and then plays.
fn played<F: Future<Output = ()> + Send>(
    ahead_us: i64,
    play: impl FnOnce(Player) -> F + Send + 'static,
) -> (Worker, tokio::task::JoinHandle<()>) {
    let (worker, mut commands, reports) = Worker::imagined("played");
    let playing = tokio::spawn(async move {
        loop {
            match commands.recv().await {
                Some(ToWorker::Ping) => {
                    let clock_us = wall::now_us().saturating_add_signed(ahead_us);
                    reports.send(FromWorker::Pong { clock_us }).await.unwrap();
                }
                Some(ToWorker::Start(assignment)) => break play(Player { commands, reports, assignment }).await,
                _ => break,
            }
        }
    });
    (worker, playing)
}

impl Player {
    async fn tell(&self, report: FromWorker) {
        self.reports.send(report).await.unwrap();
    }

    async fn tick(&self, second: u32, sent: u64) {
        let counts = [(count::SENT.to_owned(), sent), (count::CONNECTED.to_owned(), 1)].into();
        let generator = Sample { rss: 1 << 40, cpu_us: u64::from(second), ..Sample::default() };
        self.tell(FromWorker::Tick(Box::new(Tick { second, span: 1, counts, generator, ..Tick::default() }))).await;
    }

    async fn reach(&mut self, milestone: Milestone) -> u64 {
        let generator = Sample { rss: 1 << 40, cpu_us: 7, ..Sample::default() };
        self.tell(FromWorker::Reached { milestone, generator }).await;
        loop {
            match self.commands.recv().await.expect("a go") {
                ToWorker::Go { milestone: next, at_us } if next == milestone => return at_us,
                _ => {}
            }
        }
    }

    async fn done(&self) {
        self.tell(FromWorker::Done(Box::default())).await;
    }
}

fn credentials() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let users: String = (1..=10).map(|id| format!("u{id}\t{id}\tsecret\n")).collect();
    std::fs::write(file.path(), users).unwrap();
    file
}

fn plan(credentials: &tempfile::NamedTempFile) -> Plan {
    let path = credentials.path().display();
    Plan::parse(&format!("[target]\ncredentials = \"{path}\"\n[scenario.connect]\nconnections = 5")).unwrap()
}

#[tokio::test]
async fn workers_go_on_together_and_are_added_up() {
    let file = credentials();
    let (told, mut gone) = mpsc::channel(4);
    let player = |ahead: i64, sent: u64| {
        let told = told.clone();
        played(ahead, move |mut player: Player| async move {
            let users: Vec<u64> = player.assignment.users.iter().map(|user| user.id).collect();
            player.tick(1, sent).await;
            let at_us = player.reach(Milestone::Connected).await;
            told.send((users, at_us.saturating_add_signed(-ahead))).await.unwrap();
            for milestone in [Milestone::Loaded, Milestone::Settled] {
                player.reach(milestone).await;
            }
            player.tick(2, sent).await;
            player.done().await;
        })
    };
    let (first, second) = (player(0, 10).0, player(60_000_000, 100).0);
    let outcome = run(plan(&file), vec![first, second], &mut Shows::default(), std::future::pending()).await.unwrap();
    let (one, two) = (gone.recv().await.unwrap(), gone.recv().await.unwrap());
    let mut users = [&one.0, &two.0];
    users.sort();
    assert_eq!(users, [&vec![1, 2, 3], &vec![4, 5]], "everybody has users of their own");
    let [exact, skewed] = &outcome.fleet[..] else { panic!("{:?}", outcome.fleet) };
    let bound = exact.clock.error_us + skewed.clock.error_us + 4;
    assert!(one.1.abs_diff(two.1) <= bound, "{one:?} and {two:?} begin at the same time, within {bound} us");
    assert!(skewed.clock.us.abs_diff(60_000_000) <= skewed.clock.error_us + 2, "{skewed:?}");
    assert_eq!(outcome.counts[count::SENT], 220);
    assert_eq!(outcome.timeline.iter().map(|row| row.counts[count::SENT]).collect::<Vec<_>>(), [110, 110]);
    let reached: Vec<Milestone> = outcome.snapshots.iter().map(|at| at.milestone).collect();
    assert_eq!(reached, [Milestone::Start, Milestone::Connected, Milestone::Loaded, Milestone::Settled]);
    let rss = outcome.snapshots[1].generator.rss;
    assert!(rss > 2 << 40, "two workers and the coordinator: {rss}");
    assert!(outcome.timeline[1].generator.rss > 2 << 40);
    assert!(outcome.passed && !outcome.stopped);
}

#[tokio::test]
async fn an_agents_cores_are_the_generators() {
    let file = credentials();
    let workers = [("one", 3), ("one", 3), ("two", 5)].map(|(address, cores)| {
        let (worker, _) = played(0, |mut player| async move {
            for milestone in [Milestone::Connected, Milestone::Loaded, Milestone::Settled] {
                player.reach(milestone).await;
            }
            player.done().await;
        });
        Worker { machine: Some(Machine { address: address.to_owned(), cores }), ..worker }
    });
    let outcome = run(plan(&file), workers.into(), &mut Shows::default(), std::future::pending()).await.unwrap();
    assert_eq!(outcome.environment.generator_cores, 3 + 5);
}

#[tokio::test]
async fn the_death_of_one_fails_the_run_and_ends_the_others() {
    let file = credentials();
    let (dying, _) = played(0, |player| async move { player.tell(FromWorker::Failed("killed".into())).await });
    let (other, playing) = played(0, |mut player| async move { while player.commands.recv().await.is_some() {} });
    let error = run(plan(&file), vec![dying, other], &mut Shows::default(), std::future::pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "played: killed");
    playing.await.expect("the other hears that nobody leads it any more");

    let (silent, _) = played(0, |_| async {});
    let error = run(plan(&file), vec![silent], &mut Shows::default(), std::future::pending()).await.unwrap_err();
    assert_eq!(error.to_string(), "played: ended without a word");
}

#[tokio::test]
async fn a_stopped_run_is_told_though_somebody_left_milestones_out() {
    let file = credentials();
    let (patient, _) = played(0, |mut player| async move {
        player.tick(1, 1).await;
        for milestone in [Milestone::Connected, Milestone::Loaded, Milestone::Settled] {
            player.reach(milestone).await;
        }
        player.done().await;
    });
    let (hasty, _) = played(0, |mut player| async move {
        while !matches!(player.commands.recv().await, Some(ToWorker::Stop)) {}
        player.tick(1, 1).await;
        player.done().await;
    });
    let outcome = run(plan(&file), vec![patient, hasty], &mut Shows::default(), std::future::ready(())).await.unwrap();
    assert!(outcome.stopped);
    assert_eq!(outcome.snapshots.len(), 4);
    assert_eq!(outcome.counts[count::SENT], 2);
}

#[tokio::test]
async fn who_neither_listens_nor_speaks_is_given_up() {
    let file = credentials();
    let deaf = || {
        played(0, |player| async move {
            let _player = player;
            std::future::pending::<()>().await;
        })
    };
    let mut lead = Lead::start(plan(&file), vec![deaf().0]).await.unwrap();
    let error = (0..1000).find_map(|_| lead.greet().err()).expect("what waits for a worker is bounded");
    assert_eq!(error.to_string(), "played: does not listen");

    let mut lead = Lead::start(plan(&file), vec![deaf().0]).await.unwrap();
    lead.greet().unwrap();
    lead.workers[0].heard -= 2 * SILENCE;
    assert_eq!(lead.greet().unwrap_err().to_string(), "played: nothing was heard of it for 30 s");
}
