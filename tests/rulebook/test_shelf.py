"""What is remembered of rule files is what they would be read as; whatever is odd is read anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.rulebook import shelf as shelving
from runner.rulebook.load import Loaded, is_rule_file, load
from runner.rulebook.reader import read
from runner.rulebook.shelf import FILE_NAME, Shelf
from runner.rulebook.together import Part
from tests.rulebook.exchange import INSTRUMENTS

RULES = Path(__file__).parent.parent.parent / "rules"
RECIPES = sorted(path for path in RULES.rglob("*.yaml") if is_rule_file(path))
MISTAKES = Path(__file__).parent / "mistakes"
CASES = sorted(path for path in MISTAKES.iterdir() if path.suffix != ".txt")
RULE = """\
version: 1
rules:
  - id: {name}
    symbol: BTCUSDT
    when: [{{webhook: {{path: {name}, secret: s}}}}]
    do: [{{place: {{side: buy, type: limit, price: {price}, quantity: 0.010}}}}]
"""


class Unread(Exception):
    """A rule file's text was read."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two rule files, and room for the cache beside them."""
    (tmp_path / "rules").mkdir()
    write(tmp_path, "first", 60_000)
    write(tmp_path, "second", 61_000)
    return tmp_path


def write(folder: Path, name: str, price: object) -> None:
    (folder / "rules" / f"{name}.yaml").write_text(RULE.format(name=name, price=price))


def loaded(folder: Path, shelf: Shelf | None = None) -> Loaded:
    """The rules of the folder, with a new shelf on its file where none is given."""
    return load(folder / "rules", INSTRUMENTS, shelf=shelf or Shelf(folder / FILE_NAME))


def same(one: Loaded, other: Loaded) -> bool:
    """Equal in all that a runner or a person sees of them."""
    return (
        one.diagnostics == other.diagnostics
        and one.files == other.files
        and one.dead_men == other.dead_men
        and (one.rules is None) == (other.rules is None)
        and (one.rules is None or other.rules is None or shown(one) == shown(other))
    )


def shown(found: Loaded) -> Any:
    assert found.rules is not None
    rules = {key: (rule.text, rule.file, rule.line) for key, rule in found.rules.rules.items()}
    return found.rules.revision, rules, found.rules.dead_men


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on nobody may read a rule file's text."""

    def refuse(*_: Any) -> Any:
        raise Unread

    def begin() -> None:
        monkeypatch.setattr("runner.rulebook.load.read", refuse)
        monkeypatch.setattr("runner.rulebook.reader.read", refuse)

    return begin


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_remembered_recipe_is_the_same(path: Path, tmp_path: Path) -> None:
    """Rules, their lines and every finding are those of a fresh look, from file and from memory."""
    fresh = load(path, INSTRUMENTS)
    shelf = Shelf(tmp_path / FILE_NAME)
    assert same(load(path, INSTRUMENTS, shelf=shelf), fresh)
    assert same(load(path, INSTRUMENTS, shelf=shelf), fresh)
    again = Shelf(tmp_path / FILE_NAME)
    if (tmp_path / FILE_NAME).exists():
        assert again.source(str(path), path.read_bytes()) is not None
    assert same(load(path, INSTRUMENTS, shelf=again), fresh)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_mistake_is_told_the_same(case: Path, tmp_path: Path) -> None:
    """Whether an exchange was asked before or not, all that is wrong is told at its place."""
    fresh = load(case, INSTRUMENTS)
    file = tmp_path / FILE_NAME
    load(case, shelf=Shelf(file))
    assert same(load(case, INSTRUMENTS, shelf=Shelf(file)), fresh)
    shelf = Shelf(file)
    load(case, shelf=shelf)
    assert same(load(case, INSTRUMENTS, shelf=shelf), fresh)


def test_what_did_not_change_is_not_read(folder: Path, unreadable: Callable[[], None]) -> None:
    """A second start reads no rule file's text, nor does a second look of the same start."""
    shelf = Shelf(folder / FILE_NAME)
    fresh = loaded(folder, shelf)
    unreadable()
    assert same(loaded(folder, shelf), fresh)
    assert same(loaded(folder), fresh)


def test_an_edited_file_is_read_anew(folder: Path) -> None:
    """Its new content counts, whatever is remembered; what nobody uses any more is forgotten."""
    loaded(folder)
    before = (folder / FILE_NAME).stat().st_size
    write(folder, "second", 62_000)
    found = loaded(folder)
    assert same(found, load(folder / "rules", INSTRUMENTS))
    assert "62000" in (folder / FILE_NAME).read_text()
    assert "61000" not in (folder / FILE_NAME).read_text()
    assert (folder / FILE_NAME).stat().st_size == before


