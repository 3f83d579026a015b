"""Deletions: who wanted what gone, why, and how far that has come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = ("level", "uids", "studies", "role", "reason", "who", "state", "folder")
    counts = ("instances", "bytes", "quarantined", "conflicts")
    moments = ("created_at", "changed_at", "purge_at")
    op.create_table(
        "deletion",
        sa.Column("id", sa.Integer, primary_key=True),
        *[sa.Column(name, sa.String, nullable=False) for name in texts],
        sa.Column("restoring", sa.Boolean, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in counts],
        *[sa.Column(name, sa.Float, nullable=False) for name in moments],
        sqlite_autoincrement=True,
    )
