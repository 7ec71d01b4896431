"""The verbs that read: lists of orders, runs, records and alerts, as text and as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from runner.core.decision import AlertRow, Decision, FillRow, Record
from runner.core.events import Fill
from runner.core.orders import CancelIntent, Family, OrderState
from tests.cli.calling import answer, call
from tests.cli.terminal import on_terminal
from tests.journal.building import NOW, changing, firing, leg_of, open_journal, run_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose journal has two runs: one order filled, one live, a cancel, an alert."""
    journal = open_journal(tmp_path)
    first, _, [filled] = firing("1")
    second, run, [live] = firing("2")
    second = replace(second, new_runs=[replace(run)])
    journal.commit([first, second])
    fill = Fill("77", Decimal(70000), Decimal("0.010"), Decimal("0.1"), "USDT", Decimal(0), NOW)
    after = replace(filled, state=OrderState.FILLED, cumulative_quantity=Decimal("0.010"))
    done = changing(filled, after)
    done.fills.append(FillRow(filled.client_order_id, "BTCUSDT", fill))
    done.records.append(Record(NOW, "refused", "too early", "sell-top", "ETHUSDT", reason="if"))
    done.alerts.append(AlertRow("tv", "ab" * 32, {"price": Decimal("1.50")}, NOW, None, "fired"))
    cancel = leg_of(run, "1.0")
    intent = CancelIntent(cancel.client_order_id, "BTCUSDT", Family.ORDER, live.client_order_id)
    done.change_leg(None, replace(cancel, intent=intent))
    done.change_leg(live, replace(live, state=OrderState.LIVE))
    journal.commit([done])
    journal.close()
    return tmp_path


@pytest.mark.parametrize("verb", ["orders", "runs", "journal", "alerts", "status"])
def test_a_missing_journal_is_one_message(verb: str, tmp_path: Path) -> None:
    """Nothing ran here: exit 2, what to do on stderr, nothing on stdout, nothing created."""
    result = call(verb, "--dir", tmp_path, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no journal" in result.stderr
    assert f"runner run --dir {tmp_path}" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_journal_is_one_message(tmp_path: Path) -> None:
    """Another file under the journal's name: exit 2 and no traceback."""
    (tmp_path / "journal.db").write_text("something else")
    result = call("orders", "--dir", tmp_path)
    assert result.exit_code == 2
    assert re.match(r"runner: .*journal\.db", result.stderr)


def test_orders_as_json(folder: Path) -> None:
    """Amounts are exact text, attempts and fills stand below their order."""
    filled, live, cancel = answer("orders", "--dir", folder)
    assert (filled["state"], filled["cumulative_quantity"]) == ("FILLED", "0.010")
    assert [fill["trade_id"] for fill in filled["fills"]] == ["77"]
    assert [attempt["attempt"] for attempt in filled["attempts"]] == [1]
    assert live["state"] == "LIVE"
    assert (cancel["kind"], cancel["target"]) == ("cancel", live["client_order_id"])


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 3),
        (["--state", "FILLED"], 1),
        (["--state", "open"], 2),
        (["--state", "live", "--state", "filled"], 2),
        (["--symbol", "ETHUSDT"], 0),
        (["--symbol", "BTCUSDT"], 3),
        (["--rule", "buy-dip"], 3),
        (["--rule", "sell-top"], 0),
        (["--run", run_of("2").run_id], 2),
        (["--limit", "1"], 1),
        (["--limit", "0"], 3),
    ],
)
def test_orders_are_filtered(folder: Path, words: list[str], count: int) -> None:
    """By state (open: every one that may still change), symbol, rule and run; newest N."""
    assert len(answer("orders", "--dir", folder, *words)) == count


def test_an_unknown_state_is_usage(folder: Path) -> None:
    """A state that no order can have: exit 2, with those that it can."""
    result = call("orders", "--dir", folder, "--state", "lost")
    assert result.exit_code == 2
    assert "PARKED" in result.stderr


def test_lists_in_a_pipe_are_aligned_lines(folder: Path) -> None:
    """Without a terminal there are no frames and no colours, one line an order."""
    result = call("orders", "--dir", folder)
    head, *lines = result.stdout.splitlines()
    assert head.split() == [
        "placed",
        "rule",
        "symbol",
        "order",
        "state",
        "filled",
        "average",
        "run",
        "why",
    ]
    assert len(lines) == 3
    column = head.index("state")
    assert [line[column:].split()[0] for line in lines] == ["FILLED", "LIVE", "PLANNED"]
    assert "\x1b" not in result.stdout


def test_only_the_newest_are_shown(tmp_path: Path) -> None:
    """More than 50 rows: the newest 50, and a remark on stderr; with --json all."""
    journal = open_journal(tmp_path)
    records = [Record(NOW + n, "fired", f"number {n}") for n in range(60)]
    journal.commit([Decision(records)])
    journal.close()
    result = call("journal", "--dir", tmp_path)
    assert len(result.stdout.splitlines()) == 51
    assert "number 59" in result.stdout.splitlines()[-1]
    assert "--limit 0" in result.stderr
    assert len(answer("journal", "--dir", tmp_path)) == 60


