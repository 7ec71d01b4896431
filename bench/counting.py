"""What stands between an alert and its first order, counted by strace: exchange calls, fsyncs.

    python -m bench counting

Also how many fsyncs a burst of 200 alerts takes, with those of their outcomes and of checkpoints.
"""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import sending
from bench.daemon import daemon, folder_of, rules
from bench.goals import Measured, Sample
from bench.stand import exchange

ALERTS = 10
BURST = 200
NO_STRACE = "fsyncs are counted by strace, and there is none: sudo apt-get install -y strace"
LINE = re.compile(r"^\d+\s+(\d+\.\d+) (\w+)\((.*)$")
CALL = re.compile(r'"(GET|POST|PUT|DELETE) /[^ ]* HTTP|"(POST) /fapi/v1/batchOrders')


def measure() -> dict[str, Measured]:
    """The rows that are counted."""
    if shutil.which("strace") is None:
        raise SystemExit(NO_STRACE)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        trace = folder / "trace"
        prefix: tuple[str, ...] = ("strace", "-f", "-qq", "-ttt", "-s", "60", "-o", str(trace))
        prefix += ("-e", "trace=fsync,fdatasync,sendto")
        spans = []
        with exchange(folder / "exchange") as venue:
            where = folder_of(folder / "ours", venue.account(), rules())
            with daemon(where, prefix) as own:
                for _ in range(ALERTS):
                    time.sleep(0.3)
                    before, began = len(venue.arrivals), time.time()
                    own.send()
                    venue.arrivals.wait(before + 1)
                    spans.append((began, time.time()))
                time.sleep(0.5)
                before, began = len(venue.arrivals), time.time()
                requests = [own.alert() for _ in range(BURST)]
                answers = sending.many(own.port, iter(requests), BURST)
                venue.arrivals.wait(before + BURST)
                ended = time.time()
        if not all(one.fired for one in answers) or len(answers) != BURST:
            raise RuntimeError("an alert of the burst did not fire")
        calls = list(_calls(trace))
    return _rows(calls, spans, (began, ended))


def _calls(trace: Path) -> list[tuple[float, str, str]]:
    """Time, system call, arguments."""
    found = (LINE.match(line) for line in trace.read_text("utf-8", "replace").splitlines())
    return [(float(one[1]), one[2], one[3]) for one in found if one]


def _rows(
    calls: list[tuple[float, str, str]],
    spans: list[tuple[float, float]],
    burst: tuple[float, float],
) -> dict[str, Measured]:
    asked: list[int] = []
    synced: list[int] = []
    for began, ended in spans:
        before = []
        for at, name, words in calls:
            if began <= at <= ended:
                if name == "sendto" and "batchOrders" in words:
                    break
                before.append((name, words))
        asked.append(sum(name == "sendto" and bool(CALL.search(w)) for name, w in before))
        synced.append(sum("sync" in name for name, _ in before))
    syncs = sum("sync" in name for at, name, _ in calls if burst[0] <= at <= burst[1])
    return {
        # the median: now and then a question that is asked every minute falls in between
        "calls-before": Measured(Sample(statistics.median(asked))),
        "syncs-before": Measured(Sample(statistics.median(synced))),
        "burst-syncs": Measured(Sample(syncs / BURST), None, f"{syncs} for {BURST} alerts"),
    }


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; there is nothing to choose."""
    del arguments
    return measure()
