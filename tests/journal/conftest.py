"""What the journal's tests share: an open journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.journal import Journal
from tests.journal.building import open_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An open journal in a folder of its own."""
    journal = open_journal(tmp_path)
    yield journal
    journal.close()
