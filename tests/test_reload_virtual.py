"""Reload on a virtual clock: what state survives an edit, and that loading never fires a rule."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.connecting import PAPER_KEY
from runner.core.decision import Decision, Record
from runner.core.events import Alert
from runner.core.rules import RuleSet
from runner.rulebook.load import load
from runner.venues.paper.exchange import Exchange
from runner.venues.paper.symbols import built_in, start_price
from runner.virtual import VirtualClock, VirtualExchange, VirtualRunner

START = 1_763_640_000_000  # 2025-11-20 12:00:00 UTC
SECOND, MINUTE = 1_000, 60_000

CROSS = """\
  - id: cross
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000}}]
    do: [{notify: crossed}]
"""
HOLD = CROSS.replace("70000}", "70000, for: 15s}")
ALERT = """\
  - id: tv
    symbol: ETHUSDT
    when: [{webhook: {path: tv, secret: tv, body: {n: number}}}]
    do: [{notify: alerted}]
"""
CRON = """\
  - id: cron
    symbol: BTCUSDT
    when: [{schedule: {every: 10m}}]
    do: [{notify: due}]
"""
LADDER = """\
  - id: ladder
    symbol: ETHUSDT
    when: [{webhook: {path: tv, secret: tv, body: {n: number}}}]
    do: [{place: {side: buy, type: limit, price: =mark * 0.9, quantity: 0.1}}]
"""
BRACKET = """\
  - id: bracket
    symbol: BTCUSDT
    when: [{webhook: {path: tv, secret: tv, body: {n: number}}}]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.01}
          stop: {trigger_price: =mark * 0.99}
          target: {price: =mark * 1.01}
