"""`runner schema`: the JSON Schemas of files, for editors, and of answers, for programs."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

RULES, SETTINGS, TESTS = "rules", "settings", "tests"
FILES = (RULES, SETTINGS, TESTS)


def _names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem | str]:
    """For completion: of rule files, settings and tests, or of answers after --cli."""
    del param
    names = _answers() if ctx.params.get("answers") else FILES
    return [name for name in names if name.startswith(incomplete)]


@click.command(
    epilog="""Example: runner schema --write schemas\n
    Example: runner schema --cli status"""
)
@click.argument("which", metavar="[NAME]", required=False, shell_complete=_names)
@click.option(
    "--cli",
    "answers",
    is_flag=True,
    help="Of what verbs print with --json; NAME is the verb's, without one all are listed.",
)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Write <name>.v1.schema.json there; without a name all.",
)
def schema(which: str | None, answers: bool, folder: Path | None) -> None:
    """Print the JSON Schema of rule files (rules, the default), runner.yaml (settings) or tests."""
    names = _answers() if answers else FILES
    if which is not None and which not in names:
        raise click.UsageError(f"there is no schema {which}: {', '.join(names)}")
    text = _answer if answers else _text
    if folder is not None:
        for name in [which] if which else names:
            path = folder / f"{name}.v1.schema.json"
            path.write_text(text(name), "utf-8")
            click.echo(f"wrote {path}")
    elif which is None and answers:
        click.echo("\n".join(names))
    else:
        click.echo(text(which or RULES), nl=False)


def _answers() -> tuple[str, ...]:
    from runner.cli.answers.verbs import ANSWERS

    return tuple(ANSWERS)


def _answer(name: str) -> str:
    from runner.cli.answers.verbs import text

    return text(name)


def _text(which: str) -> str:
    if which == SETTINGS:
        from runner.settings.schema import schema_text

        return schema_text()
    if which == TESTS:
        from runner.rulebook import tests_schema

        return tests_schema.text()
    from runner.rulebook.schema import text

    return text()
