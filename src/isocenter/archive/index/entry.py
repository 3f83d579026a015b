"""What goes into the index and what comes out of it."""

from enum import Enum
from typing import NamedTuple


class IndexEntry(NamedTuple):
    """One stored instance, with its header values exactly as the scanner found them.

    A plain tuple of plain values, so that it crosses a pipe between processes cheaply.

    `pack` is a path relative to the pack root; `offset` and `length` bound the whole Part 10
    file inside the pack; `dataset_offset` counts from `offset`; `digest` is the unsigned
    xxh3-64 of the data set's bytes; `received_at` is in Unix seconds.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    pack: str
    offset: int
    length: int
    dataset_offset: int
    digest: int
    received_at: int
    source_ae: str
    header: dict[int, bytes]


class Location(NamedTuple):
    """Where an instance's bytes lie; the fields mean what they mean in `IndexEntry`."""

    pack: str
    offset: int
    length: int
    dataset_offset: int
    digest: int
    transfer_syntax_uid: str
    sop_class_uid: str


class Outcome(Enum):
    """What the index made of an entry. The row of a known instance is never changed."""

    STORED = "the index points to this record, or already did"
    DUPLICATE = "known, with the same digest, at another place"
    CONFLICT = "known, with another digest"
    FAILED = "the index could not take it: a defect that the log describes"


class QuarantineEntry(NamedTuple):
    """An object that was kept aside, at `path`, because of `reason`."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    path: str
    length: int
    digest: int
    received_at: int
    source_ae: str
    reason: str


class Statistics(NamedTuple):
    """How much the index holds. `sealed_bytes` sums the sealed packs."""

    patients: int
    studies: int
    series: int
    instances: int
    packs: int
    unsealed_packs: int
    sealed_bytes: int
    quarantined: int
