"""Short names of the services, as a configuration and a command line call them."""

from __future__ import annotations

from typing import Literal, get_args

from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    MPPS_RETRIEVE,
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_FIND,
    PATIENT_STUDY_ONLY_GET,
    PATIENT_STUDY_ONLY_MOVE,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)

ServiceName = Literal["echo", "store", "find", "move", "get", "commitment", "worklist", "mpps"]
"""A service class of PS3.4; Query/Retrieve counts as three."""

SERVICE_NAMES: tuple[ServiceName, ...] = get_args(ServiceName)

SERVICE_OF_SOP_CLASS: dict[str, ServiceName] = {
    VERIFICATION: "echo",
    PATIENT_ROOT_FIND: "find",
    STUDY_ROOT_FIND: "find",
    PATIENT_STUDY_ONLY_FIND: "find",
    PATIENT_ROOT_MOVE: "move",
    STUDY_ROOT_MOVE: "move",
    PATIENT_STUDY_ONLY_MOVE: "move",
    PATIENT_ROOT_GET: "get",
    STUDY_ROOT_GET: "get",
    PATIENT_STUDY_ONLY_GET: "get",
    STORAGE_COMMITMENT_PUSH: "commitment",
    MODALITY_WORKLIST_FIND: "worklist",
    MPPS: "mpps",
    MPPS_RETRIEVE: "mpps",
}
"""Every SOP class that a node provides, but for those of storage."""


def service_name(sop_class: str) -> ServiceName:
    """The service to which a SOP class belongs; whatever is no other service is storage."""
    return SERVICE_OF_SOP_CLASS.get(sop_class, "store")
