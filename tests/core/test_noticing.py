"""What a person reads on a lock screen of what happened."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import Decision, FillRow, Leg, LegChange, Record, Run, RunStatus
from runner.core.events import Fill
from runner.core.notice import CRITICAL, KINDS, Notice
from runner.core.noticing import MOST_TITLE, Noticing, money
from runner.core.orders import (
    CancelIntent,
    Family,
    Identity,
    OrderIntent,
    OrderState,
    OrderType,
    Side,
)

NOW = 1_700_000_000_000
RUN = "abcdefghij"
ORDER = OrderIntent("r1-main-1", "BTCUSDT", Side.BUY, OrderType.MARKET, Decimal("0.020"))
LEG = Leg(ORDER, RUN, "0.entry", OrderState.LIVE, NOW)
FILLED = replace(
    LEG,
    state=OrderState.FILLED,
    cumulative_quantity=Decimal("0.020"),
    average_price=Decimal("70117.00"),
)


def told(*decisions: Decision) -> list[Notice]:
    """The notices of these decisions, one after the other."""
    noticing = Noticing({RUN: "btc-breakout"}.__getitem__, "account main (live)")
    return [each for decision in decisions for each in noticing.notices([decision], NOW)]


def change(before: Leg | None, after: Leg) -> Decision:
    """A decision with one change of a leg."""
    return Decision(legs={after.client_order_id: LegChange(before, after)})


def fill(pnl: str, size: str = "0.01") -> FillRow:
    """A fill of the order with its fee."""
    trade = Fill("1", Decimal(70117), Decimal(size), Decimal("0.35"), "USDT", Decimal(pnl), NOW)
    return FillRow("r1-main-1", "BTCUSDT", trade)


def test_an_entry_that_is_filled() -> None:
    """Symbol, side, size, price and rule in the first line; fee, run and account below."""
    fills = replace_fills(change(LEG, FILLED), fill("0"), fill("0"))
    (notice,) = told(fills)
    assert notice.kind == "opened"
    assert notice.title == "BTCUSDT long 0.02 opened @ 70,117 (btc-breakout)"
    assert notice.body == f"fee 0.7 USDT\nentry, run {RUN}\naccount main (live)"
    assert not notice.critical


def replace_fills(decision: Decision, *fills: FillRow) -> Decision:
    """The decision with these fills."""
    decision.fills.extend(fills)
    return decision


@pytest.mark.parametrize(
    ("intent", "title"),
    [
        ({"side": Side.SELL, "reduce_only": True}, "BTCUSDT long 0.02 closed"),
        ({"side": Side.BUY, "close_position": True}, "BTCUSDT short 0.02 closed"),
        ({"side": Side.SELL}, "BTCUSDT short 0.02 opened"),
        ({"side": Side.SELL, "position_side": "LONG"}, "BTCUSDT long 0.02 closed"),
        ({"side": Side.SELL, "position_side": "SHORT"}, "BTCUSDT short 0.02 opened"),
    ],
)
def test_the_side_is_that_of_the_position(intent: dict[str, Any], title: str) -> None:
    """What a sell closes was long, in both position modes."""
    after = replace(FILLED, intent=replace(ORDER, **intent))
    (notice,) = told(change(LEG, after))
    assert notice.title.startswith(title)


def test_what_is_won_is_told_also_over_several_fills() -> None:
    """Fills of earlier decisions are added up; a sell that realises something closed a long."""
    sell = replace(LEG, intent=replace(ORDER, side=Side.SELL))
    part = replace(sell, cumulative_quantity=Decimal("0.01"), average_price=Decimal(70000))
    whole = replace(FILLED, intent=sell.intent)
    first, second = told(
        replace_fills(change(sell, part), fill("1200.5")),
        replace_fills(change(part, whole), fill("34.1")),
    )
    assert first.kind == "partly_filled"
    assert first.title == "BTCUSDT long 0.01 closed, partly @ 70,000 +1,200.50 USDT (btc-breakout)"
    assert second.kind == "closed"
    assert second.title == "BTCUSDT long 0.02 closed @ 70,117 +1,234.60 USDT (btc-breakout)"


def test_a_cancelled_rest_tells_what_was_filled() -> None:
    """Part of it filled, then cancelled: both are told."""
    part = replace(LEG, cumulative_quantity=Decimal("0.01"))
    first, second = told(change(part, replace(part, state=OrderState.CANCELED)))
    assert (first.kind, second.kind) == ("opened", "cancelled")
    assert first.title == "BTCUSDT long 0.01 opened, partly (btc-breakout)"
    assert second.title == "BTCUSDT entry cancelled (btc-breakout)"


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (OrderState.REJECTED, "rejected", "refused by the exchange: no margin"),
        (OrderState.LAPSED, "rejected", "not sent: no margin"),
        (OrderState.UNKNOWN, "unknown", "unclear"),
        (OrderState.EXPIRED, "cancelled", "expired: no margin"),
    ],
)
def test_ends_without_a_fill(state: OrderState, kind: str, words: str) -> None:
    """Each with the exchange's own words."""
    (notice,) = told(change(LEG, replace(LEG, state=state, message="no margin")))
    assert notice.kind == kind
    assert words in notice.title


def test_what_did_not_change_and_what_is_no_order_is_not_told() -> None:
    """A planned order, the same state again, a cancel."""
    planned = replace(LEG, state=OrderState.PLANNED)
    cancel = replace(LEG, intent=CancelIntent("r1-main-2", "BTCUSDT", Family.ORDER))
    assert told(change(None, planned), change(LEG, LEG), change(None, cancel)) == []


