"""The fixed suite: which load is put on which server. Sizes are the same for everyone who is measured by the same table."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from typing import Callable

import disk
import heap
import owners
from servers import DurableRelay, Floor, Hello, JetStream, JetStreamLazy, Linnet, Mosquitto, Nats, Relay, Rumqttd
from servers import linnet as linnet_binary

CONNECTIONS = 15_000
LOAD_SECONDS = 4
SETTLING = 12  # seconds until the allocator has given back what it keeps for a while
LIMIT = 140  # seconds that a step may take before it is given up
PAIRS = 50  # "batched": few connections with much under way
SPREAD = 1_000  # "spread": many connections with one message under way
ROOM = 1_000
GROWN = [1_000, 5_000, 10_000]  # connections, besides CONNECTIONS
STORED = [10_000, 100_000, 1_000_000, 4_000_000, 7_000_000, 10_000_000]  # messages
LARGE = (100_000, 10_000)  # members of a group, and how many of them are connected
HELD = {"tcp": 500_000, "quic": 200_000}  # connections; what does not fit into memory is tried with less


def closed(pairs, in_flight):
    return ["--pairs", pairs, "--in-flight", in_flight]


def opened(pairs, rate):
    return ["--pairs", pairs, "--rate", rate]


# Loads during which somebody looks whose code runs: (what it is, scenario, its flags, connections, of what a cost is told, transport).
COSTS = {
    "batched": ("batched, a message", "peer", closed(PAIRS, 32), 2 * PAIRS, "message", "tcp"),
    "spread": ("spread, a message", "peer", closed(SPREAD, 1), 2 * SPREAD, "message", "tcp"),
    "effort": ("best effort, a delivery", "peer", [*closed(SPREAD, 1), "--forget"], 2 * SPREAD, "delivery", "tcp"),
    "roommax": ("to a thousand, a delivery", "group", ["--groups", 1, "--members", 1 + ROOM, "--in-flight", 4], 1 + ROOM, "delivery", "tcp"),
    "roommax-tls": (
        "to a thousand over TLS, a delivery", "group", ["--groups", 1, "--members", 1 + ROOM, "--in-flight", 4], 1 + ROOM, "delivery", "tls",
    ),
}  # fmt: skip


@dataclass
class Step:
    """One measurement."""

    group: str  # what ONLY names
    name: str  # unique; a file name
    seconds: int  # about how long it takes
    run: Callable  # (work folder) -> (command, outcome)
    once: bool = False  # in the first round only


def client(server, command):
    """Runs a load generator; what it says in the end."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]} {server.tail()[-500:] if server else ''}")
    return shown(command), brief(json.loads(lines[-1]))


def brief(outcome):
    """What a report would be made of is not what a table is."""
    return {key: value for key, value in outcome.items() if key not in ("histograms", "timeline")}


def shown(command):
    """A command as somebody else would type it."""
    text = shlex.join(os.path.basename(part) if part.startswith("/") else part for part in command)
    text = re.sub(r"access-token: [^'\s]+", "access-token: TOKEN", text)
    return re.sub(r"--server-pid \d+", "--server-pid PID", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text))


def on(kind, arguments, **options):
    """A step on a server that is started for it. `arguments` makes the client's command."""

    def run(work):
        with kind(work, **options) as server:
            return client(server, arguments(server))

    return run


def linnet(group, name, seconds, scenario, *arguments, transport="tcp", **more):
    def command(server):
        if scenario == "connect":
            # What is made with the first connections is not the others' cost; nor is what starting took a gain, once it is given back.
            client(server, server.loadtest(scenario, "--connections", 100, "--hold", "2s", transport=transport))
            time.sleep(SETTLING)
        return server.loadtest(scenario, *arguments, transport=transport)

    return Step(group, f"{name}-linnet" + ("" if transport == "tcp" else f"-{transport}"), seconds, on(Linnet, command), **more)


def peer(group, name, seconds, kind, *arguments, label=None, **options):
    label = label or kind.__name__.lower()
    return Step(group, f"{name}-{label}", seconds, on(kind, lambda server: server.peers(*arguments), **options))


def for_linnet(arguments):
    return [*arguments, "--duration", f"{LOAD_SECONDS}s"]


def for_peers(arguments):
    return ["send", *arguments, "--duration", LOAD_SECONDS]


