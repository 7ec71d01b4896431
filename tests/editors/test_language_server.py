"""The real YAML language server with our schema: what people see while they write rules."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.core.actions import ACTIONS
from runner.core.document import Path as Place
from runner.core.triggers import TRIGGERS
from runner.resources import folder
from runner.rulebook.load import is_rule_file, load
from runner.rulebook.reader import read
from runner.rulebook.schema import bundle
from tests.editors.server import LanguageServer
from tests.rulebook.test_explain import dumped

HERE = Path(__file__).resolve().parent
SERVER = HERE / "node_modules" / ".bin" / "yaml-language-server"
RULES = folder("rules")
EXAMPLES = RULES / "examples"
MODELINE = "# yaml-language-server: $schema=../../schemas/rules.v1.schema.json\n"
KINDS: Mapping[str, Mapping[str, Any]] = {"when": TRIGGERS, "do": ACTIONS}
OTHERS = """\
version: 1
lists: {majors: [BTCUSDT]}
rules:
  - {id: eth-ladder, symbol: BTCUSDT, when: [{dead_man: late}], do: [{cancel: all}]}
  - {id: btc-breakout, symbol: BTCUSDT, when: [{dead_man: late}], do: [{cancel: all}]}
"""

pytestmark = pytest.mark.skipif(
    not SERVER.exists() or shutil.which("node") is None,
    reason="no YAML language server: install node and npm, then type make editors",
)


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    """The server, as an editor starts it in the repository."""
    with LanguageServer([str(SERVER)], RULES.parent) as running:
        yield running


def entry(section: str, typed: str, before: str = "") -> tuple[str, int, int]:
    """A file in which an entry of a section was begun, and where the cursor stands."""
    others = {"when": "- dead_man: late", "do": "- cancel: all"}
    lines = ["version: 1", "rules:", "  - id: one", "    symbol: BTCUSDT"]
    place = 0
    for name, sound in others.items():
        lines.append(f"    {name}:")
        if name == section:
            lines += [f"      {before}"] * bool(before)
            place = len(lines)
            lines.append(f"      - {typed}")
        else:
            lines.append(f"      {sound}")
    return MODELINE + "\n".join(lines) + "\n", place + 1, 8 + len(typed)


def inserted(text: str, line: int, snippet: str) -> str:
    """The file once a snippet was taken: its stops hold what it proposes."""
    plain = re.sub(r"\$\{\d+:((?:[^\\}]|\\.)*)\}", lambda found: found[1], snippet)
    plain = re.sub(r"\\([\\$}])", r"\1", plain)
    lines = text.splitlines()
    lines[line] = "      - " + plain.replace("\n", "\n      ")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("section", KINDS)
@pytest.mark.parametrize("before", ["", "- {}"])
def test_a_dash_offers_exactly_the_kinds(server: LanguageServer, section: str, before: str) -> None:
    """Each kind once, nothing else; in the first entry and in a later one."""
    text, line, column = entry(section, "", before)
    offered = server.open(text, EXAMPLES).complete(line, column)
    assert sorted(offered) == sorted(KINDS[section])


@pytest.mark.parametrize("section", KINDS)
def test_half_a_word_is_completed(server: LanguageServer, section: str) -> None:
    """With letters after the dash the kinds are still offered, and nothing is garbled."""
    text, line, column = entry(section, "c", before="- {}")
    offered = server.open(text, EXAMPLES).complete(line, column)
    assert offered.keys() >= KINDS[section].keys()
    again, line, column = entry(section, "", before="- {}")
    whole = server.open(again, EXAMPLES).complete(line, column)
    assert {kind: offered[kind] for kind in KINDS[section]} == whole


@pytest.mark.parametrize(
    ("section", "kind"), [(section, kind) for section in KINDS for kind in KINDS[section]]
)
def test_a_kind_comes_with_what_it_needs(
    server: LanguageServer, tmp_path: Path, section: str, kind: str
) -> None:
    """Required keys are filled in; what is inserted is sound, for the editor and for check."""
    text, line, column = entry(section, "")
    snippet = server.open(text, EXAMPLES).complete(line, column)[kind]
    schema = KINDS[section][kind].schema
    if "{" in snippet and schema.get("type") == "object":
        assert [key for key in schema.get("required", ()) if f"{key}:" not in snippet] == []
    after = inserted(text, line, snippet)
    assert server.open(after, EXAMPLES).messages == []
    (tmp_path / "a.yaml").write_text(after, "utf-8")
    (tmp_path / "others.yaml").write_text(OTHERS, "utf-8")
    # what an action's message tells of the trigger depends on the trigger
    told = [found.text() for found in load(tmp_path).errors if "trigger" not in found.message]
    assert told == []


def test_required_keys_are_filled_in_everywhere(server: LanguageServer) -> None:
    """A whole rule at the dash of rules, an order's side and type, a dead man's three keys."""
    rule = MODELINE + "version: 1\nrules:\n  - \n"
    keys = re.findall(r"(\w+):", server.open(rule, EXAMPLES).complete(3, 4)["rule"])
    assert keys == ["id", "when", "do"]
    text, line, _ = entry("do", "bracket:")
    text = text.rstrip("\n") + "\n          \n"
    offered = server.open(text, EXAMPLES).complete(line + 1, 10)
    assert re.findall(r"(\w+):", offered["entry"]) == ["entry", "side", "type"]
    top = server.open(MODELINE + "version: 1\n\n", EXAMPLES).complete(2, 0)
    keys = re.findall(r"(\w+):", top["dead_man"])
    assert keys == ["dead_man", "symbols", "countdown", "refresh"]


def whole(here: Any, path: Place = ()) -> Any:
    """A tree that has every key of the schema; each kind in an entry of its own."""
    if path[-1:] in (("when",), ("do",)):
        kinds = here["items"]["properties"]
        return [{kind: whole(kinds[kind], (*path, kind))} for kind in kinds]
    below = {key: whole(each, (*path, key)) for key, each in here.get("properties", {}).items()}
    if isinstance(here.get("additionalProperties"), dict):
        below["own"] = whole(here["additionalProperties"], (*path, "own"))
    if "items" in here and "array" in here["type"]:
        return [whole(here["items"], (*path, 0))]
    return below or "x"


def described(here: Any, path: Place) -> str:
    """The description that the schema has for the key at a path of the tree."""
    for step in path:
        if isinstance(step, int):
            here = here["items"]
        elif step in here.get("properties", {}):
            here = here["properties"][step]
        else:
            here = here["additionalProperties"]
    return str(here["description"])


def plain(text: str) -> str:
    """Text without what only makes it Markdown, and without differences of spaces."""
    return re.sub(r"\s+", " ", re.sub(r"[\\`]", "", text))


def test_every_key_shows_its_description(server: LanguageServer) -> None:
    """Resting the pointer on any key of the format shows what it is, with its example."""
    text = MODELINE + dumped(whole(bundle())).replace(", ", ",\n ") + "\n"
    source = read("all.yaml", text.encode())
    assert source.readable
    document = server.open(text, EXAMPLES)
    bare = [
        path
        for path, place in source.keys.items()
        if plain(described(bundle(), path)) not in plain(document.hover(place.line, place.column))
    ]
    assert len(source.keys) > 150
    assert bare == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mode: queued", "it runs afterwards, in the order of arrival; at most 10 wait"),
        ("on_unknown: hold", "it is parked, and you decide: runner resolve"),
    ],
)
def test_a_value_shows_what_it_means(server: LanguageServer, line: str, says: str) -> None:
    """Resting the pointer on a choice says what each choice does, and completion says it too."""
    text, _, _ = entry("when", "dead_man: late")
    text = f"{text.rstrip()}\n    {line}\n"
    place = len(text.splitlines()) - 1
    document = server.open(text, EXAMPLES)
    assert document.messages == []
    shown = document.hover(place, 4 + line.index(":") + 3)
    assert plain(says) in plain(shown), shown


@pytest.mark.parametrize(
    "path",
    sorted(RULES.rglob("*.y*ml")),
    ids=lambda path: str(path.relative_to(RULES)),
)
def test_no_false_error_on_our_own_files(server: LanguageServer, path: Path) -> None:
    """Every file under rules/ names its schema in the first line, and has no finding."""
    text = path.read_text("utf-8")
    name = "rules.v1" if is_rule_file(path) else "tests.v1"
    steps = "../" * len(path.relative_to(RULES.parent).parent.parts)
    modeline = f"# yaml-language-server: $schema={steps}schemas/{name}.schema.json"
    assert text.splitlines()[0] == modeline
    assert server.open(text, path.parent).messages == []


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("price: {", "prise: {", ["Property prise is not allowed."]),
        ("crosses_above", "crosses_abov", ["Property crosses_abov is not allowed."]),
        ("for: 15s", "for: 15", ["for must be a length of time with a unit: 15s, 4h or 1h30m"]),
        ("for: 15s", "for: 15 sec", ["for must be a length of time with a unit: 15s, 4h or 1h30m"]),
        ("source: mark", "source: makr", ["source must be mark, last, bid, ask or index"]),
        ("above: 70000", "above: mark", ["crosses_above must be a number or a formula"]),
        ("side: buy, type: market", "type: market", ['Missing property "side".']),
        (
            "side: buy",
            "side: long",
            ["side must be buy, sell or a formula such as =trigger.action"],
        ),
    ],
)
def test_mistakes_are_told_in_our_words(
    server: LanguageServer, old: str, new: str, messages: list[str]
) -> None:
    """A misspelt kind, a key, a value: one message each, at the place."""
    text = (EXAMPLES / "design.yaml").read_text("utf-8")
    lines = text[: text.index(old)].count("\n")
    document = server.open(text.replace(old, new, 1), EXAMPLES)
    assert document.messages == messages
    assert [found["range"]["start"]["line"] for found in document.findings] == [lines]