def test_journal_is_filtered(folder: Path) -> None:
    """By rule, symbol, run and kind."""
    assert [each["kind"] for each in answer("journal", "--dir", folder, "--rule", "sell-top")] == [
        "refused"
    ]
    assert len(answer("journal", "--dir", folder, "--symbol", "ETHUSDT")) == 1
    assert len(answer("journal", "--dir", folder, "--kind", "fired", "--kind", "refused")) == 3
    assert len(answer("journal", "--dir", folder, "--run", run_of("1").run_id)) == 1


def test_text_of_other_people_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    """Control characters in a field do not reach the terminal."""
    journal = open_journal(tmp_path)
    journal.commit([Decision([Record(NOW, "event", "red \x1b[31m\nline")])])
    journal.close()
    result = call("journal", "--dir", tmp_path)
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 2


def test_runs_and_alerts(folder: Path) -> None:
    """Both are listed and filtered alike."""
    assert [run["status"] for run in answer("runs", "--dir", folder)] == ["running", "running"]
    assert answer("runs", "--dir", folder, "--state", "done") == []
    assert answer("runs", "--dir", folder, "--rule", "buy-dip", "--limit", "1")
    [alert] = answer("alerts", "--dir", folder, "--path", "tv")
    assert alert["fields"] == {"price": "1.50"}
    assert answer("alerts", "--dir", folder, "--path", "other") == []
    assert "tv" in call("alerts", "--dir", folder).stdout
    assert run_of("1").run_id in call("runs", "--dir", folder).stdout


def test_an_empty_list_says_so_on_stderr(tmp_path: Path) -> None:
    """No rows: nothing on stdout, `[]` as JSON."""
    open_journal(tmp_path).close()
    result = call("orders", "--dir", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no orders\n")
    assert answer("orders", "--dir", tmp_path) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("orders", "--rule", "nosuch"), "no order fits that"),
        (("runs", "--symbol", "XYZ"), "no firing fits that"),
        (("journal", "--kind", "foo"), "no record fits that"),
        (("alerts", "--path", "foo"), "no alert came to /hook/foo"),
    ],
)
def test_what_nothing_fits_is_not_called_empty(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    """Who mistypes a rule must not read that nothing happened."""
    result = call(*words, "--dir", folder)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{said}\n")


def test_explain_shows_the_run(folder: Path) -> None:
    """Event, orders with attempts and fills, and the log; also by how the id begins."""
    run_id = run_of("1").run_id
    told = answer("explain", run_id, "--dir", folder)
    assert told["fields"] == {"price": "70010.50"}
    assert told["orders"][0]["fills"][0]["quantity"] == "0.010"
    assert [record["text"] for record in told["records"]] == ["buy-dip fired"]
    text = call("explain", run_id[:7], "--dir", folder).stdout
    assert f"run {run_id} of buy-dip on BTCUSDT" in text
    assert "buy limit 0.010 @ 70000.0 -> filled" in text
    assert "0.010 @ 70000" in text


def test_an_unknown_run_is_usage(folder: Path) -> None:
    """No such run: exit 2 and where to look."""
    result = call("explain", "zzz", "--dir", folder)
    assert result.exit_code == 2
    assert "runner runs" in result.stderr


@pytest.mark.parametrize("verb", ["orders", "runs", "journal", "alerts"])
def test_json_keys_are_documented(folder: Path, verb: str) -> None:
    """docs/cli.md names each key of the JSON, and no others."""
    text = DOCUMENT.read_text("utf-8")
    section = re.split(r"^## ", text.partition(f"## runner {verb}\n")[2], flags=re.MULTILINE)[0]
    documented = set(
        re.findall(
            r"`([a-z][a-z0-9_]*)`", " ".join(section.split()).partition("JSON, a list of")[2]
        )
    )
    found: set[str] = set()
    for row in answer(verb, "--dir", folder):
        found |= row.keys()
        for below in ("attempts", "fills"):
            for each in row.get(below, ()):
                found |= each.keys()
    assert found == documented


def test_json_is_one_document(folder: Path) -> None:
    """Stdout holds JSON and nothing else."""
    result = call("orders", "--dir", folder, "--json")
    assert result.stderr == ""
    assert isinstance(json.loads(result.stdout), list)


@pytest.mark.parametrize("words", [("orders",), ("runs",), ("journal",), ("alerts",)])
def test_a_pipe_gets_plain_lines_and_a_terminal_a_table(
    folder: Path, words: tuple[str, ...]
) -> None:
    """The same rows: aligned and without frame or colour in a pipe, framed on a terminal."""
    lines = call(*words, "--dir", folder).stdout.splitlines()
    _, shown = on_terminal(*words, "--dir", folder, columns=220)
    assert not any("─" in line or "\x1b" in line for line in lines)
    assert "─" in shown
    cells = [line.split() for line in shown.splitlines() if line.strip("─ ")]
    assert len(cells) == len(lines)
    assert [each[0] for each in cells] == [line.split()[0] for line in lines]


@pytest.mark.parametrize("columns", [200, 40])
def test_a_terminal_gets_a_table_that_fits(folder: Path, columns: int) -> None:
    """A wide terminal gets a frame, a narrow one plain lines; columns that say nothing go."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "runner", "orders", "--dir", str(folder)],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"},
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.stderr == b""
    assert ("─" in shown) is (columns == 200)
    assert "why" not in shown
    assert "FILLED" in shown
