"""Remembers: every event, decision, order and outcome, durably."""

from runner.journal.journal import Journal
from runner.journal.reading import JournalReader

__all__ = ["Journal", "JournalReader"]
