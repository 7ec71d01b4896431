"""`runner schema`: the JSON Schemas that let an editor complete and check while one writes."""

from __future__ import annotations

from pathlib import Path

import click

RULES, SETTINGS, TESTS = "rules", "settings", "tests"


@click.command(epilog="Example: runner schema --write schemas")
@click.argument("which", type=click.Choice([RULES, SETTINGS, TESTS]), required=False)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Write <name>.v1.schema.json there; without a name all.",
)
def schema(which: str | None, folder: Path | None) -> None:
    """Print the JSON Schema of rule files (rules, the default), runner.yaml (settings) or tests."""
    if folder is None:
        click.echo(_text(which or RULES), nl=False)
        return
    for name in [which] if which else [RULES, SETTINGS, TESTS]:
        path = folder / f"{name}.v1.schema.json"
        path.write_text(_text(name), "utf-8")
        click.echo(f"wrote {path}")


def _text(which: str) -> str:
    if which == SETTINGS:
        from runner.settings.schema import schema_text

        return schema_text()
    if which == TESTS:
        from runner.rulebook import tests_schema

        return tests_schema.text()
    from runner.rulebook.schema import text

    return text()
