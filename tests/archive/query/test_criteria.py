import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.query import InvalidQuery
from isocenter.archive.query.criteria import AnyOf, Between, Criterion, parse_key
from tests.archive.index.entries import tag

DATE, TIME, UID, NUMBER = "StudyDate", "StudyTime", "StudyInstanceUID", "InstanceNumber"


@pytest.mark.parametrize(
    ("vr", "text", "criterion"),
    [
        ("LO", "", None),
        ("LO", "  ", None),
        ("LO", "*", None),
        ("UI", "*", None),
        ("DA", "*", None),
        ("LO", "A\\*", None),
        ("LO", " CHEST ", AnyOf(("CHEST",))),
        ("LO", "CH*T", AnyOf((), ("CH*T",))),
        ("LO", "CH***T?", AnyOf((), ("CH*T?",))),
        ("CS", "CT\\M*", AnyOf(("CT",), ("M*",))),
        ("LO", "X" * 129, AnyOf((), ())),
        ("LO", "X" * 64_000 + "*", AnyOf((), ())),
        ("UI", "1.2\\1.3\0", AnyOf(("1.2", "1.3"))),
        ("IS", "7", AnyOf((7,))),
        ("DA", "20240131", AnyOf((20240131,))),
        ("DA", "20240101-20240131", Between(20240101, 20240131)),
        ("DA", "2024.01.01-", Between(20240101, None)),
        ("DA", "-20240131", Between(None, 20240131)),
        ("DA", "-", None),
        ("TM", "10", AnyOf(("100000",))),
        ("TM", "1000-1015", Between("100000", "101559.999999")),
        ("TM", "10-10", Between("100000", "105959.999999")),
        ("TM", "-101530", Between(None, "101530.999999")),
        ("TM", "10:15-10:15:30.5", Between("101500", "101530.5")),
    ],
)
def test_a_key_asks_for(vr: str, text: str, criterion: Criterion | None) -> None:
    assert parse_key(tag("PatientID"), vr, text) == criterion


@pytest.mark.parametrize(
    ("keyword", "vr", "text"),
    [
        (UID, "UI", "1.2.*"),
        (UID, "UI", "1.2.?"),
        (DATE, "DA", "2024"),
        (DATE, "DA", "yesterday"),
        (DATE, "DA", "20240101-20240131-20240201"),
        (DATE, "DA", "2024*"),
        (TIME, "TM", "25"),
        (NUMBER, "IS", "1.5"),
        (NUMBER, "IS", "9" * 60_000),
        ("StudyDescription", "LO", "\\".join(["A*"] * 101)),
        ("PatientName", "PN", "\\".join(["DOE^JOHN"] * 101)),
    ],
)
def test_a_key_without_meaning_is_refused_by_name(keyword: str, vr: str, text: str) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        parse_key(tag(keyword), vr, text)
    assert refusal.value.offending_tag == tag(keyword)
    message = str(refusal.value)
    assert f"{tag(keyword) >> 16:04X},{tag(keyword) & 0xFFFF:04X}" in message
    assert len(message) < 200  # the value, which may be a patient's, is not in it


@given(st.sampled_from(["LO", "PN", "UI", "DA", "TM", "IS", "US", "CS"]), st.text(max_size=60))
def test_any_text_is_understood_or_refused(vr: str, text: str) -> None:
    with contextlib.suppress(InvalidQuery):
        parse_key(tag("PatientID"), vr, text)
