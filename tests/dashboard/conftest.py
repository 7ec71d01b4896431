"""The scenes that several tests of the dashboard begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dashboard.scene import Scene, lived, scene_of


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal, made once; tests work on copies."""
    return lived(tmp_path_factory.mktemp("past") / "my")


@pytest.fixture
def folder(past: Path, tmp_path: Path) -> Path:
    """A runner's folder that the test may change."""
    return shutil.copytree(past, tmp_path / "my")


@pytest.fixture
def door(folder: Path) -> Scene:
    """A dashboard at which nobody is logged in."""
    return scene_of(folder)


@pytest.fixture
def scene(door: Scene) -> Scene:
    """A dashboard with somebody logged in."""
    assert door.log_in().status_code == 302
    return door