def test_the_exchange_is_asked_of_what_is_remembered(folder: Path) -> None:
    """A price that fits no tick is found in a remembered file, too, at its line and column."""
    write(folder, "second", "61000.123456")
    shelf = Shelf(folder / FILE_NAME)
    assert load(folder / "rules", shelf=shelf).rules is not None
    for each in (shelf, Shelf(folder / FILE_NAME)):
        (found,) = loaded(folder, each).diagnostics
        assert (found.code, found.line) == ("tick-size", 6)
        assert found.source.strip().startswith("do:")


def test_a_mistake_between_remembered_files_has_its_place(folder: Path) -> None:
    """Two rules of one id are found at their lines, though no text was read."""
    loaded(folder)
    (folder / "rules" / "third.yaml").write_text((folder / "rules" / "first.yaml").read_text())
    found = loaded(folder)
    assert found.rules is None
    assert same(found, load(folder / "rules", INSTRUMENTS))


def test_after_the_start_only_the_file_remembers(
    folder: Path, unreadable: Callable[[], None]
) -> None:
    """A shelf that rests keeps nothing in memory, and goes on by its file."""
    shelf = Shelf(folder / FILE_NAME)
    fresh = loaded(folder, shelf)
    shelf.rest()
    content = (folder / "rules" / "first.yaml").read_bytes()
    assert shelf.part(str(folder / "rules" / "first.yaml"), content) is None
    unreadable()
    assert same(loaded(folder, shelf), fresh)
    assert shelf.part(str(folder / "rules" / "first.yaml"), content) is None


def test_files_with_mistakes_are_not_remembered(folder: Path) -> None:
    """Nothing is written while something is wrong: the file stays as it was."""
    write(folder, "second", "none")
    loaded(folder)
    assert not (folder / FILE_NAME).exists()
    write(folder, "second", 61_000)
    loaded(folder)
    kept = (folder / FILE_NAME).read_bytes()
    write(folder, "second", "none")
    assert loaded(folder).rules is None
    assert (folder / FILE_NAME).read_bytes() == kept


def test_the_file_is_this_users_alone(folder: Path) -> None:
    """It is made with mode 0600, also over one that was open to others, and nothing is left."""
    (folder / f"{FILE_NAME}.new").touch(mode=0o666)
    loaded(folder)
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert not (folder / f"{FILE_NAME}.new").exists()


def forged(folder: Path, **changes: Any) -> None:
    """A file that is whole and says that the first rule file holds the second's rules."""
    first, second = (folder / "rules" / f"{name}.yaml" for name in ("first", "second"))
    found = json.loads((folder / FILE_NAME).read_text().partition("\n")[2])
    entry = found["files"][sha256(second.read_bytes()).hexdigest()]
    found["files"][sha256(first.read_bytes()).hexdigest()] = entry
    text = json.dumps({**found, **changes})
    (folder / FILE_NAME).write_text(f"{sha256(text.encode()).hexdigest()}\n{text}")


