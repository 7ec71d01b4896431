"""Circles among rules: told once each, in time that grows with the number of rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rulebook.circles import circles
from runner.rulebook.load import load

names = st.sampled_from("abcdefgh")


def leads(edges: dict[str, frozenset[str]], start: str) -> set[str]:
    """Everything that can be reached from a name."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for each in edges.get(ahead.pop(), frozenset()) - seen:
            seen.add(each)
            ahead.append(each)
    return seen


@given(st.dictionaries(names, st.frozensets(names)))
def test_circles_are_found_exactly_where_they_are(graph: dict[str, frozenset[str]]) -> None:
    """Each that is told is one, and where none is told nothing leads back to itself."""
    edges = {name: ends & graph.keys() for name, ends in graph.items()}
    found = list(circles(edges))
    for circle in found:
        for one, other in zip(circle, (*circle[1:], circle[0]), strict=True):
            assert other in edges[one]
    assert bool(found) == any(name in leads(edges, name) for name in edges)
    assert len({circle[0] for circle in found}) == len(found)


def test_a_long_way_is_walked() -> None:
    """A circle of 50,000 is found without running out of anything."""
    many = [f"r{number}" for number in range(50_000)]
    edges = {one: frozenset({other}) for one, other in zip(many, [*many[1:], many[0]], strict=True)}
    (circle,) = circles(edges)
    assert len(circle) == 50_000


FILL = (
    "  - {id: %s, symbol: %s, when: [{order: {rule: %s, status: %s%s}}], "
    "do: [{place: {side: buy, type: market, quantity: 1%s}}]%s}\n"
)


def found(folder: Path, rules: str) -> list[tuple[str, str]]:
    """Severity and message of what is found."""
    path = folder / "rules.yaml"
    path.write_text(f"version: 1\nrules:\n{rules}", "utf-8")
    return [(each.severity, each.message) for each in load(path).diagnostics]


def test_a_rule_that_its_own_fill_fires(tmp_path: Path) -> None:
    """The shortest circle."""
    text = "fills fire this rule again and again: a1 -> a1"
    assert found(tmp_path, FILL % ("a1", "BTCUSDT", "a1", "filled", "", "", "")) == [
        ("error", text)
    ]
    entry = FILL % ("a1", "BTCUSDT", "a1", "filled", ", leg: '0'", "", "")
    assert found(tmp_path, entry) == [("error", text)]


@pytest.mark.parametrize(
    "held",
    [
        ("a1", "BTCUSDT", "a1", "cancelled", "", "", ""),
        ("a1", "BTCUSDT", "a1", "filled", ", leg: stop", "", ""),
        ("a1", "BTCUSDT", "a1", "filled", "", ", reduce_only: true", ""),
        ("a1", "BTCUSDT", "a1", "filled", "", "", ", cooldown: 1m"),
        ("a1", "BTCUSDT", "a1", "filled", "", "", ", max_fires: 5"),
        ("a1", "BTCUSDT", "a1", "filled", "", "", ", max_fires: {per_day: 5}"),
        ("a1", "BTCUSDT", "a1", "filled", "", "", ", if: [mark > 5]"),
        ("a1", "BTCUSDT", "a1", "filled", "", "", ", dry_run: true"),
    ],
)
def test_what_holds_a_circle_up_makes_it_sound(tmp_path: Path, held: tuple[str, ...]) -> None:
    """Another status, an exit, a pause, a limit, a condition: nothing runs away."""
    assert found(tmp_path, FILL % held) == []


def test_limit_orders_and_other_symbols_make_no_circle(tmp_path: Path) -> None:
    """A grid that refills itself waits for the market; rules of two symbols never meet."""
    grid = FILL % ("a1", "BTCUSDT", "a1", "filled", "", "", "")
    assert found(tmp_path, grid.replace("market", "limit, price: 9")) == []
    apart = FILL % ("a1", "BTCUSDT", "a2", "filled", "", "", "")
    apart += FILL % ("a2", "ETHUSDT", "a1", "filled", "", "", "")
    assert found(tmp_path, apart) == []


SWITCH = "  - {id: %s, symbol: BTCUSDT, when: [{schedule: {every: 5m}}], "


def test_a_long_circle_names_its_first_rules(tmp_path: Path) -> None:
    """Rules that are off and enable each other, a thousand of them, are one mistake."""
    count = 1_000
    rules = [
        f"{SWITCH % f'r{number}'}enabled: false, do: [{{enable: r{(number + 1) % count}}}]}}\n"
        for number in range(count)
    ]
    ((severity, message),) = found(tmp_path, "".join(rules))
    assert (severity, message) == (
        "error",
        "these rules are off, and only they enable each other: r0, r1, r2, r3, …",
    )
    rules[500] = rules[500].replace("enabled: false, ", "")
    assert found(tmp_path, "".join(rules)) == []


def test_switches_from_outside_and_chains_are_sound(tmp_path: Path) -> None:
    """A rule that is off and enables another is somebody's choice; so is one that is on."""
    chain = f"{SWITCH % 'a1'}enabled: false, do: [{{enable: a2}}]}}\n"
    chain += f"{SWITCH % 'a2'}enabled: false, do: [{{notify: hello}}]}}\n"
    assert found(tmp_path, chain) == []
