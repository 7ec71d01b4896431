"""A kill must not fail because somebody mistyped a setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from runner.cli import killing_blindly
from runner.errors import RunnerError
from tests.cli.calling import TOKEN, Process, call, demo_folder
from tests.support import eventually


def killed(folder: Path) -> bool:
    """What the journal says once the settings can be read again."""
    told = json.loads(call("status", "--dir", folder, "--json").stdout)
    return told["killed"] is not None and not told["open_orders"]


def test_a_kill_works_while_the_settings_have_mistakes(tmp_path: Path) -> None:
    """The runner that runs takes it: latched, orders cancelled."""
    folder = demo_folder(tmp_path / "my")
    settings = folder / "runner.yaml"
    with Process("run", "--dir", folder, "--paper", "--hook", "127.0.0.1:0") as process:
        url = process.line().split()[3].partition("/hook")[0]
        settings.write_text("version: 1\nhok: 127.0.0.1:1\n")
        result = call("kill", "--yes", "--dir", folder, "--reason", "now")
        assert result.exit_code == 0, result.output
        assert "the runner took it" in result.stdout
        assert "runner.yaml has mistakes" in result.stderr
        settings.unlink()
        assert eventually(lambda: killed(folder), 60)
        body = {"secret": TOKEN, "action": "buy", "price": 3500}
        refused = requests.post(f"{url}/hook/eth-signal", json=body, timeout=10).json()
        assert refused["rules"][0]["reason"] == "killed"
        process.send()
        assert process.end(60)[0] == 0


def test_it_reaches_every_account(tmp_path: Path) -> None:
    """The runner says which it has; an unknown one is refused, a named one is reached alone."""
    folder = demo_folder(tmp_path / "my")
    settings = folder / "runner.yaml"
    right = (
        "version: 1\naccounts:\n  main: {venue: binance_usdm, address: paper, default: true}\n"
        "  hedge: {venue: binance_usdm, address: paper}\n"
    )
    settings.write_text(right)
    (folder / "rules" / "hedge.yaml").write_text(
        "version: 1\naccount: hedge\nrules:\n  - id: other\n    symbol: BTCUSDT\n"
        "    when: [{webhook: {path: other, secret: tv_eth, body: {n: number}, dedupe: [n]}}]\n"
        "    do: [{notify: heard}]\n"
    )
    with Process("run", "--dir", folder, "--hook", "127.0.0.1:0") as process:
        process.line()
        settings.write_text("version: 1\nhok: 127.0.0.1:1\n")
        unknown = call("kill", "--yes", "--dir", folder, "--account", "hegde")
        assert unknown.exit_code == 2
        assert "main, hedge" in unknown.stderr
        one = call("kill", "--yes", "--dir", folder, "--account", "hedge")
        assert "closes the positions of hedge;" in one.stdout
        both = call("kill", "--yes", "--dir", folder)
        assert both.exit_code == 0, both.output
        assert "closes the positions of main, hedge;" in both.stdout
        settings.write_text(right)
        eventually(lambda: both_killed(folder), 60)


def both_killed(folder: Path) -> bool:
    """What both journals say."""
    told = json.loads(call("status", "--dir", folder, "--json").stdout)["accounts"]
    return all(told[name]["killed"] is not None for name in ("main", "hedge"))


def test_an_account_that_does_not_take_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here nobody looks for any request: the answer says which were left, and what to do."""
    (tmp_path / "journals").mkdir()
    (tmp_path / "journals" / "hedge.db").touch()
    monkeypatch.setattr(killing_blindly, "PATIENCE", 0.1)
    monkeypatch.setattr("runner.ops.presence.process_in", lambda _: 1)
    with pytest.raises(RunnerError, match="did not take it for the first account, hedge: act"):
        killing_blindly.blindly(tmp_path, "mistakes", yes=True, reason="")
    assert {path.name for path in tmp_path.glob("kill*")} == {"kill.request", "kill-hedge.request"}


def test_without_a_runner_it_says_what_is_wrong(tmp_path: Path) -> None:
    """Nothing was sent, and nothing is left behind; with the mistakes."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text("version: 1\nhok: 127.0.0.1:1\n")
    result = call("kill", "--yes", "--dir", folder)
    assert result.exit_code == 2
    assert "nothing could be sent" in result.stderr
    assert "hok" in result.stderr
    assert not list(folder.glob("kill*"))
