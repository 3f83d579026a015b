"""Records that no archive wrote: read, or named as the damage that they are."""

import os
import tempfile

import pytest

from isocenter.archive.records import read_entry, walk_records
from isocenter.archive.tar import BLOCK, encode_header
from isocenter.encoding.errors import NotPart10


def test_an_empty_record_at_the_end_of_a_page_is_no_dicom_file():
    """Nothing can be mapped there, which must not end a recovery."""
    page = os.sysconf("SC_PAGE_SIZE")
    filler = page - 2 * BLOCK
    header, empty = (
        encode_header("1.2", f"1.2.{size}", size, 1, 1_700_000_000) for size in (filler, 0)
    )
    with tempfile.TemporaryFile() as pack:
        pack.write(header + bytes(filler) + empty)
        pack.flush()
        first, last = walk_records(pack.fileno())
        assert last.offset == page
        for record in (first, last):
            with pytest.raises(NotPart10):
                read_entry(pack.fileno(), "pack.tar", record)
