"""What `runner test` makes of a test: what passes, what fails, where, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from runner.cli import main
from runner.ruletests.playing import play
from runner.ruletests.suite import run
from tests.ruletests.driving import RULES, write

HEAD = "tests_for: rules.yaml\ntests:\n"


def one(steps: str, rule: str = "breakout", more: str = "") -> str:
    """A tests file of one test."""
    lines = "\n".join(f"      - {line}" for line in steps.strip().splitlines())
    return f"{HEAD}  - name: one\n    rule: {rule}\n{more}    steps:\n{lines}\n"


def failures(folder: Path, text: str, rules: str = RULES) -> list[str]:
    """`line:column message` of what fails; the file must be sound."""
    tests = write(folder, text, rules)
    assert tests.sound, tests.found
    report = run([tests.path])
    return [
        f"{found.line}:{found.column} {found.message}"
        for result in report.all
        for found in result.failures
    ]


def call(*arguments: str) -> Result:
    """The verb, as from a shell."""
    return CliRunner().invoke(main, ["test", *arguments], catch_exceptions=False)


UP = "{at: 0s, mark: 69900}\n{at: 1s, mark: 70010}\n"
ORDER = "{side: buy, type: market, quantity: 0.02}"


def test_a_fire_that_no_expect_covers_fails(tmp_path: Path) -> None:
    """At the end of the test, and the place is the test's name."""
    assert failures(tmp_path, one(UP + "{at: 20s, mark: 70020}")) == [
        "3:11 the rule fired at 6s, and no expect after it says so"
    ]


def test_a_rule_that_does_nothing_fails_what_is_expected(tmp_path: Path) -> None:
    """The reason why it did not fire is told at once."""
    text = one(
        UP + f"{{at: 10s, expect: {{place: [{ORDER}]}}}}", more="    given: {position.size: 1}\n"
    )
    (found,) = failures(tmp_path, text)
    assert found.startswith("9:36 expected order 1, but nothing happened: if position.size == 0 (")


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ("nothing", "8:27 expected nothing, but the rule fired at 6s"),
        (f"{{place: [{ORDER}]}}", "8:28 expected 1 order, got 3: also sell stop_market"),
        ("{notify: Sold}", "8:36 message: expected Sold, got Bought at 70010"),
        ("{notify: [Bought at 70010, More]}", "8:54 expected the message More, but the rule"),
        ("{cancel: all}", "8:36 expected all orders to be cancelled, but the rule fired"),
        ("{cancel: 1}", "8:36 cancelled: expected order 1, got none"),
        ("{disable: [alert]}", "8:38 expected the disable alert, but the rule fired at 6s"),
        ("{bracket: {entry: {side: sell}}}", "8:52 entry side: expected sell, got buy"),
        ("{bracket: {naked: {side: sell}}}", "8:38 expected an order called naked, but the"),
        ("{place: {side: buy, type: limit, quantity: 0.02}}", "8:53 order 1 type: expected limit"),
    ],
)
def test_the_field_that_differs_is_shown_with_its_place(
    tmp_path: Path, expect: str, found: str
) -> None:
    """Line and column of the value that was written, what was expected and what came."""
    (first, *_) = failures(tmp_path, one(UP + f"{{at: 10s, expect: {expect}}}"))
    assert first.startswith(found), first


def test_fired_is_enough_where_the_rest_does_not_matter(tmp_path: Path) -> None:
    """`expect: fired` covers a fire, and fails without one."""
    assert failures(tmp_path, one(UP + "{at: 10s, expect: fired}")) == []
    assert failures(tmp_path, one(UP + "{at: 3s, expect: fired}")) == [
        "8:26 expected a fire, but nothing happened: waiting mark 70010 > 70000, waiting 5 s"
    ]


def test_a_test_cannot_pass_for_the_wrong_cause(tmp_path: Path) -> None:
    """`because` is compared with the reason that was recorded last."""
    steps = UP + "{at: 10s, expect: nothing, because: cooldown}"
    (found,) = failures(tmp_path, one(steps, more="    given: {position.size: 1}\n"))
    assert "expected the reason cooldown, got if position.size == 0" in found


