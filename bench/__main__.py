"""`make bench`: every row of the goals; `make bench ARGS='alerts --seconds 30'` some of them."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO

from bench import (
    alerts,
    counting,
    crowd,
    formula,
    growth,
    idle,
    journal,
    killing,
    profile,
    recovery,
    replaying,
    scale,
    soak,
    throughput,
    ticks,
)
from bench.goals import Measured
from bench.plotting import plots
from bench.results import RESULTS, record
from bench.table import circumstances, lines

Measure = Callable[[Sequence[str]], dict[str, Measured]]

GOALS: dict[str, Measure] = {
    "alerts": alerts.main,
    "throughput": throughput.main,
    "counting": counting.main,
    "ticks": ticks.main,
    "crowd": crowd.main,
    "idle": idle.main,
    "killing": killing.main,
    "replaying": replaying.main,
}
"""What measures rows of the table of goals, in this order."""

OTHERS: dict[str, Callable[[list[str]], int | None]] = {
    "formula": lambda _: formula.main(),
    "journal": journal.main,
    "recovery": recovery.main,
    "growth": growth.main,
    "profile": profile.main,
    "scale": scale.main,
    "soak": soak.main,
}
"""What prints tables of its own; only when it is named."""

WHOLE = {"alerts": ["--seconds", "30"]}
"""What is asked of a part when all are measured."""

ALONE = frozenset({"growth", "profile", "scale"})


def main(words: list[str]) -> int:
    """Measure what is named, all goals when nothing is; 2 for a name that does not exist."""
    name, options = (words[0], words[1:]) if words else ("", [])
    turn = _turn() if name in GOALS or name in ALONE or not name else None
    if name in ALONE:
        _first()
    if name in OTHERS:
        return OTHERS[name](options) or 0
    if name and name not in GOALS:
        print(f"no benchmark is called {name}: there are {', '.join([*GOALS, *OTHERS])}")
        return 2
    when = circumstances()
    print(when)
    found: dict[str, Measured] = {}
    wrong: list[str] = []
    _first()
    for one in [name] if name else GOALS:
        began = time.monotonic()
        try:
            found |= GOALS[one](options if name else WHOLE.get(one, []))
        except RuntimeError as error:
            print(f"{one} went wrong: {error}")
            wrong.append(one)
        print(f"{one}: {time.monotonic() - began:.0f} s", flush=True)
    shown = "\n".join(lines(found))
    print(shown)
    record(f"rows-{name}" if name else "goals", {key: asdict(one) for key, one in found.items()})
    if not name:
        (RESULTS / "table.md").write_text(f"{when}\n\n{shown}\n")
    for path in plots():
        print(f"plot: {path}")
    if "burst-lost" in found and found["burst-lost"].ours.p50:
        wrong.append("throughput: alerts were lost")
    if wrong:
        print(f"WRONG: {', '.join(wrong)}")
    if turn is not None:
        turn.close()
    return 1 if wrong else 0


def _turn() -> IO[str]:
    """Wait until no other bench measures: two at once would measure each other."""
    RESULTS.mkdir(exist_ok=True)
    held = (RESULTS / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("another bench measures: waiting for its end", flush=True)
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _first() -> None:
    """Go before the work of others, where the machine lets us: all that is measured does."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        print("not before the work of others, which only root may be: it disturbs more")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
