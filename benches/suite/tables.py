"""The tables of BENCHMARKS.md, from the results. Nothing in them is typed by hand."""

import datetime
import re
import statistics
from dataclasses import dataclass

import aims
import heap
import owners
import plot
import results
import steps
from servers import DurableRelay, JetStream, JetStreamLazy, Linnet, Mosquitto, Nats, Relay, Rumqttd

LINNET = "**Linnet**"
RELAY = "floor: bare relay"
BYSTANDER = "floor: the same, while the others write to a bare relay that only shares the machine"


@dataclass
class Column:
    title: str
    what: str | tuple  # a number's name; of several, all are shown
    unit: float = 1.0  # what it is divided by
    spread: bool = False  # min / median / max instead of the median


@dataclass
class Table:
    name: str  # between which marks it stands
    rows: list  # (label, step)
    columns: list
    better: str = ""  # "more" or "less" of the first column is better: shown as a ratio to Linnet in the same round
    against: str = ""  # or as a ratio to this step


RATE = Column("messages/s, min / median / max", "acked per second", spread=True)
DELIVERIES = Column("deliveries/s, min / median / max", "received per second", spread=True)
COST = Column("µs/message, server / generator", ("server us per message", "generator us per message"))
EACH = Column("µs/delivery, server / generator", ("server us per delivery", "generator us per delivery"))
LOGIN = Column("µs/login, server / generator", ("server us per login", "generator us per login"))
ACK = Column("ack p50 / p99, µs", ("ack p50", "ack p99"))
DELIVERY = Column("delivery p50 / p99, µs", ("delivery p50", "delivery p99"))
OTHERS = [
    Column("others' ack p50 / p99 before, ms", ("others before p50", "others before p99"), unit=1000),
    Column("others' ack p50 / p99 meanwhile, ms", ("others meanwhile p50", "others meanwhile p99"), unit=1000),
]
WHOLE = Column("whole room p50 / p99, ms", ("room p50", "room p99"), unit=1000)


def durable(step):
    kinds = [("NATS JetStream", JetStream, "jetstream"), ("NATS JetStream", JetStreamLazy, "jetstreamlazy")]
    kinds += [("Mosquitto, QoS 1", Mosquitto, "mosquitto"), ("rumqttd, QoS 1", Rumqttd, "rumqttd")]
    rows = [(f"{RELAY}, {DurableRelay.ack}", f"{step}-durablerelay"), (f"{LINNET}: {Linnet.ack}", f"{step}-linnet")]
    return rows + [(f"{label}: {kind.ack}", f"{step}-{suffix}") for label, kind, suffix in kinds]


def rooms(step):
    rows = [(f"{RELAY}, {kind.ack}", f"{step}-{kind.__name__.lower()}") for kind in (DurableRelay, Relay)]
    rows += [(f"{LINNET}: {Linnet.ack}", f"{step}-linnet"), (f"NATS JetStream: {JetStream.ack}", f"{step}-jetstream")]
    rows.append(("NATS core, best effort", f"{step}-nats"))
    rows += [("Mosquitto, QoS 1", f"{step}-mosquitto"), ("rumqttd, QoS 1", f"{step}-rumqttd")]
    return rows + [(f"{LINNET}, TLS", f"{step}-linnet-tls"), ("NATS core, TLS", f"{step}-nats-tls")]


IDLE = [
    ("floor: tokio, TCP, one task each", "idle-floor"),
    (f"{LINNET}, TCP", "idle-linnet"),
    ("Mosquitto, TCP", "idle-mosquitto"),
    ("NATS, TCP", "idle-nats"),
    ("rumqttd, TCP", "idle-rumqttd"),
    ("floor: tokio-rustls, TLS 1.3", "idle-floor-tls"),
    (f"{LINNET}, TLS", "idle-linnet-tls"),
    ("Mosquitto, TLS", "idle-mosquitto-tls"),
    ("NATS, TLS", "idle-nats-tls"),
    ("floor: quinn, QUIC, small windows", "idle-floor-quic"),
    (f"{LINNET}, QUIC", "idle-linnet-quic"),
]

