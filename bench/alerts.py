"""From an alert's first byte to the first byte of its orders at the exchange, in turns.

    python -m bench alerts [--seconds 15]

The floor, ours (REST and WebSocket) and the peers take turns in one run: back to back, 2 ms
after the last order came, and each 0.7 s after its own last alert. `--seconds` is how long the
latter takes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.goals import Measured, Sample, sample
from bench.racers import PEERS, Racer, racers
from bench.results import record
from bench.stand import Arrivals, exchange

ROUNDS, EACH = 15, 20
APART = 0.7
GAP = 0.002
SETTLE = 20


def measure(seconds: float = 15, *, peers: bool = True) -> dict[str, Measured]:
    """Every row about single alerts."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with exchange(folder / "exchange") as venue, racers(venue, folder, peers=peers) as all_:
            busy = _in_turns(all_, venue.arrivals)
            own = {name: one for name, one in all_.items() if name not in PEERS}
            spaced = _in_turns(own, venue.arrivals, GAP)
            isolated = _apart(all_, venue.arrivals, seconds)
    kinds = {"back to back": busy, "2 ms apart": spaced, "0.7 s apart": isolated}
    record("alerts", {kind: _figures(one) for kind, one in kinds.items()})
    return {**_rows(busy, ""), **_rows(spaced, "-spaced"), **_rows(isolated, "-isolated")}


def _figures(found: dict[str, Racer]) -> dict[str, dict[str, list[float]]]:
    return {name: {"first": one.first, "last": one.last} for name, one in found.items()}


def _in_turns(all_: dict[str, Racer], arrivals: Arrivals, gap: float = 0) -> dict[str, Racer]:
    """Back to back, or with a gap (s) after each; the first ones only warm up."""
    for racer in all_.values():
        for _ in range(SETTLE):
            racer.run(arrivals)
    found = _blank(all_)
    for _ in range(ROUNDS):
        for racer in found.values():
            time.sleep(0.01)
            for _ in range(EACH):
                time.sleep(gap)
                racer.run(arrivals)
    return found


def _apart(all_: dict[str, Racer], arrivals: Arrivals, seconds: float) -> dict[str, Racer]:
    """Each 0.7 s after its own last one."""
    found = _blank(all_)
    began, turn = time.monotonic(), 0
    order = list(found.values())
    while time.monotonic() - began < seconds:
        at = began + turn * APART / len(order)
        time.sleep(max(at - time.monotonic(), 0))
        order[turn % len(order)].run(arrivals)
        turn += 1
    return found


def _blank(all_: dict[str, Racer]) -> dict[str, Racer]:
    return {name: Racer(name, one.send, one.arrivals) for name, one in all_.items()}


def _rows(found: dict[str, Racer], kind: str) -> dict[str, Measured]:
    name = kind.removeprefix("-") or "busy"
    base = sample(found["floor"].first)
    rows = {name: Measured(sample(found["ours"].first), base)}
    if "ours-ws" in found:
        rows[f"{name}-ws"] = Measured(sample(found["ours-ws"].first), base)
    beside = [found[one] for one in PEERS if one in found]
    for which in ("first", "last") if beside else ():
        samples: dict[str, Sample] = {one.name: sample(getattr(one, which)) for one in beside}
        quickest = min(samples, key=lambda one: samples[one].p50)
        ours = sample(getattr(found["ours"], which))
        rows[f"{which}{kind}"] = Measured(ours, samples[quickest], quickest)
    return rows


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; `--seconds N` for the isolated ones, `--no-peers` leaves them out."""
    words = list(arguments)
    seconds = float(words[words.index("--seconds") + 1]) if "--seconds" in words else 15.0
    return measure(seconds, peers="--no-peers" not in words)
