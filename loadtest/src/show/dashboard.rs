//! The dashboard: a thread of its own that holds the terminal, draws what it is told, and listens to the keyboard.

use std::io::Stderr;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};

use super::draw::draw;
use super::history::History;
use super::{INTERRUPTED, Show, Stop};
use crate::measure::tick::Tick;
use crate::plan::Plan;
use crate::run::message::Milestone;

/// How often the clock on the screen moves, and how long a key waits at most.
const FRAME: Duration = Duration::from_millis(200);
/// Updates that may wait for the next frame.
const QUEUE: usize = 64;

/// A screen full of a run. Ends, and gives the terminal back, when dropped.
pub struct Dashboard {
    updates: Option<SyncSender<Update>>,
    thread: Option<JoinHandle<()>>,
}

enum Update {
    Tick(Box<Tick>),
    Milestone(Milestone, Duration),
    Stopping,
}

impl Dashboard {
    /// Takes the terminal behind standard error, so that standard output stays free for the report.
    ///
    /// Fails when there is none.
    pub fn start(plan: &Plan, stop: Stop) -> anyhow::Result<Self> {
        let screen = Screen::open().context("cannot draw on this terminal; --plain does without")?;
        let (updates, told) = sync_channel(QUEUE);
        let history = History::new(plan);
        let thread = std::thread::Builder::new()
            .name("dashboard".to_owned())
            .spawn(move || run(screen, history, &told, &stop))
            .context("cannot start a thread")?;
        Ok(Self { updates: Some(updates), thread: Some(thread) })
    }

    /// A dashboard that broke is no reason to end the run.
    fn tell(&self, update: Update) {
        if let Some(updates) = &self.updates {
            let _ = updates.send(update);
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        drop(self.updates.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Show for Dashboard {
    fn tick(&mut self, tick: &Tick) {
        self.tell(Update::Tick(Box::new(tick.clone())));
    }

    fn milestone(&mut self, milestone: Milestone, elapsed: Duration) {
        self.tell(Update::Milestone(milestone, elapsed));
    }

    fn stopping(&mut self) {
        self.tell(Update::Stopping);
    }
}

/// The terminal, given back when dropped.
struct Screen(Terminal<CrosstermBackend<Stderr>>);

impl Screen {
    fn open() -> std::io::Result<Self> {
        enable_raw_mode()?;
        let screen = execute!(std::io::stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(std::io::stderr())));
        if screen.is_err() {
            // Whoever reads why must find a terminal that works.
            let _ = execute!(std::io::stderr(), LeaveAlternateScreen);
            let _ = disable_raw_mode();
        }
        screen.map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing else that could be done about it.
        let _ = execute!(std::io::stderr(), LeaveAlternateScreen);
        let _ = self.0.show_cursor();
        let _ = disable_raw_mode();
    }
}

fn run(mut screen: Screen, mut history: History, told: &Receiver<Update>, stop: &Stop) {
    let started = Instant::now();
    let mut asked = false;
    loop {
        loop {
            match told.try_recv() {
                Ok(Update::Tick(tick)) => history.tick(&tick),
                Ok(Update::Milestone(milestone, elapsed)) => history.milestone(milestone, elapsed),
                Ok(Update::Stopping) => history.stopping(),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if screen.0.draw(|frame| draw(frame, &history, started.elapsed())).is_err() {
            return;
        }
        let Ok(pressed) = event::poll(FRAME) else { return };
        if pressed && event::read().is_ok_and(|event| is_end(&event)) {
            if asked {
                drop(screen);
                std::process::exit(INTERRUPTED);
            }
            asked = true;
            stop.ask();
        }
    }
}

/// `q`, or Ctrl-C, which is no signal while the terminal is raw.
fn is_end(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return false };
    match code {
        KeyCode::Char('q') => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_and_control_c_end_the_run() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        assert!(is_end(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(is_end(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        for other in
            [key(KeyCode::Char('c'), KeyModifiers::NONE), key(KeyCode::Esc, KeyModifiers::NONE), Event::FocusLost]
        {
            assert!(!is_end(&other));
        }
    }
}
