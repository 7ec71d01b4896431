"""The engine, the server and a slow independent model agree to the last decimal."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.venues.paper.errors import ApiError
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from tests.venues.paper.client import sign
from tests.venues.paper.desk import START, Desk, as_text
from tests.venues.paper.ledger_model import Fact, Filled, Funded, Model, Moved

HOUR = 3_600_000
STARTS = {"BTCUSDT": 70_000, "ETHUSDT": 3_500}
SIZES = {"BTCUSDT": ["0.006", "0.013", "0.700"], "ETHUSDT": ["0.020", "1.007", "9.000"]}

symbols = st.sampled_from(sorted(STARTS))
steps = st.one_of(
    st.tuples(st.just("order"), symbols, st.booleans(), st.integers(-150, 150), st.integers(0, 2)),
    st.tuples(st.just("market"), symbols, st.booleans(), st.booleans(), st.integers(0, 2)),
    st.tuples(st.just("price"), symbols, st.integers(-400, 400)),
    st.tuples(st.just("price"), symbols, st.integers(-1500, 1500)),
    st.tuples(st.just("margin"), symbols, st.booleans(), st.integers(1, 300)),
    st.tuples(st.just("wait"), st.integers(1, 9)),
)
histories = st.lists(steps, min_size=5, max_size=40)
setups = st.fixed_dictionaries(
    {
        "hedge": st.booleans(),
        "leverage": st.fixed_dictionaries(
            {name: st.sampled_from([3, 7, 20, 50]) for name in STARTS}
        ),
        "isolated": st.sets(symbols),
    }
)


def requests_of(step: tuple[Any, ...], hedge: bool) -> tuple[str, str, dict[str, Any]] | None:
    """Return the request of a step, None for one that is none."""
    kind, symbol = step[0], step[1]
    if kind in ("order", "market"):
        side = "BUY" if step[2] else "SELL"
        terms = {"symbol": symbol, "side": side, "quantity": SIZES[symbol][step[4]]}
        if hedge:
            terms["positionSide"] = "LONG" if step[3] % 2 else "SHORT"
        if kind == "market":
            return "POST", "/fapi/v1/order", terms | {"type": "MARKET"}
        price = priced(symbol, step[3])
        limit = {"type": "LIMIT", "timeInForce": "GTC", "price": str(price)}
        return "POST", "/fapi/v1/order", terms | limit
    if kind == "margin":
        terms = {"symbol": symbol, "type": 1 if step[2] else 2, "amount": str(step[3])}
        if hedge:
            terms["positionSide"] = "LONG" if step[3] % 2 else "SHORT"
        return "POST", "/fapi/v1/positionMargin", terms
    return None


def priced(symbol: str, offset: int) -> Decimal:
    """Return a price on the tick, as far from the start as `offset` ten-thousandths."""
    return Decimal(STARTS[symbol]) * (10_000 + offset) / 10_000


def set_up(call: Any, setup: dict[str, Any]) -> None:
    """Bring a new account into its modes."""
    if setup["hedge"]:
        call("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "true"})
    for name, leverage in setup["leverage"].items():
        call("POST", "/fapi/v1/leverage", {"symbol": name, "leverage": leverage})
    for name in sorted(setup["isolated"]):
        call("POST", "/fapi/v1/marginType", {"symbol": name, "marginType": "ISOLATED"})


class Follower:
    """Follows an account's stream as a client does, and gives the model what it hears."""

    def __init__(self, desk: Desk, setup: dict[str, Any]) -> None:
        self.desk, self.setup = desk, setup
        self.model = Model(10_000, setup["leverage"], setup["isolated"])
        self.marks = {name: Fraction(start) for name, start in STARTS.items()}
        self.forced = False

    def listen(self, step: tuple[Any, ...], done: bool) -> None:
        """Take in what a step led to."""
        if step[0] == "margin" and done:
            side = ("LONG" if step[3] % 2 else "SHORT") if self.setup["hedge"] else "BOTH"
            sign_ = 1 if step[2] else -1
            self.model.facts.append(Moved(step[1], side, Fraction(sign_ * step[3])))
        funded: set[int] = set()
        for event in self.desk.told():
            self.forced = self.forced or event.get("o", {}).get("c", "").startswith("autoclose-")
            if event["e"] == "ACCOUNT_UPDATE" and event["a"]["m"] == "FUNDING_FEE":
                funded.add(event["E"])
            elif event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE":
                self.model.facts.append(filled(event["o"]))
        for _ in funded:
            facts: list[Fact] = self.model.facts
            facts.append(Funded(tuple(self.marks.items()), Fraction(1, 10_000)))

    def compare(self) -> None:
        """Hold every figure of the account against the model's."""
        desk, model = self.desk, self.model
        assert desk.call("GET", "/fapi/v3/balance")[0]["balance"] == shown(model.wallet(), 8)
        fees = sum(Fraction(one["commission"]) for one in trades(desk))
        assert fees == model.fees()
        gained = sum(Fraction(row["realizedPnl"]) for row in trades(desk))
        realised = sum((model.walk(*key)[2] for key in model.held()), Fraction(0))
        assert gained == realised
        rows = {
            (row["symbol"], row["positionSide"]): row
            for row in desk.call("GET", "/fapi/v3/positionRisk")
        }
        for key in model.held():
            amount, entry, _, margin = model.walk(*key)
            if not amount:
                assert Fraction(rows.get(key, {"positionAmt": 0})["positionAmt"]) == 0
                continue
            row, mark = rows[key], self.marks[key[0]]
            assert Fraction(row["positionAmt"]) == amount
            assert row["entryPrice"] == shown(entry, 5)
            assert row["unRealizedProfit"] == shown(model.unrealised(*key, mark), 8)
            assert row["isolatedWallet"] == shown(margin, 8)
            initial = abs(amount) * mark / self.setup["leverage"][key[0]]
            assert row["positionInitialMargin"] == shown(initial, 8)
            self.check_liquidation(key, row, amount)

    def check_liquidation(self, key: tuple[str, str], row: Any, amount: Fraction) -> None:
        """The margin left changes its sign within the last decimal of the price shown."""
        left, mark = self.model.left_at, self.marks[key[0]]
        marks = self.marks
        assert left(*key, mark, marks) > 0, "it should have been liquidated"
        price = Fraction(row["liquidationPrice"])
        if price:
            around = [left(*key, price + near, marks) for near in (-LAST, LAST)]
            assert around[0] * around[1] <= 0
        elif amount > 0:
            assert left(*key, LAST, marks) >= 0, "a long position needs no price to survive"


