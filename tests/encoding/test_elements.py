"""Small data sets in memory: identifiers of queries."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.elements import (
    Elements,
    RawElement,
    decode_elements,
    encode_elements,
    encode_item,
)
from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    TruncatedDataSet,
)
from isocenter.encoding.limits import ScanLimits
from tests.encoding.synthetic import UNDEFINED, element, item, undefined_sequence

SYNTAXES = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]


@pytest.fixture(params=SYNTAXES, ids=lambda syntax: syntax.name)
def syntax(request: pytest.FixtureRequest) -> TransferSyntax:
    chosen: TransferSyntax = request.param
    return chosen


def identifier() -> Elements:
    step: Elements = {
        0x00400001: RawElement("AE", b"CT1 "),
        0x00400002: RawElement("DA", b"20240101"),
    }
    return {
        0x00080052: RawElement("CS", b"STUDY "),
        0x00100010: RawElement("PN", b"Doe^*"),
        0x0020000D: RawElement("UI", b"1.2.3"),
        0x00081110: RawElement("SQ", []),
        0x00400100: RawElement("SQ", [step, {}, {0x00400100: RawElement("SQ", [step])}]),
    }


def by_pydicom(data: bytes, syntax: TransferSyntax) -> Dataset:
    return read_dataset(BytesIO(data), syntax.implicit_vr, syntax.little_endian)


def test_elements_survive_the_round_trip_with_even_lengths(syntax: TransferSyntax) -> None:
    decoded = decode_elements(encode_elements(identifier(), syntax), syntax)
    expected = identifier()
    expected[0x00100010] = RawElement("PN", b"Doe^* ")
    expected[0x0020000D] = RawElement("UI", b"1.2.3\0")
    assert decoded == expected
    assert list(decoded) == sorted(expected)


def test_pydicom_reads_what_was_encoded(syntax: TransferSyntax) -> None:
    theirs = by_pydicom(encode_elements(identifier(), syntax), syntax)
    assert theirs.PatientName == "Doe^*"
    assert theirs.StudyInstanceUID == "1.2.3"
    assert theirs.QueryRetrieveLevel == "STUDY"
    steps = theirs.ScheduledProcedureStepSequence
    assert len(steps) == 3
    assert steps[2].ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"
    assert len(theirs.ReferencedStudySequence) == 0


@pytest.mark.parametrize("undefined", [False, True])
def test_what_pydicom_wrote_is_decoded(syntax: TransferSyntax, undefined: bool) -> None:
    step = Dataset()
    step.Modality = "CT"
    step.is_undefined_length_sequence_item = undefined
    theirs = Dataset()
    theirs.PatientID = "42"
    theirs.NumberOfStudyRelatedInstances = 7
    theirs.Rows = 512
    theirs.ScheduledProcedureStepSequence = Sequence([step])
    theirs["ScheduledProcedureStepSequence"].is_undefined_length = undefined
    written = DicomBytesIO()
    written.is_implicit_VR = syntax.implicit_vr
    written.is_little_endian = syntax.little_endian
    write_dataset(written, theirs)
    assert decode_elements(written.getvalue(), syntax) == {
        0x00100020: RawElement("LO", b"42"),
        0x00201208: RawElement("IS", b"7 "),
        0x00280010: RawElement(
            "US", (512).to_bytes(2, "little" if syntax.little_endian else "big")
        ),
        0x00400100: RawElement("SQ", [{0x00080060: RawElement("CS", b"CT")}]),
    }


def test_private_and_repeating_elements_get_a_vr_in_implicit_form() -> None:
    data = b"".join(
        element(tag, "", b"ab", implicit=True)
        for tag in (0x00090010, 0x00091001, 0x00100000, 0x00280106, 0x60020010, 0x7FE00010)
    )
    decoded = decode_elements(data, IMPLICIT_VR_LITTLE_ENDIAN)
    assert [entry.vr for entry in decoded.values()] == ["LO", "UN", "UL", "US", "US", "OW"]


def test_a_private_sequence_of_undefined_length_is_a_sequence_in_implicit_form() -> None:
    inner = element(0x00100020, "", b"42", implicit=True)
    data = undefined_sequence(0x00091001, [item(inner, undefined=True)], implicit=True)
    decoded = decode_elements(data, IMPLICIT_VR_LITTLE_ENDIAN)
    assert decoded == {0x00091001: RawElement("SQ", [{0x00100020: RawElement("LO", b"42")}])}


def test_unknown_of_undefined_length_is_a_sequence_in_implicit_form() -> None:
    inner = element(0x00100020, "", b"42", implicit=True)
    data = undefined_sequence(0x00091001, [item(inner)], vr="UN")
    decoded = decode_elements(data, EXPLICIT_VR_LITTLE_ENDIAN)
    assert decoded == {0x00091001: RawElement("SQ", [{0x00100020: RawElement("LO", b"42")}])}


def test_a_body_with_the_other_kind_of_vr_is_read_as_what_it_is() -> None:
    elements = {0x00100020: RawElement("LO", b"42")}
    for stated, real in ((SYNTAXES[0], SYNTAXES[1]), (SYNTAXES[1], SYNTAXES[0])):
        assert decode_elements(encode_elements(elements, real), stated) == elements


def test_an_empty_identifier_is_a_data_set(syntax: TransferSyntax) -> None:
    assert decode_elements(b"", syntax) == {}
    assert encode_elements({}, syntax) == b""


def test_a_cut_data_set_never_decodes_to_a_different_one(syntax: TransferSyntax) -> None:
    data = encode_elements(identifier(), syntax)
    whole = decode_elements(data, syntax)
    for cut in range(len(data)):
        try:
            part = decode_elements(data[:cut], syntax)
        except (TruncatedDataSet, MalformedDataSet):
            continue
        assert part.items() <= whole.items()


@pytest.mark.parametrize(
    "data",
    [
        element(0x00400100, "SQ", element(0x00100020, "LO", b"42")),
        element(0x00400100, "SQ", item(b"") + b"\0\0\0\0\0\0\0\0"),
        element(0x00400100, "SQ", element(0xFFFEE000, "", b"", length=99, implicit=True))
        + bytes(200),
        undefined_sequence(0x7FE00010, [item(b"ab")], vr="OB"),
        element(0x00104000, "UT", length=UNDEFINED),
        item(b"") + element(0x00100020, "LO", b"42"),
        element(0x00400100, "SQ", item(element(0x00100020, "LO", b"42", length=8)[:-2]))
        + b"12345678",
    ],
)
def test_misplaced_items_and_lying_lengths_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedDataSet):
        decode_elements(element(0x00080052, "CS", b"STUDY ") + data, EXPLICIT_VR_LITTLE_ENDIAN)


def test_too_many_elements_meet_the_limit() -> None:
    data = b"".join(element(0x00100000 | n, "LO") for n in range(1, 50))
    with pytest.raises(LimitExceeded):
        decode_elements(data, EXPLICIT_VR_LITTLE_ENDIAN, ScanLimits(max_elements=40))


def test_nesting_has_a_bottom_however_high_the_limit(syntax: TransferSyntax) -> None:
    deep: Elements = {}
    for _ in range(100):
        deep = {0x00400100: RawElement("SQ", [deep])}
    assert decode_elements(encode_elements(deep, syntax), syntax, ScanLimits(max_depth=100)) == deep
    for _ in range(5_000):
        deep = {0x00400100: RawElement("SQ", [deep])}
    with pytest.raises(LimitExceeded):
        encode_elements(deep, syntax)
    with pytest.raises(LimitExceeded):
        decode_elements(
            (element(0x00400100, "SQ", length=UNDEFINED) + item(b"", undefined=True)[:8]) * 5000,
            EXPLICIT_VR_LITTLE_ENDIAN,
            ScanLimits(max_depth=10_000),
        )


@pytest.mark.parametrize(
    "bad", [RawElement("LO", b"x" * 65_536), RawElement("ZZ", b""), RawElement("é", b"")]
)
def test_what_cannot_be_encoded_is_refused(bad: RawElement) -> None:
    with pytest.raises(EncodingError):
        encode_elements({0x00100020: bad}, EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_deflated_syntax_is_a_mistake_of_the_caller() -> None:
    for call in (lambda s: decode_elements(b"", s), lambda s: encode_elements({}, s)):
        with pytest.raises(ValueError, match="deflated"):
            call(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def test_items_can_be_taken_one_by_one(syntax: TransferSyntax) -> None:
    inner: Elements = {0x00081110: RawElement("SQ", [{0x00081150: RawElement("UI", b"1.2\0")}])}
    items: list[Elements] = [inner, {0x00081155: RawElement("UI", b"1.23")}]
    whole = {
        0x00081115: RawElement("SQ", b"".join(encode_item(one, syntax) for one in items)),
        0x00081195: RawElement("UI", b"1.25"),
    }
    data = encode_elements(whole, syntax)
    assert data == encode_elements(whole | {0x00081115: RawElement("SQ", items)}, syntax)
    taken: list[tuple[int, Elements]] = []
    kept = decode_elements(data, syntax, on_item=lambda tag, one: taken.append((tag, one)))
    assert taken == [(0x00081115, one) for one in items]
    assert kept == {0x00081115: RawElement("SQ", []), 0x00081195: RawElement("UI", b"1.25")}
