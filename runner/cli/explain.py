"""`runner explain`: one run with its event, its orders, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import accounts, options, output
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.journal import JournalReader


@click.command(epilog="Example: runner explain 6j4enifjiz --dir my")
@click.argument("run_id", metavar="RUN", shell_complete=options.run_ids)
@options.directory
@click.option(
    "--as-test",
    is_flag=True,
    help="Write the run as a tests file: put it beside the rules, and runner test plays it.",
)
@options.as_json
@accounts.whoever_knows
def explain(run_id: str, folder: Path, as_test: bool, as_json: bool) -> None:
    """Show one run: its event, the rule as it was then, every order with its attempts and fills.

    RUN is its id, or how the id begins; `runner runs` lists them.
    """
    from runner.cli.reading import journal_of

    with journal_of(folder) as journal:
        run = _found(journal, run_id)
        run["records"] = journal.records(run_id=run["run_id"])
        if as_test:
            _write_test(journal, run, folder)
            return
    if as_json:
        output.document(run)
    else:
        _show(run)


def _write_test(journal: JournalReader, run: dict[str, Any], folder: Path) -> None:
    """The test on stdout; on stderr whether it passes with the rule as it is now."""
    from runner.cli.rules import rule_of, rules_of
    from runner.ruletests.exporting import as_test

    rule = rule_of(rules_of(folder), run["rule_id"])
    text, wrong = as_test(journal, run, Path(rule.file))
    click.echo(text, nl=False)
    if rule.text_hash != run["rule_hash"]:
        output.note("the rule has been edited since this run")
    if wrong:
        output.note(f"this test does not pass yet, edit it to what you want:\n{wrong}")


def _found(journal: JournalReader, run_id: str) -> dict[str, Any]:
    run = journal.run(run_id)
    if run is not None:
        return run
    alike = [each["run_id"] for each in journal.runs() if each["run_id"].startswith(run_id)]
    if len(alike) == 1:
        return journal.run(alike[0]) or {}
    if alike:
        raise UsageError(f"several runs begin with {run_id}: {', '.join(alike[-10:])}")
    raise UsageError(f"there is no run {run_id} in the journal: runner runs lists them")


def _show(run: dict[str, Any]) -> None:
    from runner.ruletests.writing import value

    click.echo(f"run {run['run_id']} of {run['rule_id']} on {run['symbol']}: {run['status']}")
    if run["reason"]:
        click.echo(f"  why     {run['reason']}")
    click.echo(f"  fired   {output.instant(run['fired_at'])} by {run['trigger']}")
    if run["fields"]:
        click.echo(f"  event   {value(run['fields'])}")
    if run["rule_text"]:
        for line in rule_lines(run["rule_text"]):
            click.echo(f"  rule    {line}")
    verdicts = {r["client_order_id"]: r["data"] for r in run["records"] if r["kind"] == "planned"}
    for order in run["orders"]:
        _show_order(order)
        _show_verdict(verdicts.get(order["client_order_id"], {}))
    click.echo("  log")
    for record in run["records"]:
        at = output.instant(record["at"])
        click.echo(f"    {at}  {record['kind']:<9} {output.told(record)}")


def _show_verdict(verdict: dict[str, Any]) -> None:
    """What the guards saw when they let the order pass."""
    if verdict.get("verdict"):
        click.echo(f"            guards: {verdict['verdict']}")
    for check in verdict.get("guards", ()):
        said = f"{check['guard']}: {check['seen']}, the limit is {check['limit']}"
        click.echo(f"              {said} ({check['where']})")


def rule_lines(text: str) -> list[str]:
    """The rule as it was, as a rule file writes it, without what the rest already says."""
    from runner.rulebook import canonical
    from runner.ruletests.writing import value

    rule = canonical.parse(text)
    return [f"{key}: {value(rule[key])}" for key in ("when", "if", "do") if key in rule]


def _show_order(order: dict[str, Any]) -> None:
    from runner.core.wording import leg_words, outcome_words, plain_words, state_words

    name, state = leg_words(order["leg"]), state_words(order["state"])
    click.echo(f"  order   {name}: {plain_words(order)} -> {state}")
    said = [
        f"client order id {order['client_order_id']}",
        f"order id {order['order_id']}" if order["order_id"] else "",
        f"filled {order['cumulative_quantity']}",
        f"at {order['average_price']}" if order["average_price"] else "",
        f"code {order['code']}" if order["code"] is not None else "",
        order["message"],
    ]
    click.echo(f"            {', '.join(filter(None, said))}")
    for attempt in order["attempts"]:
        answer = outcome_words(attempt["outcome"] or None)
        more = f" ({attempt['message']})" if attempt["message"] else ""
        signed = output.instant(attempt["signed_at"])
        click.echo(f"            attempt {attempt['attempt']} signed {signed}: {answer}{more}")
    for fill in order["fills"]:
        at = output.instant(fill["event_time"])
        click.echo(f"            fill {at}: {fill['quantity']} @ {fill['price']}")