TABLES = [
    Table(
        "floors",
        [("append 256 B and fdatasync", "disk")],
        [
            Column("per second, min / median / max", "appends per second", spread=True),
            Column("p50 / p99, µs", ("append p50", "append p99")),
            Column("4 KiB over a file of its full size, per second", "overwrites per second", spread=True),
            Column("p50 / p99, µs", ("overwrite p50", "overwrite p99")),
        ],
    ),
    Table(
        "idle",
        IDLE,
        [
            Column("RSS bytes/connection, min / median / max", "server bytes per connection", spread=True),
            Column("logins/s", "connects per second"),
            LOGIN,
            Column("idle, cores", "server cores"),
        ],
        better="less",
    ),
    Table(
        "heap",
        [(f"{LINNET}, {transport.upper()}", f"heap-{transport}") for transport in heap.CONNECTIONS],
        [
            Column("bytes of heap/connection", "heap"),
            *(Column(f"of {name}", f"heap of {name}") for name in heap.OWNERS),
        ],
    ),
    Table("batched", durable("batched"), [RATE, COST, ACK], better="more"),
    Table("spread", durable("spread"), [RATE, COST, ACK, DELIVERY], better="more"),
    Table("open2k", durable("open2k"), [ACK, DELIVERY, COST, RATE]),
    Table("open5k", durable("open5k"), [ACK, DELIVERY, COST, RATE]),
    Table(
        "effort",
        [
            (f"{RELAY}, {Relay.ack}", "effort-relay"),
            (f"{LINNET}, best effort", "effort-linnet"),
            (f"{LINNET}, online only, acknowledged", "effortacked-linnet"),
            ("NATS core", "effort-nats"),
            ("Mosquitto, QoS 0", "effort-mosquitto"),
            ("rumqttd, QoS 0", "effort-rumqttd"),
        ],
        [DELIVERIES, EACH, DELIVERY],
        better="more",
    ),
    Table("room50", rooms("room50"), [WHOLE, EACH, DELIVERIES]),
    Table("roommax", rooms("roommax"), [DELIVERIES, EACH], better="more"),
    Table(
        "cost",
        [(f"{LINNET}, {label}", f"cost-{name}") for name, (label, *_) in steps.COSTS.items()],
        [Column("server, µs", "cost"), *(Column(name, f"cost of {name}") for name in owners.OWNERS)],
    ),
    Table(
        "rest",
        [("floor: bare hyper", "hello"), (f"{LINNET}, `/version`", "rest-version"), (f"{LINNET}, a user's profile", "rest-profile")],
        [
            Column("requests/s, min / median / max", "requests per second", spread=True),
            Column("server µs/request", "server us per request"),
            Column("p50 / p99, µs", ("request p50", "request p99")),
        ],
        better="more",
        against="hello",
    ),
    Table(
        "storm",
        [(f"{LINNET}, {steps.CONNECTIONS:,} cut at once", "storm-linnet"), (BYSTANDER, "storm-bystander")],
        [
            Column("back and synced, p50 / p99 / max, s", ("back p50", "back p99", "back max"), unit=1e6),
            *OTHERS,
        ],
    ),
    Table(
        "large",
        [
            (f"{LINNET}, {steps.LARGE[0]:,} members, {steps.LARGE[1]:,} connected", "large-linnet"),
            (BYSTANDER, "large-bystander"),
        ],
        [
            Column("delivery p50 / p99 / max, ms", ("delivery p50", "delivery p99", "delivery max"), unit=1000),
            EACH,
            *OTHERS,
        ],
    ),
    Table(
        "held",
        [(f"{LINNET}, TCP, over processes of 19,000", "held-tcp"), (f"{LINNET}, QUIC, in one process", "held-quic")],
        [
            Column("connections", "connected"),
            Column("RSS bytes/connection, server / generator", ("server bytes per connection", "generator bytes per connection")),
            Column("kernel bytes/connection, both ends", "kernel bytes per connection"),
            Column("idle, cores", "server cores"),
            Column("logins/s", "connects per second"),
            LOGIN,
        ],
    ),
    Table(
        "grown",
        [(f"{count:,} connections", f"grown-{count}-linnet") for count in steps.GROWN]
        + [(f"{steps.CONNECTIONS:,} connections", "idle-linnet")],
        [Column("RSS bytes/connection", "server bytes per connection"), LOGIN],
    ),
    Table(
        "stored",
        [(f"{count:,} messages", f"stored-{count}") for count in steps.STORED],
        [COST, ACK, DELIVERY],
    ),
]


def write(root, store):
    """Puts every table between its marks."""
    path = root / "BENCHMARKS.md"
    text = path.read_text()
    for table in TABLES:
        text = put(text, table.name, render(table, store))
    text = put(text, "about", about(store))
    text = put(text, "aims", aims.render(store, number))
    text = put(text, "remarks", remarks(store))
    text = put(text, "commands", commands(store))
    path.write_text(put(text, "plots", plots(root, store)))


def put(text, name, content):
    pattern = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"BENCHMARKS.md has no place for {name}")
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


