"""The tables. Narrow and typed; migrations/ makes them, this module is what queries speak to.

Dates (DA) are integers, 20240131, times (TM) text padded to seconds, UIDs packed (see `uids`),
other text as decoded. NULL means absent or unusable. Nothing here counts its children: a parent
row is written once and never again while instances stream in.

With its indexes an instance takes about 137 bytes, a series 230, a study 190, a patient 135, name
search included (`bench/index.py`). UIDs as text would make it 192 for an instance. An instance
table that is its own index by UID (WITHOUT ROWID) is as large and loses the order of arrival.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()

# Rows of these take their id in order of arrival; SQLite then appends to the table's end.
_ID = BigInteger().with_variant(Integer, "sqlite")

patient = Table(
    "patient",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("patient_id", String),
    Column("issuer", String, nullable=False),
    Column("name", String),
    Column("name_key", String),  # names.person_name_keys: the alphabetic group
    Column("birth_date", Integer),
    Column("sex", String),
)
# Two hospitals' patients may share an ID: the issuer tells them apart. Patients without an ID are
# not one patient: their rows belong to one study each, as a unique index lets NULLs repeat.
Index("patient_by_id", patient.c.patient_id, patient.c.issuer, unique=True)
Index("patient_by_name", patient.c.name_key)

# Ideographic and phonetic groups of a name (PS3.5 6.2.1.1); most archives have few or none.
patient_name_group = Table(
    "patient_name_group",
    metadata,
    Column("name_key", String, primary_key=True),
    Column("component_group", Integer, primary_key=True),  # 1 ideographic, 2 phonetic
    Column("patient", _ID, ForeignKey("patient.id"), primary_key=True),
    sqlite_with_rowid=False,
)

# Physicians and operators: few people, named again and again.
person = Table(
    "person",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("name_key", String, nullable=False),  # names.search_text
)

# UIDs and AE titles that repeat in every row.
term = Table(
    "term",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("value", String, nullable=False, unique=True),
)

study = Table(
    "study",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("patient", _ID, ForeignKey("patient.id"), nullable=False),
    Column("uid", LargeBinary, nullable=False),
    Column("date", Integer),
    Column("time", String),
    Column("accession_number", String),
    Column("study_id", String),
    Column("description", String),
    Column("referring_physician", _ID, ForeignKey("person.id")),
    Column("patient_age", String),
    Column("patient_size", String),
    Column("patient_weight", String),
    Column("timezone", String),
)
Index("study_by_uid", study.c.uid, unique=True)
Index("study_by_patient", study.c.patient)
Index("study_by_date", study.c.date)
Index(
    "study_by_accession_number",
    study.c.accession_number,
    sqlite_where=study.c.accession_number.is_not(None),
    postgresql_where=study.c.accession_number.is_not(None),
)

series = Table(
    "series",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("study", _ID, ForeignKey("study.id"), nullable=False),
    Column("uid", LargeBinary, nullable=False),
    Column("modality", String),
    Column("number", Integer),
    Column("description", String),
    Column("date", Integer),
    Column("time", String),
    Column("body_part", String),
    Column("laterality", String),
    Column("protocol_name", String),
    Column("station_name", String),
    Column("manufacturer", String),
    Column("model_name", String),
    Column("institution", String),
    Column("department", String),
    Column("performing_physician", _ID, ForeignKey("person.id")),
    Column("operators", _ID, ForeignKey("person.id")),
    Column("performed_date", Integer),
    Column("performed_time", String),
)
# Equipment that repeats Series UIDs in several studies exists: each study has its own series.
Index("series_by_uid", series.c.uid, series.c.study, unique=True)
Index("series_by_study", series.c.study, series.c.modality)

pack = Table(
    "pack",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("path", String, nullable=False, unique=True),
    Column("length", BigInteger),  # NULL until the pack is sealed
    # The largest instance id when the pack was begun: its own instances have larger ones.
    Column("instances_after", BigInteger, nullable=False),
)
Index(
    "pack_unsealed",
    pack.c.path,
    sqlite_where=pack.c.length.is_(None),
    postgresql_where=pack.c.length.is_(None),
)

instance = Table(
    "instance",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("series", _ID, ForeignKey("series.id"), nullable=False),
    Column("uid", LargeBinary, nullable=False),
    Column("sop_class", _ID, ForeignKey("term.id"), nullable=False),
    Column("transfer_syntax", _ID, ForeignKey("term.id"), nullable=False),
    Column("source_ae", _ID, ForeignKey("term.id"), nullable=False),
    Column("pack", _ID, ForeignKey("pack.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("dataset_offset", Integer, nullable=False),
    Column("digest", BigInteger, nullable=False),  # the unsigned value, wrapped to signed
    Column("received_at", BigInteger, nullable=False),
    Column("number", Integer),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("frames", Integer),
    sqlite_autoincrement=True,  # ids are never given twice: their order is the order of commits
)
Index("instance_by_uid", instance.c.uid, unique=True)
Index("instance_by_series", instance.c.series)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("sop_instance_uid", String, nullable=False),
    Column("sop_class_uid", String, nullable=False),
    Column("transfer_syntax_uid", String, nullable=False),
    Column("path", String, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("digest", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("source_ae", String, nullable=False),
    Column("reason", String, nullable=False),
)
