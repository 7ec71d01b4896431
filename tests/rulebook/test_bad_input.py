"""Hostile and broken files: a clear error in bounded time and memory, and no rules."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.rulebook.diagnostics import render
from runner.rulebook.load import load
from tests.rulebook.test_explain import assert_plain

SECONDS = 20
"""Of one core; one or two are usual, minutes to hours without the limits."""

MOST_MEMORY = 64 << 20

RULE = """\
  - id: {id}
    symbol: BTCUSDT
    when: [{{price: {{crosses_above: {level}}}}}]
    if:
      - {condition}
    do: [{do}]
"""


def rules(
    level: str = "70000",
    condition: str = "position.size == 0",
    do: str = "{close: {type: market}}",
    rule_id: str = "a1",
) -> str:
    """A file with one rule, in which a part may be put in another's place."""
    rule = RULE.format(id=rule_id, level=level, condition=condition, do=do)
    return f"version: 1\nrules:\n{rule}"


def bomb() -> str:
    """Nine lists, each of nine times the one before: a billion entries, were they followed."""
    lists = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for one, before in zip("bcdefghi", "abcdefgh", strict=True):
        lists.append(f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lists) + "\n"


def circle() -> str:
    """A thousand rules that are off and enable each other."""
    switches = "".join(
        f"  - {{id: r{n}, symbol: BTCUSDT, enabled: false, when: [{{schedule: {{every: 1m}}}}], "
        f"do: [{{enable: r{(n + 1) % 1_000}}}]}}\n"
        for n in range(1_000)
    )
    return f"version: 1\nrules:\n{switches}"


FILES: dict[str, tuple[Callable[[], str], str]] = {
    "a bomb of aliases": (bomb, "cannot start with &"),
    "nesting": (lambda: "[" * 100_000, "at most 10000"),
    "nesting in a block": (lambda: rules(level="{a: " * 100_000), "character"),
    "nesting over lines": (lambda: "[\n" * 100_000, "more than 30 levels"),
    "nesting by dashes": (lambda: ("- " * 4_000 + "\n") * 25, "more than 30 levels"),
    "a formula nested": (lambda: rules(condition="(" * 4_900 + "1" + ")" * 4_900), "500"),
    "a formula nested over lines": (
        lambda: rules(condition=">-\n" + "        ((((((((((\n" * 10_000),
        "500",
    ),
    "a long formula": (
        lambda: rules(condition=">-\n" + "        mark > 5 and\n" * 800 + "        mark > 5"),
        "500",
    ),
    "a formula of 10,000 characters": (lambda: rules(condition="x" * 10_000), "character"),
    "a formula of 9,000 characters": (lambda: rules(condition="m" * 9_000), "500"),
    "not a number": (lambda: rules(level=".nan"), "number"),
    "NaN": (lambda: rules(level="NaN"), "number"),
    "infinity": (lambda: rules(level="-.inf"), "number"),
    "infinity in a formula": (lambda: rules(condition="mark < inf"), "inf"),
    "a number beyond all": (lambda: rules(level="1" * 5_000), "40 characters"),
    "a power beyond all": (lambda: rules(level="1e999999999"), "number"),
    "ten megabytes": (lambda: "# filler\n" * 1_200_000, "MiB"),
    "ten megabytes of one line": (lambda: "a: " + "x" * 10_000_000, "MiB"),
    "no end of keys": (lambda: "{" + ", ".join(f"k{n}: 1" for n in range(90_000)), "character"),
    "no end of keys over lines": (
        lambda: "".join(f"k{n}: 1\n" for n in range(20_000)),
        "unknown key k0",
    ),
    "no end of orders": (
        lambda: rules(do="{place: [" + ",\n      ".join(["{side: buy}"] * 5_000) + "]}"),
        "place",
    ),
    "an unknown list": (
        lambda: rules().replace("symbol: BTCUSDT", "symbols: [nowhere]"),
        "there is no list nowhere",
    ),
    "rules in a circle": (circle, "enable each other"),
    "zeros": (lambda: "\0" * 500_000, "character"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_input_is_refused_within_bounds(tmp_path: Path, name: str) -> None:
    """An error that names what is wrong, in plain words; nothing is loaded."""
    make, word = FILES[name]
    path = tmp_path / "a.yaml"
    path.write_text(make(), "utf-8")
    started = time.process_time()
    found = load(path)
    text = render(found.diagnostics)
    assert time.process_time() - started < SECONDS
    assert found.rules is None
    assert len(text) < 100_000
    assert any(word in each.message for each in found.errors), text[:2_000]
    for each in found.diagnostics[:100]:
        assert_plain(each.message)


@pytest.mark.parametrize(
    "name",
    ["a bomb of aliases", "nesting over lines", "a long formula", "ten megabytes", "zeros"],
)
def test_bad_input_takes_little_memory(tmp_path: Path, name: str) -> None:
    """What is refused is not unfolded first, nor read to its end."""
    path = tmp_path / "a.yaml"
    path.write_text(FILES[name][0](), "utf-8")
    tracemalloc.start()
    try:
        load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY


LIMITED = """\
import resource, sys
# a core's time and a process's whole memory: what goes beyond is killed or refused
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
from runner.rulebook.load import load
for path in sys.argv[3:]:
    found = load(path)
    print(path, found.rules is None, len(found.errors) > 0, flush=True)
"""
MOST_ADDRESSES = 1 << 30
"""Bytes of one process for all files after one another; Python and its libraries take a third."""


def test_all_bad_input_together_fits_a_small_process(tmp_path: Path) -> None:
    """One process whose time and memory the system limits refuses every file, one after another."""
    paths = []
    for number, (make, _) in enumerate(FILES.values()):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(make(), "utf-8")
    limits = [str(SECONDS * len(FILES)), str(MOST_ADDRESSES)]
    command = [sys.executable, "-c", LIMITED, *limits, *map(str, paths)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2_000:]
    assert told.stdout.splitlines() == [f"{path} True True" for path in paths]


def test_the_same_id_in_many_files_is_told_at_each(tmp_path: Path) -> None:
    """A file that was copied a hundred times: each copy names the first."""
    for number in range(100):
        (tmp_path / f"{number:03}.yaml").write_text(rules(rule_id="same"), "utf-8")
    found = load(tmp_path)
    assert found.rules is None
    told = [each for each in found.errors if each.code == "duplicate-id"]
    assert len(told) == 99
    assert {each.related[0].file for each in told} == {str(tmp_path / "000.yaml")}


def test_a_file_without_an_end_is_not_read(tmp_path: Path) -> None:
    """A link to a device that never ends is named, and not opened for reading."""
    (tmp_path / "a.yaml").symlink_to("/dev/zero")
    (found,) = load(tmp_path).diagnostics
    assert found.code == "unreadable"
