"""The interoperability tests that prove each service, as the last run of them left it on record.

`make interop` writes `data/proofs.json`; without a record nothing is proven, and the statement
says so.
"""

from __future__ import annotations

import json
from importlib.resources import files

from pydantic import TypeAdapter, ValidationError

from isocenter.conformance.errors import UnusableDescription
from isocenter.conformance.facts import Proof

RECORD = "data/proofs.json"

_PROOFS = TypeAdapter(tuple[Proof, ...])


def recorded_proofs() -> tuple[Proof, ...]:
    """What is on record; nothing where there is no record. Raises UnusableDescription."""
    record = files("isocenter.conformance").joinpath(RECORD)
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    return read_proofs(text)


def read_proofs(text: str) -> tuple[Proof, ...]:
    """The proofs in the text of a record. Raises UnusableDescription."""
    try:
        return _PROOFS.validate_json(text)
    except ValidationError:
        raise UnusableDescription(
            f"The record of interoperability tests ({RECORD}) is damaged; make interop writes it."
        ) from None


def write_proofs(proofs: tuple[Proof, ...]) -> str:
    """The text of a record."""
    return json.dumps([one.model_dump() for one in proofs], indent=1, ensure_ascii=False) + "\n"
