"""What was aimed for, what was reached, and what the floor reached in the same rounds: a program that does only what cannot be left out.

What a floor does not reach is out of this machine's reach, generator included. Between the floor and Linnet lies what Linnet does besides;
whose time that is, the table of costs tells.
"""

import statistics
from dataclasses import dataclass

import steps


@dataclass
class Aim:
    what: str
    least: float | None  # to be reached in any case
    wanted: float
    step: str
    number: str | tuple  # a number's name; of two, the first by the second
    floor: str = ""  # a step
    unit: float = 1.0  # what numbers are divided by
    more: bool = False  # is better


OTHERS = ("others meanwhile p99", "others before p99")
RATE, MESSAGE, DELIVERIES = "acked per second", "server us per message", "received per second"
DELIVERY, LOGIN, LOGINS, HELD = "server us per delivery", "server us per login", "connects per second", "server bytes per connection"

AIMS = [
    Aim("idle connection over TCP, bytes", 2_000, 1_300, "idle-linnet", HELD, "idle-floor"),
    Aim("idle connection over TLS, bytes", 10_000, 7_000, "idle-linnet-tls", HELD, "idle-floor-tls"),
    Aim("idle connection over QUIC, bytes", 30_000, 22_000, "idle-linnet-quic", HELD, "idle-floor-quic"),
    Aim("connections held over TCP", None, 500_000, "held-tcp", "connected", more=True),
    Aim("connections held over QUIC in one process", None, 200_000, "held-quic", "connected", more=True),
    Aim("idle fleet over TCP, cores", None, 0.2, "held-tcp", "server cores"),
    Aim("idle fleet over QUIC, cores", None, 0.2, "held-quic", "server cores"),
    Aim("logins over TLS a second", 4_000, 4_700, "idle-linnet-tls", LOGINS, "idle-floor-tls", more=True),
    Aim("login over TLS, server µs", 210, 180, "idle-linnet-tls", LOGIN, "idle-floor-tls"),
    Aim("logins over QUIC a second", 2_200, 2_500, "idle-linnet-quic", LOGINS, "idle-floor-quic", more=True),
    Aim("login over QUIC, server µs", 380, 330, "idle-linnet-quic", LOGIN, "idle-floor-quic"),
    Aim("durable messages a second, batched", 90_000, 150_000, "batched-linnet", RATE, "batched-durablerelay", more=True),
    Aim("durable messages a second, spread", 25_000, 35_000, "spread-linnet", RATE, "spread-durablerelay", more=True),
    Aim("ack at 2,000 a second, p50, µs", 300, 230, "open2k-linnet", "ack p50", "open2k-durablerelay"),
    Aim("ack at 2,000 a second, p99, µs", 800, 480, "open2k-linnet", "ack p99", "open2k-durablerelay"),
    Aim("ack at 5,000 a second, p50, µs", 420, 350, "open5k-linnet", "ack p50", "open5k-durablerelay"),
    Aim("ack at 5,000 a second, p99, µs", 2_000, 1_000, "open5k-linnet", "ack p99", "open5k-durablerelay"),
    Aim("best effort, messages a second", 55_000, 67_000, "effort-linnet", DELIVERIES, "effort-relay", more=True),
    Aim("to a thousand at 50 a second, server µs/delivery", 9, 7.5, "room50-linnet", DELIVERY, "room50-durablerelay"),
    Aim("the whole room, p50, ms", 5, 4, "room50-linnet", "room p50", "room50-durablerelay", unit=1000),
    Aim("the whole room, p99, ms", 11, 9, "room50-linnet", "room p99", "room50-durablerelay", unit=1000),
    Aim("to a thousand, deliveries a second", 350_000, 430_000, "roommax-linnet", DELIVERIES, "roommax-durablerelay", more=True),
    Aim("the same over TLS at 50 a second, server µs/delivery", 12, 10, "room50-linnet-tls", DELIVERY),
    Aim("the same over TLS, deliveries a second", 200_000, 250_000, "roommax-linnet-tls", DELIVERIES, more=True),
    Aim("100,000 members, 10,000 connected: delivery p99, s", None, 1, "large-linnet", "delivery p99", unit=1e6),
    Aim("beside that group: others' ack p99, × before", None, 1.1, "large-linnet", OTHERS, "large-bystander"),
    Aim(f"{steps.CONNECTIONS:,} cut at once: all back, s", None, 10, "storm-linnet", "back max", unit=1e6),
    Aim("beside that: others' ack p99, × before", None, 2, "storm-linnet", OTHERS, "storm-bystander"),
    Aim("REST, reads a second", 85_000, 100_000, "rest-version", "requests per second", "hello", more=True),
    Aim("the load tester: µs of its own for a connection", 59, 50, "idle-linnet", "generator us per login", "idle-floor"),
    Aim("the load tester: µs of its own for a message", 39, 33, "spread-linnet", "generator us per message", "spread-durablerelay"),
]


def render(store, number):
    lines = ["| | must / aim | Linnet | reached | the floor, in the same rounds | reached by the floor |", "|---|---|---|---|---|---|"]
    for aim in AIMS:
        found = measured(store, aim.step, aim)
        if found is None:
            continue
        least = "– / " if aim.least is None else f"{number(aim.least)} / "
        bound = measured(store, aim.floor, aim) if aim.floor else None
        beside = ["–", "–"] if bound is None else [number(bound), verdict(aim, bound)]
        lines.append(f"| {aim.what} | {least}{number(aim.wanted)} | {number(found)} | {verdict(aim, found)} | {beside[0]} | {beside[1]} |")
    return "\n".join(lines) if len(lines) > 2 else "Not measured yet."


def measured(store, step, aim):
    """The median of a step's rounds."""
    if isinstance(aim.number, str):
        values = list(store.values(step, aim.number).values())
    else:
        over, under = (store.values(step, name) for name in aim.number)
        values = [over[each] / under[each] for each in over if under.get(each)]
    return statistics.median(values) / aim.unit if values else None


def verdict(aim, value):
    reaches = lambda bound: bound is not None and (value >= bound if aim.more else value <= bound)
    return "**aim**" if reaches(aim.wanted) else "must" if reaches(aim.least) else "no"