def test_fills_are_by_hand_where_the_test_says_so(tmp_path: Path) -> None:
    """Nothing fills before; parts lead to exits for what filled; too many are an error."""
    steps = f"""{UP}{{at: 10s, expect: {{place: [{ORDER}]}}}}
{{at: 11s, fill: {{order: 1, price: 70012, quantity: 0.01}}}}
{{at: 12s, expect: nothing}}
{{at: 13s, fill: {{order: 1}}}}
{{at: 14s, expect: {{bracket: {{stop: {{quantity: 0.02}}, target: {{quantity: 0.02}}}}}}}}"""
    assert failures(tmp_path, one(steps)) == []
    (found,) = failures(tmp_path, one(UP + "{at: 2s, fill: {order: 1}}"))
    assert found == "8:32 there is no order 1 yet: so far 0 were placed"


def test_a_stop_cannot_be_filled_by_hand(tmp_path: Path) -> None:
    """It fills when the price reaches it, and that is said."""
    steps = UP + "{at: 10s, expect: fired}\n{at: 11s, fill: {order: 2}}"
    (found,) = failures(tmp_path, one(steps))
    assert found.endswith("a stop fills when the price reaches it")


GUARDED = """\
version: 1
dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}
rules:
  - id: bid
    symbol: BTCUSDT
    when: [{webhook: {path: bid, secret: tv}}]
    do: [{place: {side: buy, type: limit, price: 60000, quantity: 0.1}}]
  - {id: lost, symbol: BTCUSDT, when: [{dead_man: expired}], do: [{notify: lost}]}
  - id: away
    symbol: BTCUSDT
    when: [{dead_man: expired_while_stopped}]
    do: [{notify: away}]
"""


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("restart: 3m", {"lost"}),
        ("stop: 3m", {"away"}),
        ("stop: 1m", set()),
        ("restart: 1m", set()),
    ],
)
def test_a_stop_on_purpose_is_told_from_a_kill(what: str, told: set[str], tmp_path: Path) -> None:
    """What the exchange cancelled meanwhile is one rule's business or the other's, or nobody's."""
    for rule in ("lost", "away"):
        expected = f"{{notify: {rule}}}" if rule in told else "nothing"
        tests = (
            f"tests_for: rules.yaml\ntests:\n  - name: it\n    rule: {rule}\n    with: [bid]\n"
            "    steps:\n"
            "      - {at: 0s, mark: 70000, webhook: {path: bid, body: {n: 1}}}\n"
            f"      - {{at: 10s, {what}}}\n"
            f"      - {{at: 4m, expect: {expected}}}\n"
        )
        read = write(tmp_path, tests, GUARDED)
        assert read.sound, read.found
        result = play(read, read.cases[0])
        assert result.passed, result.failures


def test_another_file_takes_over(tmp_path: Path) -> None:
    """`reload` keeps the state of what did not change, and the new text decides."""
    (tmp_path / "other.yaml").write_text(RULES.replace("Bought at", "Taken at"), "utf-8")
    steps = UP + "{at: 3s, reload: other.yaml}\n{at: 6s, expect: {notify: Taken at 70010}}"
    assert failures(tmp_path, one(steps)) == []


def test_the_positions_of_hedge_mode_can_be_given(tmp_path: Path) -> None:
    """Both sides, as the exchange would state them."""
    rules = RULES.replace("position.size == 0", "position.size == 0.5")
    given = "    given: {position.long.size: 1, position.short.size: 0.5, account.available: 1e4}\n"
    assert failures(
        tmp_path, one(UP + "{at: 10s, because: if position.size == 0.5}", more=given), rules
    )
    expect = UP + "{at: 10s, expect: fired}"
    assert failures(tmp_path, one(expect, more=given), rules) == []


def test_other_rules_run_only_where_they_are_named(tmp_path: Path) -> None:
    """`with` lets a rule run beside; it must not be covered by an expect."""
    steps = (
        "{clock: 2026-11-20T08:59:59Z, mark: 3500}\n{clock: 2026-11-20T09:00:01Z, expect: nothing}"
    )
    assert failures(tmp_path, one(steps, "alert", "    with: [hourly]\n")) == []


