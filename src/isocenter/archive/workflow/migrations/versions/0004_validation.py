"""What came in, held against the standard: per series counts and kinds of findings."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    numbers = ("wanted", "judged", "instances", "erroneous", "errors", "warnings", "notes")
    op.create_table(
        "validation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("study_instance_uid", sa.String, nullable=False),
        sa.Column("series_instance_uid", sa.String, nullable=False),
        *[sa.Column(name, sa.BigInteger, nullable=False) for name in numbers],
        sa.Column("findings", sa.String, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
    series = ["study_instance_uid", "series_instance_uid"]
    op.create_index("validation_by_series", "validation", series, unique=True)
    op.create_table(
        "validation_mark",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("instance", sa.BigInteger, nullable=False),
    )
