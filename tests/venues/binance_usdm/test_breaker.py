"""Circuit breakers: a group that only fails waits, urgent calls and other groups do not."""

from __future__ import annotations

from runner.venues.binance_usdm.breaker import (
    FAILURES,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Breakers,
    group_of,
)

ORDERS = "orders"


def _failing(times: int, now: int = 0) -> Breakers:
    breakers = Breakers()
    for _ in range(times):
        breakers.learn(ORDERS, failed=True, now=now)
    return breakers


def test_the_groups() -> None:
    """Orders are one group, whatever their endpoint; every reading is its own."""
    assert {group_of("POST", f"/fapi/v1/{name}") for name in ("order", "batchOrders")} == {ORDERS}
    assert group_of("PUT", "/fapi/v1/order") == ORDERS
    assert group_of("GET", "/fapi/v1/order") == "GET order"
    assert group_of("DELETE", "/fapi/v1/order") == "DELETE order"


def test_it_opens_after_failures_one_after_another() -> None:
    """One less, or a success in between, and everything goes on."""
    assert _failing(FAILURES - 1).allows(ORDERS, "order", 0)
    breakers = _failing(FAILURES - 1)
    breakers.learn(ORDERS, failed=False, now=0)
    breakers.learn(ORDERS, failed=True, now=0)
    assert breakers.allows(ORDERS, "order", 0)
    opened = _failing(FAILURES)
    assert not opened.allows(ORDERS, "order", FIRST_PAUSE - 1)
    assert opened.allows("GET openOrders", "probe", 0)


def test_what_lowers_risk_always_may_try() -> None:
    """Exits, cancels, the dead man and the kill are never held back."""
    assert _failing(50).allows(ORDERS, "urgent", 0)


def test_after_the_pause_nothing_is_serialised() -> None:
    """Every call may go, one success closes it; a failure makes the next pause twice as long."""
    breakers = _failing(FAILURES)
    assert all(breakers.allows(ORDERS, "order", FIRST_PAUSE) for _ in range(9))
    breakers.learn(ORDERS, failed=True, now=FIRST_PAUSE)
    breakers.learn(ORDERS, failed=True, now=FIRST_PAUSE)
    assert not breakers.allows(ORDERS, "order", 3 * FIRST_PAUSE - 1)
    assert breakers.allows(ORDERS, "order", 3 * FIRST_PAUSE)
    breakers.learn(ORDERS, failed=False, now=3 * FIRST_PAUSE)
    assert breakers.allows(ORDERS, "order", 3 * FIRST_PAUSE)


def test_a_pause_has_an_end() -> None:
    """However long it fails, it is tried every ten seconds."""
    breakers, now = Breakers(), 0
    for _ in range(40):
        breakers.learn(ORDERS, failed=True, now=now)
        now += LONGEST_PAUSE
        assert breakers.allows(ORDERS, "order", now)
