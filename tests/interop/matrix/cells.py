"""The interoperability matrix: peers, services, directions, and what a peer lacks.

A cell is one service between Isocenter and one peer in one direction. It is either proven, by the
tests that carry its marker, or it stands in `LACKING` with the reason. It cannot be both, and it
cannot be neither: `test_document.py` sees to that.
"""

from enum import Enum
from typing import NamedTuple

import pytest

PEERS = ("DCMTK", "GDCM", "pynetdicom", "dcmjs-dimse", "Orthanc")

SERVICES = (
    "Verification",
    "Storage",
    "Query (C-FIND)",
    "Retrieve (C-MOVE)",
    "Retrieve (C-GET)",
    "Cancel (C-CANCEL)",
    "Role selection",
    "Storage Commitment",
    "Modality Worklist",
    "MPPS",
)
(
    VERIFICATION,
    STORAGE,
    FIND,
    MOVE,
    GET,
    CANCEL,
    ROLES,
    COMMITMENT,
    WORKLIST,
    MPPS,
) = SERVICES


class Direction(Enum):
    """Who asks whom."""

    ASKS = "A peer asks Isocenter"
    ANSWERS = "Isocenter asks a peer"


class Cell(NamedTuple):
    """One service between Isocenter and one peer, in one direction."""

    direction: Direction
    service: str
    peer: str


def asks(peer: str, *services: str, by: str) -> pytest.MarkDecorator:
    """Marks a test in which `peer`, with its program `by`, uses services of Isocenter."""
    return _marker(Direction.ASKS, services, peer, by)


def answers(peer: str, *services: str, by: str) -> pytest.MarkDecorator:
    """Marks a test in which Isocenter uses services of `peer`, whose program is `by`."""
    return _marker(Direction.ANSWERS, services, peer, by)


def _marker(
    direction: Direction, services: tuple[str, ...], peer: str, by: str
) -> pytest.MarkDecorator:
    cells = tuple(Cell(direction, service, peer) for service in services)
    for cell in cells:
        if cell not in ALL_CELLS:
            raise ValueError(f"there is no cell {cell}")
        if cell in LACKING:
            raise ValueError(f"{cell} has a test, yet the peer is said to lack it: {LACKING[cell]}")
    return pytest.mark.cell(*cells, by=by)


ALL_CELLS = tuple(
    Cell(direction, service, peer)
    for direction in Direction
    for service in SERVICES
    for peer in PEERS
)

_GDCM_IS_A_CLIENT = (
    "GDCM's only network program is the client `gdcmscu`; it answers nothing but the C-STORE "
    "requests of its own C-MOVE."
)

# Who lacks what, and why; each reason is about the peer's released programs, not about a failure.
_REASONS: tuple[tuple[Direction, str, tuple[str, ...], str], ...] = (
    (
        Direction.ASKS,
        "DCMTK",
        (COMMITMENT, MPPS),
        "DCMTK has neither a program for Storage Commitment nor one for MPPS.",
    ),
    (
        Direction.ANSWERS,
        "DCMTK",
        (COMMITMENT, MPPS),
        "DCMTK has neither a program for Storage Commitment nor one for MPPS.",
    ),
    (
        Direction.ASKS,
        "GDCM",
        (GET, ROLES),
        "`gdcmscu --get` is an option without an implementation, and nothing else in GDCM "
        "negotiates roles.",
    ),
    (
        Direction.ASKS,
        "GDCM",
        (WORKLIST,),
        "`gdcmscu --find --worklist` of release 3.0.21 sends a Study Root query all the same.",
    ),
    (Direction.ASKS, "GDCM", (CANCEL,), "`gdcmscu` never sends C-CANCEL."),
    (
        Direction.ASKS,
        "GDCM",
        (COMMITMENT, MPPS),
        "GDCM has neither a program for Storage Commitment nor one for MPPS.",
    ),
    (
        Direction.ANSWERS,
        "GDCM",
        (VERIFICATION, FIND, MOVE, GET, CANCEL, ROLES, COMMITMENT, WORKLIST, MPPS),
        _GDCM_IS_A_CLIENT,
    ),
    (
        Direction.ASKS,
        "Orthanc",
        (GET, ROLES),
        "Orthanc uses C-GET, and with it roles, from release 1.12.6 on; Debian 12 has 1.10.1.",
    ),
    (
        Direction.ASKS,
        "Orthanc",
        (CANCEL,),
        "Orthanc as a user reads a query to its end and never sends C-CANCEL.",
    ),
    (Direction.ASKS, "Orthanc", (MPPS,), "Orthanc does not know MPPS."),
    (Direction.ANSWERS, "Orthanc", (MPPS,), "Orthanc does not know MPPS."),
)

LACKING: dict[Cell, str] = {
    Cell(direction, service, peer): reason
    for direction, peer, services, reason in _REASONS
    for service in services
}
