"""Where the files that come with the package lie: rules/ and schemas/."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `rules` or `schemas` that belongs to this very code.

    In a checkout it stands beside `runner/`; a wheel carries it as `runner/_data/<name>` (see
    pyproject.toml). Raises FileNotFoundError when neither is there.
    """
    installed = _PACKAGE / "_data" / name
    checkout = _PACKAGE.parent / name
    for place in (installed, checkout):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"the folder {name}/ is missing: neither {installed} nor {checkout} is there; "
        "install the package again"
    )
