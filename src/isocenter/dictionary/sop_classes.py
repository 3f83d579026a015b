"""SOP classes by the service that they belong to (PS3.4, UIDs from PS3.6 Annex A)."""

from isocenter.dictionary._uid_table import UIDS

VERIFICATION = "1.2.840.10008.1.1"

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_STUDY_ONLY_FIND = "1.2.840.10008.5.1.4.1.2.3.1"
PATIENT_STUDY_ONLY_MOVE = "1.2.840.10008.5.1.4.1.2.3.2"
PATIENT_STUDY_ONLY_GET = "1.2.840.10008.5.1.4.1.2.3.3"

MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
STORAGE_COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
MPPS = "1.2.840.10008.3.1.2.3.3"
MPPS_RETRIEVE = "1.2.840.10008.3.1.2.3.4"

_NAMED_STORAGE_BUT_NOT_STORED = frozenset(
    {
        STORAGE_COMMITMENT_PUSH,
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
        "1.2.840.10008.1.3.10",  # Media Storage Directory: lives on media only, PS3.4 I
    }
)
# PS3.6 keeps two numbers of the storage arc whose names it has withdrawn.
_NAMELESS_STORAGE = frozenset({"1.2.840.10008.5.1.4.1.1.12.77", "1.2.840.10008.5.1.4.1.1.40"})


def _storage_sop_classes() -> frozenset[str]:
    named = {
        uid for uid, facts in UIDS.items() if facts[1] == "SOP Class" and "Storage" in facts[0]
    }
    return frozenset(named - _NAMED_STORAGE_BUT_NOT_STORED | _NAMELESS_STORAGE)


STORAGE_SOP_CLASSES: frozenset[str] = _storage_sop_classes()
"""Every SOP class of PS3.4 B.5 and GG.3, retired ones too: what C-STORE carries."""


def is_storage(uid: str) -> bool:
    """Whether `uid` is a storage SOP class of the standard."""
    return uid in STORAGE_SOP_CLASSES


def is_other_service(uid: str) -> bool:
    """Whether `uid` is registered, and is anything but a storage SOP class.

    A private SOP class is neither this nor `is_storage`: whether to store it is a policy.
    """
    return uid in UIDS and uid not in STORAGE_SOP_CLASSES
