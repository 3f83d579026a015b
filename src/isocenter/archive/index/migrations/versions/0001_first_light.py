"""The first schema: patient, study, series, instance, pack, quarantine, and name search."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _create_people()
    _create_study()
    _create_series()
    _create_instance()
    _create_quarantine()


def _id() -> sa.Column[Any]:
    return sa.Column("id", _ID, primary_key=True)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String) for name in names]


def _required(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _reference(name: str, table: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _ID, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _partial(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _create_people() -> None:
    op.create_table(
        "patient",
        _id(),
        *_texts("patient_id"),
        *_required(sa.String, "issuer"),
        *_texts("name", "name_key"),
        sa.Column("birth_date", sa.Integer),
        *_texts("sex"),
    )
    op.create_index("patient_by_id", "patient", ["patient_id", "issuer"], unique=True)
    op.create_index("patient_by_name", "patient", ["name_key"])
    op.create_table(
        "patient_name_group",
        sa.Column("name_key", sa.String, primary_key=True),
        sa.Column("component_group", sa.Integer, primary_key=True),
        sa.Column("patient", _ID, sa.ForeignKey("patient.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    # Holds no text, only which patients' keys contain which three letters. Any match is a
    # candidate to be compared, so positions (detail) and lengths (columnsize) are not needed.
    op.execute(
        "CREATE VIRTUAL TABLE patient_name_trigram USING fts5("
        "name_key, content='', detail=none, columnsize=0, tokenize='trigram case_sensitive 1')"
    )
    op.create_table(
        "person",
        _id(),
        sa.Column("name", sa.String, nullable=False, unique=True),
        *_required(sa.String, "name_key"),
    )
    op.create_table("term", _id(), sa.Column("value", sa.String, nullable=False, unique=True))


def _create_study() -> None:
    op.create_table(
        "study",
        _id(),
        _reference("patient", "patient"),
        *_required(sa.LargeBinary, "uid"),
        sa.Column("date", sa.Integer),
        *_texts("time", "accession_number", "study_id", "description"),
        _reference("referring_physician", "person", nullable=True),
        *_texts("patient_age", "patient_size", "patient_weight", "timezone"),
    )
    op.create_index("study_by_uid", "study", ["uid"], unique=True)
    op.create_index("study_by_patient", "study", ["patient"])
    op.create_index("study_by_date", "study", ["date"])
    op.create_index(
        "study_by_accession_number",
        "study",
        ["accession_number"],
        **_partial("accession_number IS NOT NULL"),
    )


def _create_series() -> None:
    op.create_table(
        "series",
        _id(),
        _reference("study", "study"),
        *_required(sa.LargeBinary, "uid"),
        *_texts("modality"),
        sa.Column("number", sa.Integer),
        *_texts("description"),
        sa.Column("date", sa.Integer),
        *_texts(
            "time",
            "body_part",
            "laterality",
            "protocol_name",
            "station_name",
            "manufacturer",
            "model_name",
            "institution",
            "department",
        ),
        _reference("performing_physician", "person", nullable=True),
        _reference("operators", "person", nullable=True),
        sa.Column("performed_date", sa.Integer),
        *_texts("performed_time"),
    )
    op.create_index("series_by_uid", "series", ["uid", "study"], unique=True)
    op.create_index("series_by_study", "series", ["study", "modality"])


def _create_instance() -> None:
    op.create_table(
        "pack",
        _id(),
        sa.Column("path", sa.String, nullable=False, unique=True),
        sa.Column("length", sa.BigInteger),
        sa.Column("instances_after", sa.BigInteger, nullable=False),
    )
    op.create_index("pack_unsealed", "pack", ["path"], **_partial("length IS NULL"))
    op.create_table(
        "instance",
        _id(),
        _reference("series", "series"),
        *_required(sa.LargeBinary, "uid"),
        _reference("sop_class", "term"),
        _reference("transfer_syntax", "term"),
        _reference("source_ae", "term"),
        _reference("pack", "pack"),
        *_required(sa.BigInteger, "offset", "length"),
        *_required(sa.Integer, "dataset_offset"),
        *_required(sa.BigInteger, "digest", "received_at"),
        *[sa.Column(name, sa.Integer) for name in ("number", "rows", "columns", "frames")],
        sqlite_autoincrement=True,
    )
    op.create_index("instance_by_uid", "instance", ["uid"], unique=True)
    op.create_index("instance_by_series", "instance", ["series"])


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        _id(),
        *_required(sa.String, "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "path"),
        *_required(sa.BigInteger, "length", "digest", "received_at"),
        *_required(sa.String, "source_ae", "reason"),
    )
