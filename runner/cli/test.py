"""`runner test`: plays the tests beside the rules on a virtual clock, without any network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli import options, output

if TYPE_CHECKING:
    from runner.ruletests.suite import Report

FAILED, COULD_NOT_RUN = 1, 2


@click.command(epilog="Example: runner test rules/btc.tests.yaml -k money")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@options.directory
@click.option("-k", "name", default="", metavar="TEXT", help="Only tests whose name has this.")
@click.option(
    "--min-coverage",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Fail when less than N percent of the rules have a test.",
)
@click.option(
    "--exchange-info",
    "snapshot",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A saved GET /fapi/v1/exchangeInfo (.json or .gz), for symbols that are not built in.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Also write the results as JUnit XML.",
)
@options.as_json
def test(
    paths: Sequence[Path],
    folder: Path,
    name: str,
    min_coverage: int | None,
    snapshot: Path | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Play the tests of rules (PATHS are *.tests.yaml files or folders; default: rules/).

    Exit 0: all passed, 1: a test failed, a file has mistakes or too few rules have tests, 2:
    there is nothing to run.
    """
    from runner.ruletests import reporting
    from runner.ruletests.suite import run, tests_files

    where = list(paths) or [_rules_folder(folder)]
    if not tests_files(where):
        listed = ", ".join(map(str, where))
        raise click.UsageError(f"there is no tests file in {listed}: they are called *.tests.yaml")
    report = run(where, name, snapshot, _progress())
    if junit is not None:
        junit.write_text(reporting.junit(report), "utf-8")
    if as_json:
        output.document(reporting.document(report))
    else:
        _show(report)
    sys.exit(_verdict(report, name, min_coverage))


def _rules_folder(folder: Path) -> Path:
    rules = folder / "rules"
    if not rules.is_dir():
        raise click.UsageError(f"there is no folder {rules}: name the tests files, or use --dir")
    return rules


def _show(report: Report) -> None:
    from runner.rulebook.diagnostics import render
    from runner.ruletests import reporting

    if report.found:
        click.echo(render(report.found, "Its tests were not played."))
    for line in reporting.text(report).splitlines():
        colour = "red" if line.startswith("FAIL  ") else None
        click.echo(click.style(line, fg=colour, bold=True) if colour else line)


def _verdict(report: Report, name: str, min_coverage: int | None) -> int:
    if any(found.code == "unreadable" for found in report.found):
        return COULD_NOT_RUN
    if not report.sound:
        return FAILED
    if not report.all:
        what = f"no test's name has {name!r}" if name else "there is no test in these files"
        output.note(f"{what}: nothing was played")
        return COULD_NOT_RUN
    if min_coverage is not None and report.coverage < min_coverage:
        share = f"{report.coverage:.0f} % of the rules have a test"
        output.note(f"{share}, --min-coverage asks for {min_coverage} %")
        return FAILED
    return 0


def _progress() -> Callable[[int, int], None] | None:
    """A line that counts on a terminal; nothing in a pipe."""
    if not sys.stderr.isatty():
        return None

    def heard(done: int, count: int) -> None:
        click.echo(f"\r\x1b[K{done} of {count}", nl=False, err=True)
        if done == count:
            click.echo("\r\x1b[K", nl=False, err=True)

    return heard
