"""An inbox for what other processes leave for the leader, and a lease that runs out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v2"
down_revision = "v1"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add them."""
    op.add_column("lease", sa.Column("expires_at", sa.BigInteger()))
    inbox = op.create_table(
        "inbox",
        sa.Column("seq", SEQUENCE, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("event_time", sa.BigInteger),
        sa.Column("taken_at", sa.BigInteger),
        sa.UniqueConstraint("key", name="inbox_key"),
    )
    waiting = inbox.c.taken_at.is_(None)
    op.create_index(
        "inbox_waiting", "inbox", ["seq"], sqlite_where=waiting, postgresql_where=waiting
    )
