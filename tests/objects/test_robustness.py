"""Whatever the bytes are, the validator answers: mutated files of many makers, by hypothesis."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES
from isocenter.encoding.limits import ScanLimits
from isocenter.objects.findings import CHECKS
from isocenter.objects.validator import InstanceReport, validate_data_set, validate_file
from tests.support.corpus import storable_files

LIMITS = ScanLimits(max_elements=20_000, max_inflated=4 << 20, max_depth=32)


@cache
def seeds() -> list[bytes]:
    """The smaller files of pydicom's corpus: their headers, and a little of their pixels."""
    return [file.path.read_bytes()[:20_000] for file in storable_files()][::3]


def is_sound(report: InstanceReport) -> None:
    for finding in report.findings:
        assert finding.check in CHECKS
        assert finding.text.endswith(".")
        assert finding.reference


@given(st.data())
def test_mutated_files_are_judged_and_never_raise(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(seeds())))
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=8))
        kind = data.draw(st.sampled_from(["replace", "insert", "delete", "cut"]))
        if kind == "replace":
            content[place : place + len(piece)] = piece
        elif kind == "insert":
            content[place:place] = piece
        elif kind == "delete":
            del content[place : place + len(piece)]
        elif place > 200:
            del content[place:]
    is_sound(validate_file(bytes(content), limits=LIMITS))


@given(st.binary(max_size=400), st.sampled_from(sorted(TRANSFER_SYNTAXES)))
def test_any_bytes_at_all_are_judged(content: bytes, syntax: str) -> None:
    is_sound(validate_file(content, limits=LIMITS))
    is_sound(validate_file(bytes(128) + b"DICM" + content, limits=LIMITS))
    is_sound(validate_data_set(content, TRANSFER_SYNTAXES[syntax], limits=LIMITS))


@pytest.mark.parametrize("file", storable_files(), ids=lambda file: file.name)
def test_every_file_of_the_corpus_is_judged(file) -> None:
    report = validate_file(file.path.read_bytes(), file.name)
    is_sound(report)
    assert report.sop_class_uid == file.sop_class_uid
