"""Requests and reports of Storage Commitment, as bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.encoding.errors import EncodingError, LimitExceeded
from isocenter.services.storage_commitment import (
    CommitmentReport,
    InvalidRequest,
    Reference,
    TooManyInstances,
    decode_report,
    decode_request,
    describe_reason,
    encode_report,
    encode_request,
)

SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN
CT = "1.2.840.10008.5.1.4.1.1.2"

TRANSACTION_UID, REFERENCED_SOP_SEQUENCE = 0x00081195, 0x00081199
SOP_CLASS, SOP_INSTANCE, FILE_SET_ID = 0x00081150, 0x00081155, 0x00880130

uids = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)
references = st.builds(Reference, uids, uids)


@given(uids, st.lists(references, min_size=1, max_size=20, unique=True), st.sampled_from(SYNTAXES))
def test_a_request_comes_back(uid: str, wanted: list[Reference], syntax: TransferSyntax) -> None:
    assert decode_request(encode_request(uid, wanted, syntax), syntax, 20) == (uid, wanted)


@given(
    uids,
    st.lists(references, max_size=10, unique=True),
    st.dictionaries(references, st.integers(1, 0xFFFF), max_size=10),
    st.sampled_from(SYNTAXES),
)
def test_a_report_comes_back(
    uid: str, committed: list[Reference], failed: dict[Reference, int], syntax: TransferSyntax
) -> None:
    report = CommitmentReport(uid, tuple(one for one in committed if one not in failed), failed)
    data = encode_report(report, syntax, retrieve_ae="ISOCENTER")
    assert decode_report(data, syntax, 20) == report
    assert report.event_type == (2 if failed else 1)


@given(st.binary(max_size=400), st.sampled_from(SYNTAXES))
def test_no_bytes_raise_anything_unforeseen(data: bytes, syntax: TransferSyntax) -> None:
    for decode in (decode_request, decode_report):
        with contextlib.suppress(InvalidRequest, TooManyInstances, EncodingError):
            decode(data, syntax, 10)


@given(st.data())
def test_a_damaged_request_raises_nothing_unforeseen(data: st.DataObject) -> None:
    whole = bytearray(encode_request("1.2.3", [Reference(CT, "1.2.4")] * 3, EXPLICIT))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(InvalidRequest, TooManyInstances, EncodingError):
        decode_request(whole[:cut], EXPLICIT, 10)


def request(uid: str | None = "1.2.3", *items: dict) -> bytes:
    elements = {REFERENCED_SOP_SEQUENCE: RawElement("SQ", list(items))}
    if uid is not None:
        elements[TRANSACTION_UID] = RawElement("UI", uid.encode())
    return encode_elements(elements, EXPLICIT)


def item(sop_class: str | None = CT, sop_instance: str | None = "1.2.4") -> dict:
    values = {SOP_CLASS: sop_class, SOP_INSTANCE: sop_instance}
    return {tag: RawElement("UI", v.encode()) for tag, v in values.items() if v is not None}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request(None, item()),
        request("", item()),
        request("1.2.x", item()),
        request("1." * 40 + "1", item()),
        request("1.2.3"),
        request("1.2.3", {}),
        request("1.2.3", item(sop_class=None)),
        request("1.2.3", item(), item(sop_instance="")),
        request("1.2.3", item(sop_instance="1.2\n3")),
        encode_elements({TRANSACTION_UID: RawElement("UI", b"1.2.3")}, EXPLICIT),
    ],
)
def test_an_incomplete_request_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_request(data, EXPLICIT, 10)


def test_storage_media_are_passed_over() -> None:
    with_media = item() | {FILE_SET_ID: RawElement("CS", b"DISC1")}
    assert decode_request(request("1.2.3", with_media), EXPLICIT, 10)[1] == [Reference(CT, "1.2.4")]


def test_an_instance_named_twice_counts_once() -> None:
    assert decode_request(request("1.2.3", item(), item()), EXPLICIT, 10)[1] == [
        Reference(CT, "1.2.4")
    ]


def test_too_many_instances_are_refused_however_they_are_written() -> None:
    wanted = [Reference(CT, f"1.2.{number}") for number in range(11)]
    with pytest.raises(TooManyInstances):
        decode_request(encode_request("1.2.3", wanted, EXPLICIT), EXPLICIT, 10)
    full_of_other_things = item() | {0x00880000 + n: RawElement("LO", b"") for n in range(1, 5000)}
    with pytest.raises(LimitExceeded):
        decode_request(request("1.2.3", full_of_other_things), EXPLICIT, 10)


def test_failure_reasons_have_words() -> None:
    assert describe_reason(0x0112) == "0112H no such object instance"
    assert describe_reason(0xC123) == "C123H a reason of its own"
