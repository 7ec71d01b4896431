"""`runner replay`: plays recorded prices through rules, and reports what would have come of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli import options, output

if TYPE_CHECKING:
    from runner.core.rules import RuleSet
    from runner.replay.report import Report
    from runner.replay.running import Heard
    from runner.replay.stage import Terms
    from runner.venues.paper.symbols import Symbol

FINDINGS = 1


@click.command(
    epilog="Example: runner replay rules --data ETHUSDT-1m-2025-01.csv --report january.html"
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@options.directory
@click.option(
    "--data",
    multiple=True,
    required=True,
    metavar="[SYMBOL=]FILE",
    help="Candles or trades (.csv, .csv.gz) or recorded stream frames (.gz). A file whose name "
    "does not begin with its symbol needs SYMBOL=. May be repeated.",
)
@click.option("--from", "since", metavar="TIME", help="Begin here: 2025-02-03 or 2025-02-03T06:00.")
@click.option("--to", "until", metavar="TIME", help="End before this time, UTC like --from.")
@click.option("--balance", default="10000", metavar="AMOUNT", help="What the account has: 10000.")
@click.option(
    "--fees",
    default="0.02%,0.05%",
    metavar="MAKER,TAKER",
    help="Shares of what is traded: 0.02%,0.05%.",
)
@click.option(
    "--funding-rate",
    default="0.01%",
    metavar="SHARE",
    help="What longs pay to shorts every eight hours: 0.01%. May be negative.",
)
@click.option(
    "--symbol",
    "names",
    multiple=True,
    metavar="DATA=RULES",
    help="Play the data of one symbol as another: BTCUSDT=BTCUSDC. May be repeated.",
)
@click.option(
    "--rule", "rule_ids", multiple=True, metavar="RULE", help="Only this rule. May be repeated."
)
@click.option("--partial", is_flag=True, help="Leave out symbols that no data is given for.")
@click.option(
    "--exchange-info",
    "snapshot",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A saved GET /fapi/v1/exchangeInfo (.json or .gz), for symbols that are not built in.",
)
@click.option(
    "--report",
    "page_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Also write a page with charts (one HTML file, opens anywhere).",
)
@options.as_json
def replay(paths: Sequence[Path], folder: Path, as_json: bool, **given: Any) -> None:
    """Play recorded prices through rules (PATHS are files or folders; default: rules/).

    The same engine, journal and paper exchange as ever, on a clock that jumps. The same input
    gives the same output. docs/replay.md says what the figures rest on.

    Exit 0: played, 1: the rules have mistakes, 2: the data cannot be used.
    """
    rules = _rules(list(paths) or [_rules_folder(folder)])
    report = _play(rules, given)
    if given["page_file"] is not None:
        _write(report, given["page_file"])
    if as_json:
        from runner.replay.report import document

        output.document(document(report))
    else:
        _show(report)


def _rules_folder(folder: Path) -> Path:
    rules = folder / "rules"
    if not rules.is_dir():
        raise click.UsageError(f"there is no folder {rules}: name the rule files, or use --dir")
    return rules


def _rules(where: list[Path]) -> RuleSet:
    """The rules; exits 1 when they have mistakes."""
    from runner.rulebook.diagnostics import render
    from runner.rulebook.load import load

    loaded = load(where)
    if loaded.rules is None:
        click.echo(render(loaded.errors, "Nothing was played."), err=True)
        sys.exit(FINDINGS)
    return loaded.rules


def _play(rules: RuleSet, given: dict[str, Any]) -> Report:
    from runner.replay.running import Choice
    from runner.replay.running import replay as play
    from runner.replay.series import Cut
    from runner.replay.series import given as read_given

    names = dict(options.pair(text) for text in given["names"])
    with _progress() as heard:
        return play(
            rules,
            [read_given(text, names) for text in given["data"]],
            _symbols(given["snapshot"]),
            Cut(_instant("--from", given["since"]), _instant("--to", given["until"])),
            _terms(given),
            Choice(given["rule_ids"], given["partial"]),
            heard,
        )


def _symbols(snapshot: Path | None) -> dict[str, Symbol]:
    from runner.ruletests.stage import saved_symbols
    from runner.venues.paper.symbols import built_in

    return built_in() if snapshot is None else dict(saved_symbols(snapshot))


def _terms(given: dict[str, Any]) -> Terms:
    from runner.replay.stage import Terms

    maker, comma, taker = given["fees"].partition(",")
    if not comma:
        raise click.UsageError(f"--fees {given['fees']} are not two shares: 0.02%,0.05%")
    balance = _share("--balance", given["balance"])
    if balance <= 0:
        raise click.UsageError(f"--balance {given['balance']} is nothing to trade with: 10000")
    return Terms(
        balance,
        _share("--fees", maker),
        _share("--fees", taker),
        _share("--funding-rate", given["funding_rate"]),
    )


def _share(option: str, text: str) -> Decimal:
    """A number, or a percentage as a share of one. Raises UsageError."""
    try:
        value = Decimal(text.strip().removesuffix("%"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise click.UsageError(f"{option} {text} is no number: write it like 0.05% or 0.0005")
    return value / 100 if text.strip().endswith("%") else value


def _instant(option: str, text: str | None) -> int | None:
    """A time as UTC ms. Raises UsageError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"{option} {text} is no time: write 2025-02-03 or 2025-02-03T06:00 (UTC)"
        ) from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@contextmanager
