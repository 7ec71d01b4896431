"""The check-up of an account: every check, fine and wrong, on answers that a test writes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from runner.core.lifecycle import Timing
from runner.venues import RawAnswer
from runner.venues.binance_usdm import checkup
from runner.venues.binance_usdm.adapter import BinanceUsdm
from runner.venues.binance_usdm.presets import PRESETS, Addresses, reach
from runner.venues.findings import Declared, Finding, refusals
from runner.venues.gate import Gate
from runner.venues.paper.server import PaperServer
from runner.venues.registry import findings

NOW = 1_763_640_000_000
DAY = 86_400_000
GOOD_KEY = {
    "ipRestrict": True,
    "createTime": NOW - 10 * DAY,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
    "enableFutures": True,
}
INFO = {
    "symbols": [
        {
            "symbol": symbol,
            "status": status,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001"},
            ],
        }
        for symbol, status in (("BTCUSDT", "TRADING"), ("OLDUSDT", "SETTLING"))
    ],
}
ANSWERS: dict[str, Any] = {
    "/fapi/v1/ping": {},
    "/fapi/v1/exchangeInfo": INFO,
    "/fapi/v1/positionSide/dual": {"dualSidePosition": False},
    "/sapi/v1/account/apiRestrictions": GOOD_KEY,
    "/fapi/v1/accountConfig": {"canTrade": True},
    "/fapi/v1/symbolConfig": [{"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 5}],
}


class Scripted:
    """A transport whose answers a test writes; `trip` ms each."""

    def __init__(self) -> None:
        self.answers = {**ANSWERS}
        self.failing: dict[str, RawAnswer] = {}
        self.monotonic = 1_000
        self.ahead = 0
        self.trip = 10
        self.headers: dict[str, str] = {}

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        assert method == "GET", "a check-up only asks"
        del payload
        self.monotonic += self.trip
        if path in self.failing:
            return self.failing[path]
        value = self.answers.get(path, {"serverTime": NOW + self.monotonic + self.ahead})
        return RawAnswer("ok", 200, json.dumps(value).encode(), self.headers)

    def check(
        self, declared: Declared | None = None, wallet: str | None = ""
    ) -> dict[str, list[Finding]]:
        """Every finding by its check."""
        venue = BinanceUsdm(
            Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1", wallet=wallet),
            "key",
            "secret",
            Timing(),
            wall=lambda: NOW + self.monotonic,
            monotonic=lambda: self.monotonic,
            transport=self,
        )
        found: dict[str, list[Finding]] = {}
        for one in findings(venue, declared or Declared(symbols=("BTCUSDT",)), streams=False):
            found.setdefault(one.check, []).append(one)
        return found


@pytest.fixture
def exchange() -> Scripted:
    """An exchange on which everything is in order."""
    return Scripted()


def _one(found: dict[str, list[Finding]], check: str) -> Finding:
    (one,) = found[check]
    assert (one.verdict == "ok") == (not one.cure), "what is not fine has a cure, and only that"
    return one


def test_a_sound_account(exchange: Scripted) -> None:
    """Every check is fine and nothing is refused."""
    found = exchange.check()
    assert {one.verdict for rows in found.values() for one in rows} == {"ok"}
    assert list(found) == [
        "address",
        "clock",
        "key",
        "permissions",
        "key address",
        "futures",
        "key age",
        "account",
        "position mode",
        "symbols",
        "limits",
    ]


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        ({"enableWithdrawals": True}, "permissions", "may withdraw"),
        ({"enableInternalTransfer": True}, "permissions", "transfer to other accounts"),
        ({"permitsUniversalTransfer": True}, "permissions", "transfer between wallets"),
        ({"enableWithdrawals": None}, "permissions", "may withdraw"),
        ({"ipRestrict": False}, "key address", "any address"),
        ({"enableFutures": False}, "futures", "may not trade futures"),
    ],
)
def test_a_key_that_may_too_much_or_too_little(
    exchange: Scripted, change: dict[str, Any], check: str, words: str
) -> None:
    """Withdrawals, transfers, any address, no futures, or silence about it: all refuse."""
    exchange.answers["/sapi/v1/account/apiRestrictions"] = {**GOOD_KEY, **change}
    found = exchange.check()
    assert words in _one(found, check).text
    assert [one.check for rows in found.values() for one in refusals(rows)] == [check]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"createTime": NOW - 80 * DAY}, "80 days old"),
        ({"tradingAuthorityExpirationTime": NOW + 3 * DAY}, "ends in 2 days"),
    ],
)
def test_a_key_that_grows_old(exchange: Scripted, change: dict[str, Any], words: str) -> None:
    """A warning, in time, that refuses nothing."""
    exchange.answers["/sapi/v1/account/apiRestrictions"] = {**GOOD_KEY, **change}
    found = exchange.check()
    last = found["key age"][-1]
    assert (last.verdict, words in last.text) == ("warning", True)
    assert refusals(found["key age"]) == []


def test_permissions_that_cannot_be_read_refuse(exchange: Scripted) -> None:
    """What is not known about a key that trades real money is no permission to trade."""
    exchange.failing["/sapi/v1/account/apiRestrictions"] = RawAnswer(
        "ok", 401, b'{"code":-2015,"msg":"no"}'
    )
    one = _one(exchange.check(), "permissions")
    assert one.blocks
    assert "-2015: no" in one.text


def test_the_demo_exchange_has_nothing_to_withdraw(exchange: Scripted) -> None:
    """Its preset knows no wallet; the live one has its own address."""
    assert "demo" in _one(exchange.check(wallet=None), "permissions").text
    assert PRESETS["demo"].wallet is None
    assert str(PRESETS["live"].wallet).startswith("https://api.")


@pytest.mark.parametrize(
    "answer",
    [RawAnswer("not_sent", detail="refused"), RawAnswer("ok", 404), RawAnswer("ok", 200, b"<p>")],
)
def test_an_address_that_is_no_exchange_ends_it(exchange: Scripted, answer: RawAnswer) -> None:
    """Nothing else can be asked then."""
    exchange.failing["/fapi/v1/ping"] = answer
    found = exchange.check()
    assert list(found) == ["address"]
    assert _one(found, "address").blocks


def test_a_key_that_is_refused_ends_it(exchange: Scripted) -> None:
    """The code's own cure is told."""
    exchange.failing["/fapi/v1/positionSide/dual"] = RawAnswer(
        "ok", 401, b'{"code":-2015,"msg":"no"}'
    )
    found = exchange.check()
    assert list(found) == ["address", "key"]
    assert "live or demo" in _one(found, "key").text


