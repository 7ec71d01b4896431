"""Settles the interpreter once everything is loaded, so that no alert meets a long pause."""

from __future__ import annotations

import gc
import sys

SWITCH = 0.0005
"""Seconds until a busy thread, such as a stream's reader, lets a waiting one run; Python's is ten
times as long, which an alert would meet at each of its hand-overs."""

THRESHOLDS = (10_000, 20, 50)
"""Of the collector: what an alert makes is freed without it, cycles are rare."""


def settle() -> None:
    """Leave what is loaded out of every later collection, and make hand-overs prompt."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    sys.setswitchinterval(SWITCH)
