"""`runner check` as people and machines use it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runner.cli.check import check
from tests.cli.calling import call

RULE = """\
version: 1
rules:
  - id: first
    symbol: BTCUSDT
    when: [{price: {crosses_above: 70000, for: FOR}}]
    do: [{place: {side: buy, type: limit, price: 69000.05, quantity: 0.02}}]
"""


def run(*arguments: object) -> Result:
    """The command's answer to these arguments."""
    return CliRunner().invoke(check, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one sound rule file under rules/."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(RULE.replace("FOR", "15s"), "utf-8")
    return tmp_path


def test_sound_rules_end_with_0(folder: Path) -> None:
    """The folder's rules/ is checked, and what was checked is said."""
    answer = run("--dir", folder)
    assert (answer.exit_code, answer.output) == (0, "1 rule in 1 file checked: fine.\n")


def test_errors_end_with_1(folder: Path) -> None:
    """Place, caret, cure and effect are printed, without colours off a terminal."""
    path = folder / "rules" / "b.yaml"
    path.write_text(RULE.replace("FOR", "15").replace("first", "second"), "utf-8")
    answer = run("--dir", folder)
    assert answer.exit_code == 1
    assert answer.output == (
        f"{path}:5:48: error: for must be a length of time with a unit, this is a number "
        "[wrong-type]\n"
        " 5 |     when: [{price: {crosses_above: 70000, for: 15}}]\n"
        "   |                                                ^~ write 15s, 15m or 15h\n\n"
        f"1 error in {path}. Nothing was loaded.\n"
    )


def test_json_is_one_list(folder: Path) -> None:
    """With --json the findings are plain values, an empty list when there are none."""
    assert json.loads(run("--json", "--dir", folder).output) == []
    path = folder / "rules" / "a.yaml"
    path.write_text(RULE.replace("FOR", "15"), "utf-8")
    answer = run("--json", path)
    assert answer.exit_code == 1
    assert json.loads(answer.output) == [
        {
            "file": str(path),
            "line": 5,
            "column": 48,
            "length": 2,
            "severity": "error",
            "code": "wrong-type",
            "message": "for must be a length of time with a unit, this is a number",
            "cure": "write 15s, 15m or 15h",
            "related": [],
        }
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_saved_exchange_info_checks_prices(folder: Path, packed: bool, recorded: Path) -> None:
    """An off-tick price is found with the exchange's filters, read from .json or .gz."""
    content = (recorded / "exchangeInfo-2026-07-03.json.gz").read_bytes()
    info = folder / "info"
    info.write_bytes(content if packed else gzip.decompress(content))
    answer = run("--dir", folder, "--exchange-info", info)
    assert answer.exit_code == 1
    assert "price 69000.05 is not a multiple of the tick size 0.10 of BTCUSDT" in answer.output
    assert "nearest: 69000.00 or 69000.10" in answer.output


@pytest.mark.parametrize("content", [b"{}", b"[]", b"{", b"\x1f\x8b\x00", b"\xff", b"null"])
def test_another_file_as_exchange_info_ends_with_2(folder: Path, content: bytes) -> None:
    """What is no exchangeInfo is named, nothing is checked."""
    info = folder / "info.json"
    info.write_bytes(content)
    answer = run("--dir", folder, "--exchange-info", info)
    assert answer.exit_code == 2
    assert "is not a saved exchangeInfo" in answer.output


def test_a_missing_place_ends_with_2(tmp_path: Path) -> None:
    """Neither a folder without rules/ nor a file that is not there can be checked."""
    answer = run("--dir", tmp_path)
    assert answer.exit_code == 2
    assert "name the rule files, or use --dir" in answer.output
    assert run(tmp_path / "nothing.yaml").exit_code == 2


def test_a_folder_without_rules_is_a_finding(tmp_path: Path) -> None:
    """An empty folder says where rules stand."""
    answer = run(tmp_path)
    assert answer.exit_code == 1
    assert answer.output == (
        f"{tmp_path}: error: there is no rule file in this folder [no-rules]\n"
        "  rules stand in files *.yaml\n\n"
        f"1 error in {tmp_path}. Nothing was loaded.\n"
    )


def test_warnings_do_not_fail(folder: Path) -> None:
    """A warning is shown, and the rules are fine all the same."""
    with (folder / "rules" / "a.yaml").open("a", encoding="utf-8") as file:
        file.write("dead_man: {symbols: [BTCUSDT], countdown: 40s, refresh: 10s}\n")
    answer = run("--dir", folder)
    assert answer.exit_code == 0
    assert "warning: a countdown under 60s" in answer.output
    assert "Nothing was loaded" not in answer.output
    assert answer.output.endswith("1 rule in 1 file checked: fine.\n")


def test_a_file_that_cannot_be_read_ends_with_2(folder: Path) -> None:
    """A folder under a rule file's name is not opened."""
    (folder / "rules" / "b.yaml").mkdir()
    answer = run("--dir", folder)
    assert answer.exit_code == 2
    assert "cannot be read: it is not a file" in answer.output


def test_the_other_forms(folder: Path) -> None:
    """--format chooses the form, --json is short for one of them; the exit code is the same."""
    path = folder / "rules" / "a.yaml"
    assert run("--format", "github", "--dir", folder).output == ""
    path.write_text(RULE.replace("FOR", "15"), "utf-8")
    answer = run("--format", "github", path)
    assert answer.exit_code == 1
    assert answer.output.startswith(f"::error file={path},line=5,col=48,endColumn=50,")
    assert run("--format", "json", path).output == run("--json", path).output
    log = json.loads(run("--format", "sarif", path).output)
    assert [each["ruleId"] for each in log["runs"][0]["results"]] == ["wrong-type"]


def test_online_asks_the_paper_exchange(folder: Path) -> None:
    """Without an account in runner.yaml, or with --paper; a tick is checked, exits are noted."""
    path = folder / "rules" / "a.yaml"
    path.write_text(RULE.replace("FOR", "15s"), "utf-8")
    answer = run("--online", "--paper", "--dir", folder)
    assert answer.exit_code == 1
    assert "price 69000.05 is not a multiple of the tick size 0.10 of BTCUSDT" in answer.output
    path.write_text(
        RULE.replace("FOR", "15s").replace("price: 69000.05", "price: 69000, reduce_only: true")
        + "dead_man: {symbols: [BTCUSDT], countdown: 2m, refresh: 30s}\n",
        "utf-8",
    )
    answer = run("--online", "--dir", folder)
    assert answer.exit_code == 0
    assert "note: a countdown of BTCUSDT that runs out cancels this exit too" in answer.output


def test_an_exchange_that_cannot_be_asked_ends_with_2(folder: Path) -> None:
    """The rules are not called fine when half of the check did not take place."""
    (folder / "runner.yaml").write_text(
        "accounts:\n  main: {venue: binance_usdm, address: "
        "{rest: 'http://127.0.0.1:9', streams: 'ws://127.0.0.1:9', ws_api: 'ws://127.0.0.1:9'}, "
        "api_key: key, api_secret: secret}\n",
        "utf-8",
    )
    answer = call("check", "--online", "--dir", folder)
    assert answer.exit_code == 2
    assert "nothing was checked" in answer.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--paper",), "it goes with --online"),
        (("--online", "--exchange-info", __file__), "name one"),
    ],
)
def test_options_that_contradict_each_other_end_with_2(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    """Two sources of symbols, or the choice of an exchange that is not asked."""
    answer = run("--dir", folder, *options)
    assert answer.exit_code == 2
    assert said in answer.output
