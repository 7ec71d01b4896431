"""Every YAML example of the pages loads without a finding, whole or put into a rule."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

from runner.core.actions import ACTIONS
from runner.core.rules import ActionKind, TriggerKind
from runner.core.triggers import TRIGGERS
from runner.rulebook import schema
from runner.rulebook.diagnostics import render
from runner.rulebook.load import load
from runner.settings import parse
from runner.settings.schema import SCHEMA
from tests.docs.markdown import PAGES, Block, blocks
from tests.rulebook.exchange import INSTRUMENTS

EXAMPLES = [block for path in PAGES for block in blocks(path, "yaml")]
FILE_KEYS = schema.bundle()["properties"].keys()
RULE_KEYS = schema.bundle()["properties"]["rules"]["items"]["properties"].keys()
SETTINGS_KEYS = SCHEMA["properties"].keys() - FILE_KEYS

DEFAULTS = {
    "symbol": "symbol: BTCUSDT",
    "when": "when: [{price: {crosses_above: 70000}}]",
    "do": "do: [{notify: fired}]",
}
# what the fragments speak of
OTHERS = """
dead_man: {symbols: BTCUSDT, countdown: 2m, refresh: 30s}
rules:
  - {id: btc-breakout, symbol: BTCUSDT, when: [{dead_man: late}], do: [{notify: late}]}
  - {id: eth-ladder, symbol: BTCUSDT, when: [{dead_man: late}], do: [{notify: late}]}
  - {id: tv-eth, symbol: BTCUSDT, when: [{dead_man: late}], do: [{notify: late}]}
"""


def first_key(text: str) -> tuple[bool, str]:
    """Whether the text is a list, and the first key in it."""
    line = next(line for line in text.splitlines() if line.split("#")[0].strip())
    found = re.match(r"(- )?(\w+)(?=:)", line)
    return line.startswith("- "), found.group(2) if found else ""


def is_settings(text: str) -> bool:
    """True for what belongs into runner.yaml."""
    keys = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    return bool(keys & SETTINGS_KEYS)


def whole(text: str) -> str:
    """The example as a file of rules: what is missing around it is put there."""
    is_list, key = first_key(text)
    if "version" in re.findall(r"^(\w+):", text, re.MULTILINE):
        return text
    if not is_list and key in FILE_KEYS - RULE_KEYS:
        rules = OTHERS if key != "dead_man" else OTHERS[OTHERS.index("rules:") :]
        return f"version: 1\n{text}{rules}"
    if is_list:
        section = "do" if key in ACTIONS else "when" if key in TRIGGERS else "if"
        text = f"{section}:\n{indent(text, '  ')}"
    written = re.findall(r"^(\w+):", text, re.MULTILINE)
    missing = [line for key, line in DEFAULTS.items() if key not in written]
    rule = "\n".join(["id: example", *missing, text])
    return f"version: 1{OTHERS}  - {indent(rule, '    ').strip()}\n"


def test_there_are_examples() -> None:
    """The search finds the pages' blocks: this file looks at something."""
    assert len(EXAMPLES) > 20
    assert {block.page for block in EXAMPLES} >= {"README.md", "docs/rules.md"}


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_loads(block: Block, tmp_path: Path) -> None:
    """Rules load without error or warning, settings without a mistake."""
    if is_settings(block.text):
        text = block.text if "version:" in block.text else f"version: 1\n{block.text}"
        parse("runner.yaml", text.encode())
        return
    file = tmp_path / "rules.yaml"
    file.write_text(whole(block.text), "utf-8")
    loaded = load(file, INSTRUMENTS)
    assert render(loaded.diagnostics) == render(())
    assert loaded.rules is not None


@pytest.mark.parametrize("kind", [*TRIGGERS.values(), *ACTIONS.values()], ids=lambda k: k.kind)
def test_the_example_of_a_kind_loads(kind: TriggerKind | ActionKind, tmp_path: Path) -> None:
    """So do the examples that stand in the code, beside each kind."""
    test_an_example_loads(Block(kind.kind, 0, "yaml", f"{kind.example}\n"), tmp_path)


def test_a_broken_example_is_found(tmp_path: Path) -> None:
    """A fragment with a misspelt key fails."""
    broken = Block("page", 1, "yaml", "- price: {crosses_abov: 70000}\n")
    with pytest.raises(AssertionError, match="crosses_abov"):
        test_an_example_loads(broken, tmp_path)
