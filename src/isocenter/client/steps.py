"""Performed procedure steps for programs: pydicom data sets in, the provider's answer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.client.errors import InputError, RequestFailed
from isocenter.client.pool import AssociationPool, Kind
from isocenter.client.requests import base_of
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    StepReply,
    create_step,
    set_step,
)

if TYPE_CHECKING:
    from pydicom import Dataset

    from isocenter.encoding.elements import Elements

STEPS = Kind(PROCEDURE_STEP_CONTEXTS)
"""What an association about performed procedure steps proposes."""


def begin(pool: AssociationPool, attributes: Dataset, sop_instance_uid: str | None) -> str:
    """N-CREATE; the UID of the step. Raises RequestFailed, InputError."""
    with pool.lend(STEPS) as association:
        reply = create_step(association, sop_instance_uid, _neutral(attributes))
    _judge(f"N-CREATE at {pool.destination}", reply)
    return reply.sop_instance_uid or sop_instance_uid or ""


def change(pool: AssociationPool, sop_instance_uid: str, modifications: Dataset) -> None:
    """N-SET. Raises RequestFailed, InputError."""
    with pool.lend(STEPS) as association:
        reply = set_step(association, sop_instance_uid, _neutral(modifications))
    _judge(f"N-SET at {pool.destination}", reply)


def _neutral(data_set: Dataset) -> Elements:
    from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
    from isocenter.encoding.recoding import neutral_elements

    elements = base_of(data_set)
    if not elements:
        raise InputError("A performed procedure step needs attributes; the data set is empty.")
    return neutral_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)


def _judge(what: str, reply: StepReply) -> None:
    if reply.status.is_failure:
        raise RequestFailed(what, reply.status, reply.comment)
