"""Each guard by itself, which of several blocks refuses, and changes of orders and settings."""

from __future__ import annotations

from typing import Any

import pytest

from runner.core import guards
from runner.core.decision import Leg
from runner.core.events import AccountUpdate
from runner.core.exposure import Ahead
from runner.core.guards import Asked, bounds, cure, setting_verdict
from runner.core.limits import Limits
from runner.core.losses import Losses
from runner.core.orders import (
    AmendIntent,
    OrderIntent,
    OrderState,
    OrderType,
    Setting,
    SettingIntent,
    Side,
)
from runner.core.state import Entry, State, Work
from runner.core.view import View
from tests.core.factories import START, SYMBOL, dec, leg, order, position, view

LIVE = OrderState.LIVE


def world(equity: str | None = "10000", held: str = "0") -> View:
    """One symbol at 70,000, and an account."""
    found = view()
    found.apply_position(position(held))
    amount = None if equity is None else dec(equity)
    found.apply_account(AccountUpdate(amount, amount, START, equity=amount))
    return found


def state_of(*legs: Leg) -> State:
    """A state with these legs; the run `run` is of rule one."""
    state = State()
    state.rule_ids["run"] = "one"
    for each in legs:
        state.put_leg(each)
    return state


def said(
    intent: OrderIntent,
    *blocks: tuple[str, Limits, str],
    state: State | None = None,
    of: View | None = None,
) -> str:
    """The refusal's text under these blocks, empty when it may leave."""
    ahead = Ahead(Work(state or State(), START))
    asked = Asked(intent, of or world(), ahead, None, START)
    return guards.verdict(asked, bounds(blocks, SYMBOL)).refused


def file(**limits: Any) -> tuple[str, Limits, str]:
    """The guards of a file."""
    return ("guards of a.yaml", Limits(**limits), "")


def own(**limits: Any) -> tuple[str, Limits, str]:
    """The guards of rule one."""
    return ("guards of rule one", Limits(**limits), "one")


def test_the_tightest_of_all_blocks_refuses_and_says_where_it_stands() -> None:
    """An account, a file, a rule and a symbol each have a limit."""
    by_symbol = {SYMBOL: Limits(max_order_notional=dec(300))}
    blocks = [
        ("guards of account main in runner.yaml", Limits(max_order_notional=dec(500)), ""),
        file(max_order_notional=dec(400), symbols=by_symbol),
        own(max_order_notional=dec(600)),
    ]
    text = said(order(quantity="0.01"), *blocks)
    assert text == (
        "max_order_notional: the order is 700, the limit is 300 "
        f"(guards of a.yaml, symbols: {SYMBOL})"
    )
    assert "runner.yaml" in said(order(quantity="0.01"), blocks[0], blocks[2])


def test_a_refusal_says_how_its_limit_is_changed() -> None:
    """Where it stands; a smaller order helps where the order is what is too large."""
    text = said(order("0.1", quantity="1"), file(max_order_notional=dec(5_000)))
    way = "to change it: max_order_notional under guards of a.yaml, or order less"
    assert cure(f"stopped: guard: {text}") == way
    elsewhere = said(order("0.1"), file(allowed_symbols=("ETHUSDT",)))
    assert cure(elsewhere) == "to change it: allowed_symbols under guards of a.yaml"
    assert cure("it fired for this event") == ""


def test_the_limits_of_another_symbol_do_not_apply() -> None:
    """What stands under symbols is about that symbol."""
    other = file(symbols={"ETHUSDT": Limits(max_order_notional=dec(1))})
    assert said(order(), other) == ""


@pytest.mark.parametrize(
    ("intent", "refused"),
    [
        (order(price="71400"), False),
        (order(price="68600"), False),
        (order(price="71400.1"), True),
        (order(price="68599.9"), True),
        (order(price="70000", trigger_price=dec(60_000), kind=OrderType.STOP), True),
        (order(price=None, kind=OrderType.MARKET), False),
    ],
)
def test_a_price_is_at_most_so_far_from_the_mark(intent: OrderIntent, refused: bool) -> None:
    """Price and trigger price, to either side; an order at market has none."""
    text = said(intent, file(max_price_distance=dec("0.02")))
    assert text.startswith("max_price_distance: ") is refused
    if intent.price == dec("71400.1"):
        assert "71400.1 is 2% from the mark 70000, the limit is 2%" in text


def test_nothing_is_opened_on_another_symbol() -> None:
    """The refusal names those that are allowed."""
    text = said(order(), file(allowed_symbols=("ETHUSDT", "XRPUSDT")))
    assert text.startswith("allowed_symbols: BTCUSDT, the limit is ETHUSDT, XRPUSDT")
    assert said(order(), file(allowed_symbols=(SYMBOL,))) == ""


