"""The view: what was last reported, and the names under which formulas see it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from runner.core.decision import RuleMemory
from runner.core.events import AccountUpdate, Positions, PositionUpdate
from runner.core.formula import BOOLEAN, NUMBER, EvaluationError, Kind, compile_formula
from runner.core.prices import PriceBoard
from runner.core.view import DAY, Exposure, Names, Opening, View, fires_on, scope
from tests.core.trigger_factories import STALE_AFTER, START, SYMBOL, position

D = Decimal
SOURCES = ("mark", "last", "bid", "ask", "index", "funding")


def view(*positions: PositionUpdate) -> View:
    """A view in which every source of the symbol has a price and the positions are known."""
    one = View(PriceBoard(STALE_AFTER))
    for number, source in enumerate(SOURCES):
        one.board.offer(SYMBOL, source, D(100 + number), START, START)
    one.apply_positions(Positions(positions, START))
    return one


def names(one: View, now: int = START, **changes: Any) -> Names:
    """The names of a rule that never fired."""
    given = {"fields": {}, "memory": RuleMemory(), "exposure": Exposure, **changes}
    return Names(one, SYMBOL, now, **given)


def side(name: str, size: int | str, entry: int = 100, **changes: Any) -> PositionUpdate:
    """One side of a hedge-mode position."""
    return replace(position(size, entry), position_side=name, **changes)


def test_a_price_is_none_once_it_is_stale() -> None:
    """As old as the limit is still good; a source that never spoke has none."""
    one = view()
    assert one.price(SYMBOL, "mark", START + STALE_AFTER) == 100
    assert one.price(SYMBOL, "mark", START + STALE_AFTER + 1) is None
    assert one.price("ETHUSDT", "mark", START) is None


def test_every_source_has_its_name() -> None:
    """The funding rate is called funding_rate."""
    one = names(view())
    found = [one[name] for name in ("mark", "last", "bid", "ask", "index", "funding_rate")]
    assert found == [100, 101, 102, 103, 104, 105]


def test_before_the_first_reading_a_position_is_unknown_and_not_flat() -> None:
    """A formula that asks raises, so that nothing is decided on a guess."""
    one = View(PriceBoard(STALE_AFTER))
    one.apply_position(position(1))
    with pytest.raises(KeyError):
        names(one)["position.size"]
    flat = compile_formula("position.size == 0", scope(), BOOLEAN)
    with pytest.raises(EvaluationError):
        flat.evaluate(names(one))


def test_a_flat_position_has_a_size_and_a_side_but_no_entry() -> None:
    """Zero and flat can be compared; an entry price cannot."""
    one = names(view(position(0)))
    assert one["position.size"] == 0
    assert one["position.side"] == "flat"
    assert one["position.unrealised_pnl"] == 0
    for name in ("position.entry_price", "position.leverage", "position.liquidation_price"):
        with pytest.raises(KeyError):
            one[name]


@pytest.mark.parametrize(("size", "expected"), [("0.5", "long"), ("-0.5", "short")])
def test_the_side_is_the_sign_of_the_size(size: str, expected: str) -> None:
    """Short sizes are negative."""
    known = replace(position(size, 64_000), leverage=D(5), liquidation_price=D(50_000))
    one = names(view(known))
    assert one["position.side"] == expected
    assert one["position.size"] == D(size)
    assert one["position.entry_price"] == 64_000
    assert one["position.leverage"] == 5
    assert one["position.liquidation_price"] == 50_000


def test_hedge_mode_adds_the_sides_up() -> None:
    """The size is the net one; equal sides are flat, a single one is itself."""
    one = names(view(side("LONG", 3), side("SHORT", -1, unrealised_pnl=D(7))))
    assert one["position.size"] == 2
    assert one["position.side"] == "long"
    assert one["position.unrealised_pnl"] == 7
    even = names(view(side("LONG", 2), side("SHORT", -2)))
    assert even["position.size"] == 0
    assert even["position.side"] == "flat"
    alone = side("SHORT", -1)
    assert view(side("LONG", 0), alone).position(SYMBOL) == alone


def test_an_older_statement_of_a_position_changes_nothing() -> None:
    """A late stream message does not undo a newer one; an equally old one is taken."""
    one = view()
    assert one.apply_position(position(2, at=START + 5))
    assert not one.apply_position(position(1, at=START + 4))
    assert one.apply_position(position(3, at=START + 5))
    found = one.position(SYMBOL)
    assert found is not None
    assert found.size == 3


def test_a_whole_reading_makes_flat_what_it_does_not_list() -> None:
    """Unless it moved after the reading was asked for."""
    one = view(position(1, at=START), position(2, at=START + 50, symbol="ETHUSDT"))
    one.apply_positions(Positions((), START + 10))
    assert one.position(SYMBOL) is None
    assert one.position("ETHUSDT") is not None


def test_a_message_that_comes_again_does_not_bring_a_closed_position_back() -> None:
    """A reading said that it is flat; what is stated later counts."""
    one = view(position(1, at=START))
    one.apply_positions(Positions((), START + 10))
    assert not one.apply_position(position(1, at=START))
    assert one.position(SYMBOL) is None
    assert one.apply_position(position(2, at=START + 5))
    assert one.position(SYMBOL) is not None


def test_a_reading_that_lagged_is_put_right_by_the_next() -> None:
    """It did not list a position that is there: the next one that does counts."""
    one = view(position(1, at=START))
    one.apply_positions(Positions((), START + 10))
    one.apply_positions(Positions((position(1, at=START),), START + 20))
    assert one.position(SYMBOL) is not None


def test_balances_that_are_absent_keep_what_was_known() -> None:
    """A stream's message brings the wallet only; the newest time is kept."""
    one = view()
    assert "account.available" not in dict_of(names(one))
    one.apply_account(AccountUpdate(D(1_000), D(900), START, D(1_010), D("0.1")))
    one.apply_account(AccountUpdate(D(1_005), None, START + 1))
    assert one.account == AccountUpdate(D(1_005), D(900), START + 1, D(1_010), D("0.1"))
    seen = names(one)
    parts = ("available", "wallet_balance", "equity", "margin_ratio")
    assert [seen[f"account.{part}"] for part in parts] == [900, 1_005, 1_010, D("0.1")]