def wrk(work):
    """A bare hyper, asked by wrk."""
    with Hello(work) as server:
        return http(f"http://127.0.0.1:{server.port}/", server.pid)


def http(url, pid, *headers):
    command = ["wrk", "-t1", "-c64", f"-d{LOAD_SECONDS}s", "--latency", *headers, url]
    before = processor_time(pid)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=True).stdout
    used = processor_time(pid) - before
    if "Non-2xx" in done:
        raise RuntimeError(done)

    def told(pattern):
        found = re.search(pattern, done)
        if not found:
            raise RuntimeError(f"wrk does not say {pattern}: {done}")
        return found

    rate = float(told(r"Requests/sec:\s+([\d.]+)")[1])
    count = int(told(r"(\d+) requests in")[1])
    percentile = lambda which: micros(told(rf"\s{which}%\s+([\d.]+)(us|ms|s)"))
    figures = {"requests per second": rate, "server us per request": used * 1e6 / count}
    timings = {"request": {"p50_us": percentile(50), "p99_us": percentile(99)}}
    return shown(command), {"figures": figures, "timings": timings, "counts": {"requests": count}}


def micros(match):
    return float(match[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[match[2]]


def processor_time(pid):
    """Seconds of processor time that a process has used."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def version(work):
    """What needs no store."""
    with Linnet(work) as server:
        return http(f"http://{server.addresses['rest']}/version", server.pid)


def profile(work):
    """A user's own profile: a token that is checked, and a read."""
    with Linnet(work) as server:
        server.admin("app", "create", "--id", "bench")
        base = f"http://{server.addresses['rest']}"
        user = {"username": "reader", "password": "reader-password"}
        post(f"{base}/user/register/v2", user)
        token = post(f"{base}/token/user", {"name": user["username"], "password": user["password"]})["data"]["token"]
        return http(f"{base}/user/profile", server.pid, "-H", "app_id: bench", "-H", f"access-token: {token}")


def post(url, body):
    headers = {"content-type": "application/json", "app_id": "bench"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def stored(target):
    """Fills one store, which stays from step to step, until it holds so many messages; then, what a message costs at a fixed pace."""

    def run(work):
        folder = work.parent / "stored"
        held = folder / "held"
        count = int(held.read_text()) if held.exists() else 0
        if count == 0 or count > target:
            shutil.rmtree(folder, ignore_errors=True)
            count = 0
        # Nobody knows how much a store holds whose filling was broken off: the next step makes it anew.
        held.unlink(missing_ok=True)
        with Linnet(folder, keep=True) as server:
            rate = 50_000
            while count < target:
                seconds = max(1, min(20, round((target - count) / rate)))
                arguments = [*closed(PAIRS, 32), "--duration", f"{seconds}s"]
                _, outcome = client(server, server.loadtest("peer", *arguments))
                count += outcome["counts"]["acked"]
                rate = max(1_000, outcome["counts"]["acked"] / seconds)
            time.sleep(2)
            command, outcome = client(server, server.loadtest("peer", *for_linnet(opened(PAIRS, 2000))))
            outcome["counts"]["stored"] = count
            held.write_text(str(count + outcome["counts"]["acked"]))
        if target == STORED[-1]:
            shutil.rmtree(folder)
        return command, outcome

    return run


def beside(server, load, connections, bystander=None):
    """A load, and what others notice of it: the same messages of theirs before, and from when so many connections of the load are there.

    They have a generator of their own, which the load's cannot hold up. They write to the server that has the load; or to a bystander, which
    only shares the machine with it, and so shows how much of what they notice is the machine's.
    """
    if bystander:
        others = bystander.peers("send", *opened(PAIRS, 1000), "--duration", 8)
    else:
        others = as_users(server.loadtest("peer", *opened(PAIRS, 1000), "--duration", "8s"), server.last_users(2 * PAIRS))
    _, before = client(server, others)
    command, outcome, (_, meanwhile) = during(server, load, connections, lambda: client(server, others))
    outcome["timings"] |= {"others before": before["timings"]["ack"], "others meanwhile": meanwhile["timings"]["ack"]}
    return command, outcome


def during(server, load, connections, do):
    """Runs a load generator, and does something from when so many connections of its are there; what came of both."""
    load = [str(part) for part in load]
    with subprocess.Popen(load, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        await_connections(server, connections)
        done = do()
        said, complaint = running.communicate(timeout=LIMIT)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(complaint[-500:])
    return shown(load), brief(json.loads(lines[-1])), done


def as_users(command, credentials):
    """A load tester's command with other users."""
    at = command.index("--credentials") + 1
    return [*command[:at], credentials, *command[at + 1 :]]


def with_bystander(measure):
    """The same, noticed by those who write to a bare relay meanwhile."""

    def run(work):
        with DurableRelay(work / "bystander") as relay:
            return measure(work / "server", relay)

    return run


def large(work, bystander=None):
    """A group of very many members."""
    members, online = LARGE
    with Linnet(work) as server:
        many = work / "many.tsv"
        server.admin("user", "create", "--count", str(members), "--prefix", "many", "--credentials", str(many))
        group = server.loadtest("group", "--members", members, "--online", 100 * online / members, "--rate", 5, "--duration", "30s")
        return beside(server, as_users(group, many), online, bystander)


def storm(work, bystander=None):
    """Everybody is cut at once and comes back.

    From several addresses: the ports that were in use a moment ago make the kernel look long for a free one, and that would be what is measured.
    """
    with Linnet(work) as server:
        cut = ["--connections", CONNECTIONS, "--survivors", 0, "--calm", "3s", "--source", "127.0.0.2-9"]
        return beside(server, server.loadtest("storm", *cut), CONNECTIONS, bystander)


def await_connections(server, count):
    """Waits until so many are connected."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://{server.addresses['rest']}/metrics", timeout=10) as page:
            found = re.findall(r"^linnet_gateway_connections{[^}]*} (\S+)$", page.read().decode(), re.MULTILINE)
        if sum(map(float, found)) >= count:
            return
        time.sleep(0.5)
    raise RuntimeError(f"there are no {count} connections after {LIMIT} s")


def hold(transport):
    """As many connections as `benches/held.sh` can hold on this machine, up to what HELD says."""

    def run(work):
        work.mkdir(parents=True, exist_ok=True)
        report = work / "held.json"
        count = HELD[transport]
        environment = {**os.environ, "TRANSPORT": transport, "HOLD": "30s", "SERVER": str(linnet_binary())}
        while True:
            command = ["benches/held.sh", "--quiet", "--json-file", str(report)]
            done = subprocess.run(command, env={**environment, "CONNECTIONS": str(count)}, capture_output=True, text=True, timeout=900)
            fits = re.search(r"no more than (\d+) fit", done.stderr)
            if not fits:
                break
            count = int(fits[1]) // 1000 * 1000
        if not report.exists():
            raise RuntimeError(done.stderr[-500:])
        outcome = brief(json.loads(report.read_text()))
        shutil.rmtree(work)
        return f"CONNECTIONS={count} TRANSPORT={transport} HOLD=30s benches/held.sh", outcome

    return run


def heap_of(transport):
    """Who owns what an idle connection holds."""

    def run(work):
        count = heap.CONNECTIONS[transport]
        with heap.Heaped(work) as server:
            held = ["--connections", count, "--connect-rate", heap.LOGINS, "--hold", "3s"]
            command, outcome = client(server, server.loadtest("connect", *held, transport=transport))
            server.stop()
            outcome["figures"] = heap.figures(server.profile, count)
        return command, outcome

    return run


def cost_of(scenario, arguments, connections, what, transport):
    """Whose code the server runs, for each message or delivery."""

    def run(work):
        def look():
            time.sleep(2)
            return owners.watch(server.pid, work)

        with Linnet(work) as server:
            load = server.loadtest(scenario, *arguments, "--duration", "8s", transport=transport)
            command, outcome, shares = during(server, load, connections, look)
        cost = outcome["figures"][f"server us per {what}"]
        outcome["figures"] |= {"cost": cost, **{f"cost of {name}": cost * share for name, share in shares.items()}}
        return command, outcome

    return run


def suite():
    """Every step, floors before what is compared with them."""
    idle = ["connect", "--connections", CONNECTIONS]
    held = ["--connections", CONNECTIONS, "--hold", "5s"]
    one = lambda *arguments: ["send", "--pairs", 1, "--receivers", ROOM, *arguments, "--duration", LOAD_SECONDS]
    steps = [
        Step("floors", "disk", 8, lambda work: ("fdatasync", disk.measure(work))),
        Step("floors,rest", "hello", 7, wrk),
        peer("floors,connect", "idle", 11, Floor, *idle, label="floor"),
        peer("floors,connect", "idle", 15, Floor, *idle, label="floor-tls", tls=True),
        peer("floors,connect", "idle", 20, Floor, *idle, label="floor-quic", quic=True),
        # Idle connections.
        linnet("connect", "idle", 20, "connect", *held),
        linnet("connect", "idle", 24, "connect", *held, transport="tls"),
        linnet("connect", "idle", 28, "connect", *held, transport="quic"),
        peer("connect", "idle", 12, Mosquitto, *idle),
        peer("connect", "idle", 18, Mosquitto, *idle, label="mosquitto-tls", tls=True),
        peer("connect", "idle", 12, Nats, *idle),
        peer("connect", "idle", 16, Nats, *idle, label="nats-tls", tls=True),
        peer("connect", "idle", 26, Rumqttd, *idle),
    ]
    # 1:1, acknowledged and delivered.
    durable = [(JetStream, {}), (JetStreamLazy, {}), (Mosquitto, {}), (Rumqttd, {})]
    loads = [("batched", closed(PAIRS, 32)), ("spread", closed(SPREAD, 1)), ("open2k", opened(PAIRS, 2000)), ("open5k", opened(PAIRS, 5000))]
    for name, arguments in loads:
        steps.append(peer("floors,peer", name, 8, DurableRelay, *for_peers(arguments)))
        steps.append(linnet("peer", name, 10, "peer", *for_linnet(arguments)))
        steps += [peer("peer", name, 9, kind, *for_peers(arguments), **options) for kind, options in durable]
    # 1:1, best effort.
    arguments = closed(SPREAD, 1)
    steps.append(peer("floors,effort", "effort", 8, Relay, *for_peers(arguments), qos=0))
    steps.append(linnet("effort", "effort", 10, "peer", *for_linnet(arguments), "--forget"))
    steps.append(linnet("effort", "effortacked", 10, "peer", *for_linnet(arguments), "--online-only"))
    for kind in (Nats, Mosquitto, Rumqttd):
        steps.append(peer("effort", "effort", 9, kind, *for_peers(arguments), qos=0))
    # One to many.
    for name, load, flags in [("room50", ["--rate", 50], ["--rate", 50]), ("roommax", ["--in-flight", 4], ["--in-flight", 4])]:
        steps.append(peer("floors,fanout", name, 8, DurableRelay, *one(*load)))
        steps.append(peer("floors,fanout", name, 8, Relay, *one(*load), qos=0))
        for transport in ("tcp", "tls"):
            group = ["--groups", 1, "--members", 1 + ROOM, *for_linnet(flags)]
            steps.append(linnet("fanout", name, 11, "group", *group, transport=transport))
        for kind, options in [(Nats, {}), (Mosquitto, {}), (Rumqttd, {})]:
            steps.append(peer("fanout", name, 9, kind, *one(*load), **options))
        steps.append(peer("fanout", name, 10, Nats, *one(*load), label="nats-tls", tls=True))
        steps.append(peer("fanout", name, 14, JetStream, *one(*load)))
    # REST beside the bare hyper above; coming back after everyone was cut.
    steps.append(Step("rest", "rest-version", 8, version))
    steps.append(Step("rest", "rest-profile", 9, profile))
    steps.append(Step("storm", "storm-linnet", 40, storm))
    steps.append(Step("floors,storm", "storm-bystander", 40, with_bystander(storm)))
    steps.append(Step("large", "large-linnet", 90, large, once=True))
    steps.append(Step("floors,large", "large-bystander", 90, with_bystander(large), once=True))
    steps += [Step("held", f"held-{transport}", 200, hold(transport), once=True) for transport in HELD]
    steps += [Step("heap", f"heap-{transport}", 75, heap_of(transport), once=True) for transport in heap.CONNECTIONS]
    for name, (_, scenario, arguments, connections, what, transport) in COSTS.items():
        steps.append(Step("cost", f"cost-{name}", 16, cost_of(scenario, arguments, connections, what, transport)))
    # What growth costs.
    for count in GROWN:
        arguments = ["--connections", count, "--hold", "3s"]
        steps.append(linnet("growth", f"grown-{count}", 12, "connect", *arguments, once=True))
    for count in STORED:
        steps.append(Step("growth", f"stored-{count}", 60 if count > 1_000_000 else 20, stored(count), once=True))
    return steps