def test_clocks(exchange: Scripted) -> None:
    """A wrong clock of ours is a warning, an exchange's clock that is not known refuses."""
    exchange.ahead = 5_000
    assert "behind" in _one(exchange.check(), "clock").text
    exchange.ahead, exchange.trip = 0, 3_000
    one = _one(exchange.check(), "clock")
    assert (one.verdict, one.blocks) == ("wrong", True)


def test_what_is_declared_is_compared(exchange: Scripted) -> None:
    """Position mode, leverage, margin type; symbols that are not traded are a warning."""
    declared = Declared("hedge", 3, "isolated", ("BTCUSDT", "OLDUSDT", "NEWUSDT"))
    found = exchange.check(declared)
    assert "one_way mode" in _one(found, "position mode").text
    leverage = _one(found, "leverage").text
    assert leverage == (
        "BTCUSDT has leverage 5, declared is 3; BTCUSDT has cross margin, declared is isolated"
    )
    assert _one(found, "symbols").text == "not traded now: OLDUSDT, NEWUSDT"
    fine = exchange.check(Declared("one_way", 5, "cross", ("BTCUSDT",)))
    assert _one(fine, "leverage").verdict == "ok"


@pytest.mark.parametrize(
    ("path", "check"),
    [("/fapi/v1/accountConfig", "account"), ("/fapi/v1/symbolConfig", "leverage")],
)
def test_readings_that_fail(exchange: Scripted, path: str, check: str) -> None:
    """What cannot be read is wrong, with the exchange's words."""
    exchange.failing[path] = RawAnswer("ok", 400, b'{"code":-1000,"msg":"so it is"}')
    one = _one(exchange.check(Declared(leverage=5, symbols=("BTCUSDT",))), check)
    assert "so it is" in one.text


def test_an_account_that_may_not_trade(exchange: Scripted) -> None:
    """The exchange says so itself."""
    exchange.answers["/fapi/v1/accountConfig"] = {"canTrade": False}
    assert _one(exchange.check(), "account").blocks


def test_limits_that_others_use_up(exchange: Scripted) -> None:
    """Less than a fifth left is a warning."""
    exchange.headers = {"X-MBX-USED-WEIGHT-1M": "2390"}
    found = exchange.check()["limits"]
    assert [one.verdict for one in found] == ["warning", "ok", "ok"]
    assert "of 2400 weight left" in found[0].text


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange on a free port."""
    with PaperServer(keys={"K": "S"}) as server:
        yield server


def test_the_streams_of_the_paper_exchange(paper: PaperServer) -> None:
    """Prices come, and the account's stream connects: over real sockets."""
    venue = BinanceUsdm(
        reach(paper.addresses, "rest"), "K", "S", Timing(), lambda: NOW, checkup_clock
    )
    found = list(checkup.findings(venue, Declared()))
    assert [one.check for one in found if "stream" in one.check] == ["market stream", "user stream"]
    assert all(one.verdict != "wrong" for one in found)


def checkup_clock() -> int:
    """The monotonic clock in ms."""
    return time.monotonic_ns() // 1_000_000


def test_streams_that_stay_silent(exchange: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on the address: both are wrong, soon."""
    monkeypatch.setattr(checkup, "STREAM_WITHIN", 0.1)
    venue = BinanceUsdm(
        Addresses("http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
        "key",
        "secret",
        Timing(),
        wall=lambda: NOW,
        monotonic=lambda: exchange.monotonic,
        transport=_Posting(exchange),
    )
    found = {one.check: one for one in checkup.findings(venue, Declared())}
    assert found["market stream"].blocks
    assert found["user stream"].blocks


class _Posting:
    """Gives listen keys too."""

    def __init__(self, inner: Scripted) -> None:
        self._inner = inner

    def exchange(self, method: str, path: str, payload: str, gate: Gate | None = None) -> RawAnswer:
        if path == "/fapi/v1/listenKey":
            return RawAnswer("ok", 200, b'{"listenKey":"k"}')
        return self._inner.exchange(method, path, payload, gate)