"""
DEAD_MAN = "dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}\n"


class Stage:
    """One runner over the paper exchange, and the folder of its one rule file."""

    def __init__(self, folder: Path, *texts: str, head: str = "") -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.records: list[Record] = []
        self.triggers: list[str] = []
        symbols = {name: built_in()[name] for name in ("BTCUSDT", "ETHUSDT")}
        engine = Exchange(symbols, accounts=(), price_of=start_price, now=START)
        self.exchange = VirtualExchange(engine, self.clock)
        engine.open_account(PAPER_KEY, START)
        self.mark("BTCUSDT", 69_000)
        self.mark("ETHUSDT", 3_000)
        self.runner = VirtualRunner(
            folder / "journal.db",
            self.rules(*texts, head=head),
            self.exchange,
            self.clock,
            observers=[self.observe],
        )
        self.wait(SECOND)

    def observe(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            self.records += decision.records
            self.triggers += [run.identity.trigger for run in decision.new_runs]

    def rules(self, *texts: str, head: str = "") -> RuleSet:
        path = self.folder / "rules.yaml"
        path.write_text(f"version: 1\n{head}rules:\n{''.join(texts)}")
        loaded = load(path)
        assert loaded.rules is not None, loaded.diagnostics
        return loaded.rules

    def reload(self, *texts: str, head: str = "") -> Record:
        """Take these rules up; the record of it."""
        self.runner.reload(self.rules(*texts, head=head))
        return [record for record in self.records if record.kind == "reload"][-1]

    def wait(self, length: int) -> None:
        self.runner.advance(self.clock.now + length)

    def mark(self, symbol: str, price: int) -> None:
        self.exchange.price(symbol, mark=Decimal(price), last=Decimal(price))

    def move(self, *prices: int, symbol: str = "BTCUSDT") -> None:
        """One price a second."""
        for price in prices:
            self.mark(symbol, price)
            self.wait(SECOND)

    def alert(self, n: int) -> str:
        now = self.clock.now
        answer = self.runner.ask(
            Alert("tv", {"n": Decimal(n)}, hashlib.sha256(str(n).encode()).hexdigest(), now, None)
        )
        assert answer is not None
        return answer.outcome

    def fired(self) -> int:
        return len(self.triggers)

    def open_orders(self) -> list[str]:
        state = self.runner.engine.state
        return [leg.name for leg in state.legs.values() if leg.open]


Make = Callable[..., Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Make]:
    """Makes a stage of these rules; its runner is ended afterwards."""
    made: list[Stage] = []

    def make(*texts: str, head: str = "") -> Stage:
        made.append(Stage(tmp_path, *texts, head=head))
        return made[-1]

    yield make
    for each in made:
        each.runner.crash()


def test_an_armed_level_stays_armed(stage: Make) -> None:
    """Another action is no other trigger: the side is known, and the next cross fires."""
    scene = stage(CROSS)
    scene.move(69_500)
    scene.reload(CROSS.replace("notify: crossed", "notify: over it"))
    assert scene.fired() == 0
    scene.move(70_500)
    assert scene.fired() == 1
    assert "over it" in [record.text for record in scene.records]


def test_an_edited_level_starts_over(stage: Make) -> None:
    """A level put under the price is not crossed by that; the next real cross fires."""
    scene = stage(CROSS)
    scene.move(69_500)
    record = scene.reload(CROSS.replace("70000", "69200"))
    assert record.data["changes"][0]["then"] == "its armed state starts over"
    scene.move(69_600, 69_700)
    assert scene.fired() == 0
    scene.move(69_100, 69_300)
    assert scene.fired() == 1


def test_a_fired_level_is_not_armed_by_a_reload(stage: Make) -> None:
    """Past the level and fired: a reload with another action does not let it fire again."""
    scene = stage(CROSS)
    scene.move(69_500, 70_500)
    assert scene.fired() == 1
    scene.reload(CROSS.replace("crossed", "again"))
    scene.move(70_600, 70_700)
    assert scene.fired() == 1


def test_a_running_timer_goes_on(stage: Make) -> None:
    """`for: 15s` begun before the reload ends when it would have ended."""
    scene = stage(HOLD)
    scene.move(69_500, 70_500)
    scene.wait(7 * SECOND)
    scene.reload(HOLD.replace("crossed", "held"))
    scene.wait(5 * SECOND)
    assert scene.fired() == 0
    scene.move(70_501, 70_502, 70_503, 70_504)
    assert scene.fired() == 1


def test_a_band_moves_with_its_level(stage: Make) -> None:
    """Prices that nobody waited for before the edit are heard after it, and the old are not."""
    scene = stage(CROSS.replace("70000", "90000"))
    scene.move(69_500)
    scene.reload(CROSS)
    scene.move(69_600, 70_100)
    assert scene.fired() == 1


def test_schedules_go_on_and_edited_ones_begin_anew(stage: Make) -> None:
    """Unchanged: no instant lost or doubled. Edited: from now on, never for what is past."""
    scene = stage(CRON)
    scene.wait(10 * MINUTE)
    assert scene.fired() == 1
    scene.reload(CRON.replace("due", "it is time"))
    assert scene.fired() == 1
    scene.wait(10 * MINUTE)
    assert scene.fired() == 2
    record = scene.reload(CRON.replace("10m", "1m"))
    assert record.data["changes"][0]["then"] == "next 12:21:00 UTC"
    assert scene.fired() == 2
    scene.wait(MINUTE)
    assert scene.fired() == 3
    scene.reload(ALERT)
    scene.wait(30 * MINUTE)
    assert scene.fired() == 3


def test_a_repeated_alert_stays_a_duplicate(stage: Make) -> None:
    """TradingView sends again seconds later: an edit in between, also of the webhook, changes
    nothing about it.
    """
    scene = stage(ALERT)
    assert scene.alert(1) == "fired"
    scene.reload(ALERT.replace("alerted", "heard"))
    assert scene.alert(1) == "duplicate"
    scene.reload(ALERT.replace("body:", "max_age: 20s, body:"))
    assert scene.alert(1) == "duplicate"
    scene.reload(CROSS)
    scene.reload(ALERT)
    assert scene.alert(1) == "duplicate"
    assert scene.alert(2) == "fired"


def test_a_cooldown_goes_on(stage: Make) -> None:
    """It is kept under the id, also when the rule was gone for a while; a new id knows nothing."""
    calm = ALERT + "    cooldown: 1h\n"
    scene = stage(calm)
    assert scene.alert(1) == "fired"
    record = scene.reload(calm.replace("alerted", "heard"))
    assert record.data["changes"][0]["then"] == "state kept, cooldown until 13:00:01 UTC"
    assert scene.alert(2) == "not fired"
    scene.reload(CROSS)
    scene.reload(calm)
    assert scene.alert(3) == "not fired"
    scene.reload(calm.replace("id: tv", "id: tv-two"))
    assert scene.alert(4) == "fired"


def test_a_renamed_rule_goes_on(stage: Make) -> None:
    """Its armed level and what it has fired for are found under the new id."""
    scene = stage(CROSS, ALERT)
    scene.move(69_500)
    assert scene.alert(1) == "fired"
    record = scene.reload(
        CROSS.replace("id: cross", "id: over\n    renamed_from: cross"),
        ALERT.replace("id: tv", "id: signal\n    renamed_from: tv"),
    )
    assert [change["mark"] for change in record.data["changes"]] == [">", ">"]
    assert scene.alert(1) == "duplicate"
    scene.move(70_500)
    assert scene.triggers == ["webhook", "price"]


def test_orders_of_a_removed_rule_stay(stage: Make) -> None:
    """They stay on the book and are counted in the plan; the rule begins nothing new."""
    scene = stage(LADDER, CROSS)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    record = scene.reload(CROSS)
    assert record.data["plan"][1] == "  - ladder  1 open order stays on the book"
    scene.wait(MINUTE)
    assert scene.open_orders() == ["0.0"]
    assert scene.alert(2) == "unfit"
    state = scene.runner.engine.state
    assert {leg.state.name for leg in state.legs.values() if leg.open} == {"LIVE"}


TIDY = LADDER + "    on_remove: cancel\n"


def test_a_removed_rule_may_take_its_entries_along(stage: Make) -> None:
    """`on_remove: cancel`: what rests on the book goes, once; another rule's orders stay."""
    other = LADDER.replace("id: ladder", "id: stays")
    scene = stage(TIDY, other)
    assert scene.alert(1) == "fired"
    assert scene.alert(2) == "fired"
    scene.wait(SECOND)
    assert len(scene.open_orders()) == 4
    record = scene.reload(other)
    assert "  - ladder  2 open entries are cancelled" in record.data["plan"]
    scene.wait(MINUTE)
    state = scene.runner.engine.state
    left = [leg for leg in state.legs.values() if leg.open]
    assert {state.rule_ids[leg.run_id] for leg in left} == {"stays"}
    assert len(left) == 2
    scene.reload(other)
    assert len([each for each in scene.records if "was removed" in each.text]) == 1


