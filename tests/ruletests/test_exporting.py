"""A run of the journal becomes a test, and the test passes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli import main
from runner.journal import JournalReader
from tests.ruletests.driving import life, move, post, wait


def written(folder: Path, rule: str) -> tuple[str, str]:
    """The exported test of a rule's newest run, and what the verb said besides."""
    with JournalReader.open(folder / "journal.db") as journal:
        run_id = journal.runs(rule_id=rule)[-1]["run_id"]
    arguments = ["explain", run_id, "--as-test", "--dir", str(folder)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def check(folder: Path, rule: str) -> str:
    """Export the rule's run, put it beside the rules and play it; the text of the test."""
    text, remarks = written(folder, rule)
    assert remarks == "", remarks + text
    path = folder / "rules" / "rules.tests.yaml"
    path.write_text(text, "utf-8")
    result = CliRunner().invoke(main, ["test", str(path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output + text
    assert "1 ok." in result.output
    return text


def test_an_alert_becomes_a_test(tmp_path: Path) -> None:
    """Its body, the price that the rule saw, and the order."""
    with life(tmp_path) as runner:
        post(runner, "eth", '{"action": "sell", "n": 1.50}')
        wait(runner, 2)
    text = check(tmp_path, "alert")
    assert "webhook: {path: eth, body: {action: sell" in text
    assert "{side: sell, type: limit, quantity: 0.1, price: 3395}" in text


def test_a_bracket_becomes_a_test_with_its_fills(tmp_path: Path) -> None:
    """Entry, fill, exits, the target that filled and the stop that went with it."""
    with life(tmp_path) as runner:
        move(runner, "BTCUSDT", "70010")
        wait(runner, 10)
        move(runner, "BTCUSDT", "75010")
        wait(runner, 3)
    text = check(tmp_path, "breakout")
    assert "fill: {order: 1, price: 70010.1, quantity: 0.02}" in text
    assert "cancel: [2]" in text
    assert "notify: Bought at 70010" in text


def test_a_stop_that_was_reached_becomes_a_price(tmp_path: Path) -> None:
    """A conditional order fills when the price is there, not by hand."""
    with life(tmp_path) as runner:
        move(runner, "BTCUSDT", "70010")
        wait(runner, 10)
        move(runner, "BTCUSDT", "67900")
        wait(runner, 3)
    assert "mark: 67900" in check(tmp_path, "breakout")


class Second(dict[str, int]):
    """Refuses the second order that is placed."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: list[str] = []

    def get(self, key: str, default: object = None) -> int | None:  # type: ignore[override]
        del default
        self.placed.append(key)
        return -2021 if len(self.placed) == 2 else None


def test_a_refused_stop_becomes_a_test(tmp_path: Path) -> None:
    """What the exchange refused is refused again, and the position is closed again."""
    with life(tmp_path) as runner:
        runner.exchange.exchange.state.refused = Second()
        move(runner, "BTCUSDT", "70010")
        wait(runner, 10)
    text = check(tmp_path, "breakout")
    assert "reject: {order: 2, code: -2021}" in text
    assert "{side: sell, type: market, quantity: 0.02, reduce_only: true}" in text


def test_a_run_that_could_do_nothing_becomes_a_test(tmp_path: Path) -> None:
    """It fired, and stopped for the reason that is recorded."""
    rules = """\
version: 1
rules:
  - id: far
    symbol: ETHUSDT
    when: [{webhook: {path: eth, secret: tv}}]
    do: [{place: {side: buy, type: limit, price: 100, quantity: 0.1}}]
"""
    with life(tmp_path, rules) as runner:
        post(runner, "eth", "{}")
        wait(runner, 1)
    assert "expect: fired, because: not possible" in check(tmp_path, "far")


def test_a_schedule_becomes_a_test_at_its_hour(tmp_path: Path) -> None:
    """The clock stands where it stood."""
    with life(tmp_path) as runner:
        runner.advance(runner.clock.now + 3_600_000)
        wait(runner, 3)
    text = check(tmp_path, "hourly")
    assert "clock: 2026-11-20T08:59:59" in text.replace('"', "")
    assert "cancel: all" in text


def test_an_unknown_run_is_a_usage_error(tmp_path: Path) -> None:
    """As without --as-test."""
    with life(tmp_path):
        pass
    arguments = ["explain", "nothing", "--as-test", "--dir", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "there is no run nothing" in result.output


@pytest.mark.parametrize("source", ["last", "index"])
def test_another_source_than_the_mark(tmp_path: Path, source: str) -> None:
    """The price that fired it moves, the mark stays what it was."""
    rules = f"""\
version: 1
rules:
  - id: other
    symbol: BTCUSDT
    when: [{{price: {{crosses_below: 68000, source: {source}}}}}]
    do: [{{place: {{side: buy, type: limit, price: =mark * 0.97, quantity: 0.01}}}}]
"""
    with life(tmp_path, rules) as runner:
        runner.exchange.price("BTCUSDT", **{source: Decimal(68_500)})
        wait(runner, 1)
        runner.exchange.price("BTCUSDT", **{source: Decimal(67_990)})
        wait(runner, 2)
    check(tmp_path, "other")
