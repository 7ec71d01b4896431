"""Sound rules that are hardly meant, and notes of what surprises; the words are in mistakes/."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.resources import folder
from runner.rulebook.diagnostics import Diagnostic, render
from runner.rulebook.load import load

RULE = "  - {id: %s, symbol: BTCUSDT, when: [{price: {crosses_above: 1}}], do: [%s]}\n"
BUY = "{place: {side: buy, type: limit, price: 9, quantity: 1}}"


def advice(folder: Path, text: str, remarks: bool = False) -> list[Diagnostic]:
    """What is found in a file of this text."""
    path = folder / "rules.yaml"
    path.write_text(f"version: 1\n{text}", "utf-8")
    return list(load(path, remarks=remarks).diagnostics)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("", "", True),
        ("", "if: [position.size == 0]", True),
        ("if: [position.size == 0]", "if: [position.size == 0, mark > 5]", True),
        ("if: [position.size == 0]", "if: [mark > 5]", False),
        ("enabled: false", "", False),
        ("", "enabled: false", False),
    ],
)
def test_the_same_order_for_the_same_event(
    tmp_path: Path, first: str, second: str, same: bool
) -> None:
    """Told only where whenever one of the two rules fires the other fires as well."""
    one, two = (
        RULE.rstrip().removesuffix("}") % (name, BUY) + (f", {more}" if more else "") + "}\n"
        for name, more in (("a1", first), ("a2", second))
    )
    assert [each.code for each in advice(tmp_path, f"rules:\n{one}{two}")] == (
        ["same-order"] if same else []
    )


@pytest.mark.parametrize(
    "other",
    [
        RULE.replace("crosses_above", "crosses_below") % ("a2", BUY),
        RULE.replace("BTCUSDT", "ETHUSDT") % ("a2", BUY),
        RULE % ("a2", BUY.replace("quantity: 1", "quantity: 2")),
        RULE % ("a2", "{close: {type: market}}, {notify: hello}"),
    ],
)
def test_different_rules_are_no_twins(tmp_path: Path, other: str) -> None:
    """Another event, another symbol, another order, or none."""
    assert advice(tmp_path, "rules:\n" + RULE % ("a1", f"{BUY}, {{notify: hello}}") + other) == []


def test_many_of_the_same_are_told_in_bounded_time(tmp_path: Path) -> None:
    """Of a hundred equal rules each is told of one other."""
    rules = "".join(RULE % (f"a{number}", BUY) for number in range(100))
    found = advice(tmp_path, f"rules:\n{rules}")
    assert len(found) == 99


SHARE = """\
dead_man: {symbols: [%s], countdown: 10m, refresh: %s}
rules:
  - {id: a1, symbol: BTCUSDT, when: [{dead_man: late}], do: [{cancel: all}]}
"""


@pytest.mark.parametrize(
    ("count", "refresh", "said"),
    [
        (60, "30s", None),
        (
            100,
            "30s",
            "warning: refreshing 100 countdowns takes 2000 of the 2400 request weight a minute",
        ),
        (121, "30s", "error: refreshing 121 countdowns takes 2420 of the 2400 request weight"),
    ],
)
def test_the_share_of_the_rate_limit(
    tmp_path: Path, count: int, refresh: str, said: str | None
) -> None:
    """Over half of it is a warning with a slower refresh that fits, over all of it an error."""
    symbols = ", ".join(["BTCUSDT", *(f"X{number}USDT" for number in range(count - 1))])
    found = advice(tmp_path, SHARE % (symbols, refresh))
    assert bool(found) == (said is not None)
    if said is not None:
        text = found[0].text()
        assert said in text
        assert "with countdown: " in text


def test_a_slower_refresh_is_proposed_up_to_a_limit(tmp_path: Path) -> None:
    """For more symbols than the exchange has, the slowest one."""
    symbols = ", ".join(["BTCUSDT", *(f"X{number}USDT" for number in range(900))])
    (found,) = advice(tmp_path, SHARE % (symbols, "5m"))
    assert found.cure == "refresh: 10m with countdown: 40m takes 901"


TAKEN = """\
lists: {some: [BTCUSDT, ETHUSDT, SOLUSDT, XRPUSDT]}
dead_man: {symbols: some, countdown: 2m, refresh: 30s}
rules:
  - id: a1
    symbols: some
    when: [{price: {crosses_above: 1}}]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 1}
          stop: {trigger_price: 1}
          target: {price: 9}
      - place: {side: sell, type: limit, price: 9, quantity: 1, reduce_only: true}
      - place: [{side: sell, type: stop_market, trigger_price: 9, close_position: true}]
  - {id: a2, symbol: DOTUSDT, when: [{price: {crosses_above: 1}}], do: [{bracket: {entry:
      {side: buy, type: market, quantity: 1}, target: {price: 9}}}]}
"""


def test_what_a_countdown_takes_with_it_is_noted_on_request(tmp_path: Path) -> None:
    """Exits that rest on the book, and stops, of which nobody knows; only with a countdown."""
    assert advice(tmp_path, TAKEN) == []
    found = advice(tmp_path, TAKEN, remarks=True)
    assert {each.severity for each in found} == {"note"}
    symbols = "BTCUSDT, ETHUSDT, SOLUSDT and 1 more"
    stop, target = (
        f"a countdown of {symbols} that runs out {fate} too"
        for fate in ("may cancel this stop", "cancels this exit")
    )
    assert [(each.line, each.message) for each in found] == [
        (11, stop),
        (12, target),
        (13, target),
        (14, stop),
    ]
    assert render(found).endswith("4 notes in " + found[0].file + ".\n")


def test_the_design_has_no_warning_and_its_exits_are_noted() -> None:
    """The bracket's stop and target stand under the dead man."""
    found = load(folder("rules") / "examples" / "design.yaml", remarks=True).diagnostics
    assert [each.code for each in found] == ["countdown", "countdown"]
