"""The first schema, which `tables` made before there were migrations: nothing to do."""

from __future__ import annotations

revision = "v1"
down_revision = None


def upgrade() -> None:
    """It is there."""
