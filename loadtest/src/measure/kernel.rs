//! What the kernel holds for connections, on the whole machine: both ends where server and generator share it.

use serde::{Deserialize, Serialize};

use super::process::page_size;

/// Slabs that grow with connections: the sockets, their files and inodes, what waits for their events, what is queued on them.
const SLABS: [&str; 14] = [
    "TCP",
    "TCPv6",
    "UDP",
    "UDPv6",
    "sock_inode_cache",
    "filp",
    "dentry",
    "eventpoll_epi",
    "eventpoll_pwq",
    "skbuff_head_cache",
    "skbuff_fclone_cache",
    "skbuff_small_head",
    "tw_sock_TCP",
    "tcp_bind_bucket",
];

/// Memory of the kernel's at one moment, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelMemory {
    /// Buffers of sockets, as `/proc/net/sockstat` tells: what is under way.
    pub buffers: u64,
    /// Slabs of sockets and files; or all slabs, where `by_name` is false.
    pub slabs: u64,
    /// Whether `/proc/slabinfo` could be read, which takes root. Otherwise `/proc/meminfo` tells of all slabs together.
    pub by_name: bool,
}

impl KernelMemory {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.buffers + self.slabs
    }
}

/// Looks. None where there is no `/proc`.
pub(crate) fn memory() -> Option<KernelMemory> {
    let buffers = buffers(&std::fs::read_to_string("/proc/net/sockstat").ok()?);
    if let Ok(text) = std::fs::read_to_string("/proc/slabinfo") {
        return Some(KernelMemory { buffers, slabs: slabs(&text), by_name: true });
    }
    let slabs = super::environment::meminfo("Slab")?;
    Some(KernelMemory { buffers, slabs, by_name: false })
}

/// `mem` of every line, in pages.
fn buffers(sockstat: &str) -> u64 {
    let pages =
        sockstat.lines().filter(|line| line.starts_with("TCP:") || line.starts_with("UDP:")).filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
            words.nth(1)?.parse::<u64>().ok()
        });
    pages.sum::<u64>() * page_size()
}

/// Pages taken by the slabs that are of interest: `name active total size per_slab pages_per_slab : … : slabdata active total …`.
fn slabs(slabinfo: &str) -> u64 {
    let pages = slabinfo.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.first().filter(|name| SLABS.contains(name))?;
        let of_each = words.get(5)?.parse::<u64>().ok()?;
        let at = words.iter().position(|word| *word == "slabdata")?;
        let taken = words.get(at + 2)?.parse::<u64>().ok()?;
        Some(of_each * taken)
    });
    pages.sum::<u64>() * page_size()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let sockstat = "sockets: used 33\nTCP: inuse 1 orphan 0 tw 449 alloc 1 mem 3\nUDP: inuse 0 mem 2\nFRAG: inuse 0 memory 9\n";
        assert_eq!(buffers(sockstat), 5 * page_size());
        let slabinfo = "slabinfo - version: 2.1\n\
            TCP 10 13 2432 13 8 : tunables 0 0 0 : slabdata 1 1 0\n\
            nobody 10 13 2432 13 8 : tunables 0 0 0 : slabdata 99 99 0\n\
            filp 100 128 256 16 1 : tunables 0 0 0 : slabdata 7 8 0\n";
        assert_eq!(slabs(slabinfo), (8 + 8) * page_size());
    }

    #[test]
    fn this_machine_has_some() {
        assert!(memory().unwrap().total() > 0);
    }
}