def render(table, store):
    shown = [(label, step) for label, step in table.rows if store.rounds(step)]
    if not shown:
        return "Not measured yet."
    columns = [column for column in table.columns if any(cell(store, step, column) != "–" for _, step in shown)]
    whose = "the floor's" if table.against else "Linnet's"
    ratio = [f"× {whose} ({table.better} is better)"] if table.better else []
    lines = ["| " + " | ".join(["", *(column.title for column in columns), *ratio]) + " |"]
    lines.append("|" + "---|" * (1 + len(columns) + len(ratio)))
    for label, step in shown:
        cells = [cell(store, step, column) for column in columns]
        if table.better:
            cells.append(compare(store, step, table.against or family(step, shown), table.columns[0]))
        lines.append("| " + " | ".join([label, *cells]) + " |")
    return "\n".join(lines)


def family(step, shown):
    """Linnet's row over the same transport."""
    suffix = next((suffix for suffix in ("-tls", "-quic") if step.endswith(suffix)), "")
    fitting = [other for label, other in shown if label.startswith(LINNET)]
    exact = [other for other in fitting if other.endswith("linnet" + suffix)]
    return exact[0] if exact else None


def compare(store, step, reference, column):
    if reference in (None, step):
        return ""
    ours, theirs = store.values(reference, column.what), store.values(step, column.what)
    ratios = [theirs[number] / ours[number] for number in theirs if ours.get(number)]
    return f"{statistics.median(ratios):.2f}" if ratios else "–"


def cell(store, step, column):
    names = column.what if isinstance(column.what, tuple) else (column.what,)
    parts = []
    for name in names:
        values = [each / column.unit for each in store.values(step, name).values()]
        if not values:
            return "–"
        three = (min(values), statistics.median(values), max(values))
        parts += [number(each) for each in three] if column.spread and len(values) > 1 else [number(three[1])]
    return " / ".join(parts)


def number(value):
    """Three digits are what can be repeated, if that."""
    if abs(value) >= 1000:
        magnitude = 10 ** (len(str(int(abs(value)))) - 3)
        return f"{round(value / magnitude) * magnitude:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def about(store):
    found = store.all()
    if not found:
        return "Nothing was measured yet."
    first, last = (datetime.datetime.fromtimestamp(pick(document["at"] for document in found), datetime.UTC) for pick in (min, max))
    rounds = max(document["round"] for document in found)
    load = statistics.median(document["load"] for document in found)
    return (
        f"{results.machine()}. {commits(store, found)}, {first:%Y-%m-%d %H:%M} to {last:%H:%M} UTC, {rounds} round{'s' if rounds > 1 else ''}, "
        f"everything in turn within each. Load average at the end of a step, median: {load:.1f}."
    )


def commits(store, found):
    """Which commit was measured; which steps of later ones."""
    of = lambda document: document.get("commit", store.commit)
    later = sorted({of(document) for document in found} - {store.commit})
    said = [f"Commit `{store.commit}`"]
    for commit in later:
        said.append(f"`{commit}` for " + ", ".join(sorted({f"`{document['step']}`" for document in found if of(document) == commit})))
    return "; ".join(said)


def remarks(store):
    lines = []
    for document in store.all():
        where = f"- `{document['step']}`, round {document['round']}: "
        if "failed" in document["outcome"]:
            lines.append(where + "failed: " + " ".join(document["outcome"]["failed"].split())[:300])
        lines += [where + remark for remark in results.remarks(document["outcome"])]
    return "\n".join(lines) or "None."


def commands(store):
    seen = {}
    for document in store.all():
        if document["command"]:
            seen.setdefault(document["step"], document["command"])
    return "\n".join(["```sh", *(f"{command}  # {step}" for step, command in seen.items()), "```"])


def plots(root, store):
    """Draws how costs change with growth; links to the drawings."""
    folder = root / "docs" / "bench"
    curves = [
        ("connections", "RSS bytes per idle connection (TCP)", "connections", "server bytes per connection", 1,
         [(count, f"grown-{count}-linnet") for count in steps.GROWN] + [(steps.CONNECTIONS, "idle-linnet")]),
        ("stored", "server µs per message, at 2,000 a second", "messages stored before", "server us per message", 1,
         [(count, f"stored-{count}") for count in steps.STORED]),
    ]  # fmt: skip
    links = []
    for name, title, axis, what, unit, points in curves:
        measured = [(at, statistics.median(values.values()) / unit) for at, step in points if (values := store.values(step, what))]
        if len(measured) > 1:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.svg").write_text(plot.curve(title, axis, measured))
            links.append(f"![{title}](docs/bench/{name}.svg)")
    return "\n\n".join(links) or "Not measured yet."
