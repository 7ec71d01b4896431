"""docs/settings.md names every key of runner.yaml, with the default that holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.core.document import duration
from runner.settings import Settings
from runner.settings.schema import SCHEMA
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
TIMING = re.compile(r"^\| `timing\.(\w+)` \| (.+?) \|", re.MULTILINE)


def keys(block: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every key; below a name that the user chooses, as if it stood in its place."""
    for key, below in block.get("properties", {}).items():
        yield f"{path}{key}"
        named = below.get("additionalProperties") or {}
        inside = "" if key == "accounts" else f"{path}{key}."
        yield from keys(named if named else below, inside)


def test_every_key_is_named() -> None:
    """In backquotes, nested ones with dots; an account's keys by themselves."""
    named = set(re.findall(r"`([a-z_.]+)`", PAGE))
    assert [key for key in keys(SCHEMA) if key not in named] == []


def test_the_waits_are_those_of_the_code() -> None:
    """Each default of the table is what Settings has."""
    settings = Settings()
    for name, written in TIMING.findall(PAGE):
        value = getattr(settings if name == "stale_after" else settings.timing, name)
        if name == "max_attempts":
            assert written == str(value)
            continue
        shown = [duration(part) for part in written.split(", ")]
        assert shown == list(value if isinstance(value, tuple) else [value]), name


def test_the_other_defaults_are_those_of_the_code() -> None:
    """Namespace, journal, hook and the paper exchange's."""
    settings = Settings()
    host, port = settings.hook
    for row in (
        f"| `namespace` | `{settings.namespace}` |",
        f"| `journal` | `{settings.journal}` |",
        f"| `hook` | `{host}:{port}` |",
        f"| `on_stop` | `{settings.on_stop}` |",
        f"| `paper.seed` | {settings.paper.seed} |",
        f"| `paper.state` | `{settings.paper.state}` |",
        f"| `paper.balance` | {settings.paper.balance} |",
    ):
        assert row in PAGE, row
