"""What `runner test` decides is what the daemon decides: random rules and prices, both played."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from runner.app import App
from runner.connecting import Place
from runner.journal import JournalReader
from runner.rulebook.tests_file import load_tests
from runner.ruletests.playing import play
from runner.settings import Settings
from runner.venues.paper.market import Still
from runner.venues.paper.server import PaperServer
from runner.venues.paper.symbols import built_in, start_price
from tests.support import eventually

PATIENCE = 90
HOUR = 3_600_000
SETTINGS = replace(Settings(), hook=("127.0.0.1", 0), stale_after=HOUR)
"""On a busy machine prices come late; the test that is compared gives one a second."""
DECIDED = frozenset({"armed", "crossed", "reset", "fired", "refused", "planned", "notify", "run"})
"""What a rule makes of the world; the rest of the log tells how the exchange answered."""

STEPS = 10
Line = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Script:
    """One symbol's rule and the prices that come, the first at the start."""

    symbol: str
    rule: str
    prices: tuple[Decimal, ...]

    @property
    def rule_id(self) -> str:
        """The id of its rule."""
        return f"rule-{self.symbol.lower()}"

    def test(self) -> str:
        """The same as a test, one price a second."""
        series = " ".join(map(str, self.prices))
        step = f"{{at: 0s, every: 1s, mark: {series}}}"
        return (
            f"tests_for: rules.yaml\ntests:\n  - name: {self.symbol}\n    rule: {self.rule_id}\n"
            f"    steps: [{step}]\n"
        )


def drawn(dice: random.Random, symbol: str, tick: Decimal) -> Script:
    """A rule around the start price, and prices that cross its levels back and forth."""
    start = start_price(symbol)

    def near(parts: int) -> Decimal:
        return (start * (1000 + parts) / 1000 // tick) * tick

    above = dice.random() < 0.5
    level = dice.randint(-3, 3)
    rearm = f", rearm: {near(level - 2 if above else level + 2)}" if dice.random() < 0.5 else ""
    side = "crosses_above" if above else "crosses_below"
    condition = dice.choice(
        ("", "if: [position.size == 0]", f"if: [mark < {near(level + 3)}]", "if: [rule.fires < 2]")
    )
    order = dice.choice(
        (
            f"{{side: {dice.choice(('buy', 'sell'))}, type: market, notional: 150}}",
            "{side: buy, type: limit, price: =trigger.price * 0.97, notional: 150}",
            "{side: sell, type: limit, price: =mark * 1.03, notional: 200, time_in_force: gtx}",
        )
    )
    limit = dice.choice(("", "max_fires: 2", "cooldown: 1h"))
    keys = [
        f"  - id: rule-{symbol.lower()}",
        f"symbol: {symbol}",
        f"when: [{{price: {{{side}: {near(level)}{rearm}}}}}]",
        condition,
        f"do: [{{place: {order}}}, {{notify: 'at {{trigger.price}}'}}]",
        limit,
    ]
    prices = (start, *(near(dice.randint(-6, 6)) for _ in range(STEPS)))
    return Script(symbol, "\n    ".join(filter(None, keys)), prices)


@pytest.fixture
def paper() -> Iterator[PaperServer]:
    """A paper exchange over HTTP and WebSockets on which only we move prices."""
    with PaperServer(keys={"paper-key": "paper-secret"}, market=Still(), limits=False) as server:
        yield server


def by_daemon(folder: Path, paper: PaperServer, scripts: list[Script]) -> dict[str, list[Line]]:
    """Every rule in one daemon with its threads and sockets; its log of decisions."""
    app = App(Place(folder), SETTINGS, paper)
    app.start()
    try:
        eventually(lambda: app.readiness().ready, PATIENCE)
        for script in scripts:
            eventually(partial(calm, app, paper, script, script.prices[0]), PATIENCE)
        for number in range(1, STEPS + 1):
            for script in scripts:
                price = script.prices[number]
                paper.set_price(script.symbol, price=price)
                eventually(partial(calm, app, paper, script, price), PATIENCE)
    finally:
        app.stop()
    with JournalReader.open(folder / "journal.db") as journal:
        found = {script.rule_id: journal.records(rule_id=script.rule_id) for script in scripts}
    return {
        rule_id: [line(r["kind"], r["text"], r["reason"]) for r in records if r["kind"] in DECIDED]
        for rule_id, records in found.items()
    }


def line(kind: str, text: str, reason: str) -> Line:
    """A decision; how much of a cooldown is left depends on how quickly prices came."""
    return kind, "" if reason == "cooldown" else text, reason


def calm(app: App, paper: PaperServer, script: Script, price: Decimal) -> bool:
    """The price was heard, and all that followed from it is over.

    The first one, too: the rule knows on which side of its level the price is.
    """
    state, view = app.cell.engine.state, app.cell.engine.world.view
    key = (script.symbol, "mark")
    last, band = view.board.last(*key), view.board.band(*key)
    held = view.position(script.symbol)
    account = next(iter(paper.exchange.state.accounts.values()))
    return (
        last is not None
        and last.value == price
        and band is not None
        and not band.wide_awake
        and band.heard == view.board.series(*key).passed
        and not app.cell.dispatcher.waiting()
        and not state.restless
        and not state.runs
        and (held.size if held else 0) == account.amount(script.symbol, "BOTH")
    )


def by_test(folder: Path, script: Script) -> list[Line]:
    """The same by `runner test`."""
    path = folder / "rules" / f"{script.symbol}.tests.yaml"
    path.write_text(script.test(), "utf-8")
    tests = load_tests(path)
    assert tests.found == []
    (case,) = tests.cases
    log = play(tests, case).log
    return [line(r.kind, r.text, r.reason) for _, r in log if r.kind in DECIDED]


@pytest.mark.parametrize("seed", range(3))
def test_both_decide_the_same(seed: int, tmp_path: Path, paper: PaperServer) -> None:
    """Twelve random rules a seed: the same crosses, fires, refusals with their values, orders."""
    dice = random.Random(seed)
    scripts = [drawn(dice, name, symbol.tick) for name, symbol in built_in().items()]
    (tmp_path / "rules").mkdir()
    text = "version: 1\nrules:\n" + "\n".join(script.rule for script in scripts) + "\n"
    (tmp_path / "rules" / "rules.yaml").write_text(text, "utf-8")
    decided = by_daemon(tmp_path, paper, scripts)
    for script in scripts:
        assert by_test(tmp_path, script) == decided[script.rule_id], script
    assert sum(each[0] == "fired" for lines in decided.values() for each in lines) > 5
