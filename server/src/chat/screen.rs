//! What the user sees: one line per thing that happened.

use std::io::{IsTerminal, Write};

use super::input::Printer;

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
/// Colours of names; red is left to errors.
const NAMES: [&str; 6] = ["\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m", "\x1b[36m", "\x1b[94m"];

/// Prints lines above the one that is being edited.
pub(super) struct Screen {
    printer: Option<Printer>,
    colours: bool,
}

impl Screen {
    pub(super) fn new(printer: Option<Printer>) -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { printer, colours }
    }

    /// Something somebody said.
    pub(super) fn message(&mut self, time: &str, name: &str, text: &str, mine: bool) {
        let colour = if mine { BOLD } else { NAMES[hash(name) % NAMES.len()] };
        let line = format!("{} {}: {}", self.paint(DIM, time), self.paint(colour, name), printable(text));
        self.print(line);
    }

    /// Something that happened.
    pub(super) fn note(&mut self, text: &str) {
        let line = self.paint(DIM, &format!("-- {}", printable(text)));
        self.print(line);
    }

    /// Something that went wrong.
    pub(super) fn problem(&mut self, text: &str) {
        let line = self.paint(RED, &format!("!! {}", printable(text)));
        self.print(line);
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }

    fn print(&mut self, line: String) {
        let printed = self.printer.as_mut().map(|printer| printer.print(format!("{line}\n")).is_ok());
        if printed != Some(true) {
            // A closed pipe means that nobody reads any more; the next input ends the program.
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// Without control characters: another user's message must not steer this terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { if c == '\n' || c == '\t' { ' ' } else { '\u{fffd}' } } else { c })
        .collect()
}

fn hash(name: &str) -> usize {
    name.bytes().fold(7, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\r\nc"), "a\u{fffd}[2Jb\u{fffd} c");
        assert_eq!(printable("grüße 👋"), "grüße 👋");
    }
}