def test_a_forged_file_would_be_noticed_here(folder: Path) -> None:
    """The next tests look at something: with everything right the forged content is used."""
    loaded(folder)
    forged(folder)
    assert loaded(folder).rules is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_may_touch_counts_as_none(folder: Path, mode: int) -> None:
    """Who may write it, or could have read it into theirs, decides nothing here."""
    fresh = loaded(folder)
    forged(folder)
    (folder / FILE_NAME).chmod(mode)
    assert same(loaded(folder), fresh)
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_file_of_somebody_else_counts_as_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner must be who runs."""
    fresh = loaded(folder)
    forged(folder)
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    assert same(loaded(folder), fresh)


def test_a_link_counts_as_none(folder: Path) -> None:
    """It could lead to a file that was meant for something else."""
    fresh = loaded(folder)
    forged(folder)
    target = (folder / FILE_NAME).rename(folder / "elsewhere")
    (folder / FILE_NAME).symlink_to(target)
    assert same(loaded(folder), fresh)
    assert not (folder / FILE_NAME).is_symlink()


def test_what_another_version_wrote_counts_as_none(folder: Path) -> None:
    """A runner, a reader or a YAML library of another version may read the same text otherwise."""
    fresh = loaded(folder)
    forged(folder, by="runner 0.0.1")
    assert same(loaded(folder), fresh)
    assert "0.0.1" not in (folder / FILE_NAME).read_text()


@pytest.mark.parametrize(
    "text", ["", "\n", "{}", "x\n{}", "\0" * 4096, "é\n{}", "[]", "null", '{"by": 1}', "[" * 99_999]
)
@pytest.mark.parametrize("signed", [False, True])
def test_a_file_that_is_no_cache_counts_as_none(folder: Path, text: str, signed: bool) -> None:
    """Whatever stands there, the rules are those of the rule files, and it is written anew."""
    fresh = load(folder / "rules", INSTRUMENTS)
    line = f"{sha256(text.encode()).hexdigest()}\n" if signed else ""
    (folder / FILE_NAME).write_text(f"{line}{text}")
    (folder / FILE_NAME).chmod(0o600)
    assert same(loaded(folder), fresh)
    assert Shelf(folder / FILE_NAME).source("", (folder / "rules" / "first.yaml").read_bytes())


@given(st.data())
def test_a_torn_or_changed_file_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut anywhere, or with another byte anywhere, it counts as none."""
    folder = tmp_path_factory.mktemp("torn")
    (folder / "rules").mkdir()
    write(folder, "first", 60_000)
    fresh = loaded(folder)
    kept = bytearray((folder / FILE_NAME).read_bytes())
    at = data.draw(st.integers(0, len(kept) - 1))
    if data.draw(st.booleans()):
        del kept[at:]
    else:
        kept[at] ^= data.draw(st.integers(1, 255))
    (folder / FILE_NAME).write_bytes(kept)
    assert Shelf(folder / FILE_NAME).source("", (folder / "rules" / "first.yaml").read_bytes()) is (
        None
    )
    assert same(loaded(folder), fresh)


@pytest.mark.parametrize("trouble", ["a folder", "a pipe", "no room"])
def test_where_nothing_can_be_kept_all_goes_on(
    folder: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a start nor a reload fails for its cache."""
    match trouble:
        case "a folder":
            (folder / FILE_NAME).mkdir()
        case "a pipe":
            os.mkfifo(folder / f"{FILE_NAME}.new")
            (folder / FILE_NAME).mkdir()
        case _:
            full = OSError(28, "No space left on device")
            monkeypatch.setattr("os.fchmod", lambda *_: (_ for _ in ()).throw(full))
    assert same(loaded(folder), load(folder / "rules", INSTRUMENTS))
    assert not (folder / FILE_NAME).is_file()


def exact(value: Any) -> Any:
    """A value that equals another only when types, digits and order are the same."""
    if isinstance(value, dict):
        return [(key, exact(each)) for key, each in value.items()]
    if isinstance(value, list):
        return ["list", *map(exact, value)]
    return type(value), value.as_tuple() if isinstance(value, Decimal) else value


texts = st.text(st.characters(codec="utf-8"), max_size=8)
trees = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**40), 10**40),
        st.decimals(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(texts, below, max_size=3)),
    max_leaves=10,
)


def remembered(folder: Path, tree: Any) -> Any:
    """What comes back of a tree, None where nothing was kept."""
    file = folder / FILE_NAME
    shelf = Shelf(file)
    part = Part(read("rules.yaml", b"version: 1"))
    part.source.tree = {"version": tree}
    shelf.put(b"its content", part)
    shelf.finish(sound=True)
    source = Shelf(file).source("rules.yaml", b"its content")
    return None if source is None else source.tree["version"]


@given(trees)
def test_every_value_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, tree: Any
) -> None:
    """Numbers to the last zero, texts to the last character, keys in their order."""
    found = remembered(tmp_path_factory.mktemp("tree"), {"tree": tree})
    assert found is not None
    assert exact(found["tree"]) == exact(tree)


def test_halves_of_characters_are_not_kept(tmp_path: Path) -> None:
    """YAML can spell the two halves of one character as two; JSON would join them."""
    assert remembered(tmp_path, "\ud83d\ude00") is None
    assert not list(tmp_path.iterdir())


def test_a_reader_that_changed_reads_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the runner is worked on its version stays, but not what reads."""
    loaded(folder)
    monkeypatch.setattr(shelving, "_written_by", lambda: "another reader")
    content = (folder / "rules" / "first.yaml").read_bytes()
    assert Shelf(folder / FILE_NAME).source("", content) is None
