"""Remembers: every event, decision, order and outcome, durably."""

from runner.journal.database import place_of
from runner.journal.journal import ORPHAN, Journal
from runner.journal.reading import JournalReader

__all__ = ["ORPHAN", "Journal", "JournalReader", "place_of"]
