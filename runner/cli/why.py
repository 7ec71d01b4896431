"""`runner why`: what a rule waits for, and why it did or did not fire."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import options, output
from runner.errors import ConfigurationError

if TYPE_CHECKING:
    from runner.core.rules import Rule
    from runner.journal import JournalReader

RECORDS = 20


@click.command(epilog="Example: runner why btc-breakout --dir my")
@click.argument("rule_id", metavar="RULE", shell_complete=options.rule_ids)
@options.directory
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=RECORDS,
    metavar="N",
    help=f"The newest N records. Default: {RECORDS}.",
)
@options.as_json
def why(rule_id: str, folder: Path, limit: int, as_json: bool) -> None:
    """Show what RULE waits for, its state on every symbol, and what happened to it last."""
    from runner.cli.reading import journal_of
    from runner.cli.rules import unknown

    rule = _rule(folder, rule_id)
    with journal_of(folder) as journal:
        memories = {
            each["symbol"]: each for each in journal.memories() if each["rule_id"] == rule_id
        }
        records = journal.records(rule_id=rule_id, limit=limit)
        if rule is None and not memories and not records:
            raise unknown(rule_id, _known(folder, journal))
        now = time.time_ns() // 1_000_000
        symbols = rule.symbols if rule else tuple(filter(None, memories))
        told = {
            "rule_id": rule_id,
            "loaded": rule is not None,
            "enabled": _enabled(rule, memories),
            "when": json.loads(rule.text)["when"] if rule else [],
            "if": [formula.text for formula in rule.conditions] if rule else [],
            "symbols": [_state(rule, symbol, memories.get(symbol), now) for symbol in symbols],
            "running": journal.runs(rule_id=rule_id, status="running"),
            "records": records,
        }
    if as_json:
        output.document(told)
    else:
        _show(told, now)


def _rule(folder: Path, rule_id: str) -> Rule | None:
    """The rule as its file has it; None when there is none, or the files have mistakes."""
    from runner.cli.rules import rules_of

    try:
        return rules_of(folder).rules.get(rule_id)
    except ConfigurationError:
        output.note("the rule files have mistakes, only the journal is shown: runner check")
        return None


def _known(folder: Path, journal: JournalReader) -> set[str]:
    from runner.cli.rules import rules_of

    known = {each["rule_id"] for each in journal.memories()}
    try:
        return known | set(rules_of(folder).rules)
    except ConfigurationError:
        return known


def _enabled(rule: Rule | None, memories: dict[str, dict[str, Any]]) -> bool:
    """A rule switched by another rule keeps that under the empty symbol, for all symbols."""
    switched = memories.get("", {}).get("enabled")
    return bool(switched if switched is not None else rule.enabled if rule else True)


def _state(
    rule: Rule | None, symbol: str, memory: dict[str, Any] | None, now: int
) -> dict[str, Any]:
    """One symbol's state; `cooldown_left` in ms, `triggers` as the rule keeps them."""
    fired = memory["last_fired_at"] if memory else None
    left = 0
    if rule is not None and fired is not None:
        left = max(fired + rule.cooldown - now, 0)
    return {
        "symbol": symbol,
        "last_fired_at": fired,
        "fires": memory["fires"] if memory else 0,
        "fires_today": memory["fires_today"]
        if memory and memory["day"] == now // 86_400_000
        else 0,
        "max_fires": rule.max_fires if rule else None,
        "max_fires_per_day": rule.max_fires_per_day if rule else None,
        "cooldown_left": left,
        "triggers": memory["triggers"] if memory else {},
    }


def _show(told: dict[str, Any], now: int) -> None:
    state = "enabled" if told["enabled"] else "disabled"
    if not told["loaded"]:
        state = "not in the rule files"
    click.echo(f"{told['rule_id']}: {state}")
    for trigger in told["when"]:
        click.echo(f"  when    {json.dumps(trigger, ensure_ascii=False)}")
    for text in told["if"]:
        click.echo(f"  if      {text}")
    for each in told["symbols"]:
        click.echo(f"  {each['symbol']}")
        for text in _lines(each, now):
            click.echo(f"    {text}")
    for run in told["running"]:
        click.echo(f"  running {run['run_id']} on {run['symbol']}: runner explain {run['run_id']}")
    click.echo("  what happened last")
    for record in told["records"]:
        reason = f" [{record['reason']}]" if record["reason"] else ""
        symbol = f" {record['symbol']}" if record["symbol"] else ""
        at = output.instant(record["at"])
        click.echo(f"    {at}{symbol}  {record['kind']:<9} {record['text']}{reason}")


def _lines(state: dict[str, Any], now: int) -> list[str]:
    """One symbol's state in words."""
    fired = output.ago(state["last_fired_at"], now)
    lines = [f"last fired {fired}, {state['fires']} times in all, {state['fires_today']} today"]
    most = [
        f"{state[key]} {words}"
        for key, words in (("max_fires", "in all"), ("max_fires_per_day", "a day"))
        if state[key] is not None
    ]
    if most:
        lines.append(f"at most {' and '.join(most)}")
    if state["cooldown_left"]:
        lines.append(f"cooldown: {output.span(state['cooldown_left'])} left")
    for name, memory in state["triggers"].items():
        lines.append(f"{name}: {_trigger(memory, now)}")
    return lines


def _trigger(memory: dict[str, Any], now: int) -> str:
    """A trigger's memory in words."""
    words = []
    if "side" in memory:
        words.append(f"the price is {memory['side']} the level")
        words.append("armed" if memory.get("armed") else "not armed: waits for rearm")
    if memory.get("crossed_at") is not None:
        words.append(f"crossed {output.ago(memory['crossed_at'], now)}, waits for its time")
    if "watermark" in memory:
        words.append(f"dealt with until {output.instant(memory['watermark'])}")
    if memory.get("recent"):
        words.append(f"{len(memory['recent'])} alerts remembered against repetition")
    return ", ".join(words) or "waits"
