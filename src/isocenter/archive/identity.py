"""Who an instance is: the UIDs that place it, read from its own data set."""

from collections.abc import Mapping
from typing import NamedTuple

from isocenter.archive.outcome import Disposition
from isocenter.archive.receiving import Announcement
from isocenter.dictionary.uids import is_valid_uid
from isocenter.errors import IsocenterError

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E

_PLACING = (
    (SOP_INSTANCE_UID, "SOP Instance UID"),
    (STUDY_INSTANCE_UID, "Study Instance UID"),
    (SERIES_INSTANCE_UID, "Series Instance UID"),
)


class Refusal(IsocenterError):
    """The archive will not keep an instance; carries the disposition to report."""

    def __init__(self, disposition: Disposition, reason: str) -> None:
        super().__init__(reason)
        self.disposition = disposition
        self.reason = reason


class Identity(NamedTuple):
    """The UIDs of an instance, valid by PS3.5 9.1, and the date that places its study."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    study_date: str


def is_placed(header: Mapping[int, bytes]) -> bool:
    """Whether `header` already holds every UID that is needed to place the instance."""
    return all(tag in header for tag, _ in _PLACING)


def identify(header: Mapping[int, bytes], announcement: Announcement) -> Identity:
    """Return the identity that a data set's header gives, held against what was announced.

    Raises Refusal when a UID is missing or invalid, or when the data set is another instance
    than the announced one (PS3.4 B.2.3, status A900).
    """
    uids = []
    for tag, name in _PLACING:
        uid = _text(header.get(tag, b""))
        if not uid:
            raise Refusal(Disposition.MISMATCH, f"The data set has no {name}.")
        if not is_valid_uid(uid):
            raise Refusal(Disposition.INVALID_UID, f"The data set's {name} is not a valid UID.")
        uids.append(uid)
    sop_instance_uid, study_instance_uid, series_instance_uid = uids
    if sop_instance_uid != announcement.sop_instance_uid:
        raise Refusal(
            Disposition.MISMATCH,
            "The data set's SOP Instance UID is not the one that was announced for it.",
        )
    sop_class_uid = _text(header.get(SOP_CLASS_UID, b"")) or announcement.sop_class_uid
    if not is_valid_uid(sop_class_uid):
        raise Refusal(Disposition.INVALID_UID, "The data set's SOP Class UID is not a valid UID.")
    return Identity(
        sop_class_uid,
        sop_instance_uid,
        study_instance_uid,
        series_instance_uid,
        _text(header.get(STUDY_DATE, b"")),
    )


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")
