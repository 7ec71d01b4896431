"""The rate-limit budget: windows, shares for what lowers risk, pauses and bans."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from runner.venues.binance_usdm.limits import DEFAULTS, MINUTE, Budget, Cost, Limit

NOW = 1_700_000_040_000  # a whole minute
ORDER = Cost(0, 1, 1)


def _fill(budget: Budget, cost: Cost, lane: str, now: int = NOW) -> int:
    taken = 0
    while budget.room(cost, lane, now):  # type: ignore[arg-type]  # the three lanes' names
        taken += 1
    return taken


def test_entries_leave_a_share_to_exits() -> None:
    """Orders may take 80 % of an order window; the urgent lane all of it."""
    budget = Budget([Limit("orders", 10_000, 300)])
    assert _fill(budget, ORDER, "order") == 240
    assert _fill(budget, ORDER, "urgent") == 60


def test_weight_is_shared_by_lane() -> None:
    """Batches stop at 70 %, questions at 85 %, cancels and the dead man just below the limit."""
    budget = Budget([Limit("weight", MINUTE, 2_400)])
    assert _fill(budget, Cost(5), "order") == 1_680 // 5
    assert _fill(budget, Cost(1), "probe") == 360
    assert _fill(budget, Cost(10), "urgent") == 34


def test_what_costs_nothing_is_never_held_back() -> None:
    """A single order has no weight: a spent weight window does not stop it."""
    budget = Budget(DEFAULTS)
    _fill(budget, Cost(10), "urgent")
    assert budget.room(ORDER, "order", NOW)


def test_a_window_ends_at_a_whole_multiple_of_its_interval() -> None:
    """The exchange counts per clock minute: the next one begins with nothing spent."""
    budget = Budget([Limit("orders", 10_000, 10)])
    assert _fill(budget, ORDER, "urgent", NOW + 9_999) == 10
    assert _fill(budget, ORDER, "urgent", NOW + 10_000) == 10


def test_a_refused_call_spends_nothing() -> None:
    """A batch that does not fit one window is not counted in another."""
    budget = Budget([Limit("weight", MINUTE, 100), Limit("orders", MINUTE, 1)])
    assert budget.room(Cost(50, 0, 1), "urgent", NOW)
    assert not budget.room(Cost(50, 0, 1), "urgent", NOW)
    assert budget.room(Cost(50), "urgent", NOW)


def test_headers_tell_what_others_spent() -> None:
    """Weight is per address, orders per account: other programs spend too."""
    budget = Budget(DEFAULTS)
    headers = {
        "X-MBX-USED-WEIGHT-1M": "2379",
        "x-mbx-order-count-10s": "299",
        "x-mbx-order-count-1m": "7",
        "x-mbx-order-count-1d": "oops",
        "Date": "1",
    }
    assert budget.learn(200, headers, b"", NOW) == 0
    assert not budget.room(Cost(2), "urgent", NOW)
    assert budget.room(Cost(1), "urgent", NOW)
    assert _fill(budget, ORDER, "urgent") == 1


def test_a_lower_header_does_not_give_back() -> None:
    """Calls still under way are in our count and not yet in theirs."""
    budget = Budget([Limit("weight", MINUTE, 10)])
    assert _fill(budget, Cost(1), "urgent") == 10
    budget.learn(200, {"x-mbx-used-weight-1m": "3"}, b"", NOW)
    assert not budget.room(Cost(1), "urgent", NOW)


@pytest.mark.parametrize(
    ("status", "headers", "body", "pause"),
    [
        (429, {"Retry-After": "7"}, b"", 7_000),
        (418, {"Retry-After": "300"}, b"", 300_000),
        (418, {}, b'{"code":-1003,"msg":"IP banned until %d. Please"}' % (NOW + 400_000), 400_000),
        (429, {"Retry-After": formatdate(NOW / 1_000 + 30, usegmt=True)}, b"", 30_000),
        (429, {"Retry-After": "soon"}, b"", 60_000),
        (429, {}, b"banned until 1234567890", 60_000),
        (418, {}, b"", 120_000),
        (418, {"Retry-After": "99999999"}, b"", 3 * 86_400_000),
    ],
)
def test_a_pause_lasts_as_long_as_the_answer_says(
    status: int, headers: dict[str, str], body: bytes, pause: int
) -> None:
    """Retry-After in seconds or as a date, the time in the text, else the documented least."""
    budget = Budget(DEFAULTS)
    assert budget.learn(status, headers, body, NOW) == pause
    assert not budget.room(ORDER, "urgent", NOW + pause - 1)
    assert budget.paused("urgent", NOW) == pause
    assert budget.room(ORDER, "urgent", NOW + pause)


def test_after_a_pause_the_urgent_lane_goes_first() -> None:
    """Entries and questions wait a second longer."""
    budget = Budget(DEFAULTS)
    budget.learn(429, {"Retry-After": "1"}, b"", NOW)
    assert budget.room(ORDER, "urgent", NOW + 1_000)
    assert not budget.room(ORDER, "order", NOW + 1_999)
    assert not budget.room(Cost(1), "probe", NOW + 1_999)
    assert budget.room(ORDER, "order", NOW + 2_000)
    assert budget.paused("order", NOW + 2_000) == 0


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """A ban that runs is not cut by a later, milder answer."""
    budget = Budget(DEFAULTS)
    budget.learn(418, {"Retry-After": "300"}, b"", NOW)
    assert budget.learn(429, {"Retry-After": "1"}, b"", NOW) == 300_000


def test_the_limits_of_the_exchange_replace_ours() -> None:
    """What was spent stays spent; an empty list changes nothing."""
    budget = Budget([Limit("orders", MINUTE, 10)])
    assert _fill(budget, ORDER, "urgent") == 10
    budget.adopt([])
    assert not budget.room(ORDER, "urgent", NOW)
    budget.adopt([Limit("orders", MINUTE, 12)])
    assert _fill(budget, ORDER, "urgent") == 2


def test_accounts_at_one_address_share_its_weight_and_not_their_orders() -> None:
    """The exchange counts weight for the address, and orders for the account."""
    limits = (Limit("weight", MINUTE, 10), Limit("orders", MINUTE, 10))
    one, other = Budget(limits), Budget(limits)
    other.share(one)
    assert one.room(Cost(weight=6, orders_1m=8), "urgent", 0)
    assert other.left(0) == [(limits[0], 4), (limits[1], 10)]
    assert not other.room(Cost(weight=5), "urgent", 0)
    assert other.room(Cost(orders_1m=8), "urgent", 0)
    assert other.learn(200, {"X-MBX-USED-WEIGHT-1M": "9"}, b"", 0) == 0
    assert one.left(0) == [(limits[0], 1), (limits[1], 2)]


def test_a_pause_of_the_address_holds_for_every_account_and_an_own_one_for_it_alone() -> None:
    """A 429 about weight silences all of them; -1015 is about one account's orders."""
    one, other = Budget(), Budget()
    other.share(one)
    too_many = b'{"code":-1015,"msg":"Too many new orders"}'
    assert one.learn(429, {"Retry-After": "2"}, too_many, 1_000) == 2_000
    assert (one.paused("urgent", 1_000), other.paused("urgent", 1_000)) == (2_000, 0)
    assert one.learn(429, {"Retry-After": "5"}, b'{"code":-1003}', 1_000) == 5_000
    assert (one.paused("urgent", 1_000), other.paused("urgent", 1_000)) == (5_000, 5_000)
