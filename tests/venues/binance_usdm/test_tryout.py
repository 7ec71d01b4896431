"""The try-out of an account on answers that a test writes: what goes wrong is told with a cure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runner.core.lifecycle import Timing
from runner.errors import VenueError
from runner.venues import RawAnswer
from runner.venues.binance_usdm import tryout
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import Addresses
from runner.venues.findings import Finding
from runner.venues.gate import Gate
from tests.venues.binance_usdm.test_checkup import INFO, NOW

ORDER = "/fapi/v1/order"
NEW = {"orderId": 7, "status": "NEW", "symbol": "BTCUSDT"}
REFUSED = {"code": -4116, "msg": "ClientOrderId is duplicated."}
CANCELED = {"status": "CANCELED", "executedQty": "0"}


class Exchange:
    """Answers each place, look and cancel in turn; `sent` are the payloads that came."""

    def __init__(self, *, place: list[Any], cancel: Any, look: Any = NEW) -> None:
        self.place, self.cancel, self.look = list(place), cancel, look
        self.mark: dict[str, Any] = {"markPrice": "1000"}
        self.sent: list[str] = []

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        """The transport's one call."""
        if path != ORDER:
            value: Any = {
                "/fapi/v1/exchangeInfo": INFO,
                "/fapi/v1/positionSide/dual": {"dualSidePosition": True},
                "/fapi/v1/premiumIndex": self.mark,
            }.get(path, {"serverTime": NOW})
            return RawAnswer("ok", 200, json.dumps(value).encode())
        self.sent.append(payload)
        value = {"GET": self.look, "DELETE": self.cancel}.get(method) or self.place.pop(0)
        status = 400 if "code" in value else 200
        return RawAnswer("ok", status, json.dumps(value).encode())

    def tried(self, symbol: str = "BTCUSDT") -> dict[str, Finding]:
        """Each step by its name."""
        venue = BinanceUsdm(
            Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
            "key",
            "secret",
            Timing(),
            wall=lambda: NOW,
            monotonic=lambda: 1_000,
            transport=self,
        )
        venue.connect()
        return {one.check: one for one in tryout.steps(venue, symbol)}


def test_all_goes_well() -> None:
    """Far under the mark, post only, for the position side of the account's mode."""
    exchange = Exchange(place=[NEW, REFUSED], cancel=CANCELED)
    found = exchange.tried()
    assert list(found) == ["order", "placed", "seen", "same id", "cancelled"]
    assert {one.verdict for one in found.values()} == {"ok"}
    assert "price=700" in exchange.sent[0]
    assert "timeInForce=GTX" in exchange.sent[0]
    assert "positionSide=LONG" in exchange.sent[0]


def test_an_order_that_is_refused_is_not_looked_for() -> None:
    """The exchange's code and words, and what to do; nothing more is sent."""
    exchange = Exchange(place=[{"code": -2019, "msg": "Margin is insufficient."}], cancel=CANCELED)
    found = exchange.tried()
    assert list(found) == ["order", "placed"]
    assert "-2019: Margin is insufficient." in found["placed"].text
    assert found["placed"].cure
    assert len(exchange.sent) == 1


@pytest.mark.parametrize(
    ("second", "verdict"), [(NEW, "wrong"), ({"code": -1, "msg": "else"}, "warning")]
)
def test_an_id_that_protects_less_than_we_know_is_told(second: Any, verdict: str) -> None:
    """A second order under one id, or another code than the one that is known."""
    found = Exchange(place=[NEW, second], cancel=CANCELED).tried()
    assert found["same id"].verdict == verdict
    assert found["same id"].cure


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        ({"code": -2011, "msg": "Unknown order sent."}, "wrong", "may still be open"),
        ({"status": "CANCELED", "executedQty": "0.002"}, "warning", "there is a position now"),
    ],
)
def test_what_stays_behind_is_told(answer: Any, verdict: str, words: str) -> None:
    """An order that could not be cancelled, or that filled in part."""
    found = Exchange(place=[NEW, REFUSED], cancel=answer).tried()
    assert found["cancelled"].verdict == verdict
    assert words in found["cancelled"].text
    assert found["cancelled"].cure


def test_an_order_that_cannot_be_found_is_cancelled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Readings may lag for long: that is a warning."""
    monkeypatch.setattr(tryout, "SEEN_WITHIN", 0.0)
    look = {"code": -2013, "msg": "Order does not exist."}
    found = Exchange(place=[NEW, REFUSED], cancel=CANCELED, look=look).tried()
    assert found["seen"].verdict == "warning"
    assert found["cancelled"].verdict == "ok"


def test_without_a_symbol_or_its_price_nothing_is_sent() -> None:
    """Each is named."""
    exchange = Exchange(place=[], cancel=CANCELED)
    with pytest.raises(VenueError, match="OLDUSDT is not traded there now"):
        exchange.tried("OLDUSDT")
    exchange.mark = {}
    with pytest.raises(VenueError, match="no mark price of BTCUSDT"):
        exchange.tried()
    assert exchange.sent == []
