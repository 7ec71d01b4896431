"""A kill must not fail because somebody mistyped a setting."""

from __future__ import annotations

import json
from pathlib import Path

import requests

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


def test_without_a_runner_it_says_what_is_wrong(tmp_path: Path) -> None:
    """Nothing was sent, and nothing is left behind; with the mistakes."""
    folder = demo_folder(tmp_path / "my")
    (folder / "runner.yaml").write_text("version: 1\nhok: 127.0.0.1:1\n")
    result = call("kill", "--yes", "--dir", folder)
    assert result.exit_code == 2
    assert "nothing could be sent" in result.stderr
    assert "hok" in result.stderr
    assert not list(folder.glob("kill*"))
