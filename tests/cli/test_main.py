"""The group: every verb loads, says an example, is documented, and loads nothing it needs not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.cli import VERBS, main
from tests.cli.calling import call

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HEAVY = ("flask", "sqlalchemy", "ruamel", "jsonschema", "requests", "rich", "apscheduler")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(verb: str) -> None:
    """Each verb is there under its name, and its help ends with a line that can be typed."""
    result = call(verb, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: runner {verb}")
    assert f"Example: runner {verb}" in result.output


def test_the_group_lists_every_verb() -> None:
    """`runner --help` names each verb and what it is for, and the exit codes."""
    result = call("--help")
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\S", result.output, re.MULTILINE)
    assert "78" in result.output


def test_an_unknown_verb_is_usage() -> None:
    """A verb that does not exist is exit code 2."""
    result = call("rum")
    assert result.exit_code == 2
    assert "rum" in result.stderr


def test_every_verb_is_documented() -> None:
    """docs/cli.md has a heading for each verb, and for nothing else."""
    headings = re.findall(r"^## runner (\S+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(VERBS)


def test_documented_options_exist() -> None:
    """Each option that docs/cli.md names under a verb is one of that verb's."""
    sections = re.split(r"^## runner (\S+)$", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)
    context = click.Context(main)
    for verb, text in zip(sections[1::2], sections[2::2], strict=True):
        command = main.get_command(context, verb)
        assert command is not None
        verbs = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
        known = {name for one in verbs for each in one.params for name in each.opts} | {"--json"}
        assert set(re.findall(r"`(--[a-z-]+)", text)) <= known, verb


@pytest.mark.parametrize(
    ("words", "light"),
    [
        (["version"], HEAVY),
        (["--help"], HEAVY),
        (["orders", "--help"], HEAVY),
        (["run", "--help"], HEAVY),
        (["orders", "--dir", "/"], ("flask", "requests", "rich", "apscheduler")),
    ],
)
def test_a_verb_loads_only_what_it_needs(words: list[str], light: tuple[str, ...]) -> None:
    """Small verbs start quickly: no web server, no database for `runner version`."""
    program = (
        "import sys\nfrom runner.cli import main\n"
        f"try:\n    main({words!r}, prog_name='runner')\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', sorted(set({light!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_verbs_are_completed() -> None:
    """The shell's completion offers verbs, their options, and the ids of rules."""
    assert _completed("runner st") == ["status"]
    assert "--follow" in _completed("runner journal --f")


def test_rules_are_completed(tmp_path: Path) -> None:
    """After `why` the ids in the rule files of --dir are offered."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("rules:\n  - id: btc-breakout\n  - id: eth\n")
    assert _completed(f"runner why --dir {tmp_path} bt") == ["btc-breakout"]


def _completed(line: str) -> list[str]:
    """What bash is offered for the last word."""
    words = line.split(" ")
    result = call(
        env={
            "_RUNNER_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }
    )
    return [each.partition(",")[2] for each in result.stdout.split()]
