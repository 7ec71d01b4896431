"""Remembers: every event, decision, order and outcome, durably."""

from runner.journal.database import place_of
from runner.journal.journal import Journal
from runner.journal.lookups import ORPHAN
from runner.journal.opening import inbox_of
from runner.journal.reading import JournalReader
from runner.journal.tallies import Tally

__all__ = ["ORPHAN", "Journal", "JournalReader", "Tally", "inbox_of", "place_of"]
