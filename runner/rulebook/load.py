"""Rule files to one rule set, or to every mistake of every file at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from runner.core.document import Node, Path, Problem
from runner.core.rules import DeadMan, RuleSet
from runner.rulebook import accounts, advice, canonical, circles, doubts, explain, together
from runner.rulebook.accounts import Accounts, Owned
from runner.rulebook.build import Sound, Surroundings, build
from runner.rulebook.diagnostics import Diagnostic, order
from runner.rulebook.guarding import read_guards
from runner.rulebook.meaning import Instruments, check_orders, check_symbols, written_symbols
from runner.rulebook.reader import MOST_BYTES, read
from runner.rulebook.shelf import Shelf
from runner.rulebook.source import Source
from runner.rulebook.symbols import read_lists, read_symbols
from runner.rulebook.together import Part, read_dead_man

SUFFIXES = (".yaml", ".yml")
TESTS = (".tests.yaml", ".tests.yml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading rule files: rules, unless there is an error among the diagnostics.

    `files` are those that were read, in order; `dead_men` the switches of every account.
    """

    rules: RuleSet | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[FilePath, ...]
    dead_men: tuple[Owned, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The findings because of which nothing was loaded."""
        return tuple(found for found in self.diagnostics if found.is_error)


def load(
    paths: FilePath | str | Sequence[FilePath | str],
    instruments: Instruments | None = None,
    remarks: bool = False,
    known: Accounts | None = None,
    now: int | None = None,
    shelf: Shelf | None = None,
) -> Loaded:
    """The rules of files, or of all rule files of folders. Never raises for what is in them.

    With `instruments` symbols, prices and sizes are checked against the exchange's filters; with
    `remarks` there are notes too, about what is as it must be and still surprises. `known` are the
    accounts of runner.yaml, whose exchanges go before `instruments`. With `now` (ms) there are
    warnings about times that are over. What `shelf` remembers is not read again.
    """
    given = [paths] if isinstance(paths, (str, FilePath)) else list(paths)
    found: list[Diagnostic] = []
    files: dict[FilePath, None] = {}
    for each in given:
        listed = _files(FilePath(each), found)
        files.update(dict.fromkeys(listed))
    parts: list[Part] = []
    complete = not found
    for path in files:
        read_now = _read(path, shelf)
        parts.append(read_now.part)
        complete = complete and read_now.part.source.readable
        found += _judged(read_now, instruments, known)
    found += together.check(parts, complete, known.of if known else lambda _: "")
    if known is not None:
        found += accounts.check(parts, known)
    found += advice.advise(parts, remarks)
    found += doubts.doubt(parts, now)
    if complete:
        found += circles.check(parts)
    failed = any(diagnostic.is_error for diagnostic in found)
    rules = None if failed else _rule_set(parts)
    if shelf is not None:
        shelf.finish(sound=not failed)
    dead_men = tuple((part.account, one) for part in parts for one in part.dead_men)
    return Loaded(rules, tuple(order(found)), tuple(files), dead_men)


def is_rule_file(path: FilePath) -> bool:
    """True for `*.yaml` and `*.yml`, but not `*.tests.yaml` and not hidden files."""
    name = path.name
    return name.endswith(SUFFIXES) and not name.endswith(TESTS) and not name.startswith(".")


def _files(path: FilePath, found: list[Diagnostic]) -> list[FilePath]:
    """The rule files at a path; notes when there are none."""
    try:
        if not path.is_dir():
            return [path]
        files = sorted(each for each in path.iterdir() if is_rule_file(each))
    except OSError as error:
        found.append(_about(path, "unreadable", f"cannot be read: {_reason(error)}"))
        return []
    if not files:
        message = "there is no rule file in this folder"
        found.append(_about(path, "no-rules", message, "rules stand in files *.yaml"))
    return files


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _about(path: FilePath, code: str, message: str, cure: str | None = None) -> Diagnostic:
    return Diagnostic(str(path), 0, 0, 1, "error", code, message, cure)


@dataclass(frozen=True, slots=True)
class _File:
    """One file's share, its problems, and the parts of it that have none."""

    part: Part
    problems: Sequence[Problem] = ()
    sound: Sound = lambda _: True


def _read(path: FilePath, shelf: Shelf | None) -> _File:
    """One file, read and built as far as it is sound; nothing is asked of an exchange."""
    try:
        if path.exists() and not path.is_file():
            raise OSError(0, "it is not a file")
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
        size = path.stat().st_size
    except OSError as error:
        source = Source(str(path), readable=False)
        source.found.append(_about(path, "unreadable", f"cannot be read: {_reason(error)}"))
        return _File(Part(source))
    if shelf is None:
        return _fill(Part(read(str(path), content, size)))
    known = shelf.part(str(path), content)
    if known is not None:
        return _File(known)
    source = shelf.source(str(path), content) or read(str(path), content, size)
    filled = _fill(Part(source))
    if source.readable and not (source.found or source.spoilt or filled.problems):
        shelf.put(content, filled.part)
    return filled


def _judged(
    found: _File, instruments: Instruments | None, known: Accounts | None
) -> list[Diagnostic]:
    """Every finding in one file alone."""
    source, problems = found.part.source, list(found.problems)
    asked = instruments is not None or (known is not None and bool(known.instruments))
    if asked and source.readable and isinstance(source.tree, dict):
        _check_meaning(found.part, instruments, known, found.sound, problems)
    for problem in problems:
        if problem.code == "secret":
            source.hide(problem.path)
    located = [
        source.locate(problem)
        for problem in explain.retouched(problems, source)
        if problem.path not in source.spoilt
    ]
    return [*source.found, *located]


def _fill(part: Part) -> _File:
    """Build what is sound in one file; all its problems."""
    source = part.source
    if not source.readable:
        return _File(part)
    problems = explain.check(source)
    if not isinstance(source.tree, dict):
        return _File(part, problems)
    blamed = {problem.path for problem in problems} | source.spoilt
    # whatever holds a mistake, or is what a key is missing in, is left out
    unsound = {path[:end] for path in blamed for end in range(len(path) + 1)}

    def sound(path: Path) -> bool:
        return path not in unsound

    root = Node(source.tree, (), {}, problems)
    lists = read_lists(root.child("lists"), sound(("lists",)))
    part.account = root.text("account") if sound(("account",)) else ""
    around = Surroundings(
        file=source.file,
        account=part.account,
        lists=lists,
        guards=read_guards(root.child("guards"), lists) if sound(("guards",)) else {},
    )
    dead_man = root.child("dead_man")
    if dead_man.value is not None and sound(("dead_man",)):
        symbols = read_symbols(dead_man.child("symbols"), lists)
        part.dead_men += read_dead_man(dead_man, symbols)
    for path, _ in part.trees():
        node = root.child("rules").child(int(path[1]))
        rule = build(node, around, sound, source.line(path))
        if rule is not None:
            part.rules.append((path, rule))
    return _File(part, problems, sound)


def _check_meaning(
    part: Part,
    instruments: Instruments | None,
    known: Accounts | None,
    sound: Sound,
    problems: list[Problem],
) -> None:
    """Against the exchange of each rule's account, as far as it was asked."""
    tree = part.source.tree
    spoken = {problem.path for problem in problems}
    written = written_symbols(tree, part.trees())
    wanted = [pair for pair in written if sound(pair[0]) and pair[0] not in spoken]

    def exchange(account: str) -> Instruments | None:
        asked = known.instruments.get(known.of(account)) if known is not None else None
        return instruments if asked is None else asked

    owners = {path: rule.account for path, rule in part.rules}
    for account in dict.fromkeys([part.account, *owners.values()]):
        there = exchange(account)
        if there is None:
            continue
        own = (pair for pair in wanted if owners.get(pair[0][:2], part.account) == account)
        problems += check_symbols(own, there)
        for path, rule in part.rules:
            if rule.account == account:
                problems += check_orders(rule, part.source.value(path), path, there)


def _rule_set(parts: Sequence[Part]) -> RuleSet:
    rules = {rule.id: rule for part in parts for _, rule in part.rules}
    dead_men = {dead_man.symbol: dead_man for part in parts for dead_man in part.dead_men}
    texts = [rules[rule_id].text_hash for rule_id in sorted(rules)]
    switches = [_switch_text(dead_men[symbol]) for symbol in sorted(dead_men)]
    return RuleSet(rules, dead_men, canonical.digest("\n".join([*texts, *switches])))


def _switch_text(dead_man: DeadMan) -> str:
    required = "".join(f" {each}" for each in dead_man.require)
    return f"{dead_man.symbol} {dead_man.countdown} {dead_man.refresh}{required}"
