"""Links between the pages lead somewhere, and the commands they show exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from runner.cli import VERBS
from tests.conftest import REPOSITORY
from tests.docs.markdown import PAGES, anchors, blocks, links, prose

# `runner check --dir my` in a line of shell or between backticks
_SHELL = re.compile(r"(?:^|[|;&(]|\$ )\s*(?:\.venv/bin/)?runner ([a-z][a-z-]*)(.*)", re.MULTILINE)
_INLINE = re.compile(r"`(?:\.venv/bin/)?runner ([a-z][a-z-]*)([^`]*)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands(path: Path) -> list[tuple[str, str]]:
    """Every verb a page shows, with the rest of the line."""
    found = _INLINE.findall(prose(path))
    for block in blocks(path, "sh", "console", "text", ""):
        found += _SHELL.findall(block.text)
    return [(verb, rest.split(" #")[0]) for verb, rest in found]


COMMANDS = sorted({(path.name, *found) for path in PAGES for found in commands(path)})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_link_leads_somewhere(path: Path) -> None:
    """A file that is there, and a heading in it."""
    lost = []
    for link in links(path):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_every_page_is_in_the_index() -> None:
    """README.md links to each page of docs/."""
    listed = set(links(REPOSITORY / "README.md"))
    pages = {f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")}
    assert pages - listed == set()


def test_commands_are_found() -> None:
    """The search finds what the pages show: this file looks at something."""
    assert {verb for _, verb, _ in COMMANDS} >= {"check", "plan", "run"}


@pytest.mark.parametrize(("page", "verb", "rest"), COMMANDS)
def test_a_command_exists(page: str, verb: str, rest: str) -> None:
    """The verb is one, and has the options that are shown."""
    assert verb in VERBS, f"{page} shows runner {verb}"
    command = getattr(import_module(f"runner.cli.{verb}"), verb)
    assert isinstance(command, click.Command)
    each = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    options = [option for one in each for option in one.params]
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    assert set(_OPTION.findall(rest)) - known - {"--help"} == set(), f"{page}: runner {verb}{rest}"
