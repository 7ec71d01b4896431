"""Many alerts: 200 at once, and as many as are taken in a few seconds, beside the floor.

    python -m bench throughput

Nothing may be lost: each alert is answered `fired`, or with the reason why not, and each that fired
has its five orders, each once; otherwise the run fails. Once more with the exchange's limits on
orders as they are: then most orders wait, and each alert must stand in the journal all the same.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import sending
from bench.daemon import Daemon, daemon, folder_of, rules
from bench.goals import Measured, Sample
from bench.racers import floor
from bench.stand import Arrivals, exchange

AT_ONCE = 200
BURSTS = 5
SENDERS = 32
SECONDS = 4.0
QUIET_WITHIN = 60.0


def measure() -> dict[str, Measured]:
    """The rows about many alerts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with exchange(folder / "exchange") as venue:
            with floor(venue, folder / "floor") as port:
                base = [_burst(port, _plain())[0] for _ in range(BURSTS)]
                base_rate = _sustained(port, _plain())[0]
            with daemon(folder_of(folder / "ours", venue.account(), rules())) as own:
                for _ in range(40):
                    own.send()
                _settled(venue.arrivals)
                bursts = [_own_burst(own, venue.arrivals) for _ in range(BURSTS)]
                rate, outcomes = _own_sustained(own, venue.arrivals)
        bound, told = _limited(folder)
    lost = sum(missing for _, missing in bursts)
    return {
        "burst": Measured(
            Sample(statistics.median(took for took, _ in bursts), max(took for took, _ in bursts)),
            Sample(statistics.median(base), max(base)),
            "p99: the slowest",
        ),
        "burst-lost": Measured(Sample(lost)),
        "sustained": Measured(Sample(rate), Sample(base_rate), outcomes),
        "sustained-limits": Measured(Sample(bound), Sample(base_rate), told),
    }


def _plain() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield sending.request(f"/hook/a{number % 20}", {"n": number})


def _first(count: int, requests: Iterator[bytes]) -> Iterator[bytes]:
    for _ in range(count):
        yield next(requests)


def _burst(port: int, requests: Iterator[bytes]) -> tuple[float, list[sending.Sent]]:
    """Ms from the first byte to the last answer of 200 alerts, and the answers."""
    ready = list(_first(AT_ONCE, requests))
    answers = sending.many(port, iter(ready), AT_ONCE)
    began, ended = min(one.began for one in answers), max(one.answered for one in answers)
    return (ended - began) / 1e6, answers


def _own_burst(own: Daemon, arrivals: Arrivals) -> tuple[float, int]:
    """Ms until the last answer; alerts that did not fire or have no orders, once all is quiet."""
    before = len(arrivals)
    took, answers = _burst(own.port, iter(own.alert, None))
    fired = sum(one.fired for one in answers)
    _settled(arrivals, before + fired)
    names = Counter(one.name for one in arrivals.since(before))
    if len(names) != len(arrivals) - before:
        raise RuntimeError(f"orders were sent twice: {names.most_common(3)}")
    return took, AT_ONCE - min(fired, len(names))


def _sustained(port: int, requests: Iterator[bytes]) -> tuple[float, list[sending.Sent]]:
    """Answers a second, and the answers."""
    until = time.monotonic() + SECONDS

    def in_time() -> Iterator[bytes]:
        while time.monotonic() < until:
            yield next(requests)

    began = time.monotonic()
    answers = sending.many(port, in_time(), SENDERS)
    return len(answers) / (time.monotonic() - began), answers


def _own_sustained(own: Daemon, arrivals: Arrivals) -> tuple[float, str]:
    """Alerts a second that were answered 200, and what the answers said."""
    before = len(arrivals)
    rate, said = _own_rate(own)
    _settled(arrivals, before + said["fired"])
    if len(arrivals) - before != said["fired"]:
        raise RuntimeError(f"{said['fired']} alerts fired, {len(arrivals) - before} batches came")
    return rate, _shares(said)


def _limited(folder: Path) -> tuple[float, str]:
    """The same where orders wait for the exchange's limits: every alert is in the journal."""
    with (
        exchange(folder / "limited", limits=True) as venue,
        daemon(folder_of(folder / "bound", venue.account(), rules())) as own,
    ):
        rate, said = _own_rate(own)
    with sqlite3.connect(folder / "bound" / "journal.db") as journal:
        (kept,) = journal.execute("select count(*) from alerts").fetchone()
    if kept != said.total():
        raise RuntimeError(f"{said.total()} alerts were answered 200, {kept} are in the journal")
    return rate, _shares(said)


def _own_rate(own: Daemon) -> tuple[float, Counter[str]]:
    """Alerts a second that were answered 200, and how many with which outcome."""
    sent_before = own.sent
    rate, answers = _sustained(own.port, iter(own.alert, None))
    if len(answers) != own.sent - sent_before:
        raise RuntimeError(f"{own.sent - sent_before - len(answers)} alerts were not answered")
    taken = [json.loads(one.body) for one in answers if one.status == 200]
    return rate * len(taken) / len(answers), Counter(map(_outcome, taken))


def _outcome(answer: dict[str, Any]) -> str:
    """What an answer says; raises RuntimeError where a reason is missing."""
    outcome = str(answer["outcome"])
    if outcome != "fired" and not all(rule["reason"] for rule in answer["rules"]):
        raise RuntimeError(f"an alert did not fire, and nobody says why: {answer}")
    return outcome


def _shares(said: Counter[str]) -> str:
    return ", ".join(f"{share / said.total():.0%} {word}" for word, share in said.most_common())


def _settled(arrivals: Arrivals, number: int = 0) -> None:
    """Until so many requests came and no more come."""
    until = time.monotonic() + QUIET_WITHIN
    while time.monotonic() < until:
        seen = len(arrivals)
        time.sleep(0.3)
        if len(arrivals) == seen >= number:
            return
    if len(arrivals) < number:
        raise RuntimeError(f"{number - len(arrivals)} batches did not come")


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; there is nothing to choose."""
    del arguments
    return measure()
