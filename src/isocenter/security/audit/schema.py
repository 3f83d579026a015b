"""The tables of the audit trail. migrations/ makes them; nothing ever updates a message.

Moments are seconds since the epoch.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()

# Numbered without a gap, so that a row that was taken out is missed; each is chained to the one
# before it (see `chain`).
message = Table(
    "message",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("moment", Float, nullable=False),
    Column("event", String, nullable=False),  # the code of CID 400
    Column("event_type", String, nullable=False),  # of CID 401 or 403; empty where there is none
    Column("outcome", Integer, nullable=False),
    Column("xml", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
Index("message_by_moment", message.c.moment)

# By whom and what a message can be found; part of what is chained.
subject = Table(
    "subject",
    metadata,
    Column("kind", String, primary_key=True),  # patient, study
    Column("value", String, primary_key=True),
    Column("issuer", String, primary_key=True),
    Column("message", Integer, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
    sqlite_with_rowid=False,
)
Index("subject_by_message", subject.c.message)

# What was removed because it was old: every message up to `through`, whose hash was `hash`. The
# message `announced` says the same within the chain.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("through", Integer, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    Column("announced", Integer, nullable=False),
    Column("moment", Float, nullable=False),
)

# How far each syslog server, as HOST:PORT, has been sent the messages.
export = Table(
    "export",
    metadata,
    Column("target", String, primary_key=True),
    Column("through", Integer, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("last_error", String),
)
