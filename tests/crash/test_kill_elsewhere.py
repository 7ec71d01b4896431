"""Kill from another machine: its folder has no runner, only the address of the same journal."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.journal import JournalReader
from tests.cli.calling import call
from tests.crash.stage import PATIENCE, Stage
from tests.crash.test_kill_switch import RULES, seen, status
from tests.postgres import Server
from tests.support import eventually


def test_a_kill_finds_its_way_through_postgresql(tmp_path: Path, postgres: Server) -> None:
    """The leader finds it in the journal; its cancels go the kill switch's own way."""
    stage = Stage(tmp_path / "runner", RULES)
    try:
        settings = stage.folder / "runner.yaml"
        url = postgres.database()
        settings.write_text(f"{settings.read_text()}journal: {url}\n")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(settings, elsewhere)
        stage.run()
        assert stage.alert({"action": "buy"}) is not None
        eventually(lambda: seen(stage).get("STOP") == "NEW", PATIENCE)
        killed = call("kill", "--yes", "--reason", "far away", "--dir", elsewhere)
        assert killed.exit_code == 0, killed.output
        assert seen(stage) == {"LIMIT": "CANCELED", "MARKET": "FILLED", "STOP": "CANCELED"}
        with JournalReader.open(url) as journal:
            closes = [each for each in journal.orders() if each["rule_id"] == ":kill"]
        assert [each["state"] for each in closes if each["kind"] == "order"] == ["FILLED"]
        assert status(stage)["killed"]["why"] == "far away"
        said = (tmp_path / "run.log").read_text()
        assert "kill: cancelling every order of 1 symbols" in said
    finally:
        stage.stop()
