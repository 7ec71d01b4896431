"""What the crash tests share: the seed."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def base_seed(request: pytest.FixtureRequest) -> int:
    """The seed: RUNNER_SEED, or another one in each run of the suite."""
    return int(os.environ.get("RUNNER_SEED") or request.config.option.hypothesis_seed)
