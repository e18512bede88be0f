"""Who uses the processor while a server works: samples of its stacks, by whose code runs.

A sample belongs to the innermost code: a copy that the kernel makes for a read is the kernel's, and what RocksDB allocates is the allocator's.
In the kernel, what it was asked for decides. The samples are taken by `perf` in the middle of a load, of the server alone.
"""

import collections
import re
import subprocess

SECONDS = 3
RATE = 1_999  # samples a second of each processor; no multiple of what anything else does

# The first that fits decides. In the kernel, of any frame; elsewhere, of the innermost.
KERNEL = {
    "kernel: network": r"^(__x64_sys_(send|recv)|__sys_(send|recv)|sock_|tcp_|udp|net_rx|ip_rcv|__napi)",
    "kernel: disk": r"^(__x64_sys_(fdatasync|fsync|write|pwrite|pread|sync_file)|ext4|blk_|virtblk|submit_bio|wb_)",
}
OTHERWISE = "kernel: else"
USER = {
    "RocksDB": r"rocksdb|crc32c|XXH",
    "allocator": r"_rjem_|^(malloc|calloc|realloc|free|sdallocx|mallocx|rallocx|do_rallocx|cfree)$",
    "copies": r"^__?(mem(move|cpy|set|cmp))",
    "tokio": r"\b(tokio|tokio_util|mio|futures_util|futures_core)::",
    "rustls": r"\b(rustls|tokio_rustls|ring|aws_lc)|^(aes|ghash|gcm|ring_core|aws_lc)",
    "protobuf": r"\b(prost|proto)::",
    "Linnet": r"\b(gateway|domain|storage|rest|outbound|linnet)::",
}
ELSE = "else"
OWNERS = [*KERNEL, OTHERWISE, *USER, ELSE]


def watch(pid, folder):
    """Samples a process for a while; the share of each owner."""
    data = folder / "perf.data"
    record = ["perf", "record", "-g", "-e", "cpu-clock", "-F", str(RATE), "-p", str(pid), "-o", str(data), "--", "sleep", str(SECONDS)]
    done = subprocess.run(record, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"perf cannot look at the server: {done.stderr.strip()[-300:]}")
    script = ["perf", "script", "--no-inline", "-F", "comm,ip,sym,dso", "-i", str(data)]
    told = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    data.unlink()
    return shares(told)


def shares(told):
    """The share of each owner, from stacks with an empty line behind each."""
    found = collections.Counter(owner(frames) for frames in stacks(told))
    total = sum(found.values())
    return {name: count / total for name, count in found.items()} if total else {}


def stacks(told):
    """The frames of each sample, the innermost first: (function, file)."""
    for sample in told.split("\n\n"):
        # The first line names the thread.
        frames = [re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line) for line in sample.splitlines()[1:]]
        if frames := [frame.groups() for frame in frames if frame]:
            yield frames


def owner(frames):
    function, file = frames[0]
    if is_kernel(file):
        names = [name for name, file in frames if is_kernel(file)]
        return next((whose for whose, pattern in KERNEL.items() if any(re.search(pattern, name) for name in names)), OTHERWISE)
    return next((whose for whose, pattern in USER.items() if re.search(pattern, function)), ELSE)


def is_kernel(file):
    return file.startswith("[kernel") or file.endswith(".ko")
