"""What a runner takes when nothing happens, and how soon it is ready.

    python -m bench idle [--rows 100000]

100 rules of which 50 wait for prices; its memory after some seconds, then a start on a journal of
so many rows, from the command until it prints READY, on the exchange of this machine. The first
start reads the rule files, the others find them unchanged.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import recovery
from bench.daemon import RULE, daemon, folder_of, resident
from bench.goals import Measured, Sample
from bench.stand import exchange

ROWS = 100_000
STARTS = 5
SETTLE = 8.0
NAMESPACE = {"namespace": "bench"}
"""Of the journal that bench/recovery.py writes."""

PRICE = """\
  - id: price-{n}
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: {level}, source: last}}}}]
    do: [{{place: {{side: buy, type: limit, price: 69000, quantity: 0.01}}}}]
"""
ORDER = "          - {side: buy, type: limit, price: 69000, quantity: 0.01, time_in_force: ioc}"


def hundred() -> str:
    """A file of 100 rules."""
    hooks = (RULE.format(n=n, orders=ORDER) for n in range(50))
    prices = (PRICE.format(n=n, level=72_000 + 10 * n) for n in range(50))
    return "version: 1\nrules:\n" + "".join([*hooks, *prices])


def measure(rows: int = ROWS) -> dict[str, Measured]:
    """Memory and start."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with exchange(folder / "exchange") as venue:
            small = folder_of(folder / "small", venue.account(), hundred())
            with daemon(small) as own:
                own.send()
                time.sleep(SETTLE)
                memory = resident(own.pid)
            large = folder_of(folder / "large", venue.account(), hundred(), NAMESPACE)
            recovery.write(large / "journal.db", rows, still_open=0)
            starts = []
            for _ in range(STARTS):
                with daemon(large) as own:
                    starts.append(own.ready_after)
    return {
        "memory": Measured(Sample(memory)),
        "start": Measured(
            Sample(statistics.median(starts), max(starts)), None, "p99: slowest, reads the rules"
        ),
    }


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; `--rows N` of journal."""
    words = list(arguments)
    return measure(int(words[words.index("--rows") + 1]) if "--rows" in words else ROWS)
