"""`runner why` and `runner status`: what is remembered, in words and as JSON."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.core.decision import DeadManState, Decision, Record, RuleMemory
from runner.core.orders import OrderIntent, OrderState
from tests.cli.calling import answer, call, demo_folder
from tests.journal.building import changing, firing, open_journal

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HOUR = 3_600_000


def now() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A demo folder whose breakout fired an hour ago and whose daemon was killed."""
    folder = demo_folder(tmp_path / "my")
    price = {"side": "past", "armed": False, "generation": 1}
    hour_ago = now() - HOUR
    memory = RuleMemory(hour_ago, 1, 1, now() // (24 * HOUR), None, {"price": price})
    decision = Decision(
        records=[
            Record(
                hour_ago,
                "started",
                "runner",
                data={"account": "paper", "mode": "paper", "hook": "http://127.0.0.1:1"},
            ),
            Record(hour_ago, "fired", "mark 70001 > 70000", "btc-breakout", "BTCUSDT"),
            Record(hour_ago, "refused", "3 h", "btc-breakout", "BTCUSDT", reason="cooldown"),
        ],
        memories={("btc-breakout", "BTCUSDT"): memory, ("tv-eth", ""): RuleMemory(enabled=False)},
        dead_men={"BTCUSDT": DeadManState("BTCUSDT", 120_000, hour_ago)},
    )
    journal = open_journal(folder)
    journal.commit([decision])
    journal.close()
    return folder


def commit(folder: Path, decision: Decision) -> None:
    """Add to the folder's journal."""
    journal = open_journal(folder)
    journal.commit([decision])
    journal.close()


def status(folder: Path, code: int = 3) -> dict[str, Any]:
    """The status as JSON."""
    result = call("status", "--dir", folder, "--json")
    assert result.exit_code == code, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_why_tells_the_state(folder: Path) -> None:
    """Armed or not, which side, how much cooldown is left, and the newest reasons."""
    told = answer("why", "btc-breakout", "--dir", folder)
    [symbol] = told["symbols"]
    assert (symbol["fires"], symbol["triggers"]["price"]["armed"]) == (1, False)
    assert 2.9 * HOUR < symbol["cooldown_left"] <= 3 * HOUR
    assert [each["reason"] for each in told["records"]] == ["", "cooldown"]
    text = call("why", "btc-breakout", "--dir", folder).stdout
    assert "price: {crosses_above: 70000, rearm: 69500, source: mark}" in text
    assert "BTCUSDT (as the journal remembers it)" in text
    assert "not armed: mark must be below 69500 first" in text
    assert "cooldown: 3 h left" in text
    assert "[cooldown]" in text
    assert "once in all" in text
    now_ = symbol["now"]
    assert (now_["reason"], now_["triggers"][0]["reason"]) == ("cooldown", "not armed")


def test_why_tells_that_a_rule_was_switched_off(folder: Path) -> None:
    """What another rule disabled is disabled here."""
    assert answer("why", "tv-eth", "--dir", folder)["enabled"] is False
    assert call("why", "tv-eth", "--dir", folder).stdout.startswith("tv-eth: disabled")


def test_why_of_an_unknown_rule_offers_the_nearest(folder: Path) -> None:
    """Exit 2 and the id that was probably meant."""
    result = call("why", "btc-brekout", "--dir", folder)
    assert result.exit_code == 2
    assert "did you mean btc-breakout?" in result.stderr


def test_why_of_a_rule_that_left_the_files(folder: Path) -> None:
    """The journal still knows it."""
    (folder / "rules" / "demo.yaml").write_text("version: 1\nrules: []\n")
    result = call("why", "btc-breakout", "--dir", folder, "--json")
    assert json.loads(result.stdout)["loaded"] is False
    assert "mistakes" in result.stderr
    assert "not in the rule files" in call("why", "btc-breakout", "--dir", folder).stdout


def test_why_tells_what_runs_while_the_files_have_mistakes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon goes on with the rules that it has, and knows them."""
    standing = {
        "symbol": "BTCUSDT",
        "reason": "",
        "text": "waits",
        "triggers": [],
        "conditions": [],
    }
    seen = {"btc-breakout": [standing]}
    monkeypatch.setattr("runner.cli.why._asked", lambda *_: seen)
    (folder / "rules" / "demo.yaml").write_text("version: 1\nrules: 3\n")
    text = call("why", "btc-breakout", "--dir", folder).stdout
    assert text.startswith("btc-breakout: enabled\n")
    [line] = json.loads(call("why", "--all", "--dir", folder, "--json").stdout)
    assert (line["rule_id"], line["symbol"], line["text"]) == ("btc-breakout", "BTCUSDT", "waits")


def test_why_of_all_is_one_line_a_rule(folder: Path) -> None:
    """Rule, symbol, the reason, what it waits for, and when it last fired."""
    told = json.loads(call("why", "--all", "--dir", folder, "--json").stdout)
    found = {(each["rule_id"], each["symbol"]): each for each in told}
    assert found["btc-breakout", "BTCUSDT"]["reason"] == "cooldown"
    assert found["tv-eth", "ETHUSDT"]["reason"] == "disabled"
    assert found["link-lost", "BTCUSDT"]["reason"] == ""
    lines = call("why", "--all", "--dir", folder).stdout.splitlines()
    assert len(lines) == 1 + len(told)
    assert [line for line in lines if "btc-breakout" in line and "1 h ago" in line]


@pytest.mark.parametrize("words", [[], ["btc-breakout", "--all"]])
def test_why_needs_a_rule_or_all(folder: Path, words: list[str]) -> None:
    """Neither or both is a wrong question."""
    result = call("why", *words, "--dir", folder)
    assert result.exit_code == 2
    assert "runner why --all" in result.stderr


def test_many_dull_records_do_not_hide_a_fire(folder: Path) -> None:
    """The newest fires are shown besides the newest records."""
    at = now()
    dull = [Record(at, "refused", "no", "btc-breakout", "BTCUSDT", reason="if")] * 30
    commit(folder, Decision(records=dull))
    told = answer("why", "btc-breakout", "--dir", folder)
    kinds = [each["kind"] for each in told["records"]]
    assert kinds == ["fired", *["refused"] * 20]


def test_why_tells_a_running_wait(folder: Path) -> None:
    """A `for:` that is running, a schedule's watermark and remembered alerts have words."""
    triggers: dict[str, dict[str, Any]] = {
        "price": {"side": "past", "armed": True, "crossed_at": now() - 5_000},
        "schedule": {"watermark": now()},
        "webhook": {"recent": {"ab": 1}},
        "dead_man": {},
    }
    memory = RuleMemory(triggers=triggers)
    commit(folder, Decision(memories={("btc-breakout", "BTCUSDT"): memory}))
    text = call("why", "btc-breakout", "--dir", folder).stdout
    assert "waiting: mark went above 70000 5" in text
    assert "must stay for" in text
    assert "last fired never" in text


def test_status_of_a_killed_daemon(folder: Path) -> None:
    """It was never stopped and does not answer: exit 3, since when, and how to start it."""
    told = status(folder)
    assert (told["mode"], told["running"], told["stopped"]) == ("paper", False, False)
    problem, countdown = told["problems"]
    assert "last sign of life" in problem["what"]
    assert problem["cure"] == f"start it: runner run --dir {folder}"
    assert "the countdown of BTCUSDT ran out at" in countdown["what"]
    assert "has cancelled the symbol's open orders" in countdown["what"]
    assert told["as_of"] == told["alive_at"]
    rules = {(each["rule_id"], each["symbol"]): each for each in told["rules"]}
    assert rules["btc-breakout", "BTCUSDT"]["fires"] == 1
    assert rules["tv-eth", "ETHUSDT"]["enabled"] is False
    text = call("status", "--dir", folder).stdout
    assert text.startswith("not running: it does not answer and did not say that it stops; last ")
    assert "; account paper (paper), http://127.0.0.1:1" in text
    assert "all that follows is as of" in text
    assert "open orders as of" in text
    assert "dead man: BTCUSDT 120 s, last set" in text
    assert "ran out" in text


def test_status_of_a_stopped_daemon(folder: Path) -> None:
    """First that it does not run, with how and when it ended; then all as of that moment."""
    at = now() - HOUR // 2
    commit(folder, Decision([Record(at, "stopped", "stopped as asked")]))
    told = status(folder)
    assert (told["stopped_at"], told["as_of"], told["how"]) == (at, at, "stopped as asked")
    what = told["problems"][0]["what"]
    assert what.startswith("the runner is not running: stopped as asked, ")
    assert what.endswith("(30 min ago)")
    assert call("status", "--dir", folder).stdout.startswith("not running: stopped as asked, ")


def test_status_says_what_an_armed_countdown_will_do(folder: Path) -> None:
    """Nobody sets it anew: until when somebody may come back, and what stays."""
    soon = DeadManState("BTCUSDT", 600_000, now() - 20_000)
    off = DeadManState("ETHUSDT", 0, now())
    commit(folder, Decision(dead_men={"BTCUSDT": soon, "ETHUSDT": off}))
    problems = status(folder)["problems"]
    [problem] = [each for each in problems if "countdown" in each["what"]]
    assert "the exchange cancels the symbol's open orders at" in problem["what"]
    assert "conditional orders may stay" in problem["meaning"]
    text = call("status", "--dir", folder).stdout
    assert "dead man: BTCUSDT 600 s, last set" in text
    assert "runs out" in text
    assert "dead man: ETHUSDT disarmed" in text


@pytest.fixture
def answering(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The daemon answers at its hook address, by default that all is well."""
    del folder
    told: dict[str, Any] = {
        "ready": True,
        "taking": True,
        "reasons": [],
        "problems": [],
        "stale": [],
    }
    monkeypatch.setattr("runner.cli.daemon._ready", lambda _: told)
    return told


REST = {
    "link": "REST",
    "since": 1_700_000_000_000,
    "what": "the exchange does not answer",
    "meaning": "no alerts become orders",
    "cure": "check the network",
}


def test_status_names_the_ways_to_the_exchange_that_fail(
    folder: Path, answering: dict[str, Any]
) -> None:
    """One problem for each, with since when, what it means and the cure; records are not added."""
    assert status(folder, 0)["problems"] == []
    commit(folder, Decision([Record(now(), "error", "timed out", data={"link": "rest"})]))
    assert status(folder, 0)["problems"] == []
    answering["problems"] = [REST]
    assert status(folder)["problems"] == [REST]
    text = call("status", "--dir", folder).stdout
    assert text.startswith("ready, but not all of the exchange can be reached: account paper")
    assert "  the exchange does not answer\n    no alerts become orders\n    check" in text
    answering.update(ready=False, reasons=["it is away"])
    assert status(folder)["problems"] == [REST]
    assert call("status", "--dir", folder).stdout.startswith("not ready: account")


def test_status_forgets_a_kill_that_was_unlocked(folder: Path, answering: dict[str, Any]) -> None:
    """A kill is told as long as it holds, by its latch; its alarm stays in the journal."""
    assert answering["ready"]
    text = "CRITICAL KILLED by ann: no entries until runner unlock --reason TEXT"
    told = Record(now(), "notify", text, reason="critical", data={"verb": "kill"})
    commit(folder, Decision([told]))
    assert status(folder, 0)["problems"] == []


def test_status_names_orders_that_a_restored_journal_forgot(
    folder: Path, answering: dict[str, Any]
) -> None:
    """One problem for all, however many there are, with what to do."""
    assert answering["ready"]
    lost = [
        Record(now(), "notify", f"CRITICAL {number}", symbol=symbol, reason="orphan")
        for number, symbol in enumerate(("ETHUSDT", "BTCUSDT", "ETHUSDT"))
    ]
    commit(folder, Decision(lost))
    [problem] = status(folder)["problems"]
    assert problem["what"].startswith("the journal forgot 3 orders of BTCUSDT, ETHUSDT that")
    assert "runner flatten" in problem["cure"]


@pytest.mark.parametrize(("ago", "found"), [(60_000, True), (1_000, False)])
def test_status_names_an_exit_whose_position_is_gone(
    folder: Path, answering: dict[str, Any], ago: int, found: bool
) -> None:
    """Closed by hand: the exit stays, and so does its run; right after the fill it may."""
    assert answering["ready"]
    decision, _, [leg] = firing("1")
    commit(folder, decision)
    assert isinstance(leg.intent, OrderIntent)
    exit_ = replace(leg.intent, reduce_only=True)
    after = replace(leg, state=OrderState.LIVE, intent=exit_, planned_at=now() - 120_000)
    live = changing(leg, after)
    live.records.append(Record(now() - ago, "position", "flat", symbol=leg.intent.symbol))
    commit(folder, live)
    told = [
        each for each in status(folder, 3 if found else 0)["problems"] if "flat" in each["what"]
    ]
    assert len(told) == int(found)
    if found:
        assert "runner cancel --rule" in told[0]["cure"]


def test_status_of_a_daemon_that_is_not_ready(folder: Path, answering: dict[str, Any]) -> None:
    """Starting: no alert is taken; without prices: taken and not executed."""
    answering.update(ready=False, taking=False, reasons=["no price yet"])
    [problem] = status(folder)["problems"]
    assert problem["what"] == "not ready: no price yet"
    answering["taking"] = True
    [problem] = status(folder)["problems"]
    assert problem["what"] == "alerts lead to no order: no price yet"


def test_status_of_a_folder_that_never_ran(folder: Path, tmp_path: Path) -> None:
    """A journal without a start: stopped."""
    other = demo_folder(tmp_path / "other")
    open_journal(other).close()
    told = status(other)
    assert (told["mode"], told["stopped"]) == (None, True)
    assert call("status", "--dir", other).exit_code == 3


def test_status_names_every_problem(folder: Path, answering: dict[str, Any]) -> None:
    """Parked and unknown orders, a late countdown, errors and broken rules, each with a cure."""
    assert answering["ready"]
    decision, _, [leg] = firing("1")
    commit(folder, decision)
    parked = changing(leg, replace(leg, state=OrderState.PARKED, message="no verdict"))
    parked.records += [
        Record(now(), "error", "it broke"),
        Record(now(), "notify", "CRITICAL naked", reason="critical", run_id=leg.run_id),
        Record(now(), "notify", "only a remark"),
    ]
    parked.dead_men["BTCUSDT"] = DeadManState("BTCUSDT", 120_000, 1, late_told=True)
    parked.dead_men["ETHUSDT"] = DeadManState("ETHUSDT", 120_000, 1, expired=True)
    commit(folder, parked)
    (folder / "rules" / "demo.yaml").write_text("version: 1\nrules: 3\n")
    problems = status(folder)["problems"]
    text = "\n".join(each["what"] for each in problems)
    for said in ("PARKED", "is refreshed late", "ran out", "it broke", "CRITICAL", "mistakes"):
        assert said in text
    assert "only a remark" not in text
    assert all(each["cure"] for each in problems)
    assert "problems\n" in call("status", "--dir", folder).stdout


@pytest.mark.parametrize(("verb", "words"), [("status", []), ("why", ["btc-breakout"])])
def test_json_keys_are_documented(folder: Path, verb: str, words: list[str]) -> None:
    """docs/cli.md names each key of the JSON."""
    text = DOCUMENT.read_text("utf-8")
    section = re.split(r"^## ", text.partition(f"## runner {verb}\n")[2], flags=re.MULTILINE)[0]
    documented = set(re.findall(r"`([a-z][a-z0-9_]*)`", section.partition("JSON:")[2]))
    told = json.loads(call(verb, *words, "--dir", folder, "--json").stdout)
    found = set(told)
    for key in ("rules", "dead_men", "problems", "symbols"):
        found |= {name for each in told.get(key, ()) for name in each}
    for each in told.get("symbols", ()):
        found |= set(each["now"]) | {n for t in each["now"]["triggers"] for n in t}
    assert found <= documented
