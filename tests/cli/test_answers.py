"""What verbs print with --json: each has a published schema, and every real answer fits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from jsonschema import Draft7Validator

from runner import resources
from runner.cli import main
from runner.cli.answers.verbs import ANSWERS, text
from runner.core.decision import Decision, Record
from runner.core.orders import AmendIntent, CancelIntent, Family, Setting, SettingIntent, Side
from tests.cli.calling import TOKEN, Process, call, demo_folder
from tests.journal.building import changing, firing, leg_of, open_journal
from tests.support import eventually

RULES = """\
version: 1
dead_man: {symbols: [ETHUSDT], countdown: 2m, refresh: 5s}
guards: {max_order_notional: 5000}
rules:
  - id: buy
    symbol: ETHUSDT
    mode: queued
    when: [{webhook: {path: eth, secret: tv_eth, body: {action: {one_of: [buy]}}}}]
    if: [position.size < 5]
    do:
      - bracket:
          entry: {side: buy, type: market, quantity: 0.1}
          stop: {trigger_price: =mark * 0.9}
          target: {price: =mark * 1.1}
  - id: high
    symbol: ETHUSDT
    when: [{price: {crosses_above: 9000, source: mark}}]
    do: [{place: {side: buy, type: market, quantity: 0.1}}]
"""
TESTS = """\
tests_for: my.yaml
tests:
  - name: it buys at nine thousand
    rule: high
    steps:
      - {at: 0s, mark: 8990}
      - {at: 1s, mark: 9010, expect: {place: {side: buy, type: market, quantity: 0.1}}}
"""
CANDLES = "t,open,high,low,close,volume\n" + "".join(
    f"{1_700_000_000_000 // 60_000 * 60_000 + n * 60_000},{8950 + n},{8965 + n},{8940 + n},"
    f"{8955 + n},1\n"
    for n in range(120)
)


def strict(schema: Any) -> Any:
    """The same schema that takes no key which it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if "properties" in found and "type" in found:
        found.setdefault("additionalProperties", False)
    return found


def wrong(name: str, told: Any) -> list[str]:
    """How an answer differs from its schema."""
    found = Draft7Validator(strict(json.loads(text(name)))).iter_errors(told)
    return [f"{name} {[*each.absolute_path]}: {each.message[:200]}" for each in found]


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every verb and verb of a verb."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            inner = command.get_command(context, each)
            assert inner is not None
            yield from commands(inner, f"{name} {each}".strip())
    else:
        yield name, command


def test_the_committed_schemas_are_the_generated_ones() -> None:
    """Byte for byte, and no other file; if not: python -m runner.cli.answers.verbs."""
    committed = {
        path.name.removesuffix(".v1.schema.json"): path.read_text("utf-8")
        for path in (resources.folder("schemas") / "cli").iterdir()
    }
    assert committed == {name: text(name) for name in ANSWERS}


@pytest.mark.parametrize("name", ANSWERS)
def test_they_are_draft_7_schemas(name: str) -> None:
    """Each is valid, and `runner schema --cli` prints it."""
    Draft7Validator.check_schema(json.loads(text(name)))
    assert call("schema", "--cli", name).stdout == text(name)


def test_schema_lists_and_writes_them(tmp_path: Path) -> None:
    """Their names without one; an unknown name is usage and says which there are."""
    assert call("schema", "--cli").stdout.split() == list(ANSWERS)
    assert call("schema", "--cli", "--write", tmp_path).exit_code == 0
    assert len(list(tmp_path.iterdir())) == len(ANSWERS)
    result = call("schema", "rules2")
    assert result.exit_code == 2
    assert "rules, settings, tests" in result.stderr


def test_every_verb_with_json_has_a_schema() -> None:
    """And every schema belongs to a verb that there is."""
    every = dict(commands(main, ""))
    able = {name for name, each in every.items() if any("--json" in p.opts for p in each.params)}
    known = {verb.partition(" --")[0] for verbs, _ in ANSWERS.values() for verb in verbs}
    assert able - known == set()
    assert known - able == {"alert"}


def test_changes_and_settings_are_orders_of_their_own_kind(tmp_path: Path) -> None:
    """What changes an order or sets leverage is not told as a cancel."""
    journal = open_journal(tmp_path)
    decision, run, [leg] = firing("1")
    journal.commit([decision])
    place, many = leg.client_order_id, [leg_of(run, f"9.{n}") for n in range(3)]
    intents: tuple[CancelIntent | AmendIntent | SettingIntent, ...] = (
        CancelIntent(many[0].client_order_id, "BTCUSDT", Family.ORDER, place),
        AmendIntent(
            many[1].client_order_id, "BTCUSDT", place, Side.BUY, Decimal("0.1"), Decimal(70_000)
        ),
        SettingIntent(many[2].client_order_id, "BTCUSDT", Setting.LEVERAGE, "5"),
    )
    for each, intent in zip(many, intents, strict=True):
        journal.commit([changing(None, replace(each, intent=intent))])
    journal.close()
    told = json.loads(call("orders", "--dir", tmp_path, "--json").stdout)
    assert [each["kind"] for each in told] == ["order", "cancel", "change", "setting"]
    found = wrong("orders", told)
    assert not found, "\n".join(found)
    lines = call("orders", "--dir", tmp_path).stdout
    assert f"change {place} to 0.1 @ 70000" in lines
    assert "set leverage 5" in lines


