"""`runner status`: what runs, what is open, and what needs a person."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output
from runner.cli.daemon import countdowns, daemon, ended, moment
from runner.errors import ConfigurationError

if TYPE_CHECKING:
    from runner.core.rules import Rule, RuleSet
    from runner.journal import JournalReader

DEGRADED = 3
RECENT = 86_400_000
"""Ms: how far back an error is still a problem."""

EVENTS = 10
RELOADS = 100
"""How many reloads back the beginning of a revision is looked for."""

OPEN = ("LIVE", "PLANNED", "SENDING", "UNKNOWN")

CURES = {
    "PARKED": "it cannot be proven whether the exchange has it: look it up there by its client "
    "order id; nothing more is sent for it",
    "UNKNOWN": "the exchange is being asked; nothing to do unless it lasts",
}


@click.command(
    epilog="""Example: runner status --dir my\n
    Example: runner status --dir my --json"""
)
@options.directory
@click.option(
    "--all", "every", is_flag=True, help="On a terminal, too: all of it, however long it is."
)
@options.as_json
@accounts.each
def status(folder: Path, every: bool, as_json: bool) -> None:
    """Show what runs, what each rule waits for, streams, limits, orders, and every problem.

    On a terminal it fits one screen: what is left out is counted, and --all shows it.

    Exit 0: it runs and takes alerts, 3: it does not, or something needs a person.
    """
    from runner.cli.reading import journal_of
    from runner.cli.rules import rules_of
    from runner.cli.status_screen import show

    rules: dict[str, Rule] = {}

    def read() -> RuleSet:
        found = rules_of(folder)
        rules.update(found.rules)
        return found

    with journal_of(folder) as journal:
        now = time.time_ns() // 1_000_000
        told = told_of(folder, journal, now, read)
        _waits(told, journal, rules, now)
    if as_json:
        output.document(told)
    else:
        show(told, now, every=every)
    sys.exit(DEGRADED if told["problems"] else 0)


def _waits(
    told: dict[str, Any], journal: JournalReader, rules: Mapping[str, Rule], now: int
) -> None:
    """What each rule waits for, as the journal remembers it: nobody has to answer for that."""
    from runner.cli.why import of_journal

    known = of_journal(journal, rules, now)
    for each in told["rules"]:
        standing = known.of(each["rule_id"], each["symbol"]) or {}
        each |= {key: standing.get(key, "") for key in ("reason", "text")}


def told_of(
    folder: Path, journal: JournalReader, now: int, read: Callable[[], RuleSet]
) -> dict[str, Any]:
    """The document of `runner status --json`; `read` gives the rules of the rule files.

    It may raise ConfigurationError for mistakes in them, which is one problem of those told.
    """
    from runner.cli.status_switches import switches

    told = daemon(journal, now)
    told |= _loaded(journal, told["started_at"] or 0)
    try:
        files: Mapping[str, Rule] | None = read().rules
    except ConfigurationError:
        files = None
    told["rules"] = _rules(files or {}, journal)
    told["open_orders"] = journal.orders(state=OPEN)
    told["dead_men"] = countdowns(journal.dead_men())
    told |= switches(journal)
    told["events"] = journal.history(limit=EVENTS, looks=False)[::-1]
    told["problems"] = _problems(folder, journal, told, now, mistaken=files is None)
    return told


def _loaded(journal: JournalReader, started_at: int) -> dict[str, Any]:
    """Which revision of the rules runs, since when, and the newest reload if it was refused."""
    reloads = journal.records(limit=RELOADS, kinds=("reload",))
    good = [each for each in reloads if not each["reason"]]
    newest = reloads[-1] if reloads else None
    refused = newest is not None and bool(newest["reason"])
    # a reload that changed nothing did not begin a revision
    since = None
    for each in reversed(good):
        if each["data"].get("revision") != good[-1]["data"].get("revision"):
            break
        since = max(each["at"], started_at)
    return {
        "revision": newest["data"].get("revision") if newest else None,
        "revision_at": since,
        "refused_reload": newest if refused else None,
    }


def _rules(files: Mapping[str, Rule], journal: JournalReader) -> list[dict[str, Any]]:
    """Every rule and symbol of the rule files, and what the journal remembers besides."""
    memories = {(each["rule_id"], each["symbol"]): each for each in journal.memories()}
    keys = [(rule.id, symbol) for rule in files.values() for symbol in rule.symbols]
    keys += sorted(key for key in memories if key not in keys and key[1] and not files)
    found = []
    for rule_id, symbol in keys:
        memory = memories.get((rule_id, symbol), {})
        switched = memories.get((rule_id, ""), {}).get("enabled")
        own = files[rule_id].enabled if rule_id in files else True
        found.append(
            {
                "rule_id": rule_id,
                "symbol": symbol,
                "enabled": own if switched is None else switched,
                "last_fired_at": memory.get("last_fired_at"),
                "fires": memory.get("fires", 0),
            }
        )
    return found


def _problems(
    folder: Path, journal: JournalReader, told: dict[str, Any], now: int, *, mistaken: bool
) -> list[dict[str, Any]]:
    """What is not as it should be, each with what to do."""
    from runner.cli.status_switches import idle_exits, problems
    from runner.journal import ORPHAN

    found = [*_of_daemon(folder, told, now), *_of_countdowns(told, now)]
    if mistaken:
        found.append(_problem("the rule files have mistakes", f"runner check --dir {folder}"))
    found += [_problem(each["what"], each["cure"]) for each in problems(folder, told, journal)]
    idle = idle_exits(folder, told, journal, now)
    found += [_problem(each["what"], each["cure"], each["meaning"]) for each in idle]
    if told["refused_reload"] is not None:
        at, text = told["refused_reload"]["at"], told["refused_reload"]["text"]
        what = f"the rules of {output.instant(at)} were {text}"
        found.append(_problem(what, f"runner check --dir {folder}, then runner reload"))
    for order in journal.orders(state=tuple(CURES)):
        what = f"order {order['client_order_id']} of {order['rule_id']} is {order['state']}"
        found.append(_problem(what, CURES[order["state"]]))
    critical = journal.records(kinds=("error", "notify"), limit=200)
    since = max(now - RECENT, told["started_at"] or 0)
    recent = [record for record in critical if record["at"] >= since]
    found += _forgotten([record for record in recent if record["reason"] == ORPHAN])
    for record in recent:
        serious = record["kind"] == "error" or record["reason"] in ("critical", "parked")
        # what a link to the exchange did, or a kill, is told as it is now, above
        if serious and not record["data"].keys() & {"link", "verb"}:
            cure = f"runner explain {record['run_id']}" if record["run_id"] else "runner journal"
            found.append(_problem(record["text"], f"see {cure}"))
    return found


def _forgotten(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """After a restored journal: orders that only the exchange knows, as one problem."""
    if not records:
        return
    symbols = ", ".join(sorted({record["symbol"] for record in records}))
    count = f"{len(records)} order{'s' if len(records) > 1 else ''}"
    what = f"the journal forgot {count} of {symbols} that the exchange has: they are left alone"
    meaning = "no rule knows what filled of them, or follows those that are open"
    cure = (
        "runner journal --kind notify names them; look at positions and open orders in the "
        "exchange's app, and cancel or close there, or by runner flatten"
    )
    yield _problem(what, cure, meaning)


def _problem(
    what: str, cure: str, meaning: str = "", link: str | None = None, since: int | None = None
) -> dict[str, Any]:
    """One problem; every one has the same keys."""
    return {"what": what, "meaning": meaning, "cure": cure, "link": link, "since": since}


def _of_daemon(folder: Path, told: dict[str, Any], now: int) -> Iterator[dict[str, Any]]:
    links = told.pop("links")
    if not told["running"]:
        what = f"the runner is not running: {ended(told, now)}"
        meaning = "no alert is taken, no price watched, no exit follows a fill"
        yield _problem(what, f"start it: runner run --dir {folder}", meaning)
    elif not told["taking"]:
        what = f"not ready: {'; '.join(told['reasons'])}"
        yield _problem(what, "it takes no alerts until then")
    elif not told["ready"] and not links:
        what = f"alerts lead to no order: {'; '.join(told['reasons'])}"
        yield _problem(what, "runner status again", "they are taken and kept meanwhile")
    for each in links:
        known = {name: each[name] for name in ("what", "cure", "meaning", "link", "since")}
        yield _problem(**known)


def _of_countdowns(told: dict[str, Any], now: int) -> Iterator[dict[str, Any]]:
    for known in told["dead_men"]:
        symbol, over = known["symbol"], known["runs_out_time"]
        if not told["running"] and over is not None:
            yield _left_alone(symbol, over, now)
        elif known["expired"] or known["late_told"]:
            what = "ran out" if known["expired"] else "is refreshed late"
            text = f"the countdown of {symbol} {what}"
            yield _problem(text, "check the connection to the exchange")


def _left_alone(symbol: str, over: int, now: int) -> dict[str, Any]:
    """Nobody sets it anew: the exchange does what it was armed for."""
    if over > now:
        what = (
            f"the countdown of {symbol} goes on: the exchange cancels the symbol's open orders at "
            f"{output.instant(over)[:19]} UTC, in {output.span(over - now)}"
        )
        meaning = "conditional orders may stay, positions do; a runner that is back sets it anew"
        return _problem(what, "start the runner before that, or let it", meaning)
    what = (
        f"the countdown of {symbol} ran out at {moment(over, now)}: the exchange has cancelled the "
        "symbol's open orders"
    )
    meaning = "what is shown as LIVE may be gone; conditional orders may stay, positions do"
    cure = "start the runner, it reads what is open; or look at the exchange"
    return _problem(what, cure, meaning)
