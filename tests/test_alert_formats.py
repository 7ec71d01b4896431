"""The cookbook's recipes for alerts take what people really send, and `runner alert` prints it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from runner.connecting import Place
from runner.core.decision import AlertAnswer, RuleAnswer
from runner.core.events import Alert
from runner.core.rules import Hit
from runner.core.triggers.webhook import WebhookTrigger
from runner.hooking import hook_table
from runner.ops.secrets import Secrets
from runner.resources import folder as resources
from runner.settings import Settings
from runner.sharing import read_rules
from runner.sources.readiness import Readiness
from runner.sources.webhook import create_app
from tests.cli.calling import call
from tests.core.trigger_factories import START, names

SECRET = "tv-secret-0123456789"
FILLED = {
    "ticker": "BTCUSDT",
    "exchange": "BINANCE",
    "close": "70000.5",
    "timenow": "2026-05-11T13:55:01Z",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "0.01",
    "strategy.market_position": "long",
    "strategy.market_position_size": "1",
    "strategy.prev_market_position": "flat",
    "strategy.prev_market_position_size": "0",
    'plot("TP")': "72000",
    'plot("SL")': "69000",
}


def recipe(tmp_path: Path, name: str) -> Path:
    """A runner's folder with one recipe and its secret."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "secrets").mkdir()
    shutil.copy(resources("rules") / "cookbook" / f"{name}.yaml", tmp_path / "rules")
    secret = tmp_path / "secrets" / "tv"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    return tmp_path


def takers(folder: Path, path: str, body: str) -> tuple[int, list[str]]:
    """The status of the answer, and the rules that the body fits."""
    rules = read_rules(Place(folder), None)
    fit: list[str] = []

    def submit(alert: Alert) -> AlertAnswer:
        for rule in rules.rules.values():
            for trigger in rule.triggers:
                assert isinstance(trigger, WebhookTrigger)
                if isinstance(trigger.match(alert, {}, names(START)), Hit):
                    fit.append(rule.id)
        told = tuple(RuleAnswer(rule_id, "BTCUSDT", "fired") for rule_id in fit)
        return AlertAnswer("fired" if fit else "unfit", told)

    table = hook_table(rules, Secrets({}, folder), Settings())
    app = create_app(lambda: table, submit, lambda: Readiness(True), lambda: START)
    answer = app.test_client().post(f"/hook/{path}", data=body, content_type="text/plain")
    assert SECRET not in answer.get_data(as_text=True)
    return answer.status_code, fit


def filled(template: str) -> str:
    """A message with its placeholders replaced, as TradingView does."""
    return re.sub(r"\{\{(.*?)\}\}", lambda found: FILLED[found[1]], template)


def real(recorded: Path, source: str, needle: str) -> str:
    """A body that somebody really uses, from the collection."""
    for line in (recorded / "tradingview-alerts.jsonl").read_text("utf-8").splitlines():
        told = json.loads(line)
        if source in told["source"] and needle in told["body"]:
            return str(told["body"])
    raise AssertionError(f"no body of {source} holds {needle}")


@pytest.mark.parametrize(
    ("name", "path", "source", "needle", "changes", "fits"),
    [
        ("alert-pairs", "pairs", "OctoBot", "PRICE=30000\n", {}, "pairs-limit"),
        ("alert-pairs", "pairs", "OctoBot", "BTCUSDT;VOLUME", {}, "pairs-limit"),
        ("alert-pairs", "pairs", "OctoBot", "CANCEL", {"ETHBTC": "BTCUSDT"}, "pairs-cancel"),
        ("alert-ticker", "ticker", "traderspost", "signalPrice", {"AMD": "BTCUSDT"}, "-percents"),
        ("tradingview-positions", "positions", "3commas", "prev_market", {}, "follow-positions"),
    ],
)
def test_a_real_body_fits_its_recipe(
    recorded: Path,
    tmp_path: Path,
    name: str,
    path: str,
    source: str,
    needle: str,
    changes: dict[str, str],
    fits: str,
) -> None:
    """As it was sent, with the secret after the path; only foreign symbols are replaced."""
    body = filled(real(recorded, source, needle))
    for old, new in changes.items():
        body = body.replace(old, new)
    status, rules = takers(recipe(tmp_path, name), f"{path}/{SECRET}", body)
    assert (status, len(rules)) == (200, 1)
    assert rules[0].endswith(fits)


@pytest.mark.parametrize("text", ["buy", "BUY\n", "sell ", f"{SECRET} buy", f"{SECRET}|sell"])
def test_bare_words_fit_their_recipe(tmp_path: Path, text: str) -> None:
    """With the secret before the word, or after the path."""
    path = "words" if SECRET in text else f"words/{SECRET}"
    assert takers(recipe(tmp_path, "alert-words"), path, text) == (200, ["words-turn"])


@pytest.mark.parametrize(
    ("path", "text"),
    [("words", "buy"), ("words/wrong", "buy"), ("words", "wrong buy"), ("nowhere", "buy")],
)
def test_text_without_the_secret_is_answered_as_on_any_path(
    tmp_path: Path, path: str, text: str
) -> None:
    """Nobody learns that a path exists, or that it takes text."""
    assert takers(recipe(tmp_path, "alert-words"), path, text) == (400, [])


def test_a_wrong_word_is_refused_with_the_reason(tmp_path: Path) -> None:
    """422 where the secret was right: it is the rule's business what it takes."""
    assert takers(recipe(tmp_path, "alert-words"), f"words/{SECRET}", "hold") == (422, [])
    assert takers(tmp_path, f"words/{SECRET}", "buy now please") == (400, [])


@pytest.mark.parametrize(
    ("name", "rule", "path"),
    [
        ("alert-buy-sell", "buy-sell", "buy-sell"),
        ("alert-words", "words-turn", "words"),
        ("alert-pairs", "pairs-limit", "pairs"),
        ("alert-ticker", "ticker-prices", "ticker"),
        ("tradingview-positions", "follow-positions", "positions"),
        ("tradingview-strategy", "tv-strategy", "strategy"),
    ],
)
def test_the_printed_message_fits_the_rule(tmp_path: Path, name: str, rule: str, path: str) -> None:
    """What `runner alert RULE` prints, pasted and filled in by TradingView."""
    folder = recipe(tmp_path, name)
    printed = call("alert", rule, "--dir", folder, "--show-secret", "--field", "volume=0.01")
    assert printed.exit_code == 0, printed.output
    assert takers(folder, path, filled(printed.stdout)) == (200, [rule])


def test_one_path_reads_text_in_one_way(tmp_path: Path) -> None:
    """Two rules that would read the same words differently are a mistake, with the cure."""
    folder = recipe(tmp_path, "alert-words")
    file = folder / "rules" / "alert-words.yaml"
    file.write_text(file.read_text().replace("{action: {one_of: [close", "{verb: {one_of: [close"))
    told = call("check", "--dir", folder)
    assert told.exit_code == 1
    assert "read its text in different ways [webhook-text]" in told.output
    assert "write body with action in this order" in told.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("text: words, body: {action: {one_of: [buy, sell]}}", "text: words"), "add body:"),
        (("text: words, body: {action", "text: pairs, body: {ACTION"), "write action"),
    ],
)
def test_what_no_text_could_bring_is_a_mistake(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    """Words without names, and names of pairs in capitals."""
    folder = recipe(tmp_path, "alert-words")
    file = folder / "rules" / "alert-words.yaml"
    file.write_text(file.read_text().replace(*change).split("  - id: words-leave")[0])
    told = call("check", "--dir", folder)
    assert told.exit_code == 1
    assert said in told.output
