"""The files that come with the package are found in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import resources


@pytest.mark.parametrize("place", ["rules", "package/_data/rules"])
def test_folder_is_found(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder beside the package (checkout) or in its _data (wheel) is returned."""
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    (tmp_path / place).mkdir(parents=True)
    assert resources.folder("rules") == tmp_path / place


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When neither is there, the message says which folder and where it was looked for."""
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    with pytest.raises(FileNotFoundError, match=r"rules/ is missing.*_data.*install"):
        resources.folder("rules")
