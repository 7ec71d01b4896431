"""What pruning leaves: commands stay, but for those that only asked what the runner sees."""

from __future__ import annotations

from pathlib import Path

from runner.core.decision import Decision, Record
from runner.journal import JournalReader
from tests.journal.building import NOW, open_journal


def test_who_only_looked_is_forgotten(tmp_path: Path) -> None:
    """An open dashboard asks again and again: that must not stay for ever."""
    journal = open_journal(tmp_path)
    texts = ("looked at every rule", "paused by ann", "looked at the account", "resumed by ann")
    for text in texts:
        journal.commit([Decision(records=[Record(NOW, "command", text)])])
    while journal.prune(NOW + 1):
        pass
    journal.close()
    with JournalReader.open(tmp_path / "journal.db") as reader:
        found = [each["text"] for each in reader.records()]
    assert found == ["paused by ann", "resumed by ann"]
