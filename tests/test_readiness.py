"""What /readyz says while a way to the exchange does not work: since when, what it means, cures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from runner.core.document import Node
from runner.core.events import AccountUpdate
from runner.core.lifecycle import Timing
from runner.core.links import Links, Trouble
from runner.core.prices import Band
from runner.core.rules import RuleSet
from runner.core.triggers import TRIGGERS
from runner.core.view import View, scope
from runner.readiness import GRACE, PRICE_PATIENCE, Outlook
from runner.sources.readiness import Link, Problem, Readiness, Stale, Used
from runner.venues.binance_usdm.limits import Limit
from tests.core.factories import START, SYMBOL, built, rule, rule_set, view

SECOND = 1_000
STALE_AFTER = 30 * SECOND
STANDING = (Link("market", True), Link("user", True))


def listening(rule_id: str, kind: str, value: Any, **order: Any) -> Any:
    """A rule with one trigger that places one order."""
    trigger = TRIGGERS[kind].build(Node(value, scope=scope()), kind)
    assert trigger is not None
    place = built("place", {"side": "buy", "type": "market", **order})
    return replace(rule(rule_id, place), triggers=(trigger,))


HOOK = {"path": "hook", "secret": "s"}
PLAIN = rule_set(listening("plain", "webhook", HOOK, quantity=1))
SIZED = rule_set(listening("sized", "webhook", HOOK, notional=100))
PRICED = rule_set(
    listening("priced", "price", {"crosses_above": Decimal(1), "source": "last"}, quantity=1)
)


@dataclass(slots=True)
class World:
    """A runner long after its start, with a fresh price; everything works."""

    full: str = ""
    uncertainty: int | None = 5
    wanted_silence: int = 0
    links: Links = field(default_factory=Links)
    now: int = START
    started_at: int = START - 3_600 * SECOND
    view: View = field(default_factory=view)
    awaited: frozenset[tuple[str, str]] = frozenset({(SYMBOL, "mark")})

    def __post_init__(self) -> None:
        """The account is known."""
        self.view.board.stale_after = STALE_AFTER
        self.view.account = AccountUpdate(Decimal(1), Decimal(1), START)

    def clock_uncertainty(self) -> int | None:
        """As the venue says it."""
        return self.uncertainty

    def silence(self) -> int:
        """As the venue says it."""
        return self.wanted_silence

    def price(self, source: str = "mark") -> None:
        """A price comes in now."""
        self.view.board.publish({(SYMBOL, source): Band()})
        self.view.board.offer(SYMBOL, source, Decimal(70_000), self.now, self.now)

    def says(self, rules: RuleSet = PLAIN, *, stopping: bool = False) -> Readiness:
        """What /readyz says."""
        outlook = Outlook(
            self,
            self,
            self.view,
            self.links,
            Timing(),
            self.awaited,
            self.started_at,
            lambda: self.now,
        )
        return outlook.readiness(rules, stopping=stopping)

    def only(self, rules: RuleSet = PLAIN) -> Problem:
        """The one problem there is."""
        [problem] = self.says(rules).problems
        return problem


def trouble(ago: int, count: int = 1, detail: str = "timed out", last: int = 0) -> Trouble:
    """Something that began so many ms ago."""
    return Trouble(START - ago, START - last, count, detail)


def away(**streams: Trouble) -> Links:
    """These streams are away."""
    return Links(streams=streams)


def failing(**calls: Trouble) -> Links:
    """These questions fail."""
    return Links(calls=calls)


def test_when_all_works_there_is_nothing_to_say() -> None:
    """Ready, no reasons, no problems, no stale price."""
    world = World()
    world.price("index")
    assert world.says(SIZED) == Readiness(True, taking=True, streams=STANDING)


def test_streams_and_limits_are_told_as_they_are() -> None:
    """The market's is away since the first of its parts is; what is used of each limit."""

    class Limited(World):
        """Its venue tells limits; of one more was used than there is."""

        def limits_left(self) -> list[tuple[Limit, int]]:
            """As the adapter says it."""
            return [(Limit("weight", 60_000, 2_400), 2_300), (Limit("orders", 10_000, 300), -5)]

    links = away(market_1=trouble(500), market_2=trouble(900))
    told = Limited(links=links).says()
    assert told.streams == (Link("market", False, START - 900), Link("user", True))
    assert told.limits == (
        Used("weight", 60_000, 100, 2_400),
        Used("orders", 10_000, 300, 300),
    )
    told = World(links=away(user=trouble(700))).says()
    assert told.streams == (Link("market", True), Link("user", False, START - 700))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"uncertainty": None}, "clock is not known"),
        ({"full": "no room"}, "the journal is full: no room"),
        ({"view": View(view().board)}, "positions and balances are not read yet"),
        ({"view": view(None), "started_at": START - 1}, "no price yet: BTCUSDT mark"),
    ],
)
def test_alerts_are_not_taken_before_all_is_known(changes: Mapping[str, Any], reason: str) -> None:
    """Not ready, and an alert would be answered 503."""
    world = World(**changes)
    if "positions" in reason:
        world.view.account = None
    told = world.says()
    assert not told.ready
    assert not told.taking
    assert reason in "; ".join(told.reasons)


def test_while_stopping_nothing_is_taken() -> None:
    """It says so."""
    assert World().says(stopping=True).reasons == ("stopping",)


