"""What always holds, whatever is asked of the exchange in whatever order."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.venues.paper.errors import ApiError
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.orders import OPEN_STATUSES
from tests.venues.paper.desk import Desk

SYMBOLS = {"BTCUSDT": (70_000, "0.1"), "ETHUSDT": (3_500, "0.01")}

sides = st.sampled_from(["BUY", "SELL"])
symbols = st.sampled_from(sorted(SYMBOLS))
offsets = st.integers(-400, 400)
amounts = st.sampled_from(["0.006", "0.010", "0.050"])
names = st.sampled_from(["a", "b", "c", "d"])
maybe_named = st.sampled_from(["", "", "", "a", "b", "c", "d"])

orders = st.fixed_dictionaries(
    {
        "do": st.just("order"),
        "symbol": symbols,
        "side": sides,
        "type": st.sampled_from(["LIMIT", "LIMIT", "MARKET"]),
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
        "offset": offsets,
        "quantity": amounts,
        "newClientOrderId": maybe_named,
        "reduceOnly": st.sampled_from([False, False, False, True]),
        "positionSide": st.sampled_from(["LONG", "SHORT"]),
    }
)
conditionals = st.fixed_dictionaries(
    {
        "do": st.just("algo"),
        "symbol": symbols,
        "side": sides,
        "type": st.sampled_from(["STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP"]),
        "offset": offsets,
        "reduceOnly": st.just(False),
        "quantity": amounts,
        "clientAlgoId": maybe_named,
        "positionSide": st.sampled_from(["LONG", "SHORT"]),
        "closePosition": st.booleans(),
    }
)
cancels = st.fixed_dictionaries({"do": st.just("cancel"), "symbol": symbols, "name": names})
moves = st.fixed_dictionaries({"do": st.just("move"), "symbol": symbols, "offset": offsets})
waits = st.fixed_dictionaries({"do": st.just("wait"), "ms": st.integers(1, 50_000)})
countdowns = st.fixed_dictionaries(
    {"do": st.just("countdown"), "symbol": symbols, "ms": st.sampled_from([0, 1000, 20_000])}
)
histories = st.lists(
    st.one_of(orders, orders, conditionals, cancels, moves, waits, countdowns),
    min_size=15,
    max_size=50,
)
books = st.sampled_from([None, Decimal("0.004"), Decimal("0.020")])


def priced(symbol: str, offset: int) -> str:
    """Return a price on the tick, up to 4 % from the start."""
    start, _ = SYMBOLS[symbol]
    return str(Decimal(start) * (10_000 + offset) / 10_000)


def act(desk: Desk, step: dict[str, Any]) -> None:
    """Do one step; a refusal is a fine outcome."""
    kind, symbol = step["do"], step.get("symbol", "")
    try:
        if kind == "order":
            params = {name: value for name, value in step.items() if name not in ("do", "offset")}
            if params["type"] == "LIMIT":
                params["price"] = priced(symbol, step["offset"])
            else:
                del params["timeInForce"]
            fit_mode(desk, params)
            drop_empty(params, "newClientOrderId")
            desk.call("POST", "order", **params)
        elif kind == "algo":
            params = {name: value for name, value in step.items() if name not in ("do", "offset")}
            params |= {"algoType": "CONDITIONAL", "triggerPrice": priced(symbol, step["offset"])}
            if params["type"] == "STOP":
                params["price"] = params["triggerPrice"]
            fit_mode(desk, params)
            if params["closePosition"]:
                params.pop("reduceOnly", None)
                del params["quantity"]
            drop_empty(params, "clientAlgoId")
            desk.call("POST", "algoOrder", **params)
        elif kind == "cancel":
            desk.call("DELETE", "order", symbol=symbol, origClientOrderId=step["name"])
        elif kind == "countdown":
            desk.call("POST", "countdownCancelAll", symbol=symbol, countdownTime=step["ms"])
        elif kind == "move":
            desk.price(priced(symbol, step["offset"]), symbol)
        else:
            desk.wait(step["ms"])
    except ApiError:
        return


def fit_mode(desk: Desk, params: dict[str, Any]) -> None:
    """Leave out what the position mode would refuse, so that the order says something."""
    del params["reduceOnly" if desk.exchange.state.accounts["paper"].hedge else "positionSide"]


def drop_empty(params: dict[str, Any], name: str) -> None:
    """Leave out a name that was not chosen."""
    if not params[name]:
        del params[name]


def check_laws(desk: Desk) -> None:
    """Check what must hold at every moment."""
    account = desk.exchange.state.accounts["paper"]
    check_money(desk)
    open_ids = [order.client_order_id for order in account.open.values()]
    assert len(open_ids) == len(set(open_ids))
    for order in account.orders.values():
        assert (order.order_id in account.open) == (order.status in OPEN_STATUSES)
        assert 0 <= order.executed <= order.quantity
        assert (order.status == "FILLED") == (order.executed == order.quantity)
        resting = desk.exchange.state.resting.get(order.symbol, {})
        assert (order.order_id in resting) == order.is_open
    for algo in account.algos.values():
        assert (algo.algo_id in account.waiting) == (algo.status == "NEW")
        if algo.actual_order_id:
            assert account.orders[algo.actual_order_id].client_order_id == algo.client_algo_id


def check_money(desk: Desk) -> None:
    """Positions are the sum of fills; the wallet is the start plus profit minus fees."""
    account = desk.exchange.state.accounts["paper"]
    sums: dict[tuple[str, str], Decimal] = {}
    for fill in account.fills:
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        key = (fill.symbol, fill.position_side)
        sums[key] = sums.get(key, Decimal(0)) + signed
    for (symbol, side), amount in sums.items():
        assert account.amount(symbol, side) == amount
    gained = sum((fill.realized - fill.fee for fill in account.fills), Decimal(0))
    assert abs(account.wallet["USDT"] - 10_000 - gained) < Decimal("1e-12")
    income = sum((Decimal(str(row["income"])) for row in account.income), Decimal(0))
    assert abs(income - account.wallet["USDT"]) < Decimal("1e-6") * (1 + len(account.income))


@given(history=histories, book=books, hedge=st.booleans())
@settings(max_examples=150)
def test_money_and_orders_are_conserved(
    history: list[dict[str, Any]], book: Decimal | None, hedge: bool
) -> None:
    """After every step: positions, wallet, ids and the books agree with one another."""
    desk = Desk(level_quantity=book)
    if hedge:
        desk.call("POST", "positionSide/dual", dualSidePosition="true")
    for step in history:
        act(desk, step)
        check_laws(desk)


@given(history=histories, book=books)
@settings(max_examples=60)
def test_the_stream_tells_the_same_as_the_queries(
    history: list[dict[str, Any]], book: Decimal | None
) -> None:
    """Who follows only the events knows each order's last status and fill, each status once."""
    desk = Desk(level_quantity=book)
    for step in history:
        act(desk, step)
    known: dict[int, tuple[str, Decimal]] = {}
    for event in desk.told():
        if event["e"] == "ORDER_TRADE_UPDATE":
            told = event["o"]
            before = known.get(told["i"])
            assert before is None or before[0] in OPEN_STATUSES, "told after its end"
            known[told["i"]] = (told["X"], Decimal(told["z"]))
    stored = desk.exchange.orders()
    assert known == {one.order_id: (one.status, one.executed) for one in stored}


@given(history=histories, rest=histories)
@settings(max_examples=60)
def test_a_restored_exchange_goes_on_as_if_nothing_had_happened(
    history: list[dict[str, Any]], rest: list[dict[str, Any]]
) -> None:
    """Snapshot, JSON, restore, go on: the same events and the same memory as without."""
    one = Desk()
    for step in history:
        act(one, step)
    two = Desk()
    two.now = one.now
    two.exchange = Exchange(now=one.now)
    two.exchange.restore(json.loads(json.dumps(one.exchange.snapshot())))
    one.told()
    for step in rest:
        act(one, step)
        act(two, step)
    assert one.told() == two.told()
    assert one.exchange.snapshot() == two.exchange.snapshot()


@given(history=histories)
@settings(max_examples=30)
def test_the_same_history_gives_the_same_events(history: list[dict[str, Any]]) -> None:
    """The engine is deterministic: no clock, no chance."""
    desks = Desk(), Desk()
    for step in history:
        for desk in desks:
            act(desk, step)
    assert desks[0].told() == desks[1].told()
