//! What the user types: an editable line on a terminal, plain lines from anything else.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc;

/// Lines that may wait while one is being sent; a script that is faster than the server waits here.
const WAITING: usize = 64;

/// Something the user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// A line was entered.
    Line(String),
    /// A message is being written.
    Typing,
    /// Ctrl-D, Ctrl-C or the end of the input.
    End,
}

/// Prints beside a line that is being edited.
pub(super) type Printer = Box<dyn ExternalPrinter + Send>;

/// Whether people sit at both ends.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Reads in a thread of its own, since terminals cannot be read otherwise. The printer is there on a terminal only.
///
/// # Errors
/// If the terminal cannot be used.
pub(super) fn start(prompt: String) -> Result<(mpsc::Receiver<Input>, Option<Printer>)> {
    let (tell, inputs) = mpsc::channel(WAITING);
    if !is_interactive() {
        std::thread::Builder::new().name("chat-input".into()).spawn(move || read_lines(&tell))?;
        return Ok((inputs, None));
    }
    let mut editor: Editor<Keys, DefaultHistory> = Editor::new().context("cannot use this terminal")?;
    editor.set_helper(Some(Keys(tell.clone())));
    let printer = editor.create_external_printer().context("cannot use this terminal")?;
    std::thread::Builder::new().name("chat-input".into()).spawn(move || edit_lines(&mut editor, &prompt, &tell))?;
    Ok((inputs, Some(Box::new(printer))))
}

fn read_lines(tell: &mpsc::Sender<Input>) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        if tell.blocking_send(Input::Line(line)).is_err() {
            return;
        }
    }
    let _ = tell.blocking_send(Input::End);
}

fn edit_lines(editor: &mut Editor<Keys, DefaultHistory>, prompt: &str, tell: &mpsc::Sender<Input>) {
    loop {
        match editor.readline(prompt) {
            Ok(line) => {
                if !line.trim().is_empty() {
                    let _ = editor.add_history_entry(line.as_str());
                }
                if tell.blocking_send(Input::Line(line)).is_err() {
                    return;
                }
            }
            Err(ReadlineError::Signal(rustyline::error::Signal::Resize)) => {}
            Err(_) => {
                let _ = tell.blocking_send(Input::End);
                return;
            }
        }
    }
}

/// Hears every change of the line, for "is typing".
struct Keys(mpsc::Sender<Input>);

impl Hinter for Keys {
    type Hint = String;

    fn hint(&self, line: &str, _position: usize, _context: &rustyline::Context<'_>) -> Option<String> {
        if !line.is_empty() && !line.starts_with('/') {
            // Dropped when the queue is full: whoever types that fast is seen to be typing.
            let _ = self.0.try_send(Input::Typing);
        }
        None
    }
}

impl Completer for Keys {
    type Candidate = String;
}
impl Highlighter for Keys {}
impl Validator for Keys {}
impl Helper for Keys {}
