"""Every command that README.md and docs/ show, with its place: in blocks, tables and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.docs.markdown import PAGES, blocks, prose

READ = [path for path in PAGES if path.name not in ("CONTRIBUTING.md", "CHANGELOG.md")]
# Typed from its first step to its last, with what is printed: tests/docs/test_quickstart.py.
TYPED = "quickstart.md"
# What a shell is asked to do; everything else in a block without a language is no command.
PROGRAMS = (
    r"apt-get|bash|cd|cp|curl|echo|git|journalctl|litestream|ln|make|mkdir|mv|openssl|pip|python"
    r"|rm|runner|runuser|sed|ssh|sudo|systemctl|systemd-ask-password|systemd-creds|timedatectl"
    r"|umask"
)
_COMMAND = re.compile(rf"(?:\$ )?(?:\.venv/bin/)?((?:{PROGRAMS})(?: .+)?)")
_INLINE = re.compile(r"`([^`]+)`")
_INDENTED = re.compile(r"(?:^|\n\n)((?:    .+\n)+)")
# How the service's user runs it.
AS_SERVICE = "runuser -u runner -- "


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is shown."""

    page: str
    text: str

    @property
    def program(self) -> str:
        """What runs."""
        return self.text.partition(" ")[0]


def _lines(path: Path) -> Iterator[str]:
    if path.name != TYPED:
        for block in blocks(path, "sh", "console", ""):
            yield from block.text.splitlines()
    for indented in _INDENTED.findall(prose(path)):
        yield from indented.splitlines()
    for words in _INLINE.findall(prose(path)):
        yield " ".join(words.split())


def shown() -> list[Command]:
    """All of them, each once a page, in the order of the pages; without their comments."""
    found: dict[Command, None] = {}
    for path in READ:
        for line in _lines(path):
            plain = re.split(r"\s+# ", line.strip())[0]
            whole = _COMMAND.fullmatch(plain)
            if whole:
                text = whole[1].replace(AS_SERVICE, "")
                found[Command(str(path.relative_to(REPOSITORY)), text)] = None
    return [command for command in found if command.text != command.program]
