"""Places where a crash test stops the process: named points, off unless the environment asks.

`RUNNER_FAILPOINT=NAME:COUNT` kills the process with SIGKILL when NAME is reached for the
COUNT-th time (1 when left out). Nothing else reads the variable.
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


def _asked() -> tuple[str, int]:
    name, _, count = os.environ.get("RUNNER_FAILPOINT", "").partition(":")
    if name and name not in POINTS:
        raise ValueError(f"no failpoint is called {name}: there are {', '.join(POINTS)}")
    return name, int(count or 1)


_name, _left = _asked()


def hit(name: str) -> None:
    """Reach a point; the process ends here, as by a power cut, if the environment asks for it."""
    if name != _name:
        return
    global _left  # noqa: PLW0603 - one process, one countdown to its end
    with _lock:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
