"""`runner status`: what runs, what is open, and what needs a person."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from runner.cli import options, output
from runner.errors import ConfigurationError

if TYPE_CHECKING:
    from runner.journal import JournalReader

DEGRADED = 3
ANSWER_WITHIN = 2
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


@click.command(epilog="Example: runner status --dir my --json")
@options.directory
@options.as_json
def status(folder: Path, as_json: bool) -> None:
    """Show what runs, each rule's last fire, open orders, the dead man, and every problem.

    Exit 0: it runs and takes alerts, 3: it does not, or something needs a person.
    """
    from runner.cli.reading import journal_of, started
    from runner.cli.status_switches import switches

    with journal_of(folder) as journal:
        now = time.time_ns() // 1_000_000
        start = started(journal)
        told = _daemon(journal, start)
        told |= _loaded(journal, start.get("at", 0))
        told["rules"] = _rules(folder, journal)
        told["open_orders"] = journal.orders(state=OPEN)
        told["dead_men"] = journal.dead_men()
        told |= switches(journal)
        told["events"] = journal.records(limit=EVENTS)
        told["problems"] = _problems(folder, journal, told, now)
    if as_json:
        output.document(told)
    else:
        _show(told, now)
    sys.exit(DEGRADED if told["problems"] else 0)


def _daemon(journal: JournalReader, start: dict[str, Any]) -> dict[str, Any]:
    """What the newest start said, and what its hook address answers now."""
    answer = _ready(start.get("hook", "")) if start.get("running") else None
    return {
        "mode": start.get("mode"),
        "account": start.get("account"),
        "hook": start.get("hook"),
        "running": answer is not None,
        "ready": bool(answer and answer.get("ready")),
        "reasons": (answer or {}).get("reasons", []),
        "stopped": not start.get("running", False),
        "started_at": start.get("at"),
        "alive_at": journal.meta().get("alive_at"),
    }


def _ready(hook: str) -> dict[str, Any] | None:
    """What GET /readyz answers; None when nobody does."""
    where = urlsplit(hook)
    if not where.hostname:
        return None
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", "/readyz")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None


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


def _rules(folder: Path, journal: JournalReader) -> list[dict[str, Any]]:
    """Every rule and symbol of the rule files, and what the journal remembers besides."""
    from runner.cli.rules import rules_of

    memories = {(each["rule_id"], each["symbol"]): each for each in journal.memories()}
    try:
        files = rules_of(folder).rules
    except ConfigurationError:
        files = {}
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
    folder: Path, journal: JournalReader, told: dict[str, Any], now: int
) -> list[dict[str, str]]:
    """What is not as it should be, each with what to do."""
    from runner.cli.status_switches import problems

    found = [*_of_daemon(folder, told), *_of_rules(folder), *problems(folder, told, journal)]
    if told["refused_reload"] is not None:
        at, text = told["refused_reload"]["at"], told["refused_reload"]["text"]
        what = f"the rules of {output.instant(at)} were {text}"
        found.append({"what": what, "cure": f"runner check --dir {folder}, then runner reload"})
    for order in journal.orders(state=tuple(CURES)):
        what = f"order {order['client_order_id']} of {order['rule_id']} is {order['state']}"
        found.append({"what": what, "cure": CURES[order["state"]]})
    for known in told["dead_men"]:
        if known["expired"] or known["late_told"]:
            what = f"the countdown of {known['symbol']} " + (
                "ran out" if known["expired"] else "is refreshed late"
            )
            found.append({"what": what, "cure": "check the connection to the exchange"})
    critical = journal.records(kinds=("error", "notify"), limit=200)
    since = max(now - RECENT, told["started_at"] or 0)
    for record in critical:
        serious = record["kind"] == "error" or record["reason"] in ("critical", "parked")
        if serious and record["at"] >= since:
            cure = f"runner explain {record['run_id']}" if record["run_id"] else "runner journal"
            found.append({"what": record["text"], "cure": f"see {cure}"})
    return found


def _of_daemon(folder: Path, told: dict[str, Any]) -> list[dict[str, str]]:
    cure = f"start it: runner run --dir {folder}"
    if told["running"] and not told["ready"]:
        what = f"not ready: {'; '.join(told['reasons'])}"
        return [{"what": what, "cure": "it takes no alerts until then"}]
    if told["running"]:
        return []
    if told["stopped"]:
        return [{"what": "the runner is stopped", "cure": cure}]
    alive = output.instant(told["alive_at"])
    what = f"the runner does not answer at {told['hook']}; its last sign of life was {alive}"
    return [{"what": what, "cure": cure}]


def _of_rules(folder: Path) -> list[dict[str, str]]:
    from runner.cli.rules import rules_of

    try:
        rules_of(folder)
    except ConfigurationError:
        return [{"what": "the rule files have mistakes", "cure": f"runner check --dir {folder}"}]
    return []


def _show(told: dict[str, Any], now: int) -> None:
    from runner.cli.orders import row
    from runner.cli.status_switches import off, uncovered

    state = "ready" if told["ready"] else "not ready" if told["running"] else "not running"
    since = f", started {output.ago(told['started_at'], now)}" if told["started_at"] else ""
    click.echo(f"{state}: account {told['account']} ({told['mode']}), {told['hook']}{since}")
    if told["revision"]:
        at = output.instant(told["revision_at"])
        click.echo(f"rules: revision {told['revision'][:12]}, running since {at} UTC")
    click.echo()
    rules = [
        (
            each["rule_id"],
            each["symbol"],
            "yes" if each["enabled"] else "no",
            output.ago(each["last_fired_at"], now),
            each["fires"],
        )
        for each in told["rules"]
    ]
    output.table(("rule", "symbol", "enabled", "last fired", "fires"), rows=rules, empty="no rules")
    for line in off(told):
        click.echo(line)
    click.echo(f"\nopen orders: {len(told['open_orders'])}")
    if told["open_orders"]:
        headings = ("placed", "rule", "symbol", "order", "state", "filled", "average", "run", "why")
        output.table(headings, [row(order) for order in told["open_orders"]], "")
    for known in told["dead_men"]:
        confirmed = output.ago(known["confirmed_time"], now)
        seconds = known["countdown"] // 1000
        beyond = uncovered(told, known["symbol"])
        click.echo(f"dead man: {known['symbol']} {seconds} s, confirmed {confirmed}{beyond}")
    click.echo("\nlast events")
    for record in told["events"]:
        who = f" {record['rule_id'] or '-'} {record['symbol'] or '-'}"
        click.echo(f"  {output.instant(record['at'])}  {record['kind']:<9}{who}  {record['text']}")
    click.echo("\nproblems: none" if not told["problems"] else "\nproblems")
    for problem in told["problems"]:
        click.echo(f"  {problem['what']}\n    {problem['cure']}")
