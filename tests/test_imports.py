"""Imports point only down, the core stays pure, and the clock comes in as a parameter."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "runner"

# (rank, order within the rank). A module may import what stands lower; what stands level may not
# import each other. The most specific name decides: runner.venues.paper before runner.venues.
RANKS: dict[str, tuple[int, int]] = {
    "runner.durably": (0, 0),
    "runner.errors": (0, 0),
    "runner.failpoints": (0, 0),
    "runner.fitting": (0, 0),
    "runner.resources": (0, 0),
    "runner.core.formula": (0, 1),
    "runner.core.figures": (0, 0),
    "runner.core.values": (0, 0),
    "runner.core.candles": (0, 0),
    "runner.core.cron": (0, 1),
    "runner.core.orders": (0, 1),
    "runner.core.events": (0, 2),
    "runner.core.instruments": (0, 2),
    "runner.core.wording": (0, 2),
    "runner.core.document": (0, 3),
    "runner.core.limits": (0, 4),
    "runner.core.notice": (0, 3),
    "runner.core.windows": (0, 3),
    "runner.core.prices": (0, 4),
    "runner.core.decision": (1, 0),
    "runner.core.noticing": (1, 1),
    "runner.core.active": (1, 0),
    "runner.core.lifecycle": (1, 0),
    "runner.core.view": (1, 1),
    "runner.core.flats": (1, 1),
    "runner.core.legs": (1, 1),
    "runner.core.rules": (1, 2),
    "runner.core.actions": (1, 3),
    "runner.core.guards": (1, 5),
    "runner.core.levels": (1, 3),
    "runner.core.state": (1, 3),
    "runner.core.triggers": (1, 3),
    "runner.core.asking": (1, 4),
    "runner.core.deadman": (1, 5),
    "runner.core.daily": (1, 4),
    "runner.core.reporting": (1, 4),
    "runner.core.used_up": (1, 4),
    "runner.core.cancelled": (1, 4),
    "runner.core.closers": (1, 4),
    "runner.core.sweep": (1, 4),
    "runner.core.switches": (1, 4),
    "runner.core.links": (1, 5),
    "runner.core.polling": (1, 5),
    "runner.core.recovery": (1, 5),
    "runner.core.resolving": (1, 4),
    "runner.core.modes": (1, 5),
    "runner.core.exposure": (1, 4),
    "runner.core.curbs": (1, 10),
    "runner.core.losses": (1, 4),
    "runner.core.judging": (1, 6),
    "runner.core.running": (1, 7),
    "runner.core.firing": (1, 8),
    "runner.core.happenings": (1, 4),
    "runner.core.listening": (1, 9),
    "runner.core.standing": (1, 9),
    "runner.core.telling": (1, 11),
    "runner.core.removing": (1, 9),
    "runner.core.loading": (1, 11),
    "runner.core.looking": (1, 10),
    "runner.core.commands": (1, 11),
    "runner.core.holdings": (1, 12),
    "runner.core.countdowns": (1, 10),
    "runner.core.engine": (2, 0),
    "runner.journal": (3, 0),
    "runner.logs": (3, 0),
    "runner.ops": (3, 0),
    "runner.rulebook": (3, 0),
    "runner.settings": (3, 0),
    "runner.sources": (3, 0),
    "runner.venues": (3, 0),
    "runner.venues.binance_usdm": (3, 1),
    "runner.venues.paper": (3, 1),
    "runner.venues.registry": (3, 2),
    "runner.dashboard": (4, 0),
    "runner.gateway": (4, 0),
    "runner.lanes": (4, 0),
    "runner.notifications": (4, 0),
    "runner.outside": (4, 1),
    "runner.metrics": (4, 2),
    "runner.planned": (4, 0),
    "runner.audit": (4, 0),
    "runner.remembering": (4, 1),
    "runner.taking": (4, 0),
    "runner.dispatcher": (4, 1),
    "runner.markets": (4, 1),
    "runner.readiness": (4, 1),
    "runner.reloading": (4, 1),
    "runner.halting": (4, 2),
    "runner.hooking": (4, 0),
    "runner.killing": (4, 0),
    "runner.app": (5, 0),
    "runner.cell": (4, 3),
    "runner.routing": (4, 0),
    "runner.arming": (4, 0),
    "runner.sharing": (4, 1),
    "runner.leading": (4, 2),
    "runner.leaving": (4, 1),
    "runner.latecomers": (4, 2),
    "runner.roster": (4, 4),
    "runner.connecting": (4, 0),
    "runner.rotating": (4, 1),
    "runner.demo": (5, 1),
    "runner.occasions": (5, 0),
    "runner.planning": (5, 1),
    "runner.virtual_world": (5, 1),
    "runner.standby": (5, 1),
    "runner.shown": (4, 0),
    "runner.virtual": (5, 2),
    "runner.ruletests": (5, 3),
    "runner.replay": (5, 4),
    "runner.cli": (6, 0),
    "runner.__main__": (6, 1),
}
# These hold nothing but a version and a sentence, so that anybody may import them.
FACES = frozenset({"runner", "runner.core"})
# Within this rank the rooms stay apart altogether, whatever the order inside a room.
ROOMS_APART = 3

# Standard library that does I/O, looks at a clock, starts threads, logs or throws dice.
IMPURE = frozenset(
    {
        "asyncio",
        "concurrent",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "queue",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)

# Where the hour and chance are parameters, so that a test or a replay may choose them.
CLOCKLESS = ("runner.core", "runner.journal", "runner.dispatcher", "runner.gateway")
CHANCE = frozenset({"random", "secrets", "uuid"})
WALL_CLOCK = {
    "time": frozenset({"time", "time_ns", "localtime", "gmtime"}),
    "datetime": frozenset({"now", "utcnow", "today"}),
    "date": frozenset({"today"}),
    "os": frozenset({"urandom"}),
}


def modules() -> dict[str, str]:
    """Return the source text of every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path.read_text("utf-8")
    return found


