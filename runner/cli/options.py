"""Options that several verbs share, so that they are spelled and explained alike."""

from __future__ import annotations

import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

NEWEST = 50
"""How many rows a listing shows when nobody said; --json shows all."""

_ID = re.compile(r"^\s*-?\s*id:\s*([a-z][a-z0-9-]*)", re.MULTILINE)

directory = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    envvar="RUNNER_DIR",
    metavar="DIR",
    help="The runner's folder: rules/, runner.yaml, journal.db. Default: $RUNNER_DIR, or the "
    "current folder.",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

limit = click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Only the newest N; 0: all. Default: {NEWEST}, with --json all.",
)


def address(text: str) -> tuple[str, int]:
    """HOST:PORT as (host, port)."""
    from runner.settings import parse_hook

    found = parse_hook(text)
    if found is None:
        raise click.BadParameter(f"{text} is not an address: write HOST:PORT, 127.0.0.1:8080")
    return found


def place(text: str) -> tuple[str, int]:
    """HOST:PORT as (host, port), or unix:PATH."""
    from runner.settings import parse_place

    found = parse_place(text)
    if found is None:
        raise click.BadParameter(
            f"{text} is not an address: write HOST:PORT, 127.0.0.1:8081, or unix:PATH"
        )
    return found


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE as (name, value)."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{text} is no pair: write NAME=VALUE, mark=70010")
    return name.strip(), value.strip()


def rule_ids(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem | str]:
    """For completion: the ids that stand in the rule files and begin like this."""
    del param
    rules = Path(ctx.params.get("folder") or ".") / "rules"
    texts = [path.read_text("utf-8", "replace") for path in rules.glob("*.y*ml")]
    ids = sorted({found for text in texts for found in _ID.findall(text)})
    return [each for each in ids if each.startswith(incomplete)]


def run_ids(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem | str]:
    """For completion: the ids of the newest firings that begin like this, with their rule."""
    del param
    from runner.cli.reading import journal_of
    from runner.errors import RunnerError

    try:
        with journal_of(Path(ctx.params.get("folder") or ".")) as journal:
            found = journal.runs(limit=NEWEST)[::-1]
    except RunnerError:
        return []
    return [
        CompletionItem(run["run_id"], help=f"{run['rule_id']} {run['symbol']}")
        for run in found
        if run["run_id"].startswith(incomplete)
    ]


only_run = click.option(
    "--run",
    "run_id",
    metavar="RUN",
    shell_complete=run_ids,
    help="Only what belongs to this run.",
)

only_rule = click.option(
    "--rule", metavar="RULE", shell_complete=rule_ids, help="Only what belongs to this rule."
)

reason = click.option(
    "--reason", default="", metavar="TEXT", help="Why; kept in the journal, shown by status."
)

of_symbol = click.option("--symbol", default="", metavar="SYMBOL", help="Only this symbol.")

yes = click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
