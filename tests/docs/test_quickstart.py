"""docs/quickstart.md, typed from its first step to its last, prints what it says it prints."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from runner import __version__
from tests.cli.calling import Process
from tests.conftest import REPOSITORY
from tests.docs.markdown import Block, blocks
from tests.docs.shell import prepared, shows, typed
from tests.support import eventually

PAGE = REPOSITORY / "docs" / "quickstart.md"
STEPS = list(blocks(PAGE, "sh", "text", "yml", "yaml"))
MAKE = re.compile(r"^make (\w+)$")
# What is only looked at may be looked at again: a busy machine takes a while.
LOOKS = re.compile(r"runner (?:positions|status|why|runs|doctor) ")
KEYS = {"demo_key": "K", "demo_secret": "S", "live_key": "K", "live_secret": "S"}


class Reader:
    """Somebody who types the page; the paper exchange takes the place of the real one."""

    def __init__(self, folder: Path, exchange: str, stack: ExitStack) -> None:
        self.folder, self.exchange, self.stack = folder, exchange, stack
        self.environment = prepared(folder)
        self.hook = "http://127.0.0.1:8080"
        self.running: Process | None = None

    def type(self, command: str) -> str:
        """Type one line of the page; what it prints."""
        words = shlex.split(command)
        if MAKE.match(command) or command == ". .venv/bin/activate":
            return ""
        if words[:2] == ["runner", "run"]:
            return self.run(words[2:])
        key = KEYS.get(words[3], "") if words[:3] == ["runner", "secrets", "set"] else ""
        here = command.replace("http://127.0.0.1:8080", self.hook)
        printed = typed(self.folder, self.environment, here, key)
        if words[:2] == ["runner", "init"]:
            self.prepare(self.folder / words[2])
        plain = printed.replace(self.hook, "http://127.0.0.1:8080")
        return plain.replace(f"{self.folder}/", "")

    def prepare(self, made: Path) -> None:
        """Any free port for alerts, and the paper exchange where the page has the real one."""
        settings = made / "runner.yaml"
        text = settings.read_text("utf-8").replace("127.0.0.1:8080", "127.0.0.1:0")
        settings.write_text(re.sub(r"address: (demo|live).*", self.exchange, text), "utf-8")

    def run(self, words: list[str]) -> str:
        """Start a daemon in the place of the one before; the line that says it is ready."""
        if self.running is not None:
            self.running.send()
            assert self.running.end(120)[0] == 0
        place = words.index("--dir") + 1
        words[place] = str(self.folder / words[place])
        log = self.folder / "log"
        self.running = self.stack.enter_context(Process("run", *words, log=log))
        line = self.running.line()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, log.read_text("utf-8")
        self.hook = found[0]
        return line.replace(self.hook, "http://127.0.0.1:8080")

    def write(self, block: Block) -> None:
        """Write down what a step gives: settings of a new folder, or a further test of a rule."""
        if block.language == "yml":
            with (self.folder / "my" / "rules" / "first.tests.yaml").open("a") as file:
                file.write(block.text)
            return
        live = self.folder / "live"
        typed(self.folder, self.environment, "cp -r demo live && rm -rf live/journal.db* live/wit*")
        (live / "runner.yaml").write_text(block.text, "utf-8")
        self.prepare(live)


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader with an empty folder and an exchange that listens on loopback."""
    with ExitStack() as stack:
        log = folder / "paper.log"
        paper = Process("paper", "--api-key", "K", "--api-secret", "S", log=log)
        addresses = re.findall(r'"(\w+)": "([^"]+)"', stack.enter_context(paper).line())
        assert len(addresses) == 3, log.read_text("utf-8")
        inside = ", ".join(f'{name}: "{address}"' for name, address in addresses)
        yield Reader(folder, f"address: {{{inside}}}", stack)


def test_the_quickstart_is_true(tmp_path: Path) -> None:
    """Every command of every step, in order, and what stands below it."""
    with reader(tmp_path) as person:
        commands: list[str] = []
        printed: list[str] = []
        for block in STEPS:
            if block.language == "sh":
                commands = [line.partition("   #")[0].strip() for line in block.text.splitlines()]
                printed = [person.type(command) for command in commands]
            elif block.language == "text":
                check(person, commands, printed, block)
            else:
                person.write(block)


def check(person: Reader, commands: list[str], printed: list[str], block: Block) -> None:
    """Hold what was printed against the page; who looks too early looks again."""
    page = block.text.replace("0.1.0", __version__)
    if any(MAKE.match(command) for command in commands):
        page = page.partition("unexplained\n")[2]

    def fits() -> bool:
        if shows("".join(printed), page):
            return True
        for place, command in enumerate(commands):
            if LOOKS.match(command):
                printed[place] = person.type(command)
        return False

    try:
        eventually(fits, 120 if any(map(LOOKS.match, commands)) else 0)
    except AssertionError:
        pytest.fail(f"{block} does not show what was printed:\n{''.join(printed)}")


def test_make_is_typed_by_every_build() -> None:
    """The page's targets of make are steps of .ci/run, on a fresh machine."""
    build = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    targets = {
        found[1]
        for block in STEPS
        if block.language == "sh"
        for line in block.text.splitlines()
        if (found := MAKE.match(line))
    }
    assert targets == {"demo"}
    assert all(re.search(rf"^step {target}$", build, re.MULTILINE) for target in targets)


@pytest.mark.parametrize(
    ("printed", "page", "same"),
    [
        ("one\ntwo\nthree\n", "one\n…\nthree\n", True),
        ("one\nthree\n", "one\n…\nthree\n", True),
        ("order 17: filled\n", "order …: filled\n", True),
        ("a    b\n", "a b\n", True),
        ("one\ntwo\n", "one\n", False),
        ("order 17: lapsed\n", "order …: filled\n", False),
    ],
)
def test_reading_what_was_printed(printed: str, page: str, same: bool) -> None:
    """`…` is any text or any lines; everything else must be there."""
    assert shows(printed, page) is same
