"""What the exchange tells of past orders: by account where that can be had, else by symbol."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import VenueError
from runner.venues.binance_usdm.wire_history import PAGE, WEEK, placed

SYMBOLS = tuple(f"S{n}USDT" for n in range(50))
NOW = 1_790_000_000_000


class Exchange:
    """Answers questions from a list of orders; counts them."""

    def __init__(self, *orders: dict[str, Any], optional: bool = True) -> None:
        """`optional`: allOrders may be asked without a symbol."""
        self.orders = orders
        self.optional = optional
        self.asked: list[str] = []

    def ask(self, path: str, parameters: str) -> Any:
        """One question."""
        self.asked.append(f"{path}?{parameters}")
        if path != "/fapi/v1/allOrders":
            return []
        given = dict(each.split("=") for each in parameters.split("&"))
        if "symbol" not in given and not self.optional:
            raise VenueError("-1102: symbol was not sent")
        meant = [each for each in self.orders if given.get("symbol") in (None, each["symbol"])]
        if "orderId" in given:
            return [each for each in meant if each["orderId"] >= int(given["orderId"])]
        return meant[:PAGE]

    def found(self, since: int = NOW - 60_000) -> list[str]:
        """The client order ids that a start learns."""
        told = placed(self.ask, SYMBOLS, since, NOW)
        return [order.client_order_id for order in told]

    def about_orders(self) -> list[str]:
        """The questions about past orders of the classic family."""
        return [each for each in self.asked if each.startswith("/fapi/v1/allOrders")]


def order(number: int, symbol: str = "S7USDT") -> dict[str, Any]:
    """One order as allOrders lists it."""
    return {"clientOrderId": f"r1-{number}", "orderId": number, "symbol": symbol, "time": NOW}


def test_one_question_tells_of_every_symbol() -> None:
    """Also of one that no rule names any more."""
    exchange = Exchange(order(1), order(2, "GONEUSDT"))
    assert exchange.found() == ["r1-1", "r1-2"]
    assert len(exchange.about_orders()) == 1


def test_an_exchange_that_wants_symbols_is_asked_for_each() -> None:
    """As it was before 2026-08-25: nothing is left out."""
    exchange = Exchange(order(1), order(2, "S9USDT"), optional=False)
    assert exchange.found() == ["r1-1", "r1-2"]
    assert len(exchange.about_orders()) == 1 + len(SYMBOLS)


def test_a_full_page_is_asked_for_by_symbol() -> None:
    """What a page leaves out must not look as if it was never there."""
    exchange = Exchange(*(order(n) for n in range(1, PAGE + 2)))
    assert len(exchange.found()) == PAGE + 1


@pytest.mark.parametrize(("weeks", "questions"), [(1, 2), (2, 3)])
def test_a_window_is_a_week_at_most(weeks: int, questions: int) -> None:
    """A longer time takes several questions; an order told twice counts once."""
    exchange = Exchange(order(1))
    assert exchange.found(NOW - weeks * WEEK) == ["r1-1"]
    assert len(exchange.about_orders()) == questions
