"""The first schema: messages in their chain, what they are about, checkpoints, exports."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("moment", sa.Float, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("event_type", sa.String, nullable=False),
        sa.Column("outcome", sa.Integer, nullable=False),
        sa.Column("xml", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("message_by_moment", "message", ["moment"])
    op.create_table(
        "subject",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("issuer", sa.String, primary_key=True),
        sa.Column(
            "message",
            sa.Integer,
            sa.ForeignKey("message.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("subject_by_message", "subject", ["message"])
    op.create_table(
        "checkpoint",
        sa.Column("through", sa.Integer, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("announced", sa.Integer, nullable=False),
        sa.Column("moment", sa.Float, nullable=False),
    )
    op.create_table(
        "export",
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("through", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("last_error", sa.String),
    )
