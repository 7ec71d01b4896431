"""Where the time of one alert goes, part by part, from its first byte to the wire.

    python -m bench profile

The daemon runs with a clock at its doors (bench/traced.py). Means of the alerts in the middle, so
that the parts add up to the whole.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.daemon import daemon, folder_of, rules
from bench.stand import exchange
from bench.table import circumstances, grid
from bench.traced import POINTS

BUSY, ISOLATED = 300, 30
APART = 0.7
WARM = 10
MIDDLE = (0.1, 0.9)
"""Which shares of the alerts count, by their whole time."""

SAID = {
    "bytes read": "the sender's write, the kernel, waking the hook server's thread",
    "looked at": "parsing HTTP",
    "handed in": "body, secret, alert; into the inbox",
    "turn": "waking the dispatcher",
    "decide": "beginning the turn",
    "decided": "deciding: match, conditions, plan of five orders",
    "sign": "chores: schedules, what else is due",
    "signed": "building and signing the batch",
    "commit": "gathering decisions and notices",
    "committed": "rows, SQL, one fdatasync; meanwhile a lane makes the HTTP request ready",
    "submitted": "to the gateway",
    "written": "opening the gate that the request waits at",
    "wire": "the write, the kernel, the exchange's first read",
}
Walk = list[tuple[int, str]]


def measure() -> dict[str, list[dict[str, float]]]:
    """The parts (µs) of each alert, back to back and 0.7 s apart."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        trace = folder / "trace.json"
        os.environ["BENCH_TRACE"] = str(trace)
        with exchange(folder / "exchange") as venue:
            where = folder_of(folder / "ours", venue.account(), rules())
            spans: dict[str, list[tuple[int, int]]] = {"back to back": [], "0.7 s apart": []}
            with daemon(where, module="bench.traced") as own:
                for kind, count, gap in (
                    ("back to back", BUSY, 0),
                    ("0.7 s apart", ISOLATED, APART),
                ):
                    for number in range(count + 20 * (gap == 0)):
                        time.sleep(gap)
                        before = len(venue.arrivals)
                        sent = own.send()
                        venue.arrivals.wait(before + 1)
                        if number >= WARM:
                            spans[kind].append((sent.began, venue.arrivals[before].at))
        seen: Walk = [(at, label) for at, label in json.loads(trace.read_text())]
    seen.sort()
    return {kind: [_parts(seen, *span) for span in each] for kind, each in spans.items()}


def _parts(seen: Walk, began: int, ended: int) -> dict[str, float]:
    """µs until each point from the one before, in the order of the path.

    Up to the inbox forwards from the alert's first byte, from the wire backwards to the turn that
    carried it: turns about what came before are no part of its way.
    """
    way = [(at, label) for at, label in seen if began <= at <= ended]
    found: dict[str, int] = {}
    for at, label in way:
        if label in COMING:
            found.setdefault(label, at)
    last = ended
    for label in reversed(GOING):
        last = max((at for at, one in way if one == label and at <= last), default=last)
        found[label] = last
    decided = [at for at, label in way if label == "decide" and at >= found["turn"]]
    found["decide"] = min(decided, default=found["decided"])
    found["wire"] = ended
    parts, last = {}, began
    for label in SAID:
        at = max(found.get(label, last), last)
        parts[label] = (at - last) / 1_000
        last = at
    return parts


ORDER = [label for _, _, _, label in POINTS]
COMING, GOING = ORDER[: ORDER.index("turn")], ORDER[ORDER.index("turn") :]


def _middle(alerts: list[dict[str, float]]) -> list[dict[str, float]]:
    ordered = sorted(alerts, key=lambda parts: sum(parts.values()))
    return ordered[int(len(ordered) * MIDDLE[0]) : max(int(len(ordered) * MIDDLE[1]), 1)]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table; `--write` puts it into bench/profile.md."""
    found = {kind: _middle(alerts) for kind, alerts in measure().items()}
    rows = [("part", *(f"{kind}, µs" for kind in found), "what happens")]
    sums = dict.fromkeys(found, 0.0)
    for label, text in SAID.items():
        means = {kind: statistics.mean(one[label] for one in each) for kind, each in found.items()}
        for kind, mean in means.items():
            sums[kind] += mean
        rows.append((f"→ {label}", *(f"{mean:,.0f}" for mean in means.values()), text))
    rows.append(("**whole**", *(f"**{total:,.0f}**" for total in sums.values()), "the sum"))
    table = "\n".join(grid(rows))
    print(table)
    if "--write" in arguments:
        head = (__doc__ or "").splitlines()[0].rstrip(".")
        how = f"`make bench ARGS='profile --write'`, {circumstances()}"
        text = (
            f"# {head}\n\n{how}\n\n{table}\n\n"
            "Means of the alerts between the 10th and the 90th hundredth, so that the parts add "
            "up; the clocks at the doors take some µs themselves. A part is named after the point "
            "it ends at.\n"
        )
        (Path(__file__).parent / "profile.md").write_text(text)
