//! Checkpoints of an open store, and making a store of one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{DB, IteratorMode, Options, ReadOptions};

use super::disk::{Disk, failed};
use crate::{Error, Result};

/// Writes a copy of the store as it is now into a new directory. Shares files with the store where the file system can.
pub(crate) fn checkpoint(disk: &Disk, directory: &Path) -> Result<()> {
    let created = Checkpoint::new(disk.db()).and_then(|checkpoint| checkpoint.create_checkpoint(directory));
    created.map_err(|error| failed(&error))
}

/// Makes a store out of a checkpoint.
///
/// The copy is read from end to end, every checksum included, before it takes the name `to`;
/// so `to` is either a whole store or not there.
///
/// # Errors
/// [`Error::Corrupt`] if the checkpoint is damaged; [`Error::Unavailable`] if `to` holds anything already, or for the file system's own reasons.
pub fn restore(from: &Path, to: &Path) -> Result<()> {
    let unavailable = |error: io::Error| Error::Unavailable(format!("restoring to {}: {error}", to.display()));
    if !is_free(to).map_err(unavailable)? {
        return Err(Error::Unavailable(format!("{} is not empty: a restore overwrites nothing", to.display())));
    }
    if !from.join("CURRENT").is_file() {
        return Err(Error::Unavailable(format!("{} is no checkpoint", from.display())));
    }
    let partial = partial_name(to);
    let made = copy(from, &partial).map_err(unavailable).and_then(|()| verify(&partial)).and_then(|()| {
        // An empty directory may be there; renaming over it replaces it.
        fs::rename(&partial, to).and_then(|()| sync_parent(to)).map_err(unavailable)
    });
    if made.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    made
}

fn is_free(directory: &Path) -> io::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn partial_name(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".restoring");
    PathBuf::from(name)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        // Left behind by a restore that was cut off.
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let target = to.join(entry.file_name());
            fs::copy(entry.path(), &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    File::open(to)?.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads every row, which checks every block.
fn verify(directory: &Path) -> Result<()> {
    let names = DB::list_cf(&Options::default(), directory).map_err(|error| failed(&error))?;
    let db =
        DB::open_cf_for_read_only(&Options::default(), directory, &names, false).map_err(|error| failed(&error))?;
    for family in names.iter().filter_map(|name| db.cf_handle(name)) {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_total_order_seek(true);
        for row in db.iterator_cf_opt(family, options, IteratorMode::Start) {
            row.map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}
