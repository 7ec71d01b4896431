"""How soon a kill's first cancel is on the wire while alerts and prices come.

    python -m bench killing

Told over a webhook, and by the request that `runner kill` leaves in the runner's folder.
"""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import sending
from bench.crowd import RATE, price_rules
from bench.daemon import Daemon, daemon, folder_of
from bench.goals import Measured, sample
from bench.stand import Arrivals, exchange

KILLS = 30
ALERTS_EVERY = 0.02
SETTINGS = {
    "commands": {
        "panic": {"command": "kill", "secret": "panic"},
        "go-on": {"command": "unlock", "secret": "go_on"},
    },
    "on_kill": "cancel",
}
WITHIN = 20.0


def measure() -> dict[str, Measured]:
    """Both ways."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with exchange(folder / "exchange", 10) as venue:
            where = folder_of(folder / "ours", venue.account(), price_rules(10, 10), SETTINGS)
            for secret in ("panic", "go_on"):
                path = where / "secrets" / secret
                path.touch(mode=0o600)
                path.write_text(f"bench-{secret}-secret")
            with daemon(where) as own:
                time.sleep(2)
                venue.market.rate(RATE)
                over = threading.Event()
                load = threading.Thread(target=_alerts, args=(own, over), daemon=True)
                load.start()
                hook = _kills(own, venue.arrivals, lambda: command(own, "panic", "panic"))
                asked = _kills(own, venue.arrivals, lambda: _request(where))
                over.set()
                load.join()
    return {"kill": Measured(sample(hook)), "kill-request": Measured(sample(asked))}


def _alerts(own: Daemon, over: threading.Event) -> None:
    """Alerts all the time; while it is killed they do not fire."""
    while not over.wait(ALERTS_EVERY):
        sending.send(own.port, own.alert())


def command(own: Daemon, path: str, secret: str) -> int:
    """Give a command over its hook; when its first byte left (monotonic ns)."""
    body: dict[str, Any] = {"secret": f"bench-{secret}-secret", "reason": "bench"}
    link = http.client.HTTPConnection("127.0.0.1", own.port, timeout=30)
    link.connect()
    began = time.monotonic_ns()
    link.request("POST", f"/hook/{path}", json.dumps(body))
    answer = link.getresponse()
    said = answer.read()
    link.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered {answer.status}: {said!r}")
    return began


_numbers = itertools.count()


def _request(folder: Path) -> int:
    """Leave what `runner kill` leaves."""
    from runner.killing import leave_request

    began = time.monotonic_ns()
    told = {"who": "bench", "at": time.time_ns() // 1_000_000}
    leave_request(folder, f"kill-bench-{next(_numbers)}", told)
    return began


def _kills(own: Daemon, arrivals: Arrivals, kill: Callable[[], int]) -> list[float]:
    """Ms from each kill to the first cancel that comes."""
    found = []
    for _ in range(KILLS):
        before = _quiet(arrivals)
        began = kill()
        until = time.monotonic() + WITHIN
        cancels: list[int] = []
        while not cancels and time.monotonic() < until:
            cancels = [one.at for one in arrivals.since(before) if one.kind == "C"]
            time.sleep(0.001)
        if not cancels:
            raise RuntimeError("a kill was lost: no cancel came")
        found.append((cancels[0] - began) / 1e6)
        _quiet(arrivals)
        command(own, "go-on", "go_on")
    return found


def _quiet(arrivals: Arrivals) -> int:
    """Wait until no cancels come any more: a kill repeats them; how much has arrived by then."""
    at = len(arrivals)
    while True:
        time.sleep(0.2)
        now = len(arrivals)
        if not any(one.kind == "C" for one in arrivals.since(at)):
            return now
        at = now


def main(arguments: Sequence[str] = ()) -> dict[str, Measured]:
    """Measure; there is nothing to choose."""
    del arguments
    return measure()
