"""Places where a crash test stops the process: named points, off unless the environment asks.

`RUNNER_FAILPOINT=NAME[:COUNT][@FILE]` kills the process with SIGKILL when NAME is reached for
the COUNT-th time (1 when left out); with FILE only passes count for which that file exists, so
that a test can choose the moment. Nothing else reads the variable.
"""

from __future__ import annotations

import os
import signal
import threading

POINTS = (
    "commit.before",
    "commit.after",
    "send.before",
    "send.after",
    "answer.before",
)
"""Every point, in the order in which an alert passes them."""

_lock = threading.Lock()


def _asked() -> tuple[str, int, str]:
    point, _, file = os.environ.get("RUNNER_FAILPOINT", "").partition("@")
    name, _, count = point.partition(":")
    if name and name not in POINTS:
        raise ValueError(f"no failpoint is called {name}: there are {', '.join(POINTS)}")
    return name, int(count or 1), file


_name, _left, _file = _asked()


def hit(name: str) -> None:
    """Reach a point; the process ends here, as by a power cut, if the environment asks for it."""
    if name != _name or (_file and not os.path.exists(_file)):  # noqa: PTH110 - cheapest
        return
    global _left  # noqa: PLW0603 - one process, one countdown to its end
    with _lock:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
