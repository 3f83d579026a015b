"""Worklist items as files: DICOM JSON, and data sets with or without File Meta Information.

The latter are what DCMTK's wlmscpfs keeps as `.wl` and what dump2dcm writes.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.dicom_json import from_json, parse_json
from isocenter.encoding.elements import Elements, decode_elements
from isocenter.encoding.errors import EncodingError, MalformedDataSet, NotPart10
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.part10 import read_file_meta
from isocenter.encoding.recoding import neutral_elements

LARGEST_FILE = 16 * 1024 * 1024  # bytes; a JSON array may hold a whole day of a hospital
MOST_DATA_SETS = 10_000

FILE_NAMES = ("*.wl", "*.json", "*.dcm")
"""What is looked at in a folder."""

_LIMITS = ScanLimits(max_elements=2_000_000, max_inflated_header=LARGEST_FILE)


class WorklistFileUnusable(EncodingError):
    """A file that holds no data sets."""


def worklist_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are named, and those of the folders that are named, in a stable order."""
    for path in paths:
        if path.is_dir():
            yield from sorted({found for name in FILE_NAMES for found in path.rglob(name)})
        else:
            yield path


def read_worklist_file(path: Path) -> list[Elements]:
    """The neutral data sets of a file.

    Raises OSError, and EncodingError where the content is none of the forms above.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would wait for its writer
        raise WorklistFileUnusable("This is no regular file")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise WorklistFileUnusable(f"The file is larger than {LARGEST_FILE // 2**20} MiB")
    return read_data_sets(content)


def read_data_sets(content: bytes) -> list[Elements]:
    """The neutral data sets of a file's content. Raises EncodingError."""
    if content.lstrip()[:1] in (b"{", b"["):
        model = parse_json(content)
        models = model if isinstance(model, list) else [model]
        if len(models) > MOST_DATA_SETS:
            raise WorklistFileUnusable(f"The file has more than {MOST_DATA_SETS:,} data sets")
        return [from_json(each) for each in models]
    return [_data_set(content)]


def _data_set(content: bytes) -> Elements:
    body, syntax = _body(content)
    if syntax.encapsulated:
        raise WorklistFileUnusable("The file is compressed image data, which no worklist item is")
    elements = neutral_elements(decode_elements(body, syntax, _LIMITS), syntax)
    data_set = {tag: element for tag, element in elements.items() if tag >> 16 >= 0x0008}
    if not data_set:
        raise WorklistFileUnusable("The file holds no data set")
    return data_set


def _body(content: bytes) -> tuple[bytes, TransferSyntax]:
    """The bytes of the data set and how to read them."""
    try:
        meta, offset = read_file_meta(content)
    except NotPart10:
        return content, EXPLICIT_VR_LITTLE_ENDIAN  # or implicit VR, which the decoder notices
    syntax = transfer_syntax(meta.transfer_syntax_uid)
    if not syntax.deflated:
        return content[offset:], syntax
    inflated = inflate_header(content, _LIMITS, start=offset)
    if len(inflated) >= LARGEST_FILE:
        raise MalformedDataSet("The data set inflates to more than a worklist item may have")
    return inflated, EXPLICIT_VR_LITTLE_ENDIAN
