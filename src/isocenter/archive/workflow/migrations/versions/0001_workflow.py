"""The first schema: worklist, performed procedure steps, commitments, jobs, failures."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_worklist()
    _create_performed_steps()
    _create_commitments()
    _create_jobs()
    _create_failures()


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String, nullable=False) for name in names]


def _moments(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names]


def _create_worklist() -> None:
    op.create_table(
        "worklist_item",
        _id(),
        *_texts(
            "study_instance_uid",
            "scheduled_procedure_step_id",
            "requested_procedure_id",
            "scheduled_station_ae_title",
            "modality",
        ),
        sa.Column("scheduled_date", sa.Integer, nullable=False),
        *_texts("scheduled_time", "patient_id", "accession_number", "status", "data_set"),
        *_moments("changed_at"),
    )
    step = ["study_instance_uid", "scheduled_procedure_step_id"]
    op.create_index("worklist_item_by_step", "worklist_item", step, unique=True)
    moment = ["scheduled_date", "scheduled_time"]
    op.create_index("worklist_item_by_date", "worklist_item", moment)
    op.create_index("worklist_item_by_patient", "worklist_item", ["patient_id"])
    op.create_index("worklist_item_by_accession_number", "worklist_item", ["accession_number"])


def _create_performed_steps() -> None:
    op.create_table(
        "performed_procedure_step",
        _id(),
        sa.Column("sop_instance_uid", sa.String, nullable=False, unique=True),
        *_texts("status", "source_ae", "data_set"),
        *_moments("created_at", "changed_at"),
    )
    step = sa.ForeignKey("performed_procedure_step.id", ondelete="CASCADE")
    op.create_table(
        "performed_for",
        sa.Column("performed_procedure_step", sa.Integer, step, primary_key=True),
        sa.Column("study_instance_uid", sa.String, primary_key=True),
        sa.Column("scheduled_procedure_step_id", sa.String, primary_key=True),
    )
    scheduled = ["study_instance_uid", "scheduled_procedure_step_id"]
    op.create_index("performed_for_by_step", "performed_for", scheduled)


def _create_commitments() -> None:
    op.create_table(
        "commitment",
        _id(),
        *_texts("requester_ae", "provider_ae", "transaction_uid", "state"),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("times_asked", sa.Integer, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer),
        sa.Column("request", sa.LargeBinary),
        sa.Column("failures", sa.LargeBinary),
        *_moments("created_at", "changed_at"),
    )
    transaction = ["requester_ae", "transaction_uid"]
    op.create_index("commitment_by_transaction", "commitment", transaction, unique=True)
    op.create_index("commitment_by_state", "commitment", ["state"])


def _create_jobs() -> None:
    op.create_table(
        "job",
        _id(),
        *_texts("kind"),
        sa.Column("subject", sa.Integer, nullable=False),
        *_texts("state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        *_moments("due_at", "expires_at"),
        sa.Column("last_error", sa.String),
        *_moments("created_at", "changed_at"),
    )
    op.create_index("job_by_due", "job", ["state", "due_at"])
    op.create_index("job_by_subject", "job", ["kind", "subject"], unique=True)


def _create_failures() -> None:
    op.create_table(
        "failure",
        _id(),
        *_moments("first_at", "happened_at"),
        sa.Column("occurrences", sa.Integer, nullable=False),
        *_texts("role", "peer", "what", "diagnosis", "calling_ae", "called_ae"),
        sa.Column("negotiation", sa.String),
    )
    op.create_index("failure_by_moment", "failure", ["happened_at"])
    cause = ["peer", "role", "what", "diagnosis"]
    op.create_index("failure_by_cause", "failure", cause, unique=True)
