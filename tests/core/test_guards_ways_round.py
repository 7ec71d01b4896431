"""Ways round a limit that somebody might find: each was open once, none is now."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core.decision import Record
from runner.core.events import AccountUpdate
from runner.core.limits import Limits, Most
from runner.core.loading import Reload
from runner.core.orders import AmendCall, CancelCall, OrderState, Outcome, PlaceCall
from tests.core.factories import Bench, built, dec, position, report, rule, rule_set, view
from tests.core.test_commands import say

GRID = {"side": "buy", "type": "limit", "tag": "grid"}


def bench(*rules: Any) -> Bench:
    """These rules, the mark at 70,000, the account known."""
    run = Bench(rule_set(*rules), view())
    run.hold()
    wallet = dec(10_000)
    run.tell(AccountUpdate(wallet, wallet, run.now, equity=wallet))
    return run


def rest(run: Bench) -> None:
    """All that is planned goes out, and rests on the book."""
    calls = run.calls(PlaceCall)
    run.send(*calls)
    for call in calls:
        assert isinstance(call, PlaceCall)
        for intent in call.intents:
            run.tell(report(intent.client_order_id, attempt=1, order_status="NEW"))


def reason(run: Bench) -> str:
    """Why the newest run stopped; empty when it did not."""
    return list(run.journal.runs.values())[-1].reason


def grid(*prices: int, quantity: str = "0.01") -> Any:
    """Resting orders at these prices."""
    return built("place", [{**GRID, "price": p, "quantity": dec(quantity)} for p in prices])


def test_another_rule_cannot_make_an_order_larger_than_its_own_rule_may() -> None:
    """A change is bound by the limits of both rules."""
    tight = Limits(max_order_notional=dec(1_000))
    larger = built("modify", {"tag": "grid", "quantity": dec("0.1")})
    run = bench(rule("one", grid(69_000), own_limits=tight), rule("two", larger))
    run.fire("one")
    rest(run)
    run.fire("two")
    assert run.calls(AmendCall) == []
    assert "max_order_notional" in reason(run)
    assert "guards of rule one" in reason(run)


def test_several_changes_at_once_are_no_further_orders() -> None:
    """Two open orders are moved where two may be open: each takes its own place."""
    limits = Limits(max_open_orders=2, max_position_notional=dec(1_500))
    moved = built("modify", {"tag": "grid", "price": 68_500})
    run = bench(rule("one", grid(69_000, 68_000), limits=limits), rule("two", moved, limits=limits))
    run.fire("one")
    rest(run)
    run.fire("two")
    assert len(run.calls(AmendCall)) == 2, reason(run)


def test_several_changes_at_once_count_together() -> None:
    """Each alone would fit, both are too much."""
    limits = Limits(max_position_notional=dec(2_000))
    larger = built("modify", {"tag": "grid", "quantity": dec("0.018")})
    run = bench(
        rule("one", grid(69_000, 68_000), limits=limits), rule("two", larger, limits=limits)
    )
    run.fire("one")
    rest(run)
    run.fire("two")
    assert run.calls(AmendCall) == []
    assert "max_position_notional" in reason(run)


def test_a_change_on_its_way_counts_at_the_higher_price() -> None:
    """A sell far above the mark is moved down; until that is known it may fill where it is."""
    limits = Limits(max_position_notional=dec(2_000))
    sell = built("place", [{**GRID, "side": "sell", "price": 90_000, "quantity": dec("0.02")}])
    lower = built("modify", {"tag": "grid", "price": 71_000})
    more = built(
        "place", [{"side": "sell", "type": "limit", "price": 71_000, "quantity": dec("0.005")}]
    )
    run = bench(
        rule("one", sell, limits=limits), rule("two", lower), rule("three", more, limits=limits)
    )
    run.fire("one")
    rest(run)
    run.fire("two")
    run.send(*run.calls(AmendCall))
    run.fire("three")
    assert run.calls(PlaceCall) == []
    assert "max_position_notional: the position would be 2155" in reason(run)


@pytest.mark.parametrize("verb", ["pause", "kill"])
def test_an_entry_that_was_on_its_way_is_not_sent_again_after(verb: str) -> None:
    """It was not accepted: before the switch it would leave once more, now never."""
    run = bench(rule("one", built("place", [{**GRID, "price": 69_000, "quantity": dec("0.01")}])))
    run.fire("one")
    run.send(*run.calls(PlaceCall))
    assert say(run, verb, reason="drill")[0]
    entry = run.journal.named("0.0")
    run.tell(report(entry.client_order_id, Outcome.NOT_ACCEPTED, attempt=1, code=-1008))
    assert run.journal.named("0.0").state is OrderState.LAPSED
    run.pass_time(10_000)
    assert run.calls(PlaceCall) == []


def test_a_protective_order_is_sent_again_after_a_pause() -> None:
    """Exits go on."""
    run = bench(rule("leave", built("close", {"type": "market"})))
    run.hold(position("1"))
    run.fire("leave")
    run.send(*run.calls(PlaceCall))
    assert say(run, "pause")[0]
    close = run.journal.named("0.both")
    run.tell(report(close.client_order_id, Outcome.NOT_ACCEPTED, attempt=1, code=-1008))
    run.pass_time(10_000)
    assert len(run.calls(PlaceCall)) == 1


def test_entries_of_a_rule_that_was_unloaded_go_when_the_account_loses_too_much() -> None:
    """They are the account's, whoever placed them: its limit is past."""
    loss = Limits(max_daily_loss=Most(dec(500)))
    run = bench(rule("one", grid(69_000), limits=loss), rule("two", grid(68_000), limits=loss))
    run.fire("one")
    run.fire("two")
    rest(run)
    left = rule_set(rule("one", grid(69_000), limits=loss))
    run.tell(Reload(left, lambda *_: Record(run.now, "reload", "two is gone")))
    assert say(run, "flatten", symbol="ETHUSDT")[0]
    run.now += 1_000
    wallet = dec(9_400)
    run.tell(AccountUpdate(wallet, wallet, run.now, equity=wallet))
    flatten = [r for r in run.journal.runs.values() if r.identity.rule_id == ":flatten"]
    assert [r.reason for r in flatten] == [""], "a person's command goes on"
    cancels = [call.intent for call in run.calls(CancelCall) if isinstance(call, CancelCall)]
    targets = {cancel.target for cancel in cancels}
    assert targets == {
        leg.client_order_id for leg in run.journal.legs.values() if leg.name == "0.0"
    }
