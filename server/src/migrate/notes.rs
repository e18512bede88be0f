//! How far a move has come: in a file, from which it can go on, and for whoever watches.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use storage::Error;
use storage::migrate::{Difference, Kind, Progress, Watch};

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(10);
/// How often the line of a terminal changes.
const FRAME: Duration = Duration::from_millis(200);
/// Differences that are named; further ones are counted.
const NAMED: u64 = 1_000;

/// What the file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    from: String,
    to: String,
    /// The source as it was: one that has been written to since cannot be gone on with.
    source: Option<u64>,
    cursor: String,
    shelves: u64,
    rows: u64,
    bytes: u64,
}

/// The file of a copy.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    content: Content,
}

impl File {
    /// What an earlier run of the same copy noted, or a file yet to be written.
    ///
    /// # Errors
    /// If the file is of another copy, or the source was written to since.
    pub(super) fn read(path: &Path, (from, to): &(String, String), source: Option<u64>) -> Result<Self> {
        let fresh = Content {
            from: from.clone(),
            to: to.clone(),
            source,
            cursor: String::new(),
            shelves: 0,
            rows: 0,
            bytes: 0,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), content: fresh });
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let content: Content = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        if (&content.from, &content.to) != (from, to) {
            let Content { from, to, .. } = content;
            bail!("{} is of a copy from {from} to {to}: name another with --progress, or delete it", path.display());
        }
        if content.source != source {
            bail!("{from} was written to since the copy began: delete {} and begin anew", path.display());
        }
        Ok(Self { path: path.to_owned(), content })
    }

    pub(super) fn progress(&self) -> Progress {
        let Content { cursor, shelves, rows, bytes, .. } = &self.content;
        let cursor = cursor.parse().unwrap_or_default();
        Progress { cursor, shelves: *shelves, rows: *rows, bytes: *bytes, share: None }
    }

    fn write(&mut self, progress: &Progress) -> std::io::Result<()> {
        self.content.cursor = progress.cursor.to_string();
        (self.content.shelves, self.content.rows, self.content.bytes) =
            (progress.shelves, progress.rows, progress.bytes);
        let partial = self.path.with_extension("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(serde_json::to_string_pretty(&self.content)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(partial, &self.path)
    }
}

/// Takes notice of a move.
pub(super) struct Notes {
    what: &'static str,
    file: Option<File>,
    pub(super) differences: u64,
    is_terminal: bool,
    started: Instant,
    /// The rows, and the share of all, that were done before.
    before: Option<(u64, f64)>,
    shown: Option<Instant>,
}

impl Notes {
    pub(super) fn new(what: &'static str, file: Option<File>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { what, file, differences: 0, is_terminal, started: Instant::now(), before: None, shown: None }
    }

    /// Leaves the line of the terminal.
    pub(super) fn end(&self) {
        if self.is_terminal && self.shown.is_some() {
            eprintln!();
        }
    }

    /// Removes the file of a copy that is complete.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn remove_file(self) -> Result<()> {
        let Some(file) = self.file else { return Ok(()) };
        fs::remove_file(&file.path).with_context(|| format!("cannot remove {}", file.path.display()))
    }

    fn line(&self, progress: &Progress) -> String {
        let spent = self.started.elapsed().as_secs_f64().max(0.001);
        let (rows, share) = self.before.unwrap_or_default();
        let rate = (progress.rows.saturating_sub(rows)) as f64 / spent;
        let mut line = format!("{} {}, {rate:.0} a second", progress.rows, self.what);
        if let Some(done) = progress.share {
            line += &format!(", {:.0} %", done * 100.0);
            if done > share && done < 1.0 {
                let left = spent * (1.0 - done) / (done - share);
                line += &format!(", about {} left", span(left));
            }
        }
        line
    }
}

impl Watch for Notes {
    fn noted(&mut self, progress: &Progress) -> storage::Result<()> {
        if let Some(file) = &mut self.file {
            let path = file.path.display().to_string();
            file.write(progress).map_err(|error| Error::Unavailable(format!("{path}: {error}")))?;
        }
        self.before.get_or_insert_with(|| (progress.rows, progress.share.unwrap_or_default()));
        let pause = if self.is_terminal { FRAME } else { LINE };
        if self.shown.unwrap_or(self.started).elapsed() >= pause {
            let line = self.line(progress);
            if self.is_terminal {
                eprint!("\r\x1b[K{line}");
            } else {
                eprintln!("{line}");
            }
            self.shown = Some(self.started + self.started.elapsed());
        }
        Ok(())
    }

    fn differs(&mut self, difference: &Difference) {
        self.differences += 1;
        if self.differences > NAMED {
            return;
        }
        let Difference { shelf, rest, kind } = difference;
        let kind = match kind {
            Kind::Missing => "missing there",
            Kind::Extra => "only there",
            Kind::Different => "different",
        };
        println!("{kind}: {} {} {}", shelf.table.name, hex::encode(shelf.home.as_bytes()), hex::encode(rest));
        if self.differences == NAMED {
            println!("further ones are counted only");
        }
    }
}

fn span(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_on_with_by_the_same_copy_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("progress");
        let names = ("rocksdb:/a".to_owned(), "redis://b".to_owned());
        let mut file = File::read(&path, &names, Some(7)).unwrap();
        assert_eq!(file.progress(), Progress::default());
        let done = Progress { cursor: "0a0b".parse().unwrap(), shelves: 1, rows: 2, bytes: 3, share: None };
        file.write(&done).unwrap();
        assert_eq!(File::read(&path, &names, Some(7)).unwrap().progress(), done);

        let changed = File::read(&path, &names, Some(8)).unwrap_err().to_string();
        assert!(changed.contains("was written to"), "{changed}");
        let other = File::read(&path, &("rocksdb:/c".to_owned(), names.1), Some(7)).unwrap_err().to_string();
        assert!(other.contains("from rocksdb:/a to redis://b"), "{other}");
    }

    #[test]
    fn spans_are_written_for_people() {
        assert_eq!([0.4, 59.0, 61.0, 3_700.0].map(span), ["0 s", "59 s", "2 min", "1 h 1 min"]);
    }
}
