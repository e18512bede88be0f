//! Tells, before RocksDB opens it, whether a log is damaged or only ends in a write that was cut off.
//!
//! RocksDB's own reading takes some damage for the end of the log, and then drops acked writes without a word: a length that grew past
//! the end of the file, a block of zeros, a first record whose type became that of a recycled log. Here every record has to be right,
//! and what stands at the end has to be the beginning of a record rather than a whole one with a wrong length.
//!
//! The format: blocks of 32 KiB; in them records of a masked CRC-32C (4 bytes), a length (2), a type (1) and as many bytes as the length says.
//! The checksum covers the type and the bytes. A record that does not fit goes on in the next block.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;

/// Refuses a store whose log or manifest is damaged.
pub(crate) fn check(directory: &Path) -> Result<()> {
    let unreadable = |error: io::Error| Error::Unavailable(format!("{}: {error}", directory.display()));
    let mut files = write_logs(directory).map_err(unreadable)?;
    files.extend(manifest(directory).map_err(unreadable)?);
    for file in files {
        if let Some(damage) = first_damage(&file).map_err(unreadable)? {
            return Err(Error::Corrupt(format!("{} is damaged at byte {damage}", file.display())));
        }
    }
    Ok(())
}

/// Cuts the log off at its first damage, keeping the files as they were under another name.
pub(crate) fn salvage(directory: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::Unavailable(format!("{}: {error}", directory.display()));
    let mut lost = false;
    for file in write_logs(directory).map_err(failed)? {
        let damage = first_damage(&file).map_err(failed)?;
        if !lost && damage.is_none() {
            continue;
        }
        let mut kept = file.clone().into_os_string();
        kept.push(".damaged");
        tracing::error!(file = %file.display(), at = damage, "log is damaged: what follows is dropped, and kept aside");
        fs::copy(&file, &kept).map_err(failed)?;
        // Of the logs after the damaged one nothing is used: their writes may build on what was lost.
        let length = if lost { 0 } else { damage.unwrap_or(0) };
        File::options().write(true).open(&file).and_then(|log| log.set_len(length as u64)).map_err(failed)?;
        lost = true;
    }
    Ok(())
}

/// The logs of writes, oldest first.
fn write_logs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(path);
        }
    }
    // Numbers of six digits and more: by length first, and then as text.
    logs.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(logs)
}

fn manifest(directory: &Path) -> io::Result<Option<PathBuf>> {
    match fs::read_to_string(directory.join("CURRENT")) {
        Ok(name) => Ok(Some(directory.join(name.trim_end()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a file stops being a log for another reason than that it ends.
fn first_damage(path: &Path) -> io::Result<Option<usize>> {
    let mut file = File::open(path)?;
    let mut block = vec![0; BLOCK];
    let mut offset = 0;
    let mut within = false;
    loop {
        let length = fill(&mut file, &mut block)?;
        let last = length < BLOCK;
        match read_block(&block[..length], last, &mut within) {
            Ok(()) if last => return Ok(None),
            Ok(()) => offset += BLOCK,
            Err(damage) => {
                // The last of several blocks may be full, so that only now the end is known.
                let ends_here = !last && fill(&mut file, &mut [0])? == 0;
                let judged =
                    if ends_here { read_block(&block[..length], true, &mut within.clone()) } else { Err(damage) };
                return Ok(judged.err().map(|damage| offset + damage.0));
            }
        }
    }
}

fn fill(file: &mut File, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read(&mut block[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// The offset of a record that is not right.
struct Damage(usize);

/// Reads the records of one block; `within` tells whether it begins, and then whether it ends, inside of one that goes on.
fn read_block(block: &[u8], last: bool, within: &mut bool) -> std::result::Result<(), Damage> {
    let mut at = 0;
    while block.len() - at >= HEADER {
        let record = &block[at..];
        let length = usize::from(u16::from_le_bytes([record[4], record[5]]));
        let kind = record[6];
        let Some(payload) = record.get(HEADER..HEADER + length) else {
            // Longer than what is left. At the end of the file that is a write that was cut off, unless all of it is there after all.
            return if last && !is_whole_at_another_length(record) { Ok(()) } else { Err(Damage(at)) };
        };
        if kind == 0 && length == 0 {
            // Space that was added to the file and never written.
            return if last && record.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Damage(at)) };
        }
        if checksum(kind, payload) != stored_checksum(record) {
            return Err(Damage(at));
        }
        *within = match (kind, *within) {
            (FULL, false) => false,
            (FIRST, false) | (MIDDLE, true) => true,
            (LAST, true) => false,
            _ => return Err(Damage(at)),
        };
        at += HEADER + length;
    }
    // Too little for another record: padding before the next block, or a header that was cut off.
    if last || block[at..].iter().all(|byte| *byte == 0) { Ok(()) } else { Err(Damage(at)) }
}

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

fn is_whole_at_another_length(record: &[u8]) -> bool {
    let wanted = stored_checksum(record);
    let mut sum = crc32c::crc32c(&record[6..HEADER]);
    if sum == wanted {
        return true;
    }
    record[HEADER..].iter().any(|byte| {
        sum = crc32c::crc32c_append(sum, std::slice::from_ref(byte));
        sum == wanted
    })
}

fn checksum(kind: u8, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload)
}

/// The checksum as it was before it was masked, which is done so that a log inside of a log does not look valid.
fn stored_checksum(record: &[u8]) -> u32 {
    let masked = u32::from_le_bytes([record[0], record[1], record[2], record[3]]);
    masked.wrapping_sub(0xa282_ead8).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let masked = checksum(kind, payload).rotate_right(15).wrapping_add(0xa282_ead8);
        let mut record = masked.to_le_bytes().to_vec();
        record.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_le_bytes());
        record.push(kind);
        record.extend_from_slice(payload);
        record
    }

    fn damage(bytes: &[u8]) -> Option<usize> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        first_damage(file.path()).unwrap()
    }

    /// Records that fill a block to its end, and go on in the next.
    fn log() -> Vec<u8> {
        let mut bytes = [record(FULL, b"one"), record(FULL, b""), record(FULL, &[7; 300])].concat();
        let left = BLOCK - bytes.len() - HEADER;
        bytes.extend(record(FIRST, &vec![3; left]));
        bytes.extend(record(MIDDLE, &[4; BLOCK - HEADER]));
        bytes.extend(record(LAST, &[5; 100]));
        bytes.extend(record(FULL, &[6; 200]));
        bytes
    }

    #[test]
    fn a_log_cut_anywhere_is_whole_up_to_there() {
        let log = log();
        assert_eq!(damage(&log), None);
        let ends = (0..700).chain(BLOCK - 20..BLOCK + 20).chain(2 * BLOCK - 20..log.len());
        for end in ends {
            assert_eq!(damage(&log[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_flipped_bit_is_damage() {
        let log = log();
        let places = (0..40).chain(BLOCK - 10..BLOCK + 10).chain(2 * BLOCK..log.len());
        for place in places {
            for bit in 0..8 {
                let mut flipped = log.clone();
                flipped[place] ^= 1 << bit;
                assert!(damage(&flipped).is_some(), "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn zeros_are_an_end_and_not_a_hole() {
        let mut log = log();
        log.extend([0; 5_000]);
        assert_eq!(damage(&log), None);
        log.extend(record(FULL, b"after the hole"));
        assert!(damage(&log).is_some());
    }
}
