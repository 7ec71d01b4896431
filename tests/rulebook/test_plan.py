"""The plan of a reload: what changed, what becomes of the state, what stays on the book."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.core.rules import RuleSet
from runner.rulebook.load import load
from runner.rulebook.plan import Facts, Open, plan
from runner.sources.schedule import next_occurrence

NOW = 1_763_640_000_000  # 2025-11-20 12:00:00 UTC

BREAKOUT = """\
  - id: btc-breakout
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000, for: 15s}}]
    do: [{place: {side: buy, type: market, quantity: 0.02}}]
    cooldown: 4h
"""
ALERT = """\
  - id: tv-eth
    symbol: ETHUSDT
    when: [{webhook: {path: eth, secret: tv_eth, body: {price: number}}}]
    if: [position.size == 0]
    do: [{place: {side: buy, type: limit, price: =trigger.price, quantity: 0.5}}]
"""
FLAT = """\
  - id: flat
    symbols: [BTCUSDT, ETHUSDT]
    when: [{schedule: {cron: "55 15 * * *", timezone: UTC}}]
    do: [{cancel: all}]
"""


def rules(tmp_path: Path, *texts: str, head: str = "", name: str = "btc.yaml") -> RuleSet:
    """The rules of one file that has these entries."""
    path = tmp_path / name
    path.write_text(f"version: 1\n{head}rules:\n{''.join(texts)}")
    loaded = load(path)
    assert loaded.rules is not None, loaded.diagnostics
    return loaded.rules


def lines(old: RuleSet, new: RuleSet, **known: object) -> list[str]:
    """The plan as people read it, without the line of the file."""
    facts = Facts(NOW, next_occurrence, **known)  # type: ignore[arg-type]
    return [line for line in plan(old, new, facts).lines() if line.startswith("  ")]


def test_the_whole_plan(tmp_path: Path) -> None:
    """One of each kind, under its file, in columns; unchanged rules are counted."""
    old = rules(tmp_path, BREAKOUT, ALERT, FLAT.replace("flat", "old-grid"))
    new = rules(tmp_path, BREAKOUT.replace("70000", "71000"), ALERT.replace("0.5}", "0.3}"), FLAT)
    fired = {"btc-breakout": NOW - 3_600_000, "tv-eth": NOW}
    facts = Facts(NOW, next_occurrence, fired, {("old-grid", "ETHUSDT"): Open(1, 1)})
    found = plan(old, new, facts)
    assert found.lines() == [
        str(tmp_path / "btc.yaml"),
        (
            "  ~ btc-breakout  crosses_above 70000 -> 71000  its armed state starts over, "
            "cooldown until 15:00:00 UTC"
        ),
        "  ~ tv-eth        quantity 0.5 -> 0.3           state kept",
        "  + flat          next 15:55:00 UTC",
        "  - old-grid      2 open orders stay on the book",
    ]
    assert found.summary() == "2 changed, 1 new, 1 removed, 0 unchanged"
    assert not found.empty


def test_nothing_changed(tmp_path: Path) -> None:
    """The same rules: only their number; a comment or another place in the file is no change."""
    old = rules(tmp_path, BREAKOUT, ALERT)
    new = rules(tmp_path, "  # a remark\n", ALERT, BREAKOUT)
    found = plan(old, new, Facts(NOW, next_occurrence))
    assert found.empty
    assert found.lines() == [str(tmp_path / "btc.yaml"), "  = 2 unchanged"]
    assert found.summary() == "2 unchanged"


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("cooldown: 4h", "cooldown: 2h", "cooldown 4h -> 2h            state kept"),
        ("    cooldown: 4h\n", "", "cooldown removed             state kept"),
        ("symbol: BTCUSDT", "symbol: ETHUSDT", "symbols +ETHUSDT -BTCUSDT    new on ETHUSDT"),
        ("    cooldown: 4h", "    enabled: false\n    cooldown: 4h", "enabled false    state kept"),
        ("quantity: 0.02", "notional: 500", "notional 500, quantity removed    state kept"),
        (
            "symbol: BTCUSDT",
            "symbols: [BTCUSDT, ETHUSDT]",
            "symbols +ETHUSDT    state kept, new on ETHUSDT",
        ),
        ("for: 15s", "for: 20s", "for 15s -> 20s    state kept"),
        (
            "crosses_above: 70000,",
            "crosses_below: 60000,",
            "crosses_below 60000, crosses_above removed    its armed state starts over",
        ),
        (
            "do: [",
            "do: [{notify: a}, ",
            "1 -> 2 actions    state kept",
        ),
        (
            "when: [",
            "when: [{dead_man: late}, ",
            "1 -> 2 triggers    dead_man is new",
        ),
        (
            "quantity: 0.02",
            "quantity: =account.available / mark * 0.01",
            "quantity changed    state kept",
        ),
    ],
)
def test_what_changed_and_what_becomes_of_it(
    tmp_path: Path, before: str, after: str, what: str
) -> None:
    """Short values are shown, long ones named; only an edited trigger starts over."""
    old = rules(tmp_path, BREAKOUT)
    assert before in BREAKOUT
    (line,) = lines(old, rules(tmp_path, BREAKOUT.replace(before, after)))
    assert line.split() == ["~", "btc-breakout", *what.split()]


def test_many_differences_are_counted(tmp_path: Path) -> None:
    """Three are named, the rest is a number."""
    changed = "enabled: false\n    dry_run: true\n    max_fires: 3\n    expires_after: 5s\n"
    (line,) = lines(rules(tmp_path, BREAKOUT), rules(tmp_path, BREAKOUT + "    " + changed))
    assert "and 1 more" in line


def test_an_edited_schedule_says_its_next_run(tmp_path: Path) -> None:
    """It begins anew; the date is written when that is not today. An instant gone by says so."""
    old = rules(tmp_path, FLAT)
    (line,) = lines(old, rules(tmp_path, FLAT.replace("55 15", "55 7")))
    assert line.endswith("cron 55 15 * * * -> 55 7 * * *  next 2025-11-21 07:55 UTC")
    gone = FLAT.replace('cron: "55 15 * * *"', "at: 2020-01-01T00:00:00Z")
    (line,) = lines(rules(tmp_path, BREAKOUT), rules(tmp_path, BREAKOUT, gone))[:1]
    assert line.endswith("its time is over")


def test_a_symbol_that_leaves_a_rule_leaves_its_orders(tmp_path: Path) -> None:
    """Orders of a removed rule, or of a removed symbol, stay on the book and are counted."""
    old = rules(tmp_path, FLAT)
    less = rules(tmp_path, FLAT.replace("[BTCUSDT, ETHUSDT]", "[BTCUSDT]"))
    (line,) = lines(old, less, open_orders={("flat", "ETHUSDT"): Open(1)})
    assert line.endswith("symbols -ETHUSDT  state kept, 1 open order stays on the book")
    (line,) = lines(old, less, open_orders={("flat", "BTCUSDT"): Open(1)})
    assert line.endswith("state kept")
    (line,) = [each for each in lines(old, rules(tmp_path, ALERT)) if "- flat" in each]
    assert line.endswith("no open orders")


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (Open(), "no open orders"),
        (Open(1), "1 open entry is cancelled"),
        (Open(2, 1), "2 open entries are cancelled, 1 exit stays on the book"),
        (Open(0, 2), "2 exits stay on the book"),
    ],
)
def test_the_plan_says_what_is_cancelled(tmp_path: Path, left: Open, text: str) -> None:
    """Of a rule with `on_remove: cancel`, and of a symbol that leaves it."""
    tidy = FLAT + "    on_remove: cancel\n"
    old, orders = rules(tmp_path, tidy), {("flat", "ETHUSDT"): left}
    gone = lines(old, rules(tmp_path, ALERT), open_orders=orders)
    assert next(each for each in gone if "- flat" in each).endswith(text)
    less = rules(tmp_path, tidy.replace("[BTCUSDT, ETHUSDT]", "[BTCUSDT]"))
    (line,) = lines(old, less, open_orders=orders)
    assert line.endswith(f"state kept, {text}" if left != Open() else "state kept")


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("", "BTCUSDT], countdown: 2m, refresh: 30s", "  + BTCUSDT  countdown 120 s"),
        ("BTCUSDT], countdown: 2m, refresh: 30s", "", "  - BTCUSDT  its countdown is stopped"),
        (
            "BTCUSDT], countdown: 2m, refresh: 30s",
            "BTCUSDT], countdown: 4m, refresh: 30s",
            "  ~ BTCUSDT  countdown 120 s -> 240 s",
        ),
        (
            "BTCUSDT], countdown: 2m, refresh: 30s",
            "BTCUSDT], countdown: 2m, refresh: 20s",
            "  ~ BTCUSDT  refresh 30 s -> 20 s",
        ),
    ],
)
def test_dead_men(tmp_path: Path, before: str, after: str, line: str) -> None:
    """Countdowns that come, go or change stand under dead_man; equal ones are not named."""

    def head(text: str) -> str:
        return f"dead_man: {{symbols: [{text}}}\n" if text else ""

    old = rules(tmp_path, BREAKOUT, head=head(before))
    new = rules(tmp_path, BREAKOUT, head=head(after))
    found = plan(old, new, Facts(NOW, next_occurrence)).lines()
    assert found[-2 if found[-1].startswith("  =") else -1] == line or line in found
    assert "dead_man" in found
    assert "  = 1 unchanged" in found
    assert lines(new, new) == ["  = 1 unchanged"]


def test_a_renamed_rule_keeps_its_state(tmp_path: Path) -> None:
    """Under `>`, with what else changed; the former id is not removed besides."""
    old = rules(tmp_path, BREAKOUT)
    text = BREAKOUT.replace("btc-breakout", "breakout\n    renamed_from: btc-breakout")
    found = lines(old, rules(tmp_path, text), last_fired={"btc-breakout": NOW})
    assert found == [
        "  > breakout  renamed from btc-breakout  state kept, cooldown until 16:00:00 UTC"
    ]
    (line,) = lines(old, rules(tmp_path, text.replace("0.02", "0.03")))
    assert line == "  > breakout  renamed from btc-breakout, quantity 0.02 -> 0.03  state kept"
    renamed = rules(tmp_path, text)
    (line,) = lines(renamed, rules(tmp_path, BREAKOUT.replace("btc-breakout", "breakout")))
    assert line == "  ~ breakout  changed  state kept"


def test_files_are_told_apart(tmp_path: Path) -> None:
    """A rule that moves to another file is unchanged there; each file has its own heading."""
    old = rules(tmp_path, BREAKOUT, ALERT)
    (tmp_path / "btc.yaml").unlink()
    one = rules(tmp_path, BREAKOUT, name="a.yaml")
    two = rules(tmp_path, ALERT.replace("0.5", "0.6"), name="b.yaml")
    new = RuleSet({**one.rules, **two.rules}, {}, "")
    found = plan(old, new, Facts(NOW, next_occurrence)).lines()
    assert found == [
        str(tmp_path / "a.yaml"),
        "  = 1 unchanged",
        str(tmp_path / "b.yaml"),
        "  ~ tv-eth  quantity 0.5 -> 0.6  state kept",
    ]
