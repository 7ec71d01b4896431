"""Settles the interpreter once everything is loaded, so that no alert meets a long pause."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH = 0.0005
"""Seconds until a busy thread, such as a stream's reader, lets a waiting one run; Python's is ten
times as long, which an alert would meet at each of its hand-overs."""

THRESHOLDS = (10_000, 20, 50)
"""Of the collector: what an alert makes is freed without it, cycles are rare."""


UNTIL_SETTLED = 200_000
"""Of the collector during a start, which loads a lot and throws little away."""


def hush() -> None:
    """Leave what is loaded by now out of every later collection, and let the next one wait.

    A start would look through all that it has loaded again and again, and find nothing.
    """
    gc.freeze()
    gc.set_threshold(UNTIL_SETTLED, *THRESHOLDS[1:])


@contextmanager
def hushed() -> Iterator[None]:
    """Hush for a start; one that fails gives the collector back as it was."""
    before = gc.get_threshold()
    hush()
    try:
        yield
    except BaseException:
        gc.unfreeze()
        gc.set_threshold(*before)
        raise


def settle() -> None:
    """Leave what is loaded out of every later collection, and make hand-overs prompt."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    sys.setswitchinterval(SWITCH)
