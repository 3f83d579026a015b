"""The text of `docs/interop.md`: the matrix as tables, the gaps with their reasons, the notes."""

from collections.abc import Mapping

from tests.interop.matrix.cells import LACKING, PEERS, SERVICES, Cell, Direction

VERSIONS_HEADING = "## Versions of the last run"

_INTRODUCTION = """\
# Interoperability

`make interop` wrote this page: it runs other people's programs against Isocenter, and Isocenter
against theirs. A cell says *yes*, and with which of the peer's programs, if every test of it has
passed; a dash is explained below the tables. The same tests are part of `make test`; under
`CI=true` a program that is missing is a failure.
"""

_NOTES = """\
## Further proofs

All of pydicom's own test files that are storable instances (168, from many makers, in every
transfer syntax) go in through `dcmsend`, `storescu` and `isocenter import` and come back out of the
packs byte for byte; `tests/interop/test_pydicom_corpus.py` lists the few that cannot, each with its
reason.

## Seen in peers

* Debian's `gdcmscu` 3.0.21 aborts itself after the release with every peer, so its tests judge by
  effect.
* As a receiver it reads every object in the transfer syntax of the last presentation context that
  it accepted; Isocenter proposes what it will most likely use last.
* DCMTK reads a UID whose VR is UN as no UID and announces another one.
* DCMTK 3.6.7 stops answering when a presentation context lists more than 50 transfer syntaxes; the
  probe proposes 32 at most. With a certificate over an elliptic curve it takes no TLS 1.2.
* Orthanc 1.10.1 accepts presentation contexts for deflated objects and never answers their C-STORE.
* dcmjs-dimse decodes and encodes anew what it stores, and Orthanc what it sends: their objects are
  compared by their pixels and identifying elements, not byte by byte.
* dcmjs-dimse encodes an empty number as 0, so that its worklist queries ask for a Pregnancy Status
  of 0, which does not exist; Isocenter takes it as the universal match that was meant.
* A peer that sends C-CANCEL late may get its last response first; both ends of the race are right.
"""


def render(
    programs: Mapping[Cell, set[str]], troubled: Mapping[Cell, str], versions: Mapping[str, str]
) -> str:
    """The whole page.

    `programs` are those that the tests of a cell use; `troubled` says of a cell whose tests did not
    all pass what became of them.
    """
    parts = [_INTRODUCTION]
    for direction in Direction:
        parts.append(f"## {direction.value}\n\n" + _table(direction, programs, troubled))
    parts += [_gaps(), _NOTES, _versions(versions)]
    return "\n".join(parts)


def without_versions(page: str) -> str:
    """The page without what differs from machine to machine."""
    return page.partition(VERSIONS_HEADING)[0]


def _table(
    direction: Direction, programs: Mapping[Cell, set[str]], troubled: Mapping[Cell, str]
) -> str:
    rows = [("", *PEERS), ("---",) * (len(PEERS) + 1)]
    for service in SERVICES:
        cells = (Cell(direction, service, peer) for peer in PEERS)
        rows.append((service, *(_said(cell, programs, troubled) for cell in cells)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _said(cell: Cell, programs: Mapping[Cell, set[str]], troubled: Mapping[Cell, str]) -> str:
    if cell in LACKING:
        return "–"
    if cell in troubled:
        return f"**{troubled[cell]}**"
    if cell not in programs:
        return "**no test**"
    return "yes: " + ", ".join(f"`{program}`" for program in sorted(programs[cell]))


def _gaps() -> str:
    """Every dash with its reason; one row for the cells that share one."""
    shared: dict[str, list[Cell]] = {}
    for cell, reason in LACKING.items():
        shared.setdefault(reason, []).append(cell)
    lines = ["## Why there is a dash\n", "| | peer | service | reason |", "|---|---|---|---|"]
    for reason, cells in shared.items():
        lines.append(
            f"| {_listed(cell.direction.value for cell in cells)} "
            f"| {_listed(cell.peer for cell in cells)} "
            f"| {_listed(cell.service for cell in cells)} | {reason} |"
        )
    return "\n".join(lines) + "\n"


def _listed(words) -> str:
    return ", ".join(dict.fromkeys(words))


def _versions(versions: Mapping[str, str]) -> str:
    rows = "".join(f"| {peer} | {version} |\n" for peer, version in versions.items())
    return f"{VERSIONS_HEADING}\n\n| program | version |\n|---|---|\n{rows}"
