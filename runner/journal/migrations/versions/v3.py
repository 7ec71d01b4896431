"""An outbox for notices that must reach a person, whatever happens to the process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v3"
down_revision = "v2"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add it."""
    outbox = op.create_table(
        "outbox",
        sa.Column("seq", SEQUENCE, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("trouble", sa.Text),
        sa.UniqueConstraint("key", "target", name="outbox_key"),
    )
    unsent = outbox.c.settled_at.is_(None)
    op.create_index(
        "outbox_unsent", "outbox", ["seq"], sqlite_where=unsent, postgresql_where=unsent
    )
