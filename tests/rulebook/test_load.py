"""Folders and files of rules: all mistakes of all of them at once, and never an exception."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.resources import folder
from runner.rulebook.diagnostics import render
from runner.rulebook.load import load
from runner.rulebook.schema import bundle
from tests.rulebook.exchange import INSTRUMENTS
from tests.rulebook.test_explain import assert_plain, dumped, trees

RULE = """\
version: 1
rules:
  - id: {id}
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: 70000}}}}]
    do: [{{close: {{type: market}}}}]
"""
DESIGN = (folder("rules") / "examples" / "design.yaml").read_text("utf-8")


def write(path: Path, rule_id: str) -> Path:
    """A sound rule file."""
    path.write_text(RULE.format(id=rule_id), "utf-8")
    return path


def test_a_folder_holds_yaml_files_but_not_tests(tmp_path: Path) -> None:
    """`*.yaml` and `*.yml`; not `*.tests.yaml`, hidden files or folders below."""
    write(tmp_path / "b.yaml", "second")
    write(tmp_path / "a.yml", "first")
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "c.yaml", "third")
    for name in ("a.tests.yaml", "a.tests.yml", ".a.yaml", ".#b.yaml", "notes.txt", "b.yaml~"):
        (tmp_path / name).write_text("{", "utf-8")
    found = load(tmp_path)
    assert found.rules is not None
    assert list(found.rules.rules) == ["first", "second"]
    assert found.files == (tmp_path / "a.yml", tmp_path / "b.yaml")


def test_files_and_folders_may_be_mixed(tmp_path: Path) -> None:
    """Each file counts once, however often it is named."""
    path = write(tmp_path / "a.yaml", "first")
    found = load([str(path), tmp_path, path])
    assert found.errors == ()
    assert found.files == (path,)


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    """A file that is no YAML hides nothing of its neighbours; nothing is loaded."""
    (tmp_path / "a.yaml").write_text("rules: [\n", "utf-8")
    (tmp_path / "b.yaml").write_text(RULE.format(id="b1").replace("market", "markt"), "utf-8")
    (tmp_path / "c.yaml").write_text(
        RULE.format(id="c1").replace("BTCUSDT", "btcusdt").replace("close:", "disable: gone #"),
        "utf-8",
    )
    write(tmp_path / "d.yaml", "b1")
    found = load(tmp_path)
    assert found.rules is None
    assert [(Path(each.file).name, each.code) for each in found.diagnostics] == [
        ("a.yaml", "yaml"),
        ("b.yaml", "enum"),
        ("c.yaml", "yaml"),
        ("d.yaml", "duplicate-id"),
    ]


def test_unknown_rules_are_not_guessed_while_a_file_is_unreadable(tmp_path: Path) -> None:
    """The rule that `disable` names may stand in the file that could not be read."""
    text = RULE.format(id="a1").replace("{close: {type: market}}", "{disable: gone}")
    (tmp_path / "a.yaml").write_text(text.replace("{{", "{"), "utf-8")
    assert [each.code for each in load(tmp_path).diagnostics] == ["unknown-rule"]
    (tmp_path / "b.yaml").write_text("{", "utf-8")
    assert [each.code for each in load(tmp_path).diagnostics] == ["yaml"]


def test_a_folder_without_rules_says_so(tmp_path: Path) -> None:
    """An empty folder is not an empty rule set."""
    found = load(tmp_path)
    assert found.rules is None
    assert [each.message for each in found.diagnostics] == ["there is no rule file in this folder"]


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "locked", "dangling"])
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, kind: str) -> None:
    """No exception and no waiting, whatever stands under the name."""
    path = tmp_path / "a.yaml"
    if kind == "folder":
        path.mkdir()
        path = tmp_path
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "gone")
    elif kind == "locked":
        write(path, "first").chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    (found,) = load(path).diagnostics
    assert found.code == "unreadable"
    assert "cannot be read: " in found.message


def test_a_folder_that_cannot_be_listed_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without permission, or one that went away meanwhile."""

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    (found,) = load(tmp_path).diagnostics
    assert found.text() == f"{tmp_path}: error: cannot be read: permission denied [unreadable]"


