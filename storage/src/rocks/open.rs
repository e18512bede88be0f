//! Opening: the options that the promises rest on, and those that make it quick.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Env, Options,
    SliceTransform, WriteBufferManager, compaction_filter::Decision,
};

use super::disk::failed;
use super::{Durability, Recovery, RocksConfig, layout, log};
use crate::{Clock, Error, Kind, Result, Table};

/// Longest time that an expired row stays on the disk, seconds: each file is rewritten at least this often.
const REWRITE_SECONDS: u64 = 24 * 60 * 60;
/// Locks between the writer that replaces rows in memory and those who read them, for each family.
const REPLACE_LOCKS: usize = 256;

/// How the files of each level are compressed. The first two are rewritten soon.
const COMPRESSION: [DBCompressionType; 7] = {
    use DBCompressionType::{Lz4, None};
    [None, None, Lz4, Lz4, Lz4, Lz4, Lz4]
};

/// Remembers where the last row went of those whose keys begin alike, so that the next one's place is found without a search from the top.
/// Most of a write is that search, when thousands of conversations take turns. As many bytes as a group's home has; of two people's, it is
/// the home of all that the first of them has with others.
const HINTS: &str = "memtable_insert_with_hint_prefix_extractor=rocksdb.CappedPrefix.14";

/// Opens the database, with a column family for each table and for each that is on the disk already.
pub(crate) fn open(config: &RocksConfig, tables: &[Table], clock: &Clock) -> Result<DB> {
    let unavailable = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", config.directory.display()));
    std::fs::create_dir_all(&config.directory).map_err(unavailable)?;
    match (config.recovery, config.durability) {
        (Recovery::Strict, Durability::Fsync) => {
            log::check(&config.directory).map_err(|error| explained(error, config))?;
        }
        // Without a sync, the loss of power may leave a hole anywhere after the last flush: the prefix before it is what was promised.
        (Recovery::Strict, Durability::Os) | (Recovery::Salvage, _) => log::salvage(&config.directory)?,
    }
    let options = database(config);
    let cache = Cache::new_hyper_clock_cache(config.cache.bytes(), 0);
    // RocksDB's own family holds nothing; with its default settings it would have writing wait for more free space than ours need.
    let default = std::iter::once((rocksdb::DEFAULT_COLUMN_FAMILY_NAME.to_owned(), Rows::default()));
    let known = tables.iter().map(|table| (table.name.to_owned(), Rows::of(table)));
    // Families that a newer version wrote must be opened too, or RocksDB refuses; they are left as they are.
    let strange = on_disk(&config.directory)?
        .into_iter()
        .filter(|name| name != rocksdb::DEFAULT_COLUMN_FAMILY_NAME && tables.iter().all(|table| table.name != name))
        .map(|name| (name, Rows::default()));
    let families = default
        .chain(known)
        .chain(strange)
        .map(|(name, rows)| Ok(ColumnFamilyDescriptor::new(name, family(config, &cache, rows, clock)?)));
    let families = families.collect::<Result<Vec<_>>>()?;
    DB::open_cf_descriptors(&options, &config.directory, families).map_err(|error| explained(failed(&error), config))
}

fn on_disk(directory: &Path) -> Result<Vec<String>> {
    if !directory.join("CURRENT").exists() {
        return Ok(Vec::new());
    }
    DB::list_cf(&Options::default(), directory).map_err(|error| failed(&error))
}

fn explained(error: Error, config: &RocksConfig) -> Error {
    match error {
        Error::Corrupt(what) => Error::Corrupt(format!(
            "{}: {what}. Restore a backup; or, to give up everything from the damage on, start once with recovery = \"salvage\"",
            config.directory.display()
        )),
        other => other,
    }
}