LAST = Fraction(51, 10_000_000)


def filled(order: dict[str, Any]) -> Filled:
    """Return the fill that an ORDER_TRADE_UPDATE tells."""
    quantity = Fraction(order["l"]) * (1 if order["S"] == "BUY" else -1)
    return Filled(order["s"], order["ps"], quantity, Fraction(order["L"]), order["m"])


def trades(desk: Desk) -> list[Any]:
    """Return every trade of the account."""
    return [one for name in STARTS for one in desk.call("GET", "userTrades", symbol=name)]


def shown(value: Fraction, digits: int) -> str:
    """Return a figure as the exchange writes it."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return format(rounded or abs(rounded), "f")


@given(setup=setups, history=histories)
@settings(max_examples=60, deadline=None)
def test_the_engine_agrees_with_the_slow_model(
    setup: dict[str, Any], history: list[tuple[Any, ...]]
) -> None:
    """After every step, every figure; and nobody is liquidated whom the model would not."""
    desk = Desk()

    def call(method: str, path: str, params: dict[str, Any]) -> None:
        desk.call(method, path, **params)

    set_up(call, setup)
    desk.told()
    follower = Follower(desk, setup)
    for step in history:
        done = True
        if step[0] == "price":
            follower.marks[step[1]] = Fraction(priced(step[1], step[2]))
            desk.price(str(priced(step[1], step[2])), step[1])
        elif step[0] == "wait":
            desk.wait(step[1] * HOUR)
        else:
            try:
                request = requests_of(step, setup["hedge"])
                assert request is not None
                call(*request)
            except ApiError:
                done = False
        before = len(follower.model.facts)
        follower.listen(step, done)
        if follower.forced:
            check_forced(follower, before)
            return
        follower.compare()


def check_forced(follower: Follower, before: int) -> None:
    """The model, too, sees a position whose margin was used up before the exchange closed it."""
    model, marks = follower.model, follower.marks
    account = follower.desk.exchange.state.accounts["paper"]
    names = {
        one.order_id
        for one in account.orders.values()
        if one.client_order_id.startswith("autoclose-")
    }
    own = [one for one in account.fills if one.order_id not in names]
    model.facts = model.facts[:before]
    known = sum(isinstance(one, Filled) for one in model.facts)
    for one in own[known:]:
        quantity = one.quantity if one.side == "BUY" else -one.quantity
        model.facts.append(
            Filled(
                one.symbol, one.position_side, Fraction(quantity), Fraction(one.price), one.maker
            )
        )
    left = [
        model.left_at(*key, marks[key[0]], marks) for key in model.held() if model.walk(*key)[0]
    ]
    assert min(left) <= 0


@given(setup=setups, history=histories)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_http_answers_as_the_engine_does(
    setup: dict[str, Any], history: list[tuple[Any, ...]]
) -> None:
    """The same history on one virtual clock, in-process and over HTTP: the same documents."""
    desk = Desk(accounts=("K",))
    server = PaperServer(keys={"K": "S"}, market=Still(), clock=lambda: desk.now, limits=False)
    with server as running, requests.Session() as session:
        session.trust_env = False
        session.headers["X-MBX-APIKEY"] = "K"

        def both(method: str, path: str, params: dict[str, Any]) -> None:
            texts = {name: as_text(value) for name, value in params.items()}
            query = sign(urlencode({**texts, "timestamp": desk.now}))
            over = session.request(method, f"{running.addresses['rest']}{path}?{query}", timeout=60)
            try:
                inside = desk.exchange.request(method, path, texts, now=desk.now, account="K")
            except ApiError as refusal:
                inside = refusal.body()
            assert over.json() == json.loads(json.dumps(inside))

        set_up(both, setup)
        for step in history:
            request = requests_of(step, setup["hedge"])
            if step[0] == "price":
                desk.price(str(priced(step[1], step[2])), step[1])
                running.set_price(step[1], priced(step[1], step[2]))
            elif step[0] == "wait":
                desk.wait(step[1] * HOUR)
            if request is not None:
                both(*request)
        for path in ("/fapi/v3/account", "/fapi/v3/positionRisk", "/fapi/v1/income"):
            both("GET", path, {})
        assert desk.now >= START
