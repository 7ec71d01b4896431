"""Every example of every help text, typed as it stands there, does what the verb is for."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runner import resources
from runner.cli import main
from runner.core.decision import Decision, Record
from tests.cli.calling import Process, call, demo_folder
from tests.cli.test_answers import CANDLES, commands
from tests.journal.building import open_journal
from tests.support import eventually

STAYS = {
    "run --dir my --paper --hook 127.0.0.1:8080",
    "run --dir my --paper",
    "check --dir my --watch",
    "dashboard --dir my",
    "journal --dir my --rule btc-breakout --follow",
    "paper --port 8900 --api-key K --api-secret S",
}
"""They go on until Ctrl-C."""

ELSEWHERE = {
    "demo --keep": "make demo, which CI runs",
    "secrets rotate --dir my": "tests/test_rotating.py, with a key that can be renewed",
}
"""What proves the others."""

FIRST = ("init my", "init my --yes --symbol ETHUSDT --account demo")
"""These make the folder that all others need."""

RUNNING = (
    "check --dir my --online",
    "plan btc-breakout --dir my --price 70010",
    """plan tv-eth --dir my --alert '{"action": "buy", "price": 3500}'""",
    "plan grid-offer --dir my --event price=3450 --event quantity=0.1",
    "alert tv-eth --dir my --send --field action=buy --field price=3500",
    "reload --dir my",
    "status --dir my",
    "status --dir my --json",
    "why btc-breakout --dir my",
    "why --all --dir my",
    "explain 6j4enifjiz --dir my",
    "runs --dir my --rule btc-breakout",
    "orders --dir my --state LIVE --json",
    "positions --dir my --json",
    "alerts --dir my --limit 10",
    "doctor --dir my",
    "audit --dir my --days 1",
    "fire eth-ladder --event-key 2026-11-21-a --dir my",
    "disable tv-eth --reason 'wrong levels' --dir my",
    "enable tv-eth --reason 'link is back' --dir my",
    "pause --reason 'news at eight' --dir my",
    "resume --dir my",
    "cancel --rule btc-breakout --dir my",
    "flatten --symbol BTCUSDT --dir my",
    "kill --reason 'orders I do not know' --yes --dir my",
    "unlock --reason 'checked by hand' --dir my",
    "resolve r1-main-abc --as absent --reason 'not in the app' --dir my",
    "secrets check --dir my",
    "db backup --dir my",
    "db backup /backup/journal.db --dir my",
    "db upgrade /tmp/copy-of-the-journal.db",
    "db check --dir my",
    "db export --format csv --table fills --dir my > fills.csv",
    "db prune --keep 90 --dir my",
)
"""Beside a daemon, in this order."""

ALONE = (
    "check rules --format github",
    "test rules/btc.tests.yaml -k money",
    "replay rules --data ETHUSDT-1m-2025-01.csv --report january.html",
    "alert tv-eth --dir my",
    "dashboard password --dir my",
    "secrets set tv_eth --dir my",
    "secrets set demo_key --dir my < key.txt",
    "secrets age --dir my",
    "schema --write schemas",
    "schema --cli status",
    "version --json",
)

CODES = {
    # there is no such order: it is refused, as it should be
    "resolve r1-main-abc --as absent --reason 'not in the app' --dir my": 1,
}

TESTS = """\
tests_for: btc.yaml
tests:
  - name: it follows the money
    rule: btc-breakout
    steps:
      - {at: 0s, mark: 69900}
      - at: 1s
        mark: 70010
        expect:
          bracket:
            entry: {side: buy, type: market, quantity: 0.02}
            stop: {side: sell, trigger_price: 68000, quantity: 0.02}
            target: {side: sell, price: 75000.10, quantity: 0.02}
          notify: Breakout bought at 70010
