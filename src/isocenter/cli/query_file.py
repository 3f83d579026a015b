"""A file as the identifier of a query: DICOM (with File Meta Information or without) or DICOM JSON.

`findscu` and its relatives take a DICOM file; JSON is what `isocenter find --json` prints and what
people can edit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
from isocenter.encoding.elements import Elements, decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import read_file_meta

LARGEST = 4 * 1024 * 1024  # bytes; ten thousand UIDs have 650 kB

_PREFIX_AT = slice(128, 132)


def read_query_file(path: Path) -> Elements:
    """The data set in the file, without group 0002.

    Raises CommandFailed: UNREADABLE_INPUT or INVALID_INPUT.
    """
    content = _content(path)
    if not content:
        raise CommandFailed(f"{path} is empty.", exit_codes.INVALID_INPUT)
    try:
        elements = _from_json(content) if content.lstrip()[:1] in (b"{", b"[") else _dicom(content)
    except (EncodingError, ValueError) as error:
        raise CommandFailed(
            f"{path} is no query: {str(error).rstrip('.')}; "
            "name a DICOM file, or one data set in the DICOM JSON Model.",
            exit_codes.INVALID_INPUT,
        ) from error
    return {tag: element for tag, element in elements.items() if tag >> 16 >= 0x0008}


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}", exit_codes.UNREADABLE_INPUT) from error
    if len(content) > LARGEST:
        raise CommandFailed(
            f"{path} is larger than {LARGEST >> 20} MiB, which no query is; "
            "name a file that holds the keys alone.",
            exit_codes.INVALID_INPUT,
        )
    return content


def _dicom(content: bytes) -> Elements:
    """Raises EncodingError."""
    if content[_PREFIX_AT] != b"DICM":
        return decode_elements(content, EXPLICIT_VR_LITTLE_ENDIAN)
    meta, offset = read_file_meta(content)
    syntax = transfer_syntax(meta.transfer_syntax_uid)
    if syntax.deflated or not syntax.little_endian:
        raise EncodingError(f"it is in {syntax.name}, where a little endian syntax is needed")
    return decode_elements(memoryview(content)[offset:], syntax)


def _from_json(content: bytes) -> Elements:
    """Raises EncodingError or ValueError."""
    from pydicom import Dataset

    from isocenter.services.data_sets import from_dataset, quiet_pydicom

    try:
        model: Any = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(model, list) and len(model) == 1:
        (model,) = model
    if not isinstance(model, dict):
        raise ValueError("it holds something else than one JSON object")
    # The text is Unicode here, so what character set it had says nothing (PS3.18 F.2.1).
    model.pop("00080005", None)
    with quiet_pydicom():
        try:
            data_set = Dataset.from_json(model)
        except Exception as error:  # pydicom raises whatever its converters happen to raise
            raise ValueError(f"it is not in the DICOM JSON Model ({error})") from error
        return from_dataset(data_set)
