"""Rate limits on a clock that tests move: weights, order counts, 429, and the ban."""

from __future__ import annotations

from typing import Any

import pytest

from runner.venues.paper.auth import KeyRing
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.gateway import Answer, Gateway, Request
from runner.venues.paper.limits import Limits, Throttled
from tests.venues.paper.client import sign
from tests.venues.paper.desk import START

# The first full minute from START on.
MINUTE = START - START % 60_000 + 60_000


class Clock:
    """A clock that stands."""

    def __init__(self) -> None:
        self.now = MINUTE

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at the beginning of a minute."""
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> Gateway:
    """A gateway that enforces its limits."""
    exchange = Exchange(accounts=("K",), now=MINUTE)
    return Gateway(exchange, KeyRing({"K": "S"}), clock)


def ask(gateway: Gateway, method: str, path: str, **params: Any) -> Answer:
    """Send a signed request."""
    texts = {"timestamp": str(gateway.clock())} | {name: str(v) for name, v in params.items()}
    query = sign("&".join(f"{name}={text}" for name, text in texts.items()))
    return gateway.handle(Request(method, path, texts, query.encode(), b"", "K"))


def test_weights_add_up_within_a_minute_and_begin_anew(gateway: Gateway, clock: Clock) -> None:
    """The header tells the minute's sum; the next minute starts at nothing."""
    assert ask(gateway, "GET", "/fapi/v1/time").headers["X-MBX-USED-WEIGHT-1M"] == "1"
    assert ask(gateway, "GET", "/fapi/v1/openOrders").headers["X-MBX-USED-WEIGHT-1M"] == "41"
    assert (
        ask(gateway, "GET", "/fapi/v1/openOrders", symbol="BTCUSDT").headers["X-MBX-USED-WEIGHT-1M"]
        == "42"
    )
    clock.now += 60_000
    assert ask(gateway, "GET", "/fapi/v1/time").headers["X-MBX-USED-WEIGHT-1M"] == "1"


@pytest.mark.parametrize(
    ("limit", "weight"), [("5", 2), ("50", 2), ("100", 5), ("500", 10), ("1000", 20), ("", 10)]
)
def test_depth_weighs_by_its_limit(gateway: Gateway, limit: str, weight: int) -> None:
    """The documented table; 500 is the default."""
    answer = ask(gateway, "GET", "/fapi/v1/depth", symbol="BTCUSDT", limit=limit)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


def test_beyond_2400_a_minute_is_429_with_retry_after(gateway: Gateway, clock: Clock) -> None:
    """-1003 until the minute is over; Retry-After says when that is."""
    clock.now += 20_000
    for _ in range(60):
        assert ask(gateway, "GET", "/fapi/v1/openOrders").status == 200
    refused = ask(gateway, "GET", "/fapi/v1/time")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "40")
    assert "2400 requests per minute" in str(refused.document)
    clock.now += 40_000
    assert ask(gateway, "GET", "/fapi/v1/time").status == 200


def test_going_on_after_429_is_a_ban_that_calls_prolong(gateway: Gateway, clock: Clock) -> None:
    """418 names the end; a call during the ban moves it on; after it all is well."""
    for _ in range(60):
        ask(gateway, "GET", "/fapi/v1/openOrders")
    answers = [ask(gateway, "GET", "/fapi/v1/time").status for _ in range(21)]
    assert answers == [429] * 20 + [418]
    clock.now += 100_000
    banned = ask(gateway, "GET", "/fapi/v1/time")
    assert (banned.status, banned.headers["Retry-After"]) == (418, "120")
    assert f"banned until {clock.now + 120_000}" in str(banned.document)
    clock.now += 120_000
    assert ask(gateway, "GET", "/fapi/v1/time").status == 200


def order(gateway: Gateway) -> Answer:
    """Ask for an order that the filters refuse: it counts like any other."""
    return ask(
        gateway,
        "POST",
        "/fapi/v1/order",
        symbol="BTCUSDT",
        side="BUY",
        type="MARKET",
        quantity="0",
    )


def test_orders_are_counted_per_account(gateway: Gateway, clock: Clock) -> None:
    """300 in 10 s, then -1015 with 429; the next 10 s are free; no IP weight is used."""
    counts = [order(gateway).headers["X-MBX-ORDER-COUNT-10S"] for _ in range(299)]
    assert counts == [str(number) for number in range(1, 300)]
    answer = order(gateway)
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "0"
    refused = order(gateway)
    assert refused.status == 429
    assert refused.document == {
        "code": -1015,
        "msg": "Too many new orders; current limit is 300 orders per TEN_SECONDS.",
    }
    assert refused.headers["Retry-After"] == "10"
    clock.now += 10_000
    assert order(gateway).headers["X-MBX-ORDER-COUNT-1M"] == "301"


def test_a_minute_takes_1200_orders(gateway: Gateway, clock: Clock) -> None:
    """Four full 10 s windows use a minute up."""
    for _ in range(4):
        for _ in range(300):
            order(gateway)
        clock.now += 10_000
    refused = order(gateway)
    assert refused.status == 429
    assert "1200 orders per MINUTE" in str(refused.document)


def test_a_batch_counts_five_one_and_five(gateway: Gateway) -> None:
    """On 10 s, on the minute, and as weight, whatever its legs."""
    answer = ask(gateway, "POST", "/fapi/v1/batchOrders", batchOrders="[]")
    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "5"
    assert answer.headers["X-MBX-ORDER-COUNT-1M"] == "1"
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "5"


def test_limits_can_be_counted_without_being_enforced() -> None:
    """Switched off, nothing is refused and the headers still tell."""
    limits = Limits(enforced=False)
    for _ in range(100):
        limits.spend("a", 100, MINUTE)
        limits.place("k", (100, 100), MINUTE)
    assert limits.used_weight("a", MINUTE) == 10_000
    assert limits.order_counts("k", MINUTE) == (10_000, 10_000)


def test_a_refusal_tells_how_long_to_wait() -> None:
    """Addresses are counted apart."""
    limits = Limits()
    limits.spend("a", 2400, MINUTE)
    limits.spend("b", 2400, MINUTE)
    with pytest.raises(Throttled) as caught:
        limits.spend("a", 1, MINUTE + 59_500)
    assert caught.value.retry_after == 1
