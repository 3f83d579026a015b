"""The first schema: users and study labels."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("passcode", sa.String, nullable=False),
        sa.Column("labels", sa.String),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
    op.create_table(
        "study_label",
        sa.Column("study_uid", sa.LargeBinary, primary_key=True),
        sa.Column("label", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("study_label_by_label", "study_label", ["label"])
