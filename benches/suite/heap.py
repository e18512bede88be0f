"""Who owns the memory of an idle connection: every allocation of a server that holds many, by who made it.

The server runs in valgrind's DHAT, which keeps the stack of every allocation, and tells what was there when there was most: at the end, once
enough connections are held. It is built without its own allocator for that. Counted are stacks that
connections go through and that hold a block for every fiftieth of them at least: tables that all share, such as the store's memory, are not in it.
"""

import json
import os
import re
import shutil
import signal
import subprocess

from servers import RELEASE, ROOT, Linnet

CONNECTIONS = {"tcp": 8_000, "tls": 3_000, "quic": 500}
LOGINS = 250  # a second: few enough that hardly one waits for another
# Blocks for each hundred connections, from which on an allocation is the connections': one kind may have several stacks.
EACH = 2

# What a frame of a stack says of whose an allocation is; the innermost that says something decides. Where none does, it is no connection's.
OWNERS = {
    "the task": r"drive::Connection",
    "the socket": r"scheduled_io|mio::net",
    "the session": r"gateway::(session|registry|call|presence)",
    "rustls": r"rustls|wire::(tls|crypto)",
    "quinn": r"quinn|wire::quic",
}


class Heaped(Linnet):
    """The server within DHAT."""

    patience = 120

    def command(self):
        _, *arguments = super().command()
        return ["valgrind", "--tool=dhat", f"--dhat-out-file={self.profile}", "--num-callers=40", plain_server(), *arguments]

    @property
    def profile(self):
        return self.work / "dhat.json"

    def stop(self):
        """Ends it in good order: the profile is written at the end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=120)


def plain_server():
    """A server with the system's allocator, which valgrind can watch."""
    release, plain = RELEASE / "linnet", ROOT / "target" / "bench" / "linnet-plain"
    if not plain.exists() or plain.stat().st_mtime < release.stat().st_mtime:
        kept = plain.with_name("linnet-kept")
        shutil.copy2(release, kept)
        build = "source scripts/env.sh && cargo build --quiet --release --package linnet-server --bin linnet --no-default-features"
        try:
            subprocess.run(["bash", "-c", build], check=True, cwd=ROOT)
            shutil.copy(release, plain)
        finally:
            # Everything else goes on with what it began with.
            os.replace(kept, release)
        os.utime(plain)
    return plain


def owner(frames):
    for frame in frames:
        for name, pattern in OWNERS.items():
            if re.search(pattern, frame):
                return name
    return None


def shares(profile, connections):
    """Bytes per connection, by owner."""
    document = json.loads(profile.read_text())
    names = document["ftbl"]
    found = dict.fromkeys([*OWNERS, None], 0)
    for site in document["pps"]:
        if site["gbk"] * 100 >= connections * EACH:
            found[owner(names[frame] for frame in site["fs"])] += site["gb"]
    del found[None]
    return {name: held / connections for name, held in found.items()}


def figures(profile, connections):
    found = shares(profile, connections)
    return {**{f"heap of {name}": held for name, held in found.items() if held}, "heap": sum(found.values())}
