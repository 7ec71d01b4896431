"""`runner` with a clock at the doors of the alert's path; what it saw goes to a file at the end.

    BENCH_TRACE=FILE python -m bench.traced run --dir …

Only benchmarks start it: the product is not changed, its methods are wrapped from outside.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

POINTS: tuple[tuple[str, str, Literal["in", "out"], str], ...] = (
    ("waitress.channel", "HTTPChannel.received", "in", "bytes read"),
    ("runner.sources.door", "Door.look", "in", "looked at"),
    ("runner.dispatcher", "Dispatcher.hand_in", "in", "handed in"),
    ("runner.dispatcher", "Dispatcher.turn", "in", "turn"),
    ("runner.core.engine", "Engine.process", "in", "decide"),
    ("runner.core.engine", "Engine.process", "out", "decided"),
    ("runner.dispatcher", "Dispatcher._sign", "in", "sign"),
    ("runner.dispatcher", "Dispatcher._sign", "out", "signed"),
    ("runner.journal.journal", "Journal.commit", "in", "commit"),
    ("runner.journal.journal", "Journal.commit", "out", "committed"),
    ("runner.gateway", "Gateway.submit", "in", "submitted"),
    ("runner.venues.binance_usdm.sockets", "_OneWrite._write", "in", "written"),
)
"""Module, method, at its beginning or its end, name."""

SEEN: list[tuple[int, str]] = []


def _wrap(module: str, path: str, when: str, label: str) -> None:
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    inner: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(inner)
    def before(*args: Any, **kwargs: Any) -> Any:
        SEEN.append((time.monotonic_ns(), label))
        return inner(*args, **kwargs)

    @functools.wraps(inner)
    def after(*args: Any, **kwargs: Any) -> Any:
        found = inner(*args, **kwargs)
        SEEN.append((time.monotonic_ns(), label))
        return found

    setattr(owner, name, before if when == "in" else after)


def main() -> None:
    """Wrap, then be the runner."""
    for point in POINTS:
        _wrap(*point)
    atexit.register(lambda: Path(os.environ["BENCH_TRACE"]).write_text(json.dumps(SEEN)))
    from runner.cli import main as runner

    runner(prog_name="runner")


if __name__ == "__main__":
    main()
