"""What was measured: a file for each step and round, and how its numbers are found in it."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import time


# What the load tester's books call what must not happen.
FAULTS = ("lost", "duplicated", "reordered", "gaps", "ghosts", "misplaced", "unheard_of")


class Store:
    """The results of one commit; and of later ones, where only what they changed was measured anew."""

    def __init__(self, root, commit):
        self.root = root
        self.commit = commit
        self.folder = root / "target" / "bench" / "results" / commit

    def path(self, number, name):
        return self.folder / f"{number}" / f"{name}.json"

    def has(self, number, name):
        return self.path(number, name).exists()

    def keep(self, number, name, seconds, command, outcome):
        path = self.path(number, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"step": name, "round": number, "seconds": seconds, "at": time.time(), "command": command, "outcome": outcome}
        document["commit"] = commit(self.root)
        document["load"] = os.getloadavg()[0]
        new = path.with_suffix(".new")
        new.write_text(json.dumps(document))
        new.rename(path)

    def rounds(self, name):
        """Every result of a step, by round; without those that failed."""
        found = {}
        for path in sorted(self.folder.glob(f"*/{name}.json")):
            document = json.loads(path.read_text())
            if "failed" not in document["outcome"]:
                found[int(path.parent.name)] = document
        return found

    def all(self):
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*/*.json"))]

    def duration(self, name):
        rounds = [document["seconds"] for document in self.rounds(name).values()]
        return statistics.median(rounds) if rounds else None

    def values(self, name, what):
        """One number of a step, by round."""
        found = {number: value(document["outcome"], what) for number, document in self.rounds(name).items()}
        return {number: each for number, each in found.items() if each is not None}


def value(outcome, what):
    """A number by name, as `linnet-loadtest` names them: `acked per second`, `ack p99` in microseconds, a count.

    The only place that knows how its JSON is laid out; the other generators lay theirs out alike.
    """
    for numbers in (outcome.get("figures", {}), outcome.get("counts", {})):
        if what in numbers:
            return float(numbers[what])
    timing, _, at = what.rpartition(" ")
    times = outcome.get("timings", {}).get(timing)
    if times and times.get("count", 1):
        return times.get({"p99.9": "p999_us"}.get(at, f"{at}_us"))
    return None


def remarks(outcome):
    """Why a result is not what it should be."""
    found = list(outcome.get("invalid", []))
    if outcome.get("passed") is False:
        books = {name: count for name, count in outcome.get("ledger", {}).items() if name in FAULTS and count}
        counts = {name: outcome.get("counts", {}).get(name) for name in ("connect failed", "not back")}
        why = [f"{count} {name}" for name, count in {**books, **counts}.items() if count]
        found.append("did not pass: " + (", ".join(why) or "nothing was done"))
    if outcome.get("counts", {}).get("lost"):
        found.append(f"{outcome['counts']['lost']} messages were lost")
    return found


def summary(outcome):
    """A few numbers for whoever watches."""
    if "failed" in outcome:
        return outcome["failed"]
    shown = []
    names = ["server bytes per connection", "connects per second", "acked per second", "received per second", "requests per second"]
    names += ["server us per message", "server us per delivery", "appends per second", "ack p50", "ack p99", "room p50", "room p99", "outage p99"]
    for name in names:
        found = value(outcome, name)
        if found is not None:
            shown.append(f"{name} {found:,.0f}")
    return ", ".join(shown + [f"({remark})" for remark in remarks(outcome)])


def commit(root):
    """The commit, and whether anything is changed besides what the suite writes."""
    git = lambda *arguments: subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!BENCHMARKS.md", ":!docs/bench")
    return git("rev-parse", "--short=12", "HEAD") + ("-changed" if changed else "")


def machine():
    """What it was measured on."""
    processors = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1]) / (1 << 20)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "") if pathlib.Path("/etc/os-release").exists() else ""
    kernel = platform.release()
    return f"{len(processors)} × {processors[0] if processors else platform.machine()}, {memory:.0f} GiB, {system}, Linux {kernel}"
