//! `linnet backup` and `linnet restore`: copies of the store, each a state that existed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use storage::Clock;

use crate::admin::{Admin, is_running};
use crate::config::{Config, Engine};

/// Copies the store, as it is at one moment, into a new folder.
///
/// # Errors
/// If the folder exists, the store does not answer, or is a cluster.
pub(crate) async fn backup(config: &Config, directory: &Path) -> Result<()> {
    refuse_cluster(config)?;
    // The owner of the store writes it, and may run in another folder.
    let directory = std::path::absolute(directory).with_context(|| format!("{}", directory.display()))?;
    if directory.exists() {
        bail!("{} exists: a backup is written into a new folder", directory.display());
    }
    let parent = directory.parent().unwrap_or_else(|| Path::new("/"));
    std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let admin = Admin::open(config).await?;
    admin.store.checkpoint(&directory).await?;
    println!("backup written to {}", directory.display());
    Ok(())
}

/// Puts a backup in the place of the store.
///
/// # Errors
/// If the store is a cluster, if a server runs, if there is a store and `replace` is false, or if the backup is damaged.
pub(crate) fn restore(config: &Config, directory: &Path, replace: bool) -> Result<()> {
    refuse_cluster(config)?;
    let store = &config.store.rocks.directory;
    if is_running(config) {
        bail!("a server runs on this store: stop it first");
    }
    let occupied = std::fs::read_dir(store).is_ok_and(|mut entries| entries.next().is_some());
    let kept = match (occupied, replace) {
        (false, _) => None,
        (true, false) => {
            bail!("{} holds a store already: say --replace to put the backup in its place", store.display())
        }
        (true, true) => Some(move_away(store)?),
    };
    let restored = storage::restore(directory, store);
    if let (Err(_), Some(kept)) = (&restored, &kept) {
        std::fs::rename(kept, store).with_context(|| format!("cannot put {} back", kept.display()))?;
    }
    restored.with_context(|| format!("cannot restore {}", directory.display()))?;
    println!("{} is restored from {}", store.display(), directory.display());
    if let Some(kept) = kept {
        println!("what was there before is in {}", kept.display());
    }
    Ok(())
}

/// A cluster's data is on its nodes, and copied there.
fn refuse_cluster(config: &Config) -> Result<()> {
    if config.store.engine == Engine::Redis {
        bail!(
            "`backup` and `restore` are for the embedded engine, and `store.engine` is `redis`: copy what the nodes write (BGSAVE, or the \
             append-only files), or move everything into an embedded store and back with `linnet migrate`; docs/cluster.md has more"
        );
    }
    Ok(())
}

fn move_away(store: &Path) -> Result<PathBuf> {
    let mut name = store.as_os_str().to_owned();
    name.push(format!(".before-{}", Clock::system().now().0));
    let kept = PathBuf::from(name);
    std::fs::rename(store, &kept).with_context(|| format!("cannot rename {}", store.display()))?;
    Ok(kept)
}
