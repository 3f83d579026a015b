"""Keys that the index does not keep, answered from stored instances."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.archive.index import Index
from isocenter.archive.query import HeaderReader, InvalidQuery
from isocenter.archive.query.headers import FIRST_PIECE, LONGEST_HEADER, Place
from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.recoding import neutral_text
from tests.archive.index.entries import an_entry, store, tag
from tests.support.identifiers import element, find_texts, identifier, texts

UID, SOP_UID = tag("StudyInstanceUID"), tag("SOPInstanceUID")
THICKNESS, ADDRESS = tag("SliceThickness"), tag("InstitutionAddress")
REQUESTS, STEP_ID = tag("RequestAttributesSequence"), tag("ScheduledProcedureStepID")
COMMENTS = tag("ImageComments")
LITTLE = EXPLICIT_VR_LITTLE_ENDIAN


def data_set(number: int, *, before: int = 0) -> Elements:
    """A header; `before` bytes of a private element stand in front of most of it."""
    return {
        0x00080005: RawElement("CS", b"ISO_IR 100"),
        ADDRESS: RawElement("ST", "Straße 1".encode("latin-1")),
        0x00091001: RawElement("OB", bytes(before)),
        THICKNESS: RawElement("DS", b"%d.50" % number),
        REQUESTS: RawElement("SQ", [{STEP_ID: RawElement("SH", b"S%d" % number)}]),
        0x7FE00010: RawElement("OW", bytes(100)),
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack that has six data sets, at every thousandth byte."""
    folder = tmp_path_factory.mktemp("packs")
    with (folder / "a.tar").open("wb") as pack:
        for number in range(1, 7):
            pack.seek(number * 1000 + 132)
            pack.write(encode_elements(data_set(number), LITTLE))
    return folder


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Two studies: one of four instances in two series, one of two in one."""
    with Index.open(tmp_path_factory.mktemp("headers") / "index.sqlite") as index:
        where = [("1.1", "1.1.1")] * 2 + [("1.1", "1.1.2")] * 2 + [("1.2", "1.2.1")] * 2
        store(
            index,
            *(
                an_entry(number, study=study, series=series, pack="a.tar", Modality="CT")
                for number, (study, series) in enumerate(where, 1)
            ),
        )
        yield index


def ask(archive: Index, root: Path, level: str, keys: dict[int, Any], **options: Any):
    headers = HeaderReader(root)
    return find_texts(archive, "STUDY", level, keys, headers=headers, relational=True, **options)


def test_an_image_is_answered_from_its_own_header(archive: Index, root: Path) -> None:
    found = ask(archive, root, "IMAGE", {SOP_UID: "", THICKNESS: "", ADDRESS: ""})
    assert {match[SOP_UID]: match[THICKNESS] for match in found} == {
        f"1.2.3.{number}": f"{number}.50" for number in range(1, 7)
    }


@pytest.mark.parametrize(
    ("level", "first"), [("STUDY", [1, 5]), ("SERIES", [1, 3, 5]), ("IMAGE", [1, 2, 3, 4, 5, 6])]
)
def test_the_first_instance_speaks_for_an_entity(
    archive: Index, root: Path, level: str, first: list[int]
) -> None:
    matches = ask(archive, root, level, {THICKNESS: ""})
    assert sorted(match[THICKNESS] for match in matches) == [f"{n}.50" for n in first]


def test_a_patient_is_answered_from_a_header_too(archive: Index, root: Path) -> None:
    found = find_texts(archive, "PATIENT", "PATIENT", {ADDRESS: ""}, headers=HeaderReader(root))
    assert [match[ADDRESS] for match in found] == ["Straße 1"]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({THICKNESS: "3.5"}, [3]),
        ({THICKNESS: "9"}, []),
        ({ADDRESS: "straße*"}, []),
        ({ADDRESS: "Straße*", SOP_UID: "1.2.3.2\\1.2.3.3"}, [2, 3]),
        ({COMMENTS: "x"}, []),
        ({COMMENTS: ""}, [1, 2, 3, 4, 5, 6]),
        ({REQUESTS: [identifier({STEP_ID: "S4"})]}, [4]),
        ({REQUESTS: [identifier({STEP_ID: "S?"})], UID: "1.2"}, [5, 6]),
        ({REQUESTS: [identifier({STEP_ID: ""})], UID: "1.2"}, [5, 6]),
        ({REQUESTS: []}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_headers_are_matched(
    archive: Index, root: Path, keys: dict[int, Any], found: list[int]
) -> None:
    matches = ask(archive, root, "IMAGE", {SOP_UID: "", **keys})
    assert sorted(match[SOP_UID] for match in matches) == [f"1.2.3.{n}" for n in found]
    assert matches.unsupported == frozenset()


def test_a_sequence_is_returned_with_the_attributes_that_were_asked_for(
    archive: Index, root: Path
) -> None:
    study_id = tag("StudyID")
    item = identifier({STEP_ID: "", study_id: ""})
    (match,) = ask(archive, root, "IMAGE", {SOP_UID: "1.2.3.4", REQUESTS: [item]}).matches
    (answered,) = match[REQUESTS].value
    assert texts(answered) == {STEP_ID: "S4", study_id: ""}


def test_absent_attributes_are_answered_without_a_value(archive: Index, root: Path) -> None:
    (match,) = ask(archive, root, "IMAGE", {SOP_UID: "1.2.3.4", COMMENTS: ""})
    assert match == {SOP_UID: "1.2.3.4", COMMENTS: ""}


def test_no_more_headers_are_read_than_allowed(archive: Index, root: Path) -> None:
    matches = ask(archive, root, "IMAGE", {SOP_UID: "", THICKNESS: ""}, header_limit=4)
    assert len(list(matches)) == 4
    assert matches.matches.stopped == "after reading 4 stored headers"
    enough = ask(archive, root, "IMAGE", {SOP_UID: "", THICKNESS: ""}, header_limit=6)
    assert len(list(enough)) == 6
    assert enough.matches.stopped == ""


def test_a_search_that_is_given_up_ends(archive: Index, root: Path) -> None:
    matches = ask(archive, root, "IMAGE", {SOP_UID: "", THICKNESS: ""})
    next(matches)
    matches.matches.give_up()
    assert list(matches) == []


def test_endless_patterns_on_headers_are_refused(archive: Index, root: Path) -> None:
    item = identifier({STEP_ID: "*a" * 600})
    with pytest.raises(InvalidQuery, match="2048 bytes of patterns"):
        ask(archive, root, "IMAGE", {REQUESTS: [item], ADDRESS: "?" * 900})


def test_a_header_key_without_meaning_is_refused_at_once(archive: Index, root: Path) -> None:
    with pytest.raises(InvalidQuery):
        ask(archive, root, "IMAGE", {tag("AcquisitionDate"): "soon"})


def test_queries_by_columns_alone_read_no_header(archive: Index, root: Path) -> None:
    matches = ask(archive, root, "IMAGE", {SOP_UID: ""}, header_limit=1)
    assert len(list(matches)) == 6


@pytest.mark.parametrize("keyword", ["PixelData", "Modality", "NumberOfSeriesRelatedInstances"])
def test_some_keys_stay_unsupported(archive: Index, root: Path, keyword: str) -> None:
    matches = ask(archive, root, "STUDY", {UID: "", tag(keyword): ""})
    assert matches.unsupported == {tag(keyword)}
    assert all(match.keys() == {UID} for match in matches)


def test_private_keys_stay_unsupported(archive: Index, root: Path) -> None:
    assert ask(archive, root, "STUDY", {0x00091001: ""}).unsupported == {0x00091001}


def test_a_pack_that_is_gone_is_logged_and_what_is_missed_is_told(
    archive: Index, tmp_path: Path
) -> None:
    with capture_logs() as logged:
        returned = ask(archive, tmp_path, "STUDY", {UID: "", THICKNESS: ""})
        assert len(list(returned)) == 2
        assert returned.matches.stopped == ""
        matched = ask(archive, tmp_path, "STUDY", {UID: "", THICKNESS: "1"})
        assert list(matched) == []
        assert matched.matches.stopped == "short of 2 unreadable stored headers"
    assert {line["event"] for line in logged} == {"a stored header could not be read"}


# The reader by itself

WANTED = frozenset({ADDRESS, THICKNESS, REQUESTS, COMMENTS})


def read(folder: Path, encoded: bytes, uid: str) -> dict[str, str]:
    (folder / "b.tar").write_bytes(b"x" * 7 + encoded)
    reader = HeaderReader(folder)
    try:
        found = reader.read(Place("b.tar", 7, len(encoded), uid), WANTED)
    finally:
        reader.close()
    step = found.get(REQUESTS, RawElement("SQ", [])).value
    assert isinstance(step, list)
    return {
        "address": neutral_text(found.get(ADDRESS, element(ADDRESS, ""))),
        "thickness": neutral_text(found.get(THICKNESS, element(THICKNESS, ""))),
        "step": neutral_text(step[0][STEP_ID]) if step else "",
    }


WHOLE = {"address": "Straße 1", "thickness": "3.50", "step": "S3"}


@pytest.mark.parametrize("before", [0, FIRST_PIECE - 100, FIRST_PIECE, 20 * FIRST_PIECE])
@pytest.mark.parametrize(
    "syntax", [LITTLE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN], ids=lambda s: s.name
)
def test_headers_of_any_length_and_syntax_are_read(tmp_path: Path, syntax, before: int) -> None:
    encoded = encode_elements(data_set(3, before=before), syntax)
    assert read(tmp_path, encoded, syntax.uid) == WHOLE


def test_a_deflated_header_is_read(tmp_path: Path) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    encoded = deflater.compress(encode_elements(data_set(3), LITTLE)) + deflater.flush()
    assert read(tmp_path, encoded, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid) == WHOLE


def test_nothing_is_sought_behind_the_longest_header(tmp_path: Path) -> None:
    encoded = encode_elements(data_set(3, before=LONGEST_HEADER), LITTLE)
    assert read(tmp_path, encoded, LITTLE.uid) == {**WHOLE, "thickness": "", "step": ""}


@pytest.mark.parametrize("undefined", [b"SQ\0\0\xff\xff\xff\xff", b"UN\0\0\xff\xff\xff\xff"])
def test_sequences_of_undefined_length_are_passed(tmp_path: Path, undefined: bytes) -> None:
    encoded = encode_elements({t: e for t, e in data_set(3).items() if t != 0x00091001}, LITTLE)
    at = encoded.index(b"\x18\0\x50\0")
    item = b"\xfe\xff\0\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0"
    nest = b"\x10\0\x02\x10" + undefined + item + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert read(tmp_path, encoded[:at] + nest + encoded[at:], LITTLE.uid) == WHOLE


def test_a_broken_header_is_an_empty_one(tmp_path: Path) -> None:
    broken = b"\x08\0\x05\0SQ\0\0\xff\xff\xff\xff" + b"junk" * 8
    with capture_logs() as logged:
        assert not any(read(tmp_path, broken, LITTLE.uid).values())
    assert len(logged) == 1