def test_a_long_quiet_stretch_is_quick_and_keeps_its_waits(tmp_path: Path) -> None:
    """Hours pass in little time, `for:` ends at its second, and prices stay fresh."""
    rules = RULES.replace("for: 5s", "for: 6h")
    steps = (
        UP
        + "{at: 6h, expect: nothing, because: waiting}\n{at: 6h1s, expect: fired}\n"
        + "{at: 12h, mark: 70000}"
    )
    tests = write(tmp_path, one(steps), rules)
    (result,) = run([tests.path]).all
    assert result.failures == ()
    assert result.seconds < 100  # twelve hours: far from real time, however slow the machine


def test_a_symbol_that_is_not_built_in_needs_a_snapshot(tmp_path: Path) -> None:
    """Without one the place and the cure are told; beside the tests it is found by itself."""
    rules = RULES.replace("BTCUSDT", "PEPEUSDT").replace("70000", "0.02").replace("69500", "0.01")
    text = one("{at: 0s, mark: 0.01}\n{at: 1s, expect: nothing}")
    (found,) = failures(tmp_path, text, rules)
    assert found.endswith("PEPEUSDT is not among the symbols that are built in")
    from runner.venues.paper.symbols import built_in

    document = json.loads(json.dumps(dict(built_in()["DOGEUSDT"].document)))
    (tmp_path / "exchangeInfo.json").write_text(
        json.dumps({"symbols": [document | {"symbol": "PEPEUSDT", "pair": "PEPEUSDT"}]}), "utf-8"
    )
    assert failures(tmp_path, text, rules) == []


# the verb


def test_the_verb_prints_what_differs_and_the_rules_own_log(tmp_path: Path) -> None:
    """Exit 1; then the count, and the rules that have no test."""
    tests = write(tmp_path, one(UP + "{at: 10s, expect: {notify: Sold}}"))
    result = call(str(tests.path))
    assert result.exit_code == 1
    first, second, third, *rest = result.output.splitlines()
    assert first == "FAIL  one"
    assert second.endswith("rules.tests.yaml:8:36: message: expected Sold, got Bought at 70010")
    assert third == "            1s  crossed   mark 70010 > 70000, waiting 5 s"
    assert rest[-1] == "0 ok, 1 failed. Rules without a test: alert, hourly"


def test_the_verb_ends_with_0_1_or_2(tmp_path: Path) -> None:
    """Passed; mistakes or too little coverage; nothing to run."""
    path = str(write(tmp_path, one("{expect: nothing}")).path)
    assert call(path).exit_code == 0
    assert call(path, "--min-coverage", "33").exit_code == 0
    assert call(path, "--min-coverage", "34").exit_code == 1
    assert call(path, "-k", "another").exit_code == 2
    assert call(path, "-k", "breakout").exit_code == 0
    write(tmp_path, one("{expect: nothing}", "brekout"))
    result = call(path)
    assert (result.exit_code, "did you mean breakout?" in result.output) == (1, True)
    (tmp_path / "rules.tests.yaml").unlink()
    assert call(str(tmp_path)).exit_code == 2
    assert call("--dir", str(tmp_path)).exit_code == 2


def test_the_verb_writes_json_and_junit(tmp_path: Path) -> None:
    """One document with each test's result and log; one XML file for build servers."""
    path = write(tmp_path, one(UP + "{at: 10s, expect: nothing}")).path
    junit = tmp_path / "junit.xml"
    document = json.loads(call(str(path), "--json", "--junit", str(junit)).stdout)
    assert (document["passed"], document["failed"], document["coverage"]) == (0, 1, 33.3)
    (told,) = document["tests"]
    assert (told["name"], told["rule"], told["passed"]) == ("one", "breakout", False)
    assert told["log"][0]["kind"] == "crossed"
    suite = ET.parse(junit).getroot().find("testsuite")  # noqa: S314  # written just now
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "1", "0")
    write(tmp_path, "tests: 1")
    call(str(path), "--junit", str(junit))
    suite = ET.parse(junit).getroot().find("testsuite")  # noqa: S314  # written just now
    assert suite is not None
    assert suite.get("errors") == "1"
