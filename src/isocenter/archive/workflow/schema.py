"""The tables of the workflow database. migrations/ makes them; queries speak to this module.

Moments are seconds since the epoch. Data sets are kept whole, as DICOM JSON in UTF-8, beside the
few attributes by which they are looked up.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
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

# PS3.4 Annex K: one row per scheduled procedure step.
worklist_item = Table(
    "worklist_item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", String, nullable=False),
    Column("scheduled_procedure_step_id", String, nullable=False),
    Column("requested_procedure_id", String, nullable=False),
    Column("scheduled_station_ae_title", String, nullable=False),  # several: with backslashes
    Column("modality", String, nullable=False),
    Column("scheduled_date", Integer, nullable=False),  # as 20240131
    Column("scheduled_time", String, nullable=False),  # as 093000, or empty
    Column("patient_id", String, nullable=False),
    Column("accession_number", String, nullable=False),
    Column("status", String, nullable=False),
    Column("data_set", String, nullable=False),
    Column("changed_at", Float, nullable=False),
)
Index(
    "worklist_item_by_step",
    worklist_item.c.study_instance_uid,
    worklist_item.c.scheduled_procedure_step_id,
    unique=True,
)
Index("worklist_item_by_date", worklist_item.c.scheduled_date, worklist_item.c.scheduled_time)
Index("worklist_item_by_patient", worklist_item.c.patient_id)
Index("worklist_item_by_accession_number", worklist_item.c.accession_number)

# PS3.4 Annex F: Modality Performed Procedure Step.
performed_procedure_step = Table(
    "performed_procedure_step",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sop_instance_uid", String, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("source_ae", String, nullable=False),
    Column("data_set", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)

# What a performed step was scheduled as: an item of its Scheduled Step Attributes Sequence each.
performed_for = Table(
    "performed_for",
    metadata,
    Column(
        "performed_procedure_step",
        Integer,
        ForeignKey("performed_procedure_step.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("study_instance_uid", String, primary_key=True),
    Column("scheduled_procedure_step_id", String, primary_key=True),  # empty: unscheduled
)
Index(
    "performed_for_by_step",
    performed_for.c.study_instance_uid,
    performed_for.c.scheduled_procedure_step_id,
)

# PS3.4 Annex J: what was asked, and what is still to be reported, or was.
commitment = Table(
    "commitment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("requester_ae", String, nullable=False),
    Column("provider_ae", String, nullable=False),  # by which of our titles we were called
    Column("transaction_uid", String, nullable=False),
    Column("state", String, nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of what was asked, to know a repetition
    Column("times_asked", Integer, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("failed", Integer),  # NULL until everything has been checked
    Column("request", LargeBinary),  # the instances; NULL once the report has been taken
    Column("failures", LargeBinary),
    Column("labels", String),  # of the studies its requester may see; NULL: all studies
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
Index(
    "commitment_by_transaction",
    commitment.c.requester_ae,
    commitment.c.transaction_uid,
    unique=True,
)
Index("commitment_by_state", commitment.c.state)

# What is to be done after a response was sent; `kind` says by whom, `subject` about what.
job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("subject", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False),  # while it runs: when it counts as abandoned
    Column("expires_at", Float, nullable=False),
    Column("last_error", String),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
Index("job_by_due", job.c.state, job.c.due_at)
Index("job_by_subject", job.c.kind, job.c.subject, unique=True)

# What was deleted or is to be; UIDs are JSON arrays. Its records stand in its folder in trash/, so
# that this file, which is kept for good, never says what an object was called that is gone.
deletion = Table(
    "deletion",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("level", String, nullable=False),
    Column("uids", String, nullable=False),
    Column("studies", String, nullable=False),
    Column("role", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("who", String, nullable=False),
    Column("state", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("restoring", Boolean, nullable=False),  # somebody wants it back
    Column("instances", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("purge_at", Float, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)

# What came in, held against the standard (PS3.3), a row per series. Instances are numbered by the
# index; `wanted` is the newest that shall be judged, `judged` the newest that was.
validation = Table(
    "validation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_instance_uid", String, nullable=False),
    Column("series_instance_uid", String, nullable=False),
    Column("wanted", BigInteger, nullable=False),
    Column("judged", BigInteger, nullable=False),
    Column("instances", BigInteger, nullable=False),
    Column("erroneous", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("warnings", BigInteger, nullable=False),
    Column("notes", BigInteger, nullable=False),
    Column("findings", String, nullable=False),  # as JSON: each kind once, with its count
    Column("changed_at", Float, nullable=False),
)
Index(
    "validation_by_series",
    validation.c.study_instance_uid,
    validation.c.series_instance_uid,
    unique=True,
)

# Up to which instance of the index nothing waits to be noticed; one row.
validation_mark = Table(
    "validation_mark",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("instance", BigInteger, nullable=False),
)

# What failed, the newest only; no patient data. The same cause again is the same row again.
failure = Table(
    "failure",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("first_at", Float, nullable=False),
    Column("happened_at", Float, nullable=False),  # the last time
    Column("occurrences", Integer, nullable=False),
    Column("role", String, nullable=False),  # ours
    Column("peer", String, nullable=False),
    Column("what", String, nullable=False),
    Column("diagnosis", String, nullable=False),
    Column("calling_ae", String, nullable=False),
    Column("called_ae", String, nullable=False),
    Column("negotiation", String),  # as JSON
)
Index("failure_by_moment", failure.c.happened_at)
Index(
    "failure_by_cause",
    failure.c.peer,
    failure.c.role,
    failure.c.what,
    failure.c.diagnosis,
    unique=True,
)
