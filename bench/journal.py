"""Commits per second of the journal, alone and in groups of 50, beside raw sqlite3 in one run.

    python -m bench.journal [--seconds 3] [--dir FOLDER]

Both write the same rows (one run, five legs, five attempts, one alert, two records an alert) into
the same tables with WAL and synchronous=FULL, in turns, so that a busy disk is busy for both.
The raw peer keeps its rows ready: what is left of the ratio is the price of objects, JSON and
SQLAlchemy.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from runner.core.decision import AlertRow, Attempt, Decision, Leg, Record, Run
from runner.core.events import Value
from runner.core.orders import Identity, OrderIntent, OrderState, OrderType, Side, TimeInForce
from runner.journal import Journal, rows

NOW = 1_780_000_000_000
LEGS = 5
ROUNDS = 20

Statements = list[tuple[str, list[tuple[Any, ...]]]]


def decision(number: int) -> Decision:
    """What one alert leads to: a run with five signed orders, its alert and its records."""
    identity = Identity("bench", "demo", "buy-dip", "0", "BTCUSDT", f"key-{number}")
    fields: dict[str, Value] = {"ticker": "BTCUSDT", "price": Decimal("70010.50"), "action": "buy"}
    run = Run(identity.run_id(), identity, "ab" * 16, fields, NOW)
    made = Decision(
        new_runs=[run],
        alerts=[AlertRow("tv", "cd" * 32, fields, NOW, NOW, "fired")],
        records=[
            Record(NOW, "event", "alert on tv", "buy-dip", "BTCUSDT"),
            Record(NOW, "fired", "buy-dip fired", "buy-dip", "BTCUSDT", run.run_id),
        ],
    )
    for index in range(LEGS):
        leg = _leg(run, index)
        made.change_leg(None, leg)
        made.attempts.append(
            Attempt(leg.client_order_id, 1, f"{run.run_id}.1", NOW, 5000, "ef" * 32, NOW)
        )
    return made


def _leg(run: Run, index: int) -> Leg:
    name = f"0.{index + 1}"
    intent = OrderIntent(
        run.identity.client_order_id(name),
        "BTCUSDT",
        Side.BUY,
        OrderType.LIMIT,
        Decimal("0.010"),
        Decimal("70000.0"),
        time_in_force=TimeInForce.GTC,
    )
    return Leg(intent, run.run_id, name, OrderState.SENDING, NOW, attempt=1, signed_time=NOW)


def statements(decisions: list[Decision]) -> Statements:
    """The same rows as ready parameters for sqlite3."""
    by_table = {
        "runs": [rows.run_row(run) for d in decisions for run in d.new_runs],
        "legs": [rows.leg_row(c.after) for d in decisions for c in d.legs.values()],
        "attempts": [rows.attempt_row(a) for d in decisions for a in d.attempts],
        "alerts": [rows.alert_row(alert) for d in decisions for alert in d.alerts],
        "records": [rows.record_row(record) for d in decisions for record in d.records],
    }
    return [_insert(table, content) for table, content in by_table.items()]


def _insert(table: str, content: list[rows.Row]) -> tuple[str, list[tuple[Any, ...]]]:
    names = ", ".join(f'"{name}"' for name in content[0])
    marks = ", ".join("?" * len(content[0]))
    text = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own words
    return text, [tuple(row.values()) for row in content]


def raw_commit(connection: sqlite3.Connection, ready: Statements) -> None:
    """One transaction by sqlite3 alone."""
    connection.execute("BEGIN IMMEDIATE")
    for text, content in ready:
        connection.executemany(text, content)
    connection.execute("COMMIT")


@dataclass(slots=True)
class Peer:
    """One way to commit, and how long each commit took (s)."""

    name: str
    make: Callable[[list[Decision]], Any]
    commit: Callable[[Any], None]
    took: list[float] = field(default_factory=list)

    def turn(self, numbers: range, group: int) -> None:
        """Commit these alerts in groups; only the commit is timed."""
        for start in range(numbers.start, numbers.stop, group):
            ready = self.make([decision(n) for n in range(start, start + group)])
            began = time.perf_counter()
            self.commit(ready)
            self.took.append(time.perf_counter() - began)


def measure(folder: Path, group: int, seconds: float) -> list[Peer]:
    """Both peers in turns, in files of their own, for about `seconds` in all."""
    # the raw peer has the journal's own tables, indexes and grown WAL
    Journal.open(folder / "raw.db", "bench", lambda: NOW).close()
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        raw.execute(f"PRAGMA {pragma}")
    journal = Journal.open(folder / "journal.db", "bench", lambda: NOW)
    peers = [
        Peer("sqlite3", statements, lambda ready: raw_commit(raw, ready)),
        Peer("journal", lambda decisions: decisions, journal.commit),
    ]
    each = max(group, 40 // group * group)
    number = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or number < ROUNDS * each:
        for peer in peers:
            peer.turn(range(number, number + each), group)
        number += each
    journal.close()
    raw.close()
    return peers


def report(group: int, peers: list[Peer]) -> None:
    """One line a peer: alerts per second, p50 and p99 of a commit, and the ratio to raw."""
    floor = statistics.median(peers[0].took)
    for peer in peers:
        p50 = statistics.median(peer.took)
        p99 = statistics.quantiles(peer.took, n=100)[98]
        per_second = group * len(peer.took) / sum(peer.took)
        print(
            f"{group:>5}  {peer.name:<8} {per_second:>9,.0f} {p50 * 1e3:>9.3f} "
            f"{p99 * 1e3:>9.3f} {p50 / floor:>7.2f}"
        )


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--dir", type=Path, default=None)
    options = parser.parse_args(arguments)
    print("group  peer      alerts/s    p50 ms    p99 ms   ratio")
    for group in (1, 50):
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            report(group, measure(Path(folder), group, options.seconds))


if __name__ == "__main__":
    main(sys.argv[1:])