def test_a_symbol_that_leaves_takes_its_entries_along(stage: Make) -> None:
    """Of that symbol alone; the text that is loaded decides, also for orders of an older one."""
    both = LADDER.replace("symbol: ETHUSDT", "symbols: [ETHUSDT, BTCUSDT]")
    scene = stage(both)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    less = TIDY.replace("symbol: ETHUSDT", "symbols: [ETHUSDT]")
    record = scene.reload(less)
    assert "1 open entry is cancelled" in record.data["plan"][1]
    scene.wait(SECOND)
    legs = scene.runner.engine.state.legs.values()
    assert [leg.intent.symbol for leg in legs if leg.open] == ["ETHUSDT"]


def test_a_renamed_rule_keeps_its_entries(stage: Make) -> None:
    """It is not removed."""
    scene = stage(TIDY)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    scene.reload(TIDY.replace("id: ladder", "id: steps\n    renamed_from: ladder"))
    scene.wait(SECOND)
    assert scene.open_orders() == ["0.0"]


def test_exits_stay_when_their_rule_is_removed(stage: Make) -> None:
    """A bracket whose entry is on the book: the rest of it goes, what filled keeps its exits."""
    limit = BRACKET.replace("type: market,", "type: limit, price: =mark - 500,")
    tidy = limit + "    on_remove: cancel\n"
    scene = stage(tidy)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    assert scene.open_orders() == ["0.entry"]
    scene.reload(CROSS)
    scene.wait(SECOND)
    assert scene.open_orders() == []
    filled = BRACKET + "    on_remove: cancel\n"
    scene.reload(filled)
    assert scene.alert(2) == "fired"
    scene.wait(SECOND)
    exits = scene.open_orders()
    assert len(exits) == 2
    scene.reload(CROSS)
    scene.wait(SECOND)
    assert scene.open_orders() == exits
    assert not [each for each in scene.records if each.reason == "critical"]


def test_the_cancels_of_a_removed_rule_survive_a_crash(stage: Make) -> None:
    """They are planned in the same commit as the reload."""
    scene = stage(TIDY)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    rules = scene.rules(CROSS)
    scene.runner.reload(rules)
    scene.runner.crash()
    scene.runner = VirtualRunner(
        scene.folder / "journal.db", rules, scene.exchange, scene.clock, observers=[scene.observe]
    )
    scene.wait(MINUTE)
    assert scene.open_orders() == []


