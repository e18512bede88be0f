"""The suite behind `make bench`: measures in rounds, keeps a file of each step, and writes the tables of BENCHMARKS.md from those.

    python3 benches/suite [--rounds 5] [--only peer,connect] [--budget SECONDS] [--force] [--tables] [--list]

A step whose file is there for this commit is not run again, so that a run can be ended at any time and gone on with.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

import results
import steps
import tables

ROOT = pathlib.Path(__file__).resolve().parents[2]
# sysexits' "try again": the budget was too short for all of it.
TRY_AGAIN = 75


def main():
    arguments = options()
    os.chdir(ROOT)
    store = results.Store(ROOT, arguments.commit or results.commit(ROOT))
    chosen = [step for step in steps.suite() if matches(step, arguments.only)]
    if not chosen:
        sys.exit(f"nothing is called {arguments.only}: see --list")
    if arguments.list:
        for step in chosen:
            print(f"{step.name:24} {step.group:16} about {step.seconds} s{', once' if step.once else ''}")
        return 0
    complete = arguments.tables or run(chosen, store, arguments)
    tables.write(ROOT, store)
    return 0 if complete else TRY_AGAIN


def options():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="groups or names of steps, between commas")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds after which no step is begun; exit code 75 if some are left")
    parser.add_argument("--force", action="store_true", help="measure again what was measured")
    parser.add_argument("--tables", action="store_true", help="write the tables from what was measured, and measure nothing")
    parser.add_argument("--list", action="store_true", help="show the steps")
    parser.add_argument("--commit", default="", help="go on with the results of this commit")
    return parser.parse_args()


def matches(step, only):
    names = [name for name in only.split(",") if name]
    return not names or any(name in step.group.split(",") or name == step.name for name in names)


def run(chosen, store, arguments):
    """Runs what is missing, round by round, so that what changes over time meets every server alike. Whether nothing is left."""
    due = [(number, step) for number in range(1, arguments.rounds + 1) for step in chosen if number == 1 or not step.once]
    if not arguments.force:
        due = [(number, step) for number, step in due if not store.has(number, step.name)]
    began = time.monotonic()
    for done, (number, step) in enumerate(due):
        expected = lambda step: store.duration(step.name) or step.seconds
        if time.monotonic() - began + expected(step) > arguments.budget:
            print(f"{len(due) - done} steps are left", flush=True)
            return False
        left = sum(expected(step) for _, step in due[done:])
        print(f"[{done + 1}/{len(due)}, {left // 60:.0f} min {left % 60:02.0f} s left] round {number}: {step.name} … ", end="", flush=True)
        start = time.monotonic()
        try:
            command, outcome = step.run(ROOT / "target" / "bench" / "work" / step.name)
        except (RuntimeError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            command, outcome = "", {"failed": f"{type(error).__name__}: {error}"}
        seconds = time.monotonic() - start
        store.keep(number, step.name, seconds, command, outcome)
        print(results.summary(outcome), f"({seconds:.0f} s)", flush=True)
    failed = sorted({document["step"] for document in store.all() if "failed" in document["outcome"]})
    if failed:
        print(f"failed, to be measured again with FORCE=1 ONLY={','.join(failed)}")
    return True


sys.exit(main())
