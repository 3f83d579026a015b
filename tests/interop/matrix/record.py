"""The record of the last runs, which the conformance statement reads: what passed, and when.

A test that fails, or does not run, takes nothing away: the statement tells when it last passed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from isocenter.conformance.facts import Proof
from isocenter.conformance.statement.proofs import read_proofs, write_proofs
from isocenter.services.service_names import ServiceName
from tests.interop.matrix.cells import (
    CANCEL,
    COMMITMENT,
    FIND,
    GET,
    MOVE,
    MPPS,
    ROLES,
    STORAGE,
    VERIFICATION,
    WORKLIST,
    Cell,
    Direction,
)

SERVICE_OF: dict[str, ServiceName] = {
    VERIFICATION: "echo",
    STORAGE: "store",
    FIND: "find",
    MOVE: "move",
    GET: "get",
    CANCEL: "find",
    ROLES: "get",
    COMMITMENT: "commitment",
    WORKLIST: "worklist",
    MPPS: "mpps",
}
"""The service of each row; a cancel is tried on a query, roles are for C-GET."""


class Kind(NamedTuple):
    """What a proof is about."""

    service: ServiceName
    role: str
    peer: str


def kind_of(cell: Cell) -> Kind:
    """Who is asked is the SCP."""
    role = "SCP" if cell.direction is Direction.ASKS else "SCU"
    return Kind(SERVICE_OF[cell.service], role, cell.peer)


def update(
    path: Path,
    programs: Mapping[Cell, set[str]],
    tests: Mapping[Cell, set[str]],
    troubled: Iterable[Cell],
    versions: Mapping[str, str],
    today: str,
) -> None:
    """Write into the record whatever passed in this run, and leave the rest as it was."""
    before = read_proofs(path.read_text(encoding="utf-8")) if path.exists() else ()
    record = {(one.service, one.role, one.peer): one for one in before}
    failed = {kind_of(cell) for cell in troubled}
    passed: dict[Kind, tuple[set[str], set[str]]] = {}
    for cell, names in programs.items():
        kind = kind_of(cell)
        if kind not in failed:
            used, seen = passed.setdefault(kind, (set(), set()))
            used |= names
            seen |= tests[cell]
    for kind, (used, seen) in passed.items():
        record[kind] = Proof(
            service=kind.service,
            role="SCP" if kind.role == "SCP" else "SCU",
            peer=kind.peer,
            program=", ".join(sorted(used)),
            peer_version=versions.get(kind.peer, ""),
            tests=tuple(sorted(seen)),
            passed_on=today,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_proofs(tuple(record[key] for key in sorted(record))), encoding="utf-8")