def test_a_run_ends_by_the_text_it_began_with(stage: Make) -> None:
    """The exits of a bracket that is on the book follow its own text, also without its rule."""
    scene = stage(BRACKET)
    assert scene.alert(1) == "fired"
    scene.wait(SECOND)
    exits = scene.open_orders()
    assert len(exits) == 2
    scene.reload(BRACKET.replace("1.01", "1.5"))
    scene.reload(CROSS)
    assert scene.open_orders() == exits
    assert len(scene.runner.engine.state.revisions) == 2
    scene.move(69_800)
    scene.wait(SECOND)
    assert scene.open_orders() == [], "the target filled, and the stop was taken off"


def test_a_symbol_that_leaves_the_dead_man_is_disarmed(stage: Make) -> None:
    """countdownTime=0 is sent at once, else the exchange would cancel its orders later."""
    scene = stage(LADDER, head=DEAD_MAN.replace("BTCUSDT", "ETHUSDT"))
    scene.alert(1)
    scene.wait(SECOND)
    account = scene.exchange.exchange.state.accounts[PAPER_KEY]
    assert "ETHUSDT" in account.countdowns
    record = scene.reload(LADDER)
    assert "  - ETHUSDT  its countdown is stopped" in record.data["plan"]
    scene.wait(SECOND)
    assert not account.countdowns.get("ETHUSDT")
    scene.wait(5 * MINUTE)
    assert scene.open_orders() == ["0.0"]


def test_a_new_symbol_is_heard(stage: Make) -> None:
    """A rule on a symbol that nobody read before hears its prices after the reload."""
    scene = stage(CROSS)
    other = CROSS.replace("id: cross", "id: other").replace("BTCUSDT", "ETHUSDT")
    scene.reload(CROSS, other.replace("70000", "3100"))
    scene.move(3_050, 3_150, symbol="ETHUSDT")
    assert scene.fired() == 1
    scene.move(69_900, 70_100)
    assert scene.fired() == 2


def test_a_restart_goes_on_with_the_reloaded_rules_state(stage: Make) -> None:
    """What a reload changed is in the journal: a restart right after it finds the same state."""
    scene = stage(CROSS)
    scene.move(69_500)
    scene.reload(CROSS.replace("crossed", "over it"))
    scene.runner.crash()
    rules = scene.runner.engine.world.rules
    scene.runner = VirtualRunner(
        scene.folder / "journal.db", rules, scene.exchange, scene.clock, observers=[scene.observe]
    )
    scene.wait(SECOND)
    scene.move(69_501, 70_500)
    assert scene.fired() == 1


WAITS = st.sampled_from((0, 400, 20_000))
LEVELS = st.sampled_from(("60000", "68999", "69000", "69001", "69500", "80000"))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, ...]:
    """Some rule file: levels at, under and over the price, timers, schedules, any of them gone."""
    rules = []
    for number in range(draw(st.integers(1, 4))):
        way = draw(st.sampled_from(("crosses_above", "crosses_below")))
        more = draw(
            st.sampled_from(("", ", for: 1s", ", for: 10s", ", rearm: 69000", ", source: last"))
        )
        gap = draw(st.sampled_from(("", ", after_gap: fire")))
        level = draw(LEVELS)
        if more == ", rearm: 69000" and (int(level) < 69000) is (way == "crosses_above"):
            more = ""
        trigger = draw(
            st.sampled_from(
                (
                    f"price: {{{way}: {level}{more}{gap}}}",
                    "schedule: {every: 1s, missed: all}",
                    "schedule: {at: '12:00', missed: last, grace: 1d}",
                    "price: {trails: 1%}",
                    "price: {moves: 1% within 5m}",
                )
            )
        )
        symbol = draw(st.sampled_from(("BTCUSDT", "ETHUSDT")))
        rules.append(
            f"  - id: rule-{number}\n    symbol: {symbol}\n    when: [{{{trigger}}}]\n"
            "    do: [{notify: fired}]\n"
        )
    return tuple(rules)


@settings(max_examples=25)
@given(versions=st.lists(written(), min_size=2, max_size=6), waits=st.lists(WAITS, min_size=6))
def test_no_edit_fires_a_rule_by_itself(
    tmp_path_factory: pytest.TempPathFactory, versions: list[tuple[str, ...]], waits: list[int]
) -> None:
    """Prices stand still: whatever the edits, only schedules fire, and those not at once."""
    scene = Stage(tmp_path_factory.mktemp("stage"), *versions[0])
    try:
        for version, length in zip(versions[1:], waits, strict=False):
            before = scene.fired()
            scene.reload(*version)
            assert scene.fired() == before
            scene.wait(length)
            assert {name.partition("#")[0] for name in scene.triggers} <= {"schedule"}
    finally:
        scene.runner.crash()