fn database(config: &RocksConfig) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_wal_recovery_mode(recovery_mode(config));
    // Catches a log that is missing as a whole. Not with `salvage`, which is for starting in spite of that.
    options.set_track_and_verify_wals_in_manifest(config.recovery == Recovery::Strict);
    // Log files are not recycled, although that would shorten a sync: with recycling, the end of the log cannot be told from damage,
    // and RocksDB turns it off by itself in the mode that `strict` uses.
    options.set_max_total_wal_size(config.log.0);
    options.set_write_buffer_manager(&WriteBufferManager::new_write_buffer_manager(config.write_buffer.bytes(), false));
    options.increase_parallelism(i32::try_from(config.background_threads.max(2)).unwrap_or(i32::MAX));
    if let Ok(mut env) = Env::new() {
        // Compactions can wait, the people who send cannot.
        env.lower_thread_pool_cpu_priority();
        options.set_env(&env);
    }
    // One thread writes. Rows could not be replaced in place otherwise.
    options.set_allow_concurrent_memtable_write(false);
    options.set_bytes_per_sync(1 << 20);
    // All files stay open, so that a read in memory never needs to open one.
    options.set_max_open_files(-1);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(16 << 20);
    options.set_stats_dump_period_sec(0);
    options
}

fn recovery_mode(config: &RocksConfig) -> DBRecoveryMode {
    match (config.recovery, config.durability) {
        (Recovery::Strict, Durability::Fsync) => DBRecoveryMode::TolerateCorruptedTailRecords,
        (Recovery::Strict, Durability::Os) | (Recovery::Salvage, _) => DBRecoveryMode::PointInTime,
    }
}

/// What is known of a family's rows.
#[derive(Debug, Clone, Copy, Default)]
struct Rows {
    expire: bool,
    /// Written over and over, and read one at a time.
    replaced: bool,
    /// Mostly looked up in vain, as every new message's `client_msg_id` is.
    missed: bool,
    /// Written next to the last one of the same home, or near it.
    gathered: bool,
}

impl Rows {
    fn of(table: &Table) -> Self {
        let single = table.kind == Kind::Map;
        let missed = single && table.expires;
        Self {
            expire: table.expires,
            replaced: single && !table.expires,
            missed,
            gathered: missed || table.kind == Kind::Log,
        }
    }
}

fn family(config: &RocksConfig, cache: &Cache, rows: Rows, clock: &Clock) -> Result<Options> {
    let mut options = Options::default();
    if rows.gathered {
        // First of all: the options that come back are new ones.
        options = options.get_options_from_string(HINTS).map_err(|error| failed(&error))?;
    }
    options.set_block_based_table_factory(&blocks(cache));
    options.set_prefix_extractor(SliceTransform::create("linnet.home", layout::prefix, None));
    options.set_write_buffer_size((config.write_buffer.bytes() / 4).max(1 << 20));
    options.set_max_write_buffer_number(4);
    options.set_compression_per_level(&COMPRESSION);
    // Every home is written all the time, so a compaction into the last level rewrites much of it; with half as many of them the last
    // level is compressed quickly rather than tightly, for the same reason.
    options.set_level_zero_file_num_compaction_trigger(8);
    options.set_level_zero_slowdown_writes_trigger(32);
    options.set_level_zero_stop_writes_trigger(48);
    if rows.missed {
        // A filter is as large from the start as it ever gets, and counts as rows in memory: in every family, filters would leave
        // little room for rows, and have them written out early.
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_memtable_whole_key_filtering(true);
    }
    if rows.replaced {
        // Every message writes its conversation's head. Kept apart, the heads that were would fill memory, and make the one that is
        // slow to find. An iterator beside a writer may see half of a row that is being replaced; such tables have no scans.
        options.set_inplace_update_support(true);
        options.set_inplace_update_locks(REPLACE_LOCKS);
    }
    if rows.expire {
        let clock = clock.clone();
        options.set_compaction_filter("linnet.expiry", move |_level, _key, value: &[u8]| {
            if layout::is_expired(value, clock.now()) { Decision::Remove } else { Decision::Keep }
        });
        options.set_periodic_compaction_seconds(REWRITE_SECONDS);
    }
    Ok(options)
}

fn blocks(cache: &Cache) -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(16 << 10);
    // Fifteen bits a key: one lookup in a thousand for an absent row reads a block in vain.
    blocks.set_bloom_filter(15.0, false);
    // Indexes and filters count as cache, so that memory is bounded by the setting and not by the amount of data.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    blocks
}