"""


def examples() -> Iterator[str]:
    """What stands behind `Example: runner` in every help text."""
    for _, command in every():
        for found in re.split(r"\n\s*\n|\n\s*(?=Example)", command.epilog or ""):
            words = " ".join(found.split())
            assert words.startswith("Example: runner "), (command.name, words)
            yield words.removeprefix("Example: runner ")


def every() -> Iterator[tuple[str, click.Command]]:
    """The verbs, and the groups too."""
    yield "", main
    yield from commands(main, "")
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            yield name, command


def test_every_example_is_tried() -> None:
    """Here, or where it is named; and none of these is gone."""
    tried = {*STAYS, *ELSEWHERE, *FIRST, *RUNNING, *ALONE}
    assert set(examples()) == tried


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where one is: my/, rules/, candles, a key."""
    monkeypatch.chdir(tmp_path)
    folder = demo_folder(tmp_path / "my")
    rules = folder / "rules" / "demo.yaml"
    # eth-ladder fires once only: that is kept for who fires it by hand
    rules.write_text(rules.read_text().replace("every: 15s", "every: 12h"))
    cookbook = resources.folder("rules") / "cookbook"
    shutil.copy(cookbook / "grid-refill.yaml", folder / "rules")
    (folder / "dashboard-password").touch()
    rules = tmp_path / "rules"
    rules.mkdir()
    shutil.copy(resources.folder("rules") / "demo" / "demo.yaml", rules / "btc.yaml")
    (rules / "btc.tests.yaml").write_text(TESTS)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        (tmp_path / f"{symbol}-1m-2025-01.csv").write_text(CANDLES)
    (tmp_path / "key.txt").write_text("k" * 64)
    (tmp_path / "schemas").mkdir()
    return tmp_path


def typed(example: str, here: Path, **replaced: str) -> tuple[int, str]:
    """Exit code and output of an example, as a shell runs it."""
    line, _, source = example.partition(" < ")
    line = line.partition(" > ")[0].replace("/backup/", f"{here}/")
    for old, new in replaced.items():
        line = line.replace(old, new)
    given = Path(source).read_text() if source else "a-long-secret-of-mine\n"
    result = CliRunner().invoke(main, shlex.split(line), input=given, prog_name="runner")
    return result.exit_code, result.output


def test_examples_that_need_no_daemon(here: Path) -> None:
    """Each ends with 0."""
    for example in ALONE:
        # the demo's rules trade BTCUSDT, too
        more = " --data BTCUSDT-1m-2025-01.csv" if example.startswith("replay") else ""
        code, output = typed(example + more, here)
        assert code == 0, (example, output)
        if example.startswith("secrets age"):
            assert "no account" in output
    assert (here / "january.html").stat().st_size > 1_000
    assert len(list((here / "schemas").iterdir())) == 3


def test_examples_of_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is; the one that asks is answered with Enter."""
    for number, example in enumerate(FIRST):
        place = tmp_path / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        more = "" if "--yes" in example else " --yes"
        code, output = typed(example + more, tmp_path)
        assert code == 0, output
        assert call("check", "--dir", place / "my").exit_code == 0


def test_examples_beside_a_daemon(here: Path) -> None:
    """In an order in which a person might type them."""
    words = ("--dir", "my", "--paper", "--hook", "127.0.0.1:0")
    with Process("run", *words, log=here / "log") as process:
        assert process.line().startswith("READY")
        for example in RUNNING:
            more = {}
            if "6j4enifjiz" in example:
                more["6j4enifjiz"] = eventually(lambda: run_id(here), 60)
            if "copy-of-the-journal" in example:
                more["/tmp/copy-of-the-journal.db"] = str(here / "journal.db")
            asks = " --yes" if example.startswith("flatten") else ""
            code, output = typed(example + asks, here, **more)
            assert code == CODES.get(example, 0), (example, output)
        process.send()
        assert process.end(60)[0] == 0
    with sqlite3.connect(here / "journal.db") as copy:
        assert copy.execute("SELECT count(*) FROM runs").fetchone()[0] >= 1


def run_id(here: Path) -> str:
    """The newest firing's."""
    lines = call("runs", "--dir", here / "my", "--limit", "1").stdout.splitlines()
    return lines[1].split()[2] if len(lines) > 1 else ""


@pytest.mark.parametrize("example", sorted(STAYS - {"run --dir my --paper"}))
def test_examples_that_stay_until_ctrl_c(example: str, here: Path) -> None:
    """They say where they are, or show what there is, and Ctrl-C ends them with 0."""
    record = Record(0, "fired", "mark 70001 > 70000", "btc-breakout", "BTCUSDT")
    journal = open_journal(here / "my")
    journal.commit([Decision([record])])
    journal.close()
    line = example.replace("8080", "0").replace("--port 8900", "--port 0")
    more = ["--dashboard", "127.0.0.1:0"] if "dashboard" in example else []
    if more:
        assert typed("dashboard password --dir my", here)[0] == 0
    with Process(*shlex.split(line), *more, log=here / "log") as process:
        assert process.line() != ""
        process.send(signal.SIGINT)
        code, _, _ = process.end(60)
        assert code == 0
