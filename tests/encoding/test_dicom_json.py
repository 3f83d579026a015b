"""Neutral data sets as DICOM JSON, and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from isocenter.encoding.dicom_json import from_json, parse_json, to_json
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.errors import EncodingError, LimitExceeded, MalformedDataSet
from isocenter.encoding.limits import ScanLimits

EXAMPLE: Elements = {
    0x00080020: RawElement("DA", b"20240131"),
    0x00080060: RawElement("CS", b"CT\\MR"),
    0x00081140: RawElement("SQ", [{0x00081155: RawElement("UI", b"1.2.3")}, {}]),
    0x00100010: RawElement("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう".encode()),
    0x00101030: RawElement("DS", b"70.50"),
    0x00280010: RawElement("US", b"\0\2"),
    0x00280009: RawElement("AT", b"\x18\0\x63\x10"),
    0x00420011: RawElement("OB", b"\1\2"),
    0x00189073: RawElement("FD", b"\0\0\0\0\0\0\xf8\x3f"),
    0x00081120: RawElement("SQ", []),
    0x00080050: RawElement("SH", b""),
}


def test_a_data_set_reads_as_ps3_18_says():
    assert to_json(EXAMPLE) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080020": {"vr": "DA", "Value": ["20240131"]},
        "00080050": {"vr": "SH"},
        "00080060": {"vr": "CS", "Value": ["CT", "MR"]},
        "00081120": {"vr": "SQ"},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}, {}]},
        "00100010": {
            "vr": "PN",
            "Value": [
                {
                    "Alphabetic": "Yamada^Tarou",
                    "Ideographic": "山田^太郎",
                    "Phonetic": "やまだ^たろう",
                }
            ],
        },
        "00101030": {"vr": "DS", "Value": ["70.50"]},
        "00189073": {"vr": "FD", "Value": [1.5]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00420011": {"vr": "OB", "InlineBinary": "AQI="},
    }


def test_pydicom_reads_what_is_written():
    data_set = Dataset.from_json(to_json(EXAMPLE))
    assert data_set.PatientName.ideographic == "山田^太郎"
    assert data_set.Rows == 512
    assert data_set.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"


def test_what_pydicom_writes_is_read():
    data_set = Dataset()
    data_set.PatientName = "Doe^Jane"
    data_set.PatientWeight = 70.5
    data_set.InstanceNumber = 4
    data_set.ScheduledProcedureStepSequence = [Dataset()]
    assert from_json(data_set.to_json_dict()) == {
        0x00100010: RawElement("PN", b"Doe^Jane"),
        0x00101030: RawElement("DS", b"70.5"),
        0x00200013: RawElement("IS", b"4"),
        0x00400100: RawElement("SQ", [{}]),
    }


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ({"00100010": {"vr": "PN", "Value": ["Doe^Jane"]}}, b"Doe^Jane"),
        ({"00100010": {"vr": "PN", "Value": [{"Phonetic": "x"}]}}, b"==x"),
        ({"00100010": {"vr": "PN", "Value": [None]}}, b""),
        ({"00100010": {"vr": "PN", "Value": [{"Phonetic": "="}]}}, b"==="),
        ({"00100010": {"Value": [{"Alphabetic": "Doe"}]}}, b"Doe"),
    ],
)
def test_names_are_understood_however_they_are_written(model: object, value: bytes):
    assert from_json(model)[0x00100010].value == value


@pytest.mark.parametrize(
    "model",
    [
        [],
        "text",
        {"PatientName": {"vr": "PN"}},
        {"00100010": []},
        {"00100010": {"vr": "PN", "Value": "Doe"}},
        {"00100010": {"vr": "PN", "Value": [1]}},
        {"00100010": {"vr": "PN", "Value": [{"Alphabetic": 1}]}},
        {"00100010": {"vr": "PN", "Value": ["\ud800"]}},
        {"00100010": {"vr": ["PN"], "Value": ["x"]}},
        {"00100010": {"vr": "XX", "Value": ["x"]}},
        {"00080060": {"vr": "CS", "Value": ["é"]}},
        {"00280010": {"vr": "US", "Value": [65536]}},
        {"00280010": {"vr": "US", "Value": ["many"]}},
        {"00280009": {"vr": "AT", "Value": [1]}},
        {"00101030": {"vr": "DS", "Value": [True]}},
        {"00420011": {"vr": "OB", "InlineBinary": "%"}},
        {"00420011": {"vr": "OB", "InlineBinary": 1}},
        {"00420011": {"vr": "OB", "BulkDataURI": "http://elsewhere"}},
        {"00081140": {"vr": "SQ", "Value": [1]}},
    ],
)
def test_what_is_no_dicom_json_is_refused(model: object):
    with pytest.raises(MalformedDataSet):
        from_json(model)


def test_depth_and_number_of_elements_are_bounded():
    deep: Any = {}
    for _ in range(200):
        deep = {"00400100": {"vr": "SQ", "Value": [deep]}}
    with pytest.raises(LimitExceeded):
        from_json(deep)
    many = {"00400100": {"vr": "SQ", "Value": [{}] * 100}}
    with pytest.raises(LimitExceeded):
        from_json(many, ScanLimits(max_elements=99))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 10_000, b"\xff"])
def test_text_that_is_no_json_is_refused(text: str | bytes):
    with pytest.raises(MalformedDataSet):
        parse_json(text)


_VALUES = {
    **dict.fromkeys(("LO", "PN", "SH", "UC", "LT", "ST", "UT"), st.text(max_size=20)),
    **dict.fromkeys(("AE", "CS", "DA", "UI", "DS", "IS"), st.text("0123456789 .-A", max_size=16)),
}
_ELEMENTS = st.one_of(
    *(st.builds(RawElement, st.just(vr), v.map(str.encode)) for vr, v in _VALUES.items()),
    *(
        st.builds(RawElement, st.just(vr), st.binary(max_size=24))
        for vr in ("US", "SL", "FL", "FD", "AT", "OB", "OW", "UN", "PN", "CS", "IS", "ZZ")
    ),
)
_TAGS = st.integers(0x00080006, 0x00410000).filter(lambda tag: tag & 0xFFFF)
_DATA_SETS = st.recursive(
    st.dictionaries(_TAGS, _ELEMENTS, max_size=5),
    lambda inner: st.dictionaries(
        _TAGS, st.builds(RawElement, st.just("SQ"), st.lists(inner, max_size=3)), max_size=3
    ),
    max_leaves=8,
)


@given(_DATA_SETS)
def test_whatever_was_decoded_can_be_kept_and_does_not_change_when_kept_again(elements: Elements):
    model = json.loads(json.dumps(to_json(elements), allow_nan=False))
    kept = from_json(model)
    assert kept.keys() == elements.keys()
    assert to_json(kept) == model


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "InlineBinary", "00100010", "00400100", "Alphabetic"]),
            inner | st.sampled_from(["SQ", "PN", "US", "FD", "AT", "IS", "OB"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_any_json_becomes_a_data_set_or_a_refusal(model: object):
    try:
        elements = from_json(model)
    except EncodingError:
        return
    assert from_json(to_json(elements)).keys() == elements.keys()


def test_a_number_beyond_every_float_is_kept():
    written = to_json({0x00201208: RawElement("IS", b"9" * 400)})
    assert from_json(written) == {0x00201208: RawElement("IS", b"9" * 400)}
