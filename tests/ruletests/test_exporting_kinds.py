"""A run of every kind of trigger becomes a test that passes, also from random histories."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli import main
from runner.core.events import Fire, JournalTrouble, PositionIncident, StreamState
from runner.core.orders import OrderIntent, OrderType, PlaceCall, Side
from runner.journal import JournalReader
from runner.ruletests.happening import stop
from runner.virtual import VirtualRunner
from tests.ruletests.driving import life, move, post

HEAD = "version: 1\nrules:\n"
NOTE = "do: [{notify: 'seen {%s}'}]"
BTC = "symbol: BTCUSDT"


def rule(name: str, trigger: str, do: str, symbol: str = BTC) -> str:
    """One rule of a file."""
    return f"  - id: {name}\n    {symbol}\n    when: [{trigger}]\n    {do}\n"


def wait(runner: VirtualRunner, seconds: int) -> None:
    """Let seconds pass; the streams say their prices again each second."""
    for _ in range(seconds):
        runner.advance(runner.clock.now + 1_000)
        runner.exchange.repeat()
    runner.advance(runner.clock.now)


def trade(runner: VirtualRunner, size: str) -> None:
    """Somebody trades on the same account by hand."""
    side, quantity = (Side.SELL if size.startswith("-") else Side.BUY), Decimal(size.lstrip("-"))
    name = f"by-hand-{runner.clock.now}"
    intent = OrderIntent(name, "BTCUSDT", side, OrderType.MARKET, quantity)
    venue = runner.venue
    venue.send(venue.sign(venue.request(PlaceCall((intent,), (1,)))))
    runner.exchange.settle(at_once=True)
    wait(runner, 2)


def there_and_back(runner: VirtualRunner) -> None:
    """A position is opened and closed."""
    trade(runner, "0.5")
    trade(runner, "-0.5")


def incident(runner: VirtualRunner) -> None:
    """The exchange warns of a position."""
    now = runner.clock.now
    size, price = Decimal("-0.5"), Decimal(71_000)
    told = PositionIncident("margin_call", "BTCUSDT", "BOTH", size, price, "1", now)
    runner.dispatcher.post(told)
    wait(runner, 1)


def silence(runner: VirtualRunner) -> None:
    """A stream breaks off, and is missed."""
    now = runner.clock.now
    runner.dispatcher.post(StreamState("user", False, now, now - 1_000, "gone"))
    wait(runner, 40)


def trouble(runner: VirtualRunner) -> None:
    """The journal has little room."""
    runner.dispatcher.post(JournalTrouble("room", "little room", runner.clock.now))
    wait(runner, 1)


def by_hand(runner: VirtualRunner) -> None:
    """A person fires the rule."""
    runner.ask(Fire("it", "BTCUSDT", "key", runner.clock.now))
    wait(runner, 1)


def two_candles(runner: VirtualRunner) -> None:
    """The price is low at the first quarter, and high at the second."""
    wait(runner, 120)
    move(runner, "BTCUSDT", "70010.5")
    wait(runner, 120)


def funding(runner: VirtualRunner) -> None:
    """The rate of the next funding rises."""
    runner.exchange.price("BTCUSDT", funding_rate=Decimal("0.0007"))
    wait(runner, 2)


def loss(runner: VirtualRunner) -> None:
    """A long position loses money."""
    trade(runner, "0.5")
    move(runner, "BTCUSDT", "67000")
    wait(runner, 12)


def filled(runner: VirtualRunner) -> None:
    """An order of another rule fills."""
    post(runner, "other", '{"n": 1}')
    wait(runner, 2)


def up_and_down(runner: VirtualRunner) -> None:
    """The price rises and falls back, in steps."""
    for price in ("69000", "69500", "70500", "69900", "68500", "67000"):
        move(runner, "BTCUSDT", price)
        wait(runner, 2)


def nothing(runner: VirtualRunner) -> None:
    """Time passes."""
    wait(runner, 70)


BUY = "{place: {side: buy, type: market, quantity: 0.01}}"
OTHER = rule("other", "webhook: {path: other, secret: tv}", f"do: [{BUY}]")
CASES: dict[str, tuple[str, str, str, Callable[[VirtualRunner], None]]] = {
    "candle": (
        "price: {closes_above: 70000, on: 1m}",
        "do: [{notify: 'closed at {trigger.price}'}]",
        "",
        two_candles,
    ),
    "moves": ("price: {moves: 1% within 10s}", f"do: [{BUY}]", "", up_and_down),
    "trails": ("price: {trails: 1.5%}", "do: [{notify: '{trigger.extreme}'}]", "", up_and_down),
    "trails up": ("price: {trails: 1% from low}", NOTE % "trigger.price", "", up_and_down),
    "last": ("price: {crosses_below: 68800, source: last, for: 1s}", "do: [" + BUY + "]", "", loss),
    "funding": ("funding: {crosses_above: 0.05%}", NOTE % "trigger.rate", "", funding),
    "order": (
        "order: {rule: other, status: filled}",
        "do: [{notify: '{trigger.quantity} @ {trigger.price}'}]",
        OTHER,
        filled,
    ),
    "opened": (
        "position: opened",
        "do: [{notify: '{trigger.side} {trigger.size} @ {trigger.price}'}]",
        "",
        there_and_back,
    ),
    "closed": ("position: closed", NOTE % "trigger.side", "", there_and_back),
    "incident": ("position: margin_call", NOTE % "trigger.size", "", incident),
    "loss": (
        "position: {loss: 500, for: 5s}",
        "do: [{close: {type: market}}, {notify: '{trigger.what}'}]",
        "",
        loss,
    ),
    "started": ("system: started", NOTE % "trigger.away", "", nothing),
    "journal": ("system: journal", NOTE % "trigger.detail", "", trouble),
    "gap": ("system: {stream_gap: 30s}", NOTE % "trigger.detail", "", silence),
    "heartbeat": (
        "dead_man: {heartbeat: {webhook: beat, every: 1m, secret: tv}}",
        "do: [{notify: silent}]",
        "",
        nothing,
    ),
    "schedule": ('schedule: {cron: "* * * * *"}', f"do: [{BUY}]", "", nothing),
    "manual": ("webhook: {path: never, secret: tv}", f"do: [{BUY}]", "", by_hand),
}


def exported(folder: Path) -> list[str]:
    """Every run of the journal as a test, which stands beside the rules and passes."""
    with JournalReader.open(folder / "journal.db") as journal:
        runs = journal.runs()
    texts = []
    for run in runs:
        arguments = ["explain", run["run_id"], "--as-test", "--dir", str(folder)]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert result.stderr == "", f"{result.stderr}\n{result.stdout}"
        path = folder / "rules" / "rules.tests.yaml"
        path.write_text(result.stdout, "utf-8")
        played = CliRunner().invoke(main, ["test", str(path)], catch_exceptions=False)
        assert played.exit_code == 0, played.output + result.stdout
        texts.append(result.stdout)
    return texts


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_run_becomes_a_test(name: str, tmp_path: Path) -> None:
    """Its own event, in a step of its own, and what became of it."""
    trigger, do, more, happen = CASES[name]
    with life(tmp_path, HEAD + rule("it", trigger, do) + more) as runner:
        wait(runner, 2)
        happen(runner)
    assert any("rule: it\n" in text for text in exported(tmp_path))


def test_a_start_after_a_while_becomes_a_restart(tmp_path: Path) -> None:
    """How long the runner was away is part of it."""
    rules = HEAD + rule("it", "system: started", NOTE % "trigger.away")
    with life(tmp_path, rules) as runner:
        wait(runner, 2)
        end = runner.clock.now
    with life(tmp_path, rules, start=end + 90_000) as runner:
        wait(runner, 2)
    assert "restart: 1m3" in exported(tmp_path)[-1]


@pytest.mark.parametrize("before", [2, 62])
def test_a_stop_that_outlasts_the_countdown_becomes_a_stop(before: int, tmp_path: Path) -> None:
    """Also where the countdown was nearly over when the runner was stopped."""
    rules = HEAD + rule("it", "dead_man: expired_while_stopped", NOTE % "trigger.what")
    rules += "dead_man: {symbols: [BTCUSDT], countdown: 3m, refresh: 1m}\n"
    with life(tmp_path, rules) as runner:
        wait(runner, before)
        stop(runner)
        end = runner.clock.now
    with life(tmp_path, rules, start=end + 185_000) as runner:
        wait(runner, 5)
    [text] = exported(tmp_path)
    assert "stop: 3m" in text


def test_a_rule_that_also_fires_at_the_start_becomes_a_test(tmp_path: Path) -> None:
    """The start of the test is expected, and then what made this run."""
    rules = HEAD + rule("it", "system: started", NOTE % "trigger.away")
    with life(tmp_path, rules) as runner:
        wait(runner, 2)
        by_hand(runner)
    assert "{at: 500ms, expect: fired}" in exported(tmp_path)[-1]


HAPPENINGS = (there_and_back, incident, trouble, funding, filled, up_and_down, by_hand, nothing)


@pytest.mark.parametrize("seed", range(4))
def test_every_run_of_a_random_history_becomes_a_test(seed: int, tmp_path: Path) -> None:
    """Random rules of every kind live through random events; each run's test passes."""
    dice = random.Random(seed)
    names = dice.sample(sorted(CASES), 4)
    rules = [rule(f"it{n}", CASES[name][0], CASES[name][1]) for n, name in enumerate(names)]
    rules[0] = rules[0].replace("id: it0", "id: it")
    with life(tmp_path, HEAD + "".join(rules) + OTHER) as runner:
        wait(runner, 2)
        for happen in dice.sample(HAPPENINGS, 3):
            happen(runner)
    exported(tmp_path)