@pytest.mark.parametrize(
    ("record", "kind", "title"),
    [
        (Record(NOW, "notify", "CRITICAL KILLED by anna", reason="critical"), CRITICAL, "KILLED"),
        (Record(NOW, "notify", "dip at 7", rule_id="dip"), "rule", "dip at 7"),
        (Record(NOW, "notify", "a b", rule_id="dip"), "rule", "a b (dip)"),
        (Record(NOW, "refused", "x", "dip", "ETHUSDT", reason="if"), "refused", "dip ETHUSDT did"),
        (Record(NOW, "refused", "x", "dip", "ETHUSDT", reason="guard"), "guard", "dip ETHUSDT did"),
        (Record(NOW, "fired", "crossed", "dip", "ETHUSDT"), "fired", "dip ETHUSDT fired: crossed"),
        (Record(NOW, "reload", "2 changed"), "reloaded", "2 changed"),
        (Record(NOW, "reload", "not reloaded: x", reason="error"), "reload_refused", "not"),
        (Record(NOW, "error", "boom\ntrace"), "error", "boom"),
        (Record(NOW, "command", "paused", data={"verb": "pause"}), "command", "paused"),
        (
            Record(NOW, "dead_man", "countdown set", symbol="BTCUSDT"),
            "dead_man",
            "BTCUSDT countdown set",
        ),
        (Record(NOW, "started", "runner 1"), "started", "runner 1"),
        (Record(NOW, "stopped", "stopped"), "stopped", "stopped"),
    ],
)
def test_lines_of_the_journal(record: Record, kind: str, title: str) -> None:
    """Each in its kind; what is critical says so by its kind, not in capitals."""
    (notice,) = told(Decision([record]))
    assert notice.kind == kind
    assert notice.title.startswith(title)
    assert notice.body.endswith("account main (live)")
    assert "\n" not in notice.title


def test_countdowns_that_are_late_together_are_one_notice() -> None:
    """With the first symbols and how many more; what is said of one alone stays alone."""
    late = [
        Record(NOW, "dead_man", f"the countdown of {symbol} is late: no refresh", symbol=symbol)
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT")
    ]
    over = Record(NOW, "dead_man", "the countdown of BTCUSDT is expired: at 8", symbol="BTCUSDT")
    first, second = told(Decision([*late, over]))
    assert first.title == (
        "the countdown of BTCUSDT, ETHUSDT, SOLUSDT and 2 more is late: no refresh"
    )
    assert second.title == over.text


@pytest.mark.parametrize(
    "record",
    [
        Record(NOW, "error", "a question failed", data={"link": "rest"}),
        Record(NOW, "command", "looked", data={"verb": "look"}),
        Record(NOW, "stream", "user broke off"),
        Record(NOW, "armed", "armed"),
    ],
)
def test_lines_that_nobody_needs_to_hear(record: Record) -> None:
    """Told otherwise, or of no interest away from the screen."""
    assert told(Decision([record])) == []


@pytest.mark.parametrize(
    ("reason", "kinds"),
    [
        ("guard: too large", ["guard"]),
        ("not possible: no position", ["rejected"]),
        ("rejected: -2019", []),
    ],
)
def test_a_run_that_stopped_tells_why(reason: str, kinds: list[str]) -> None:
    """Unless its order tells already."""
    identity = Identity("main", "main", "dip", "0", "ETHUSDT", "k")
    run = Run(RUN, identity, "h", {}, NOW, RunStatus.STOPPED, reason=reason)
    assert [each.kind for each in told(Decision(runs={RUN: run}))] == kinds
    going = replace(run, status=RunStatus.RUNNING)
    assert told(Decision(runs={RUN: going})) == []


@pytest.mark.parametrize(
    ("decision", "page"),
    [
        (change(LEG, FILLED), f"/runs/{RUN}"),
        (change(LEG, replace(LEG, state=OrderState.PARKED)), None),
        (change(LEG, replace(LEG, state=OrderState.CANCELED)), f"/runs/{RUN}"),
        (
            Decision([Record(NOW, "fired", "70117 > 70000", "btc-breakout", "BTCUSDT", RUN)]),
            f"/runs/{RUN}",
        ),
        (
            Decision([Record(NOW, "refused", "no", "btc-breakout", "BTCUSDT", reason="cooldown")]),
            "/rules/btc-breakout",
        ),
        (Decision([Record(NOW, "started", "runner 1")]), "/"),
    ],
)
def test_a_notice_ends_with_the_page_that_tells_more(decision: Decision, page: str | None) -> None:
    """The run's, else the rule's, else the overview; only where people can reach the dashboard."""
    link = "https://runner.example.com"
    linked = Noticing(lambda _: "btc-breakout", "account main (live)", link)
    found = [notice.body.splitlines()[-1] for notice in linked.notices([decision], NOW)]
    assert found == ([] if page is None else [f"{link}{page}"])
    plain = Noticing(lambda _: "btc-breakout", "account main (live)")
    assert all(n.body.endswith("account main (live)") for n in plain.notices([decision], NOW))


def test_a_long_first_line_is_cut_and_told_whole_below() -> None:
    """A lock screen shows little; nothing is lost."""
    (notice,) = told(Decision([Record(NOW, "error", "x" * 500)]))
    assert len(notice.title) == MOST_TITLE
    assert "x" * 500 in notice.body


def test_every_kind_that_is_made_is_a_kind_of_the_settings() -> None:
    """The list is closed."""
    assert {"opened", "closed", "partly_filled", "rejected", "cancelled", "unknown"} <= set(KINDS)
    assert money(Decimal(0)) == "0"