def _progress() -> Iterator[Heard | None]:
    """A bar on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("reading the data", total=None)

        def heard(now: int, start: int, stop: int) -> None:
            day = f"{datetime.fromtimestamp(now / 1000, UTC):%Y-%m-%d}"
            bar.update(task, total=stop - start, completed=now - start, description=day)

        yield heard


def _write(report: Report, path: Path) -> None:
    from runner.replay.page import page

    try:
        path.write_text(page(report), "utf-8")
    except OSError as error:
        raise click.UsageError(f"--report {path} cannot be written: {error.strerror}") from error


# what people see


def _show(report: Report) -> None:
    from runner.replay.report import document, remarks

    told = document(report)
    sums = told["totals"]
    for one in told["data"]:
        what = f"candles of {output.span(one['span'])}" if one["span"] else one["kind"]
        times = f"{output.instant(one['from'])[:16]} to {output.instant(one['to'])[:16]} UTC"
        click.echo(f"{one['symbol']}: {one['count']} {what}, {times}")
    for remark in remarks(report):
        click.echo(f"Mind: {remark}.")
    click.echo()
    output.table(RULE_HEADS, [_row(one) for one in told["rules"]], "No rule was played.")
    click.echo()
    reasons = [(reason, count) for reason, count in sums["why_not"].items()]
    if reasons:
        output.table(("WHY NOT", "TIMES"), reasons, "")
        click.echo()
    output.table(("RESULT", told["terms"]["asset"]), _money_rows(sums), "")


RULE_HEADS = ("RULE", "FIRES", "ORDERS", "REJECTED", "FILLS", "FEES", "REALISED")


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    from runner.replay.page import cents

    counts = tuple(str(one[name]) for name in ("fires", "orders", "rejected", "fills"))
    return (one["rule"], *counts, cents(one["fees"]), cents(one["realised_pnl"]))


def _money_rows(sums: dict[str, Any]) -> list[tuple[str, str]]:
    from runner.replay.page import cents

    rows = [
        ("realised", cents(sums["realised_pnl"])),
        ("unrealised at the end", cents(sums["unrealised_pnl"])),
        ("fees", cents(f"-{sums['fees']}") if sums["fees"] != "0" else "0.00"),
        ("funding", cents(sums["funding"])),
        ("net", cents(sums["net_pnl"])),
        ("equity at the end", cents(sums["equity"])),
        (f"largest drawdown ({sums['max_drawdown_percent']} %)", cents(sums["max_drawdown"])),
    ]
    if sums["liquidation_fees"] != "0":
        rows.insert(4, ("liquidation fees", cents(sums["liquidation_fees"])))
    return rows
