"""The work of a check grows with the number of rules, not faster, whatever stands in them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runner.rulebook.load import load

HEAD = """\
version: 1
lists: {majors: [BTCUSDT, ETHUSDT]}
guards: {max_order_notional: 50000}
rules:
"""
RULE = """\
  - id: r{n}
    symbols: majors
    when:
      - price: {{crosses_above: {n}, source: mark}}
      - order: {{rule: r{next}, status: filled}}
    if: [position.size == 0]
    do:
      - place: {{side: buy, type: market, quantity: 0.02}}
      - disable: [r{next}]
    cooldown: 4h
"""
WAYS: dict[str, Callable[[str], str]] = {
    "sound": lambda text: text,
    "wrong words": lambda text: text.replace("type: market", "type: markt"),
    "unknown rules": lambda text: text.replace("disable: [r", "disable: [gone-r"),
    "the same id": lambda text: text.replace("- id: r", "- id: same # "),
    "twins": lambda text: re.sub("crosses_above: [0-9]+", "crosses_above: 7", text),
    "circles": lambda text: text.replace("cooldown: 4h", "enabled: false").replace(
        "disable:", "enable:"
    ),
    "wrong formulas": lambda text: text.replace("position.size", "positon.size"),
}


def work(path: Path) -> int:
    """How many functions are called while a file is checked: the same on every machine."""
    calls = 0

    def count(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        load(path)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("way", WAYS)
def test_four_times_the_rules_are_four_times_the_work(tmp_path: Path, way: str) -> None:
    """Sound or wrong, linked in a circle or all alike: at most a tenth more than in proportion."""

    def file(count: int) -> Path:
        rules = (RULE.format(n=n, next=n % count + 1) for n in range(1, count + 1))
        path = tmp_path / f"{count}.yaml"
        path.write_text(HEAD + WAYS[way]("".join(rules)), "utf-8")
        return path

    load(file(1))  # what is made once, such as the schema's validator, is made here
    assert work(file(80)) <= 4.4 * work(file(20))


def test_a_thousand_rules_are_checked_within_seconds(tmp_path: Path) -> None:
    """Counted in calls, of which a core does five to ten million a second."""
    rules = (RULE.format(n=n, next=n % 50 + 1) for n in range(1, 51))
    path = tmp_path / "a.yaml"
    path.write_text(HEAD + "".join(rules), "utf-8")
    load(path)
    assert work(path) * 20 < 25_000_000
