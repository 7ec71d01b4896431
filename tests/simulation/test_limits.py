"""The exchange's limits are never reached: an account that may send little is sent little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from runner.venues.binance_usdm.limits import Budget
from runner.venues.paper import limits, quotes
from tests.simulation import cheap
from tests.simulation.history import Outcome, rule_set
from tests.simulation.scripts import SECOND, Scripted

RULES = rule_set()
TEN_SECONDS, IN_TEN_SECONDS, IN_A_MINUTE = 10_000, 5, 20
SHARE = 4
"""Of five orders in 10 s entries may take four: the last is kept for what lowers risk."""

ALERTS = 12


@contextmanager
def few_orders() -> Iterator[None]:
    """The exchange takes few orders, and says so in exchangeInfo."""
    told = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": IN_A_MINUTE},
    ]
    enforced = (
        (TEN_SECONDS, IN_TEN_SECONDS, "TEN_SECONDS"),
        (60_000, IN_A_MINUTE, "MINUTE"),
    )
    with (
        patch.object(limits, "ORDER_LIMITS", enforced),
        patch.object(quotes, "RATE_LIMITS", told),
    ):
        yield


def burst() -> tuple[Outcome, Counter[int]]:
    """Many alerts at once; and how many orders were accepted in each 10 s."""

    def script(play: Scripted) -> None:
        for _ in range(ALERTS):
            play.alerted("single")
        play.wait(60 * SECOND)

    with few_orders(), cheap.openings(), cheap.folder() as folder:
        played = Scripted(script, (), RULES, folder)
        outcome = played.run()
        times = played.exchange.accepted_at.values()
    return outcome, Counter(at // TEN_SECONDS for at in times)


def test_a_burst_keeps_to_the_share_of_entries() -> None:
    """Not one request is refused with 429; what has to wait is sent in the next window."""
    outcome, sent = burst()
    assert outcome.wrong == []
    assert max(sent.values()) == SHARE
    assert len(sent) > 1


def test_without_the_budget_the_exchange_refuses() -> None:
    """The check sees what the budget is for."""
    with patch.object(Budget, "_fits", lambda *_: True):
        outcome, _ = burst()
    assert any("more than the limits allow: 429" in text for text in outcome.wrong)
