"""The tables of the access database: users, and the labels of studies.

migrations/ makes them. Neither can be told again by the packs, so they are not in the index; the
index's readers attach this file, and the query engine joins `study_label` with its own tables.
Moments are seconds since the epoch.
"""

from sqlalchemy import Boolean, Column, Float, Index, LargeBinary, MetaData, String, Table

metadata = MetaData()

user = Table(
    "user",
    metadata,
    Column("name", String, primary_key=True),
    Column("passcode", String, nullable=False),  # argon2id, as a PHC string
    Column("labels", String),  # with commas between; NULL: all studies
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)

study_label = Table(
    "study_label",
    metadata,
    Column("study_uid", LargeBinary, primary_key=True),  # packed, as in the index
    Column("label", String, primary_key=True),
    sqlite_with_rowid=False,
)
Index("study_label_by_label", study_label.c.label)
