#!/usr/bin/env python3
"""Linnet over a Redis Cluster beside Linnet over its embedded store, on one machine, in one run: what many machines cost.

    benches/cluster.py [--quick] [--only send,pipeline,pace,group,storm]

It starts `linnet serve` over an empty folder, then scripts/cluster.sh (three masters with a replica each, three gateways), does
the same to both with linnet-loadtest, and prints a table. Everything is on loopback, in a folder of its own that is removed.

LINNET and LOADTEST name other binaries than those of target/release; MEASURE a command to run each measurement under, such as one
that waits until the machine is quiet.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINNET = os.environ.get("LINNET", str(ROOT / "target/release/linnet"))
LOADTEST = os.environ.get("LOADTEST", str(ROOT / "target/release/linnet-loadtest"))
MEASURE = os.environ.get("MEASURE", "").split()
HOST = "127.0.0.1"
PORT, REST = 5310, 8090
MASTERS = 3


def wait_until(what, holds, patience=60):
    until = time.monotonic() + patience
    while not holds():
        if time.monotonic() > until:
            # Not SystemExit, of which a thread says nothing.
            raise RuntimeError(f"waited in vain until {what}")
        time.sleep(0.05)


class Installation:
    """Gateways by name, each with its address, its metrics and how it is started."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}

    def launch(self, name, arguments):
        (self.folder / f"{name}.ready").unlink(missing_ok=True)
        log = open(self.folder / f"{name}.log", "ab")
        command = [LINNET, *arguments, "--ready-file", str(self.folder / f"{name}.ready")]
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until(f"{name} listens", lambda: self.is_ready(name))

    def is_ready(self, name):
        file = self.folder / f"{name}.ready"
        return file.exists() and file.stat().st_size > 0

    def pid(self, name):
        return json.loads((self.folder / f"{name}.ready").read_text())["pid"]

    def users(self, count):
        """Users with tokens, made once, as many as the largest measurement needs."""
        file = self.folder / "users.tsv"
        if not file.exists():
            command = [LINNET, "user", "create", *self.where, "--count", str(count), "--prefix", "load", "--credentials", str(file)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return file

    def groups(self):
        """Commits, and groups of commits that shared a sync or a flight, so far."""
        commits = groups = 0
        for address in self.metrics:
            text = urllib.request.urlopen(address, timeout=5).read().decode()
            for line in text.splitlines():
                name, _, value = line.rpartition(" ")
                commits += float(value) if name == "linnet_storage_group_commits_sum" else 0
                groups += float(value) if name == "linnet_storage_group_commits_count" else 0
        return commits, groups

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait()


class Embedded(Installation):
    name = "embedded"

    def __init__(self, folder):
        super().__init__(folder)
        self.where = ["--data-dir", str(folder / "data")]
        self.addresses = [f"{HOST}:{PORT}"]
        self.metrics = [f"http://{HOST}:{REST}/metrics"]
        create = [LINNET, "app", "create", "--id", "demo", "--number", "1", *self.where]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
        self.restart()

    def restart(self):
        listen = ["--tcp", f"{HOST}:{PORT}", "--tls", f"{HOST}:{PORT + 1}", "--quic", f"{HOST}:{PORT + 1}", "--rest", f"{HOST}:{REST}"]
        self.launch("serve", ["serve", *self.where, *listen])

    def victim(self):
        return self.pid("serve")

    def wait_for_its_end(self):
        # Its last thread may live on for a while, and hold the store.
        self.processes["serve"].wait()


class Cluster(Installation):
    name = "cluster"

    def __init__(self, folder):
        super().__init__(folder)
        script = [str(ROOT / "scripts/cluster.sh"), "--dir", str(folder), "--gateway-port", str(PORT), "--rest-port", str(REST)]
        log = open(folder / "cluster.log", "wb")
        self.script = subprocess.Popen([*script, "--redis-port", "7301"], stdout=log, stderr=log, env={**os.environ, "LINNET": LINNET})
        wait_until("the cluster is there", lambda: b"doctor" in (folder / "cluster.log").read_bytes())
        self.where = ["--config", str(folder / "gateway-1.toml")]
        self.addresses = [f"{HOST}:{PORT + 10 * i}" for i in range(3)]
        self.metrics = [f"http://{HOST}:{PORT + 10 * i + 2}/metrics" for i in range(3)]

    def restart(self):
        self.launch("gateway-1", ["gateway", "--config", str(self.folder / "gateway-1.toml")])

    def victim(self):
        return self.pid("gateway-1")

    def wait_for_its_end(self):
        # Not ours to wait for. Its first thread may be dead while others still hold what it listened on.
        process = pathlib.Path(f"/proc/{self.victim()}")
        try:
            while " Z " not in (process / "stat").read_text() or len(list((process / "task").iterdir())) > 1:
                time.sleep(0.01)
        except FileNotFoundError:
            pass

    def stop(self):
        super().stop()
        self.script.send_signal(signal.SIGTERM)
        self.script.wait()


def load(installation, addresses, scenario, *options):
    """One measurement. Answers the outcome, and how many commits shared a group."""
    before = installation.groups()
    command = [*MEASURE, LOADTEST, scenario, "--json", "--address", ",".join(addresses)]
    command += ["--credentials", str(installation.users(USERS)), *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout.strip():
        raise SystemExit(f"cluster: {' '.join(command)} said nothing and ended with {done.returncode}")
    after = installation.groups()
    groups = max(after[1] - before[1], 1)
    return json.loads(done.stdout), (after[0] - before[0]) / groups


def ms(outcome, timing, percentile):
    return outcome["timings"][timing][f"{percentile}_us"] / 1000


def send(installation, rows, pairs=1000, in_flight=4):
    options = ["--pairs", pairs, "--in-flight", in_flight, "--duration", SECONDS]
    outcome, batch = load(installation, installation.addresses, "peer", *options)
    rate = outcome["counts"]["acked"] / outcome["seconds"]
    rows[f"durable messages a second, {pairs:,} pairs with {in_flight} under way each"] = rate
    rows["— ack p50, ms"] = ms(outcome, "ack", "p50")
    rows["— ack p99, ms"] = ms(outcome, "ack", "p99")
    rows["— commits in a group"] = batch
    rows["— messages a second for each shard"] = rate / (MASTERS if installation.name == "cluster" else 1)


def pipeline(installation, rows):
    send(installation, rows, pairs=100, in_flight=16)


def pace(installation, rows):
    outcome, batch = load(installation, installation.addresses, "peer", "--pairs", 1000, "--rate", 500, "--duration", SECONDS)
    rows["ack p50 at 500 messages a second, ms"] = ms(outcome, "ack", "p50")
    rows["— ack p99, ms"] = ms(outcome, "ack", "p99")
    rows["— commits in a group"] = batch


def group(installation, rows):
    options = ["--members", 900, "--in-flight", 4, "--duration", SECONDS]
    outcome, _ = load(installation, installation.addresses, "group", *options)
    rows["deliveries a second, a group of 900 over all gateways"] = outcome["counts"]["received"] / outcome["seconds"]
    rows["— delivery p50, ms"] = ms(outcome, "delivery", "p50")
    rows["— delivery p99, ms"] = ms(outcome, "delivery", "p99")


def storm(installation, rows):
    # One gateway alone has them all, and something starts it again as soon as it is dead, as on any machine.
    victim = installation.victim()
    over = threading.Event()

    def supervise():
        installation.wait_for_its_end()
        # Where the measurement failed, what ends is the installation, which must not come back.
        if not over.is_set():
            installation.restart()

    supervisor = threading.Thread(target=supervise)
    supervisor.start()
    options = ["--connections", SESSIONS, "--survivors", 0, "--kill", victim]
    try:
        outcome, _ = load(Silent(installation), installation.addresses[:1], "storm", *options)
        supervisor.join()
    finally:
        over.set()
    rows[f"{SESSIONS} sessions back after their gateway died, p50, s"] = ms(outcome, "outage", "p50") / 1000
    rows["— p99, s"] = ms(outcome, "outage", "p99") / 1000
    rows["— the last, s"] = ms(outcome, "outage", "max") / 1000


class Silent:
    """An installation whose metrics are not asked for, since a process of it dies."""

    def __init__(self, installation):
        self.users = installation.users

    def groups(self):
        return 0, 0


MEASUREMENTS = {"send": send, "pipeline": pipeline, "pace": pace, "group": group, "storm": storm}


def measure(make, chosen):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="linnet-cluster-bench-"))
    results = {name: {} for name in chosen}
    installation = make(folder)
    try:
        for name in chosen:
            MEASUREMENTS[name](installation, results[name])
            print(f"cluster: {installation.name}: {name}: {results[name]}", flush=True)
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return results


def main():
    global SECONDS, SESSIONS, USERS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seconds each and 500 sessions, to see that it works")
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help="which measurements, by name")
    arguments = parser.parse_args()
    SECONDS, SESSIONS = ("2s", 500) if arguments.quick else ("10s", 10_000)
    USERS = max(SESSIONS, 2000)
    chosen = arguments.only.split(",")
    embedded = measure(Embedded, chosen)
    cluster = measure(Cluster, chosen)
    print("\n| | Embedded | Cluster | Cluster to embedded |\n|---|---|---|---|")
    for name in chosen:
        for row, value in embedded[name].items():
            other = cluster[name][row]
            print(f"| {row} | {value:,.4g} | {other:,.4g} | {other / value if value else 0:.2f} |")


if __name__ == "__main__":
    main()