def test_a_thousand_rules_load_in_seconds(tmp_path: Path) -> None:
    """Far more rules than anybody writes; errors in all of them cost no more than sound ones."""
    rule = RULE.format(id="r{}").partition("rules:\n")[2]
    text = "version: 1\nrules:\n" + "".join(rule.replace("{}", str(n)) for n in range(1_000))
    for each, count in ((text, 0), (text.replace("type: market", "type: markt"), 1_000)):
        (tmp_path / "a.yaml").write_text(each, "utf-8")
        started = time.process_time()
        assert len(load(tmp_path).diagnostics) == count
        assert time.process_time() - started < 30


def test_a_finding_masks_a_secret_everywhere(tmp_path: Path) -> None:
    """A secret that was written out is not repeated, in no finding about its line."""
    path = tmp_path / "a.yaml"
    hook = 'webhook: {path: A, secret: "Hunter2!", secret: x, oops: 1}'
    path.write_text(RULE.format(id="a1").replace("price: {crosses_above: 70000}", hook), "utf-8")
    found = load(path).diagnostics
    assert len(found) == 4
    assert "Hunter2" not in render(found)


def test_mistakes_in_lists_have_no_echo(tmp_path: Path) -> None:
    """A list or countdown that is wrong itself is not also reported where it is used."""
    text = DESIGN.replace("majors: [BTCUSDT, ETHUSDT]", "majors: [BTCUSDT, 5]")
    path = tmp_path / "a.yaml"
    path.write_text(text.replace("refresh: 30s", "refresh: 30"), "utf-8")
    assert [(each.line, each.code) for each in load(path).diagnostics] == [
        (4, "wrong-type"),
        (12, "wrong-type"),
    ]


def test_formulas_are_not_judged_by_a_broken_trigger(tmp_path: Path) -> None:
    """While the webhook is wrong, its fields are unknown: only its own mistake is told."""
    path = tmp_path / "a.yaml"
    path.write_text(DESIGN.replace("price: number}", "price: nmber}"), "utf-8")
    assert [each.code for each in load(path).diagnostics] == ["wrong-type"]


@settings(max_examples=150)
@given(st.data())
def test_any_tree_near_the_schema_loads_or_is_explained(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever passes the schema is built without an exception, offline and with instruments."""
    path = tmp_path_factory.mktemp("rules") / "a.yaml"
    path.write_text(dumped(data.draw(trees(bundle()))), "utf-8")
    for found in (load(path), load(path, INSTRUMENTS)):
        assert (found.rules is None) == bool(found.errors)
        for each in found.diagnostics:
            assert_plain(each.message)


lines = DESIGN.splitlines()
snippets = st.sampled_from(
    ["", "  ", "- ", "#", '"', "{", "]", "0,02", "null", "=", ": ", "\t", "é"]
)
edits = st.tuples(st.integers(0, len(lines) - 1), st.integers(0, 60), st.integers(0, 9), snippets)


@settings(max_examples=150)
@given(st.lists(edits, min_size=1, max_size=3))
def test_any_slip_in_a_real_file_loads_or_is_explained(
    tmp_path_factory: pytest.TempPathFactory, slips: list[tuple[int, int, int, str]]
) -> None:
    """Characters deleted and inserted in the design's example: no exception, plain words."""
    edited = list(lines)
    for line, column, length, text in slips:
        edited[line] = edited[line][:column] + text + edited[line][column + length :]
    path = tmp_path_factory.mktemp("rules") / "a.yaml"
    path.write_text("\n".join(edited), "utf-8")
    found = load(path)
    assert (found.rules is None) == bool(found.errors)
    for each in found.diagnostics:
        assert_plain(each.message.replace("$schema=../../schemas/rules.v1.schema.json", ""))
