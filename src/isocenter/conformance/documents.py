"""Capabilities as files: written for people who keep them, read within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isocenter.conformance.capabilities import FORMAT, VERSION, Capabilities
from isocenter.conformance.errors import UnusableDescription

LARGEST = 32 * 1024 * 1024
"""Bytes of a document; a full statement of ours has a twentieth of it."""


def to_json(capabilities: Capabilities) -> str:
    """The document; what has its default is left out."""
    told = {"format": FORMAT, "version": VERSION}
    told |= capabilities.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str | bytes, where: str = "the document") -> Capabilities:
    """The capabilities in a document. Raises UnusableDescription.

    `where` is what a person calls it.
    """
    if len(text) > LARGEST:
        raise UnusableDescription(f"{where} is larger than {LARGEST} bytes.")
    document = parse_json(text, where)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UnusableDescription(
            f"{where} is no description of a node: it has to be JSON of the format {FORMAT!r}, as "
            "isocenter conformance statement, probe and import write it."
        )
    if document.get("version") != VERSION:
        raise UnusableDescription(
            f"{where} is of another version of the format than {VERSION}; make it anew."
        )
    try:
        return Capabilities.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))[:200] or "the whole"
        raise UnusableDescription(
            f"{where} is not in order at {place}: {first['msg'].lower()}."
        ) from None


def parse_json(text: str | bytes, where: str) -> Any:
    """JSON, without the numbers that are none. Raises UnusableDescription.

    The reader's own limit of recursion bounds its depth, the models what may stand in it.
    """
    try:
        as_text = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(as_text, parse_constant=_refuse_constant)
    except RecursionError:
        raise UnusableDescription(f"{where} is nested too deeply to describe a node.") from None
    except ValueError:
        raise UnusableDescription(f"{where} is no JSON in UTF-8.") from None


def read_bounded(path: Path, limit: int = LARGEST) -> bytes:
    """The bytes of a file. Raises UnusableDescription for too many, and OSError."""
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise UnusableDescription(f"{path} is larger than {limit} bytes.")
    return data


def read_file(path: Path) -> Capabilities:
    """The capabilities in a file. Raises UnusableDescription, and OSError."""
    return from_json(read_bounded(path), str(path))


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
