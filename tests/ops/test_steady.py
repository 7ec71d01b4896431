"""The interpreter's settings of a runner that is ready."""

from __future__ import annotations

import gc
import sys

import pytest

from runner.ops.steady import SWITCH, THRESHOLDS, UNTIL_SETTLED, hush, hushed, settle


def test_what_is_loaded_is_left_out_and_hand_overs_are_prompt() -> None:
    """Both are of the whole process: the test gives them back."""
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    try:
        settle()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == THRESHOLDS
        assert abs(sys.getswitchinterval() - SWITCH) < SWITCH / 10
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
        sys.setswitchinterval(interval)


def test_a_start_is_not_held_up_by_the_collector() -> None:
    """What is loaded is not looked at again, and only much garbage is; the test gives both back."""
    before = gc.get_threshold()
    try:
        hush()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == UNTIL_SETTLED
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def refused() -> None:
    with hushed():
        assert gc.get_threshold()[0] == UNTIL_SETTLED
        raise SystemExit(78)


def test_a_start_that_fails_gives_the_collector_back() -> None:
    """Whoever called it in a process of their own goes on as before."""
    before = gc.get_threshold()
    with pytest.raises(SystemExit):
        refused()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
