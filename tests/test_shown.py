"""The daemon's log: one line a firing, once its actions are done, and what else matters."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal

import pytest

from runner.core.decision import Decision, Leg, LegChange, Record, Run, RunStatus
from runner.core.orders import Identity, OrderIntent, OrderState, OrderType, Side
from runner.shown import Shown

NOW = 1_700_000_000_000
RUN = Run("abcdefghij", Identity("main", "main", "dip", "0", "ETHUSDT", "k"), "h", {}, NOW)
ORDER = OrderIntent("r1-main-1", "ETHUSDT", Side.BUY, OrderType.MARKET, Decimal(1))
LEG = Leg(ORDER, RUN.run_id, "0.0", OrderState.PLANNED, NOW)


def lines(caplog: pytest.LogCaptureFixture, *decisions: Decision) -> list[logging.LogRecord]:
    """What is logged at level info and above."""
    caplog.set_level(logging.INFO, "runner")
    shown = Shown(lambda: NOW + 400)
    for decision in decisions:
        shown([decision])
    return caplog.records


def leg(before: Leg | None, after: Leg) -> dict[str, LegChange]:
    """One change."""
    return {after.client_order_id: LegChange(before, after)}


def test_a_firing_is_one_line_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """With its orders, its duration, and no line for each step on the way."""
    filled = replace(LEG, state=OrderState.FILLED)
    (line,) = lines(
        caplog,
        Decision(
            [Record(NOW, "fired", "crossed"), Record(NOW, "planned", "order 1")],
            new_runs=[RUN],
            legs=leg(None, LEG),
        ),
        Decision([Record(NOW, "fill", "1 filled")], legs=leg(LEG, filled)),
        Decision([Record(NOW, "run", "done")], runs={RUN.run_id: done(RunStatus.DONE)}),
    )
    told = vars(line)
    assert (line.name, line.getMessage(), line.levelname) == ("runner.firing", "firing", "INFO")
    assert (told["rule_id"], told["symbol"], told["run_id"]) == ("dip", "ETHUSDT", RUN.run_id)
    assert (told["status"], told["duration"]) == ("done", 400)
    assert (told["orders"], told["filled"], told["refused"]) == (1, 1, 0)


def done(status: RunStatus, reason: str = "") -> Run:
    """The run when it is over."""
    return replace(RUN, status=status, reason=reason)


def test_one_that_stopped_is_a_warning_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Also one that was over before its commit."""
    (line,) = lines(caplog, Decision(new_runs=[done(RunStatus.STOPPED, "guard: too large")]))
    assert line.levelname == "WARNING"
    assert vars(line)["reason"] == "guard: too large"


@pytest.mark.parametrize(
    ("record", "level"),
    [
        (Record(NOW, "error", "boom"), "ERROR"),
        (Record(NOW, "notify", "CRITICAL look", reason="critical"), "ERROR"),
        (Record(NOW, "notify", "bought"), "INFO"),
        (Record(NOW, "stream", "user broke off"), "INFO"),
    ],
)
def test_what_matters_beside_firings(
    record: Record, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of its own, at a level of its own."""
    (line,) = lines(caplog, Decision([record]))
    assert (line.name, line.levelname) == ("runner.shown", level)


def test_who_only_looks_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """An open dashboard asks again and again; other commands are told."""
    looks = [
        Record(NOW, "command", "looked at it", data={"verb": verb}) for verb in ("look", "account")
    ]
    paused = Record(NOW, "command", "paused by ann", data={"verb": "pause"})
    told = [line for line in lines(caplog, Decision([*looks, paused])) if line.levelname != "DEBUG"]
    assert [line.getMessage() for line in told] == ["command: paused by ann"]