def test_a_first_price_that_does_not_come_keeps_nothing_waiting_for_ever() -> None:
    """The symbol may be halted."""
    world = World(view=view(None), started_at=START - PRICE_PATIENCE)
    assert world.says().ready


def test_an_exchange_that_does_not_answer_is_not_ready_and_takes_alerts_all_the_same() -> None:
    """503 with the reason and since when; the alert is kept, its order leaves when it can."""
    world = World(links=failing(time=trouble(90 * SECOND, 5)))
    told = world.says()
    assert (told.ready, told.taking) == (False, True)
    [reason] = told.reasons
    assert "no alert becomes an order" in reason
    problem = world.only()
    assert (problem.link, problem.since) == ("REST", START - 90 * SECOND)
    assert "since 2023-11-14 22:11:50 UTC (1.5 min): timed out" in problem.what
    assert "no alerts become orders until" in problem.meaning
    assert "network" in problem.cure
    assert "API key" in problem.cure


def test_a_ban_says_until_when_nothing_leaves_and_what_protects() -> None:
    """No question fails while none is sent: the silence itself is the problem."""
    world = World(wanted_silence=600 * SECOND)
    world.price()
    [problem] = world.says().problems
    assert problem.link == "REST"
    assert "wants silence (429, or a ban: 418) until " in problem.what
    assert "a countdown that is set cancels plain orders on the exchange" in problem.meaning


def test_one_failure_over_rest_is_an_accident() -> None:
    """Nobody is told of it before it happens again."""
    assert World(links=failing(account=trouble(SECOND, 1))).says() == Readiness(
        True, taking=True, streams=STANDING
    )


def test_some_readings_that_fail_leave_it_ready() -> None:
    """Orders can be sent; what is known may be old."""
    links = failing(positions=trouble(60 * SECOND, 3), other=trouble(SECOND, 2, "-2015: no"))
    world = World(links=links)
    assert world.says().ready
    assert "does not tell positions (and 1 more) since" in world.only().what


def test_a_market_stream_that_is_away_blinds_price_rules_and_stays_ready() -> None:
    """Alerts of fixed size are executed as ever; the problem names the blind prices."""
    world = World(links=away(market=trouble(40 * SECOND, last=40 * SECOND)))
    world.now += 5 * SECOND
    world.view.board.offer(SYMBOL, "mark", Decimal(1), 0, START - 40 * SECOND)
    told = world.says(PLAIN)
    assert told.ready
    assert told.stale == (Stale(SYMBOL, "mark", START - 40 * SECOND),)
    problem = world.only()
    assert problem.link == "market stream"
    assert "price rules are blind since then: BTCUSDT mark" in problem.meaning
    assert "(45 s): timed out" in problem.what


def test_alerts_whose_orders_are_sized_by_a_price_that_is_gone_are_not_executed() -> None:
    """Then it is not ready, and says which rules."""
    world = World(view=view(None), links=away(market=trouble(60 * SECOND, last=60 * SECOND)))
    told = world.says(SIZED)
    assert (told.ready, told.taking) == (False, True)
    assert "no fresh price for the orders of sized" in told.reasons[0]
    assert world.says(PRICED).ready, "no alert leads to it"


def test_a_stream_that_is_back_within_seconds_is_no_problem() -> None:
    """Connections are renewed every day."""
    links = away(market=trouble(10 * SECOND, last=GRACE - 1), user=trouble(0, last=GRACE - 1))
    assert World(links=links).says().problems == ()


def test_a_symbol_without_prices_on_a_stream_that_stands_is_told() -> None:
    """It may be halted: the mark price comes every second, a trade need not."""
    world = World()
    world.now += STALE_AFTER + 1
    world.price("last")
    world.now += STALE_AFTER + 1
    told = world.says(PRICED)
    assert told.ready
    assert [each.source for each in told.stale] == ["last", "mark"]
    [problem] = told.problems
    assert "no price of BTCUSDT mark since 2023-11-14" in problem.what
    world.price("mark")
    assert world.says(PRICED).problems == ()
    assert [each.source for each in world.says(PRICED).stale] == ["last"]


def test_a_price_that_never_came_is_stale_since_ever() -> None:
    """Its first moment is not known."""
    world = World(view=view(None))
    assert world.says().stale == (Stale(SYMBOL, "mark", None),)
    assert world.only().since == world.started_at


def test_a_user_stream_that_is_away_says_how_fills_are_noticed_instead() -> None:
    """Ready: orders are sent, and what is open is read; without REST nobody notices."""
    world = World(links=away(user=trouble(9 * SECOND, last=9 * SECOND, detail="")))
    assert world.says().ready
    problem = world.only()
    assert (problem.link, problem.since) == ("user stream", START - 9 * SECOND)
    assert "read over REST every 3 s" in problem.meaning
    world.links.calls = {"account": trouble(SECOND, 2)}
    assert "no exit follows a fill" in world.says().problems[0].meaning


def test_many_names_are_cut_short() -> None:
    """Five, and how many more."""
    symbols = tuple(f"S{n}USDT" for n in range(8))
    one = rule("many", built("notify", "x"), symbols=symbols)
    world = World(links=away(market=trouble(60 * SECOND, last=60 * SECOND)))
    assert "S4USDT mark and 3 more" in world.only(rule_set(one)).meaning
