"""How soon a runner is ready on a journal of a million rows, and how much memory that takes.

    python -m bench.recovery [--rows 1000000] [--dir FOLDER]

A life in a process of its own opens the journal and takes up what it remembers, first of a small
journal, then of the large one: what is over must cost neither time nor memory.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bench.journal import NOW, decision
from runner.core.decision import Decision, RunStatus
from runner.core.orders import OrderState
from runner.journal import Journal

ROWS_EACH = 14
"""Rows of one alert with five orders: run, legs, attempts, alert, records."""
OPEN = 20
"""So many of the alerts still have their orders on the book."""
GROUP = 500
WRITTEN = 1_000_000 // ROWS_EACH
"""So many alerts are written as the journal writes them; more are copies under other ids."""
TABLES = ("runs", "legs", "attempts", "alerts", "records")
IDS = frozenset({"run_id", "client_order_id", "event_key"})
LIVES = 5
TARGET = 3.0

LIFE = """
import json, re, sys, time
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
started = time.perf_counter()
from runner.core.engine import Engine
from runner.journal import Journal
from runner.remembering import remembered
loaded = time.perf_counter()
before = peak()
journal = Journal.open(sys.argv[1], "bench", lambda: 1_780_003_600_000)
state = remembered(journal)
print(json.dumps({
    "seconds": time.perf_counter() - loaded,
    "imports": loaded - started,
    "KiB": peak() - before,
    "legs": len(state.legs),
}))
"""


def _finished(number: int, *, still_open: bool) -> Decision:
    made = decision(number)
    state = OrderState.LIVE if still_open else OrderState.FILLED
    status = RunStatus.RUNNING if still_open else RunStatus.DONE
    for key, change in made.legs.items():
        made.legs[key] = replace(change, after=replace(change.after, state=state))
    made.new_runs = [replace(run, status=status) for run in made.new_runs]
    return made


def write(path: Path, rows: int, still_open: int = OPEN) -> float:
    """Write a journal of so many rows; the seconds it took."""
    started = time.perf_counter()
    alerts = max(OPEN, rows // ROWS_EACH)
    written = min(alerts, WRITTEN)
    _append(path, range(written - still_open), still_open=False)
    if alerts > written:
        _copy(path, round(alerts / written))
    _append(path, range(written - still_open, written), still_open=True)
    return time.perf_counter() - started


def _append(path: Path, numbers: range, *, still_open: bool) -> None:
    journal = Journal.open(path, "bench", lambda: NOW)
    for start in range(0, len(numbers), GROUP):
        group = numbers[start : start + GROUP]
        journal.commit([_finished(number, still_open=still_open) for number in group])
    journal.close()


def _copy(path: Path, times: int) -> None:
    """Have all rows so many times, each time under other ids."""
    with closing(sqlite3.connect(path, isolation_level=None)) as journal:
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
            journal.execute(f"PRAGMA {setting}")
        for table in TABLES:
            told = journal.execute(f"PRAGMA table_info({table})").fetchall()
            names = [name for _, name, *_ in told if name != "seq"]
            (last,) = journal.execute(f"SELECT max(rowid) FROM {table}").fetchone()  # noqa: S608
            for number in range(1, times):
                others = ", ".join(_other(name, number) for name in names)
                journal.execute(
                    f"INSERT INTO {table} ({', '.join(map(_quoted, names))}) "  # noqa: S608
                    f"SELECT {others} FROM {table} WHERE rowid <= {last}"
                )


def _other(name: str, number: int) -> str:
    quoted = _quoted(name)
    told = f"CASE {quoted} WHEN '' THEN '' ELSE {quoted} || '-{number}' END"
    return told if name in IDS else quoted


def _quoted(name: str) -> str:
    return f'"{name}"'


def lives(path: Path) -> tuple[float, float, int]:
    """Median seconds to be ready, median KiB that it took, open orders found."""
    found = []
    for _ in range(LIVES):
        command = [sys.executable, "-c", LIFE, str(path)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(ended.stdout))
    seconds = statistics.median(life["seconds"] for life in found)
    return seconds, statistics.median(life["KiB"] for life in found), found[0]["legs"]


def main(arguments: list[str] | None = None) -> None:
    """Write both journals, take both up, print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dir", type=Path)
    asked = parser.parse_args([] if arguments is None else arguments)
    with tempfile.TemporaryDirectory(dir=asked.dir) as folder:
        for rows in (1_000, asked.rows):
            path = Path(folder) / f"{rows}.db"
            took = write(path, rows)
            size = path.stat().st_size / 2**20
            seconds, kib, legs = lives(path)
            print(
                f"{rows:>9,} rows, {size:6.1f} MiB: ready in {seconds * 1000:6.0f} ms, "
                f"{kib / 1024:5.1f} MiB more memory, {legs} open orders (written in {took:.0f} s)"
            )
    print(f"target: {TARGET:.0f} s, memory flat")


if __name__ == "__main__":
    main(sys.argv[1:])
