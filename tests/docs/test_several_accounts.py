"""The example of docs/settings.md with two accounts is what runs, with the files it names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from runner.app import App
from runner.connecting import Place, embedded_paper
from runner.core.events import Alert
from runner.journal import JournalReader
from runner.settings import load
from tests.conftest import REPOSITORY
from tests.support import eventually

PATIENCE = 120
PAGE = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")


def test_the_example_trades_on_both_accounts(tmp_path: Path) -> None:
    """One alert, an order on each; the default account's journal is where it always was."""
    section = PAGE.split("\n## Several accounts\n")[1].split("\n## ")[0]
    settings, rules = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    for name in ("rules", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "runner.yaml").write_text(settings)
    (tmp_path / "rules" / "rules.yaml").write_text(rules)
    secret = tmp_path / "secrets" / "tv"
    secret.touch(mode=0o600)
    secret.write_text("tv-secret-0123456789")
    found, place = replace(load(tmp_path), hook=("127.0.0.1", 0)), Place(tmp_path)
    paper = embedded_paper(place, found, [found.of(name) for name in found.accounts])
    app = App(place, found, paper, only_paper=False)
    try:
        app.start()
        eventually(lambda: app.readiness().ready, PATIENCE)
        answer = app.submit(Alert("buy", {"n": "1"}, "ab" * 32, 1_780_000_000_000))
        assert answer is not None
        assert [each.rule_id for each in answer.rules] == ["buy", "protect"]
        for journal, side in (("journal.db", "BUY"), ("journals/hedge.db", "SELL")):
            eventually(lambda j=journal, s=side: sides(tmp_path / j) == [s], PATIENCE)  # type: ignore[misc]
    finally:
        app.stop()
        paper.stop()


def sides(path: Path) -> list[str]:
    """The orders of a journal, by their side."""
    with JournalReader.open(path) as journal:
        return [row["side"] for row in journal.orders() if row["kind"] == "order"]
