"""How fast this disk makes an appended record durable: the floor of every ack that means something."""

import os
import time


def measure(work, seconds=2.0):
    """256 bytes appended at a time, then 4 KiB at a time over a file that has its size already."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / "sync"
    try:
        with open(path, "wb", buffering=0) as file:
            append = syncs(file, b"x" * 256, seconds, lambda number: number * 256)
        with open(path, "wb", buffering=0) as file:
            size = 64 << 20
            file.write(b"x" * size)
            os.fsync(file.fileno())
            overwrite = syncs(file, b"y" * 4096, seconds, lambda number: number * 4096 % size)
    finally:
        path.unlink(missing_ok=True)
    figures = {"appends per second": append["rate"], "overwrites per second": overwrite["rate"]}
    timings = {"append": append["times"], "overwrite": overwrite["times"]}
    return {"figures": figures, "timings": timings, "counts": {}}


def syncs(file, record, seconds, offset):
    times = []
    start = now = time.perf_counter()
    while now - start < seconds:
        os.pwrite(file.fileno(), record, offset(len(times)))
        os.fdatasync(file.fileno())
        done = time.perf_counter()
        times.append((done - now) * 1e6)
        now = done
    times.sort()
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
    return {"rate": len(times) / (now - start), "times": {"p50_us": at(0.5), "p99_us": at(0.99)}}