def test_open_entries_are_counted_where_the_block_stands() -> None:
    """A file counts the account's, a rule its own; exits and what is over count nowhere."""
    mine = leg(order("0.1"), LIVE, name="0.1")
    theirs = leg(order("0.2"), OrderState.UNKNOWN, name="0.2", run_id="other")
    out = leg(order("0.3", reduce_only=True), LIVE, name="0.3")
    over = leg(order("0.4"), OrderState.FILLED, name="0.4")
    state = state_of(mine, theirs, out, over)
    assert said(order(), file(max_open_orders=3), state=state) == ""
    assert "2 entries are open" in said(order(), file(max_open_orders=2), state=state)
    assert said(order(), own(max_open_orders=2), state=state) == ""
    assert "1 entry is open" in said(order(), own(max_open_orders=1), state=state)


def test_a_parked_order_still_counts() -> None:
    """Nobody knows whether it is on the book, until a person says so."""
    parked = leg(order("0.1"), OrderState.PARKED, name="0.1")
    state = state_of(parked)
    assert said(order(), file(max_open_orders=1), state=state)
    assert said(order(), file(max_position_notional=dec(139_999)), state=state)
    state.put_leg(leg(order("0.1"), OrderState.LAPSED, name="0.1"))
    assert said(order(), file(max_open_orders=1), state=state) == ""


def test_a_rule_counts_its_own_orders_of_the_minute() -> None:
    """Those of other rules, and of other symbols, are not its own."""
    state = State()
    state.entries.extend([Entry(START, "one", SYMBOL), Entry(START, "two", SYMBOL)])
    assert said(order(), own(max_orders_per_minute=2), state=state) == ""
    assert said(order(), file(max_orders_per_minute=2), state=state)
    by_symbol = file(symbols={SYMBOL: Limits(max_orders_per_minute=2)})
    assert said(order(), by_symbol, state=state)


def test_the_entries_of_the_last_minute_are_kept_and_no_others() -> None:
    """Also where no guard ever asks for them: else a runner grew with every order."""
    state = State()
    for turn in range(200):
        work = Work(state, START + turn * 1_000)
        work.entries.append(Entry(work.now, "one", SYMBOL))
        work.apply({})
    assert len(state.entries) == 60


@pytest.mark.parametrize(
    ("held", "quantity", "refused"),
    [("0", "0.28", False), ("0", "0.29", True), ("0.2", "0.1", True), ("-0.2", "0.3", True)],
)
def test_leverage_is_all_that_is_held_and_in_flight_over_equity(
    held: str, quantity: str, refused: bool
) -> None:
    """Twice 10,000; a short position may be closed before, but is worth something itself."""
    text = said(order(quantity=quantity), file(max_leverage=dec(2)), of=world(held=held))
    assert text.startswith("max_leverage: positions and entries would be") is refused


@pytest.mark.parametrize("equity", [None, "0", "-5"])
def test_without_equity_there_is_no_leverage(equity: str | None) -> None:
    """Nothing is opened then."""
    assert "no account" in said(order(), file(max_leverage=dec(2)), of=world(equity))


def test_leverage_of_a_symbol_counts_that_symbol() -> None:
    """What is held elsewhere is left to the limit of all."""
    of = world()
    of.apply_position(position("10", symbol="ETHUSDT"))
    block = file(symbols={SYMBOL: Limits(max_leverage=dec(2))})
    assert said(order(quantity="0.1"), block, of=of) == ""
    assert "no price" in said(order(quantity="0.1"), file(max_leverage=dec(2)), of=of)


def test_setting_the_leverage_is_limited_too() -> None:
    """Other settings are not."""
    applying = bounds([file(max_leverage=dec(5)), own(max_leverage=dec(3))], SYMBOL)

    def setting(what: Setting, value: str) -> str:
        return setting_verdict(SettingIntent("id", SYMBOL, what, value), applying)

    assert setting(Setting.LEVERAGE, "3") == ""
    assert "would be set to 4, the limit is 3 (guards of rule one)" in setting(
        Setting.LEVERAGE, "4"
    )
    assert setting(Setting.MARGIN_TYPE, "isolated") == ""
    assert setting_verdict(SettingIntent("id", SYMBOL, Setting.LEVERAGE, "9"), ()) == ""


def test_a_change_on_its_way_counts_at_the_larger_size() -> None:
    """Whether it got there is not known: the order may be either."""
    resting = leg(order("0.1", quantity="1"), LIVE, name="0.1", cumulative_quantity=dec("0.5"))
    key = resting.client_order_id
    larger = AmendIntent("change", SYMBOL, key, Side.BUY, dec(2), dec(72_000))
    state = state_of(resting, leg(larger, OrderState.SENDING, name="1.0"))
    [pending] = Ahead(Work(state, START)).pending(SYMBOL)
    assert (pending.left, pending.order.price) == (dec("1.5"), dec(72_000))
    assert Ahead(Work(state, START)).without(key).pending(SYMBOL) == []


def test_a_share_of_a_loss_is_of_what_the_day_began_with() -> None:
    """After midnight the day begins with what was left."""
    lost = Losses(1, dec(1_000), dec(100), dec(1_000), dec(100))
    day = 86_400_000
    assert (lost.lost_on(day), lost.begun_on(day)) == (dec(100), dec(1_000))
    assert (lost.lost_on(2 * day), lost.begun_on(2 * day)) == (dec(0), dec(900))
