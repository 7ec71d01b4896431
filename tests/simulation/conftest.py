"""What the tests of the simulation share: the seed, and a log that is not written."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator

import pytest


@pytest.fixture
def base_seed(request: pytest.FixtureRequest) -> int:
    """The first seed: RUNNER_SEED, or another one in each run of the suite."""
    return int(os.environ.get("RUNNER_SEED") or request.config.option.hypothesis_seed)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of histories would write megabytes of log, and spend their time on it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(before)


@pytest.fixture(autouse=True, scope="session")
def _rare_collections() -> Iterator[None]:
    """What was imported is looked at no more, and cycles of what was played more seldom."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
