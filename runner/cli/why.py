"""`runner why`: what a rule waits for, and why it did or did not fire."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output
from runner.errors import ConfigurationError, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.core.rules import Rule
    from runner.journal import JournalReader

RECORDS = 20
FIRES = 5
"""The newest fires are shown as well, however many other records came since."""

ALIVE = 15_000
"""Ms since the runner last wrote within which it is asked for what it sees now."""

PATIENCE = 3.0
"""Seconds that it is waited for; then the journal alone answers."""


@click.command(
    epilog="""Example: runner why btc-breakout --dir my\n
    Example: runner why --all --dir my"""
)
@click.argument("rule_id", metavar="RULE", required=False, shell_complete=options.rule_ids)
@options.directory
@click.option("--all", "every", is_flag=True, help="One line for each rule and symbol.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=RECORDS,
    metavar="N",
    help=f"The newest N records. Default: {RECORDS}.",
)
@options.as_json
@accounts.of_rule
def why(rule_id: str | None, folder: Path, every: bool, limit: int, as_json: bool) -> None:
    """Show what RULE waits for, its state on every symbol, and what happened to it last.

    A running daemon is asked for the prices and values that it sees now; without one the answer
    is what the journal remembers. --all shows every rule in a line of its own.
    """
    from runner.cli.reading import journal_of

    if every == (rule_id is not None):
        raise UsageError("name a rule, or write --all: runner why btc-breakout, runner why --all")
    with journal_of(folder) as journal:
        now = time.time_ns() // 1_000_000
        told = _one(folder, journal, rule_id, limit, now) if rule_id else _all(folder, journal, now)
    if as_json:
        output.document(told)
    elif isinstance(told, list):
        _table(told, now)
    else:
        _show(told, now)


def _one(
    folder: Path, journal: JournalReader, rule_id: str, limit: int, now: int
) -> dict[str, Any]:
    from runner.cli.rules import unknown
    from runner.rulebook import canonical
    from runner.ruletests.writing import value

    rule = _rules(folder).get(rule_id)
    memories = {each["symbol"]: each for each in journal.memories() if each["rule_id"] == rule_id}
    records = _records(journal, rule_id, limit)
    if rule is None and not memories and not records:
        raise unknown(rule_id, _known(folder, journal))
    standing = _standing(folder, journal, rule_id, {rule_id: rule} if rule else {}, now)
    # with mistakes in the files the daemon goes on with the rules that it has
    running = standing.symbols().get(rule_id, ())
    symbols = rule.symbols if rule else running or tuple(filter(None, memories))
    return {
        "rule_id": rule_id,
        "loaded": rule is not None or bool(running),
        "enabled": _enabled(rule, memories),
        "live": standing.live,
        "when": [value(each) for each in canonical.parse(rule.text)["when"]] if rule else [],
        "if": [formula.text for formula in rule.conditions] if rule else [],
        "symbols": [
            {**_state(rule, symbol, memories.get(symbol), now), "now": standing.of(rule_id, symbol)}
            for symbol in symbols
        ],
        "running": journal.runs(rule_id=rule_id, status="running"),
        "records": records,
    }


def _all(folder: Path, journal: JournalReader, now: int) -> list[dict[str, Any]]:
    rules = _rules(folder)
    standing = _standing(folder, journal, "", rules, now)
    memories = {(each["rule_id"], each["symbol"]): each for each in journal.memories()}
    symbols = {rule.id: rule.symbols for rule in rules.values()} or standing.symbols()
    found = []
    for rule_id, listed in symbols.items():
        for symbol in listed:
            told = standing.of(rule_id, symbol) or {}
            memory = memories.get((rule_id, symbol), {})
            found.append(
                {
                    "rule_id": rule_id,
                    "symbol": symbol,
                    "reason": told.get("reason", ""),
                    "text": told.get("text", ""),
                    "last_fired_at": memory.get("last_fired_at"),
                    "fires": memory.get("fires", 0),
                }
            )
    return found


def _records(journal: JournalReader, rule_id: str, limit: int) -> list[dict[str, Any]]:
    """The newest records, and the newest fires before them; who looked at it is none of them."""
    newest = journal.records(rule_id=rule_id, limit=limit)
    fires = journal.records(rule_id=rule_id, kinds=("fired",), limit=FIRES)
    found = {each["seq"]: each for each in (*fires, *newest)}
    shown = [each for each in found.values() if each["data"].get("verb") != "look"]
    return sorted(shown, key=lambda each: int(each["seq"]))


# how it stands now


class Standings:
    """What each rule waits for, from the daemon (`live`) or from the journal."""

    def __init__(self, live: bool, rules: Mapping[str, Any]) -> None:
        """`rules` as `core.standing` writes them, a list for each rule id."""
        self.live = live
        self._rules = rules

    def symbols(self) -> dict[str, tuple[str, ...]]:
        """Those of each rule that it knows."""
        return {
            rule_id: tuple(each["symbol"] for each in found)
            for rule_id, found in self._rules.items()
        }

    def of(self, rule_id: str, symbol: str) -> dict[str, Any] | None:
        """On one symbol; None when nobody can tell."""
        found = [each for each in self._rules.get(rule_id, ()) if each["symbol"] == symbol]
        return dict(found[0]) if found else None


def _standing(
    folder: Path, journal: JournalReader, rule_id: str, rules: Mapping[str, Rule], now: int
) -> Standings:
    live = _asked(folder, journal, rule_id, now)
    if live is not None:
        return Standings(True, live)
    return of_journal(journal, rules, now)


def of_journal(journal: JournalReader, rules: Mapping[str, Rule], now: int) -> Standings:
    """What each rule waits for without prices, as it was left."""
    from runner.core.decision import RuleMemory
    from runner.core.rules import RuleSet
    from runner.core.standing import remembered, standing
    from runner.core.state import State

    state = State()
    for each in journal.memories():
        key = (each.pop("rule_id"), each.pop("symbol"))
        state.memories[key] = RuleMemory(**each)
    work, world = remembered(RuleSet(dict(rules)), state, now)
    found = {
        rule.id: [standing(work, world, rule, symbol).plain() for symbol in rule.symbols]
        for rule in rules.values()
    }
    return Standings(False, found)


def _asked(
    folder: Path, journal: JournalReader, rule_id: str, now: int
) -> Mapping[str, Any] | None:
    """What the daemon sees; None when none runs, or it does not answer."""
    from runner.cli.accounts import settings_of
    from runner.cli.commanding import command

    alive_at = journal.meta().get("alive_at")
    runs = bool(journal.records(kinds=("started",), limit=1))
    if not runs or alive_at is None or now - alive_at > ALIVE:
        return None
    data = {"who": "why", "at": now, "rule_id": rule_id}
    try:
        told = command(folder, settings_of(folder), "look", data, now, PATIENCE)
    except RunnerError:
        return None  # who may not write to the journal still reads it
    return told.data["rules"] if told.done and told.data is not None else None


def _rules(folder: Path) -> Mapping[str, Rule]:
    """The rules as their files have them; none when the files have mistakes."""
    from runner.cli.rules import rules_of

    try:
        return rules_of(folder).rules
    except ConfigurationError:
        output.note(
            "the rule files have mistakes (runner check); what is shown is of the rules that run, "
            "or of the journal alone"
        )
        return {}


def _known(folder: Path, journal: JournalReader) -> set[str]:
    known = {each["rule_id"] for each in journal.memories() if not each["rule_id"].startswith(":")}
    return known | set(_rules(folder))


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


# for people


def _table(told: list[dict[str, Any]], now: int) -> None:
    rows = [
        (
            each["rule_id"],
            each["symbol"],
            each["reason"] or "waits",
            each["text"],
            output.ago(each["last_fired_at"], now),
        )
        for each in told
    ]
    output.table(("rule", "symbol", "now", "why", "last fired"), rows, "no rules")


def _show(told: dict[str, Any], now: int) -> None:
    from runner.core.guards import cure

    state = "enabled" if told["enabled"] else "disabled"
    if not told["loaded"]:
        state = "not in the rule files"
    click.echo(f"{told['rule_id']}: {state}")
    for trigger in told["when"]:
        click.echo(f"  when    {trigger.removeprefix('{').removesuffix('}')}")
    for text in told["if"]:
        click.echo(f"  if      {text}")
    for each in told["symbols"]:
        click.echo(f"  {each['symbol']}{'' if told['live'] else ' (as the journal remembers it)'}")
        for text in _lines(each, told, now):
            click.echo(f"    {text}")
    for run in told["running"]:
        click.echo(f"  running {run['run_id']} on {run['symbol']}: runner explain {run['run_id']}")
    click.echo("  what happened last")
    for record in told["records"]:
        symbol = f" {record['symbol']}" if record["symbol"] else ""
        at = output.instant(record["at"])
        click.echo(f"    {at}{symbol}  {record['kind']:<9} {output.told(record)}")
        if record["reason"] == "guard" and (way := cure(record["text"])):
            click.echo(f"      {way}")


def _lines(state: dict[str, Any], told: dict[str, Any], now: int) -> list[str]:
    """One symbol's state in words."""
    from runner.core.used_up import times

    standing = state["now"] or {"reason": "", "text": "", "triggers": (), "conditions": ()}
    reason = f"{standing['reason']}: " if standing["reason"] else ""
    lines = [f"now: {reason}{standing['text']}"] if standing["text"] else []
    lines += [_trigger(each) for each in standing["triggers"] if each["text"] != standing["text"]]
    # without prices nothing can be said of them
    for each in standing["conditions"] if told["live"] else ():
        holds = {"": "holds", "if": "does not hold"}.get(each["reason"], each["reason"])
        lines.append(f"if {each['name']}: {holds} ({each['text']})")
    armed = [r for r in told["records"] if r["kind"] == "armed" and r["symbol"] == state["symbol"]]
    if armed:
        lines.append(f"last armed {output.instant(armed[-1]['at'])}: {armed[-1]['text']}")
    fired = output.ago(state["last_fired_at"], now)
    counts = f", {times(state['fires'])} in all, {times(state['fires_today'])} today"
    lines.append(f"last fired {fired}{counts if state['fires'] else ''}")
    most = [
        f"{times(state[key])} {words}"
        for key, words in (("max_fires", "in all"), ("max_fires_per_day", "a day"))
        if state[key] is not None
    ]
    if most:
        lines.append(f"at most {' and '.join(most)}")
    if state["cooldown_left"]:
        lines.append(f"cooldown: {output.span(state['cooldown_left'])} left")
    return lines


def _trigger(line: Mapping[str, Any]) -> str:
    reason = f"{line['reason']}: " if line["reason"] else ""
    return f"{line['name']}: {reason}{line['text']}"