def test_the_answers_of_several_accounts_stand_under_their_names(tmp_path: Path) -> None:
    """Each is what the verb says of one account."""
    folder = demo_folder(tmp_path / "my")
    (folder / "journals").mkdir()
    account = "{venue: binance_usdm, address: paper}"
    settings = f"version: 1\naccounts:\n  main: {account}\n  hedge: {account}\n"
    for name, place in (("hedge", "journals/hedge.db"), ("main", "journal.db")):
        journal = open_journal(folder)
        started = Record(0, "started", "runner", data={"account": name})
        journal.commit([Decision([started])])
        journal.close()
        (folder / "journal.db").rename(folder / place)
    (folder / "runner.yaml").write_text(settings.replace("paper}", "paper, default: true}", 1))
    told = json.loads(call("journal", "--dir", folder, "--json").stdout)
    assert wrong("accounts", told) == []
    assert sorted(told["accounts"]) == ["hedge", "main"]
    assert [wrong("journal", each) for each in told["accounts"].values()] == [[], []]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Rules with a test, a secret, and candles to replay."""
    folder = demo_folder(tmp_path / "my")
    for path in (folder / "rules").iterdir():
        path.unlink()
    (folder / "rules" / "my.yaml").write_text(RULES)
    (folder / "rules" / "my.tests.yaml").write_text(TESTS)
    (tmp_path / "ETHUSDT-1m.csv").write_text(CANDLES)
    return folder


def test_every_real_answer_fits_its_schema(folder: Path) -> None:
    """Of a running daemon with orders and a position, and of what is left when it stopped."""
    found: list[str] = []
    seen: set[str] = set()

    def ask(*words: object, name: str = "", code: int = 0, add: bool = True) -> Any:
        """Call the verb and hold its answer against the schema."""
        which = name or str(words[0])
        more = ("--json",) if add else ()
        result = call(*words, "--dir", folder, *more)
        assert result.exit_code == code, (words, result.output)
        told = json.loads(result.stdout)
        found.extend(wrong(which, told))
        seen.add(which)
        return told

    with Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0") as process:
        url = process.line().split()[3].partition("/hook")[0]
        assert url.startswith("http")
        sent = ("alert", "buy", "--send", "--field", "action=buy")
        eventually(lambda: requests.get(f"{url}/readyz", timeout=5).json()["ready"], 60)
        assert ask(*sent, add=False)["outcome"] == "fired"
        refused = requests.post(f"{url}/hook/eth", json={"secret": TOKEN}, timeout=5)
        found += wrong("alert", {"status": refused.status_code, **refused.json()})
        eventually(lambda: len(_placed(folder)) == 3 and _placed(folder), 60)
        _reading(folder, ask)
        _commands(ask)
        process.send()
        assert process.end(60)[0] == 0
    ask("status", code=3)
    ask("why", "buy")
    ask("positions")
    assert found == []
    assert seen | {"version", "accounts"} == set(ANSWERS)


def _placed(folder: Path) -> list[Any]:
    """Orders that the exchange has."""
    told = json.loads(call("orders", "--dir", folder, "--json").stdout)
    return [each for each in told if each["state"] in ("LIVE", "FILLED")]


def _reading(folder: Path, ask: Any) -> None:
    """The verbs that change nothing."""
    for verb in ("alerts", "audit", "doctor", "journal", "positions", "runs", "orders", "test"):
        ask(verb)
    ask("status")
    ask("db", "check", name="db-check")
    found = json.loads(call("version", "--json").stdout)
    assert wrong("version", found) == []
    ask("secrets", "check", "--offline", name="secrets-check")
    (folder / "runner.yaml").write_text(
        "version: 1\naccounts:\n  main: {venue: binance_usdm, address: demo, "
        "position_mode: one_way, api_key: key, api_secret: secret}\n"
    )
    ask("secrets", "age", name="secrets-age")
    (folder / "runner.yaml").unlink()
    [run, *_] = ask("runs")
    assert ask("explain", run["run_id"])["orders"]
    ask("why", "buy")
    ask("why", "--all", name="why-all")
    ask("plan", "buy", "--alert", '{"action": "buy"}')
    ask("plan", "high")
    data = folder.parent / "ETHUSDT-1m.csv"
    assert ask("replay", "--data", data)["totals"]["fires"] >= 1
    (folder / "rules" / "bad.yaml").write_text("version: 1\nrules: [{idd: x}]\n")
    assert ask("check", code=1)
    assert "refused" in ask("reload", code=1)["data"]
    (folder / "rules" / "bad.yaml").unlink()
    (folder / "rules" / "my.yaml").write_text(RULES.replace("9000", "9100"))
    assert ask("reload")["data"]["changes"]


def _commands(ask: Any) -> None:
    """The verbs that switch or send something."""
    ask("fire", "high", "--event-key", "one")
    ask("fire", "high", "--event-key", "one", code=1)
    ask("disable", "high", "--reason", "why not", name="command")
    ask("status")
    ask("enable", "high", name="command")
    ask("pause", name="command")
    ask("resume", name="command")
    ask("cancel", "--symbol", "ETHUSDT", name="command")
    ask("flatten", "--yes", name="command")
    ask("kill", "--yes", name="command")
    ask("status", code=3)
    ask("unlock", "--reason", "tried", name="command")
    ask("resolve", "r1-main-abc", "--as", "absent", "--reason", "no", code=1)