def violations(sources: Mapping[str, str]) -> list[str]:
    """Return a sentence for each import, and each look at the clock, that the design forbids."""
    found = []
    for name, text in sources.items():
        if name not in FACES and room_of(name) is None:
            found.append(f"{name} has no rank: give it one in tests/test_imports.py")
            continue
        tree = ast.parse(text)
        for line, target in imports(name, tree, sources):
            reason = objection(name, target)
            if reason:
                found.append(f"{name}:{line} imports {target}: {reason}")
        if inside(name, CLOCKLESS):
            found += [
                f"{name}:{line} uses {what}: take it as a parameter" for line, what in chance(tree)
            ]
    return found


def room_of(name: str) -> str | None:
    """Return the entry of RANKS that decides about this module, the longest that fits."""
    fitting = [entry for entry in RANKS if inside(name, (entry,))]
    return max(fitting, key=len, default=None)


def inside(name: str, packages: tuple[str, ...]) -> bool:
    """Say whether a module is one of these packages or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def objection(name: str, target: str) -> str | None:
    """Return why module `name` may not import `target`, or None."""
    pure = inside(name, ("runner.core",))
    if not inside(target, ("runner",)):
        top = target.partition(".")[0]
        if pure and top not in sys.stdlib_module_names:
            return "the core uses the standard library only"
        return "the core is pure" if pure and top in IMPURE else None
    if target in FACES or name in FACES:
        return None if target in FACES else "a package's face imports nothing"
    own, other = room_of(name), room_of(target)
    if other is None:
        return "it has no rank"
    if own is None or own == other:
        return None
    if pure and not inside(target, ("runner.core", "runner.errors")):
        return "the core knows itself and the errors only"
    if RANKS[other] >= RANKS[own]:
        return f"imports point down, and {other} does not stand below {own}"
    if RANKS[other][0] == RANKS[own][0] == ROOMS_APART and top_room(own) != top_room(other):
        return "rooms of one rank do not know each other"
    return None


def top_room(name: str) -> str:
    """Return the room under the package that a module lies in: runner.venues for all venues."""
    return ".".join(name.split(".")[:2])


def imports(name: str, tree: ast.AST, known: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Yield line and target of every import, wherever in the module it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            package = origin(name, node, known)
            for alias in node.names:
                whole = f"{package}.{alias.name}"
                is_module = whole in known or whole in RANKS or whole in FACES
                yield node.lineno, whole if is_module else package
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func)
            first = node.args[0]
            if called.endswith(("import_module", "__import__")) and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def origin(name: str, node: ast.ImportFrom, known: Mapping[str, str]) -> str:
    """Return the absolute package of a `from … import`, the dots of a relative one resolved."""
    if not node.level:
        return node.module or ""
    is_package = any(other.startswith(name + ".") for other in known)
    parts = name.split(".")
    kept = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def chance(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of every look at the wall clock and every throw of dice."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in CHANCE:
                    yield node.lineno, alias.name
                if alias.asname and alias.name in WALL_CLOCK:
                    yield node.lineno, f"{alias.name} under another name"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = node.module or ""
                if module in CHANCE or alias.name in WALL_CLOCK.get(module, ()):
                    yield node.lineno, f"{module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if node.attr in WALL_CLOCK.get(owner, ()):
                yield node.lineno, f"{owner}.{node.attr}"


def test_imports_point_down_and_the_core_is_pure() -> None:
    """No module of the package imports what the design puts beside or above it."""
    found = modules()
    assert "runner.core.orders" in found, "the package was not found: this test looked at nothing"
    assert violations(found) == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("runner.core.events", "from runner.core.engine import Engine", "does not stand below"),
        ("runner.core.events", "from runner.core import engine", "does not stand below"),
        ("runner.core.events", "from .engine import Engine", "does not stand below"),
        ("runner.core.events", "from . import engine", "does not stand below"),
        ("runner.core.triggers.price", "from ..actions import place", "does not stand below"),
        ("runner.core.limits", "import runner.core.triggers", "does not stand below"),
        ("runner.core.engine", "def f():\n    import runner.app", "knows itself"),
        ("runner.core.engine", "from runner.resources import folder", "knows itself"),
        ("runner.core.engine", "import requests", "standard library only"),
        ("runner.core.engine", "import os.path", "pure"),
        ("runner.core.engine", "from time import monotonic", "pure"),
        ("runner.core.engine", "from threading import Lock", "pure"),
        ("runner.journal.tables", "from runner.rulebook import load", "does not stand below"),
        ("runner.journal.tables", "from runner.venues.paper import x", "does not stand below"),
        ("runner.venues.paper.server", "from runner.settings import x", "do not know each other"),
        ("runner.venues.paper.server", "import runner.venues.binance_usdm.wire", "not stand below"),
        ("runner.venues.binance_usdm.rest", "import runner.venues.paper", "does not stand below"),
        ("runner.venues", "from runner.venues.paper import VENUE", "does not stand below"),
        ("runner.gateway", "from runner.dispatcher import Dispatcher", "does not stand below"),
        ("runner.dispatcher", "import_module('runner.cli.run')", "does not stand below"),
        ("runner.app", "if TYPE_CHECKING:\n    import runner.cli", "does not stand below"),
        ("runner", "from runner.app import build", "face imports nothing"),
        ("runner.app", "import runner.attic", "has no rank"),
        ("runner.attic", "", "has no rank"),
    ],
)
def test_a_forbidden_import_is_found(name: str, text: str, reason: str) -> None:
    """A made-up module with one import that points up, sideways or out is reported once."""
    (found,) = violations({name: text})
    assert reason in found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("runner.core.engine", "from decimal import Decimal\nfrom runner.core.events import Tick"),
        ("runner.core.formula.parser", "from .tree import Node\nfrom runner import errors"),
        ("runner.core.triggers.price", "from runner.core import rules"),
        ("runner.venues.paper.server", "import socket, flask\nimport runner.venues"),
        ("runner.venues.registry", "from runner.venues import paper, binance_usdm"),
        ("runner.journal.tables", "import sqlalchemy\nfrom runner.core.orders import Intent"),
        ("runner.dispatcher", "import time\nstarted = time.monotonic()\nfrom runner import ops"),
        ("runner.cli.run", "import time\nnow = time.time()\nfrom runner import __version__, app"),
    ],
)
def test_a_proper_import_passes(name: str, text: str) -> None:
    """Imports that point down, and the clock outside the pure rooms, are nobody's business."""
    assert violations({name: text}) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\nnow = time.time()",
        "import time\ndef f(clock=time.time_ns): ...",
        "from time import time",
        "import time as clock",
        "from datetime import datetime\nnow = datetime.now(tz=None)",
        "import datetime\nnow = datetime.datetime.utcnow()",
        "from datetime import date\nday = date.today()",
        "import random",
        "from random import choice",
        "from uuid import uuid4",
        "import os\nos.urandom(8)",
    ],
)
@pytest.mark.parametrize("name", ["runner.journal.journal", "runner.dispatcher", "runner.gateway"])
def test_a_look_at_the_clock_is_found(name: str, text: str) -> None:
    """The wall clock and chance are parameters where a replay must repeat what happened."""
    (found,) = violations({name: text})
    assert "take it as a parameter" in found