def dict_of(one: Names) -> dict[str, Any]:
    """The names that have a value now."""
    return {name: one[name] for name in one if one.get(name) is not None}


def test_the_rule_sees_its_own_past() -> None:
    """Fires in all and today, and seconds since the last."""
    memory = RuleMemory(last_fired_at=START - 1_500, fires=7, fires_today=2, day=START // DAY)
    one = names(view(), memory=memory)
    assert (one["rule.fires"], one["rule.fires_today"]) == (7, 2)
    assert one["rule.last_fired_ago"] == D("1.5")
    assert fires_on(memory, START + DAY) == 0
    with pytest.raises(KeyError):
        names(view())["rule.last_fired_ago"]


def test_orders_and_the_clock_have_names() -> None:
    """2023-11-14 22:13 UTC was a Tuesday; open orders are our own."""
    one = names(view(), exposure=lambda: Exposure(2, D(150)))
    assert (one["orders.open"], one["orders.open_notional"]) == (2, 150)
    assert (one["now.hour"], one["now.minute"], one["now.weekday"]) == (22, 13, 2)
    assert one["symbol"] == SYMBOL


def test_what_the_event_carried_is_under_trigger() -> None:
    """Unknown names raise KeyError, which a formula tells as missing data."""
    one = names(view(), fields={"price": D(5)})
    assert one["trigger.price"] == 5
    for name in ("trigger.size", "nonsense"):
        with pytest.raises(KeyError):
            one[name]
    assert set(one) == set(scope()) | {"trigger.price"}
    assert len(one) == len(set(one))


def test_every_name_has_a_value_of_its_type() -> None:
    """What the loader checks a formula against is what it will get."""
    known = replace(position(1), leverage=D(5), liquidation_price=D(1))
    one = view(known)
    one.apply_account(AccountUpdate(D(1), D(1), START, D(1), D(1)))
    one.opening = Opening(START // DAY, D(1))
    memory = RuleMemory(last_fired_at=START)
    values = dict_of(names(one, memory=memory))
    for name, kind in scope().items():
        value = values[name]
        assert isinstance(value, D if kind is NUMBER else str), name
        assert kind.kind is Kind.NUMBER or kind.values is None or value in kind.values


def test_what_filled_and_is_not_stated_yet_counts_as_position() -> None:
    """A silent user stream must not make a rule believe that it is flat."""
    flat = replace(names(view()), unseen=D("0.5"))
    assert (flat["position.size"], flat["position.side"]) == (D("0.5"), "long")
    long = replace(names(view(position("0.5"))), unseen=D("-0.5"))
    assert (long["position.size"], long["position.side"]) == (D(0), "flat")
