//! `linnet migrate`: moves a store into another engine, or another place, and compares two stores.
//!
//! - `place`: what stands behind `rocksdb:DIR` and `redis://…`;  `notes`: how far it has come, in a file and on the terminal.
//!
//! Nobody else may write to either side. A directory is locked by its owner, so that a running server is noticed; processes on a cluster tell that
//! they work on it, and are noticed by that.

mod notes;
mod place;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use domain::TABLES;
use storage::migrate::{self, Progress};
use storage::{Clock, Cursor, Store};

use crate::cli::MigrateArgs;
use crate::config::Config;
use notes::{File, Notes};
pub(crate) use place::Place;

/// Copies, catches up or compares, as the arguments say. Fails where two stores that are compared differ.
///
/// # Errors
/// Whatever stands in the way, with what to do about it.
pub(crate) async fn run(config: &Config, args: &MigrateArgs) -> Result<ExitCode> {
    if args.from == args.to {
        bail!("--from and --to are the same");
    }
    let from = args.from.open(config, place::Side::Source).await?;
    let to = args.to.open(config, if args.verify { place::Side::Source } else { place::Side::Target }).await?;
    if args.verify {
        return compare(&from, &to).await;
    }
    match &args.since {
        None => copy(args, &from, &to).await?,
        Some(since) => {
            let since = since.open(config, place::Side::Source).await?;
            let mut notes = Notes::new("rows that changed", None);
            let done = migrate::catch_up((&from, &since), &to, TABLES, &mut notes).await.context("catching up")?;
            notes.end();
            println!("caught up: {} rows had changed", done.rows);
        }
    }
    println!("compare both with the same command and --verify");
    Ok(ExitCode::SUCCESS)
}

async fn copy(args: &MigrateArgs, from: &Store, to: &Store) -> Result<()> {
    let names = (args.from.to_string(), args.to.to_string());
    let file = File::read(&args.progress, &names, from.changes())?;
    let begun = file.progress();
    if begun == Progress::default() && !args.overwrite && !is_empty(to).await? {
        bail!("{} holds a store already: say --overwrite to write this one over it, row by row", names.1);
    }
    if begun != Progress::default() {
        println!("going on after {} rows, as {} says", begun.rows, args.progress.display());
    }
    let mut notes = Notes::new("rows", Some(file));
    let done = migrate::copy(from, to, TABLES, begun, &mut notes).await;
    notes.end();
    let done = done.with_context(|| format!("the copy goes on from {} if started again", args.progress.display()))?;
    println!("copied {} rows of {} homes' tables, {} bytes", done.rows, done.shelves, done.bytes);
    notes.remove_file()
}

async fn is_empty(store: &Store) -> Result<bool> {
    let mut at = Cursor::default();
    loop {
        let page = store.shelves(TABLES, &at, 1).await?;
        match page.next {
            _ if !page.items.is_empty() => return Ok(false),
            Some(next) => at = next,
            None => return Ok(true),
        }
    }
}

async fn compare(from: &Store, to: &Store) -> Result<ExitCode> {
    let clock = Clock::system();
    let mut notes = Notes::new("rows compared", None);
    let tables = migrate::verify(from, to, TABLES, || clock.now(), &mut notes).await.context("comparing")?;
    notes.end();
    println!("{:<16} {:>12} {:>12}  {:16}  {:16}", "table", "rows", "rows there", "checksum", "checksum there");
    let mut alike = notes.differences == 0;
    for (name, table) in &tables {
        let (here, there) = (table.here, table.there);
        let verdict = if here == there { "" } else { "  DIFFERS" };
        alike &= here == there;
        println!("{name:<16} {:>12} {:>12}  {:016x}  {:016x}{verdict}", here.rows, there.rows, here.sum, there.sum);
    }
    if alike {
        println!("both hold the same");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} rows differ", notes.differences);
    Ok(ExitCode::FAILURE)
}
