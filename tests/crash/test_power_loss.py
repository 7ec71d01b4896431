"""A power cut at every write: what was reported is there, because every commit is synced."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import figures
from tests.crash import power_loss

COMMITS = 60


@pytest.fixture(autouse=True)
def _strace() -> None:
    reason = power_loss.why_not()
    if reason:
        pytest.skip(reason)


def test_no_power_cut_loses_a_reported_commit(
    request: pytest.FixtureRequest, base_seed: int, tmp_path: Path
) -> None:
    """synchronous=FULL: in every image of the disk each reported commit is whole."""
    lines = power_loss.traced(tmp_path, COMMITS, "FULL")
    images, wrong = power_loss.lost(tmp_path, lines, random.Random(base_seed))
    assert images >= 1_000
    assert wrong == []
    figures.report(request, "power cuts", {"images": images, "with a commit lost": 0})


def test_the_images_notice_what_was_not_synced(
    request: pytest.FixtureRequest, base_seed: int, tmp_path: Path
) -> None:
    """The mutant: with synchronous=NORMAL reported commits are lost."""
    lines = power_loss.traced(tmp_path, COMMITS, "NORMAL")
    images, wrong = power_loss.lost(tmp_path, lines, random.Random(base_seed))
    assert wrong
    told = {"images with NORMAL": images, "with a commit lost there": len(wrong)}
    figures.report(request, "power cuts", told)
