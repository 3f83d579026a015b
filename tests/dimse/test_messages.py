"""Messages to bytes and back: round trips, tolerance towards real peers, refusals."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.command_set import (
    MAX_COMMAND_SET_LENGTH,
    decode_command,
    encode_command,
    with_group_length,
)
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.message import Response
from isocenter.dimse.messages import (
    MESSAGE_CLASSES,
    CCancelRQ,
    CEchoRQ,
    CFindRQ,
    CFindRSP,
    CMoveRQ,
    CStoreRQ,
    CStoreRSP,
    Message,
    NActionRQ,
    NActionRSP,
    NSetRSP,
    decode_message,
)
from tests.dimse.message_strategies import messages

CT = "1.2.840.10008.5.1.4.1.1.2"


def store_request(**changes: object) -> CStoreRQ:
    values = {
        "message_id": 7,
        "affected_sop_class_uid": CT,
        "affected_sop_instance_uid": "1.2.3.4",
    }
    return CStoreRQ(**(values | changes))  # type: ignore[arg-type]


def changed(message: Message, **values: bytes | None) -> bytes:
    """The message's command set with raw values replaced (or, with None, left out)."""
    elements = decode_command(message.encode())
    for name, value in values.items():
        tag = int(name.removeprefix("x"), 16)
        if value is None:
            del elements[tag]
        else:
            elements[tag] = value
    return encode_command(elements)


@given(messages())
def test_every_message_survives_the_round_trip(message: Message) -> None:
    encoded = message.encode()
    assert decode_message(encoded) == message
    assert decode_message(memoryview(bytearray(encoded))) == message


@given(messages())
def test_group_length_counts_the_bytes_behind_it(message: Message) -> None:
    encoded = message.encode()
    assert encoded[:8] == pack("<HHL", 0, 0, 4)
    assert int.from_bytes(encoded[8:12], "little") == len(encoded) - 12


@given(messages())
def test_elements_are_in_ascending_order_of_tags(message: Message) -> None:
    tags = list(decode_command(message.encode()))
    assert tags == sorted(tags)


@given(messages(CStoreRSP))
def test_the_fast_store_response_is_the_plain_one(message: CStoreRSP) -> None:
    assert message.encode() == Response.encode(message)


def test_there_are_the_twenty_three_messages_of_the_standard() -> None:
    assert len(MESSAGE_CLASSES) == 23
    for field, cls in MESSAGE_CLASSES.items():
        if issubclass(cls, Response):
            request = MESSAGE_CLASSES[field & 0x7FFF]
            assert request.response_class is cls  # type: ignore[attr-defined]


@given(st.binary(max_size=300))
def test_garbage_is_a_dimse_error_and_nothing_else(data: bytes) -> None:
    with suppress(DimseError):
        decode_message(data)


@given(messages(), st.data())
def test_damaged_messages_are_read_or_refused(message: Message, data: st.DataObject) -> None:
    encoded = bytearray(message.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_message(encoded)
    except DimseError as error:
        if error.response is not None:
            error.response.encode()


@given(messages(), st.integers(1, 7))
def test_a_cut_message_is_refused(message: Message, missing: int) -> None:
    encoded = message.encode()
    whole = with_group_length(encoded[12:])
    with pytest.raises(DimseError):
        decode_message(whole[:-missing])


@pytest.mark.parametrize("padding", [b"", b"\0", b" ", b"\0\0", b" \0"])
def test_uids_are_read_with_any_padding(padding: bytes) -> None:
    data = changed(store_request(), x1000=b"1.2.3.45" + padding)
    assert decode_message(data).affected_sop_instance_uid == "1.2.3.45"  # type: ignore[attr-defined]


def test_ae_titles_are_read_without_insignificant_spaces() -> None:
    move = CMoveRQ(message_id=1, affected_sop_class_uid=CT, move_destination="X")
    message = decode_message(changed(move, x600=b" ARCHIVE \0"))
    assert message == CMoveRQ(message_id=1, affected_sop_class_uid=CT, move_destination="ARCHIVE")


@pytest.mark.parametrize("byte", [b"\n", b"\x1b", b"\x00", b"\xc2\x85", b"\xff"])
def test_an_error_comment_says_nothing_to_a_terminal_or_a_log(byte: bytes) -> None:
    """Found by fuzzing."""
    response = CStoreRSP(message_id_being_responded_to=1, status=0xA700, error_comment="x")
    message = decode_message(changed(response, x902=b"no" + byte + b"room"))
    assert message.error_comment == "no\ufffdroom"  # type: ignore[attr-defined]


def test_a_32_bit_unsigned_short_is_tolerated() -> None:
    assert decode_message(changed(store_request(), x110=pack("<L", 7))) == store_request()


def test_a_wrong_group_length_is_tolerated() -> None:
    encoded = bytearray(store_request().encode())
    encoded[8:12] = b"\xff\xff\xff\xff"
    assert decode_message(encoded) == store_request()
    assert decode_message(encoded[12:]) == store_request()


def test_unknown_retired_and_foreign_elements_are_skipped() -> None:
    extra = pack("<HHL", 0, 1, 4) + bytes(4) + pack("<HHL", 0, 0x7777, 2) + b"ab"
    foreign = pack("<HHL", 8, 0x110, 2) + b"\xff\xff"
    encoded = with_group_length(extra + store_request().encode()[12:] + foreign)
    assert decode_message(encoded) == store_request()


def test_a_missing_priority_is_medium() -> None:
    assert decode_message(changed(store_request(), x700=None)) == store_request(priority=0)


def test_any_data_set_type_but_0101_announces_a_data_set() -> None:
    for value, announced in [(0x0101, False), (0x0000, True), (0x0102, True), (0xFEFE, True)]:
        data = changed(CEchoRQ(message_id=1, affected_sop_class_uid=CT), x800=pack("<H", value))
        assert decode_message(data).has_data_set is announced


def test_an_unreadable_optional_value_counts_as_absent() -> None:
    data = changed(store_request(move_originator_message_id=9), x1031=b"\1")
    assert decode_message(data) == store_request()


@pytest.mark.parametrize("value", [None, b"", b"1.2.\xff3"])
def test_a_request_without_a_mandatory_element_can_be_answered(value: bytes | None) -> None:
    with pytest.raises(DimseError) as caught:
        decode_message(changed(store_request(), x1000=value))
    assert not isinstance(caught.value, DimseProtocolError)
    assert caught.value.data_set_follows
    response = caught.value.response
    assert isinstance(response, CStoreRSP)
    assert decode_message(response.encode()) == response
    assert response.message_id_being_responded_to == 7
    assert response.status == 0x0212
    assert response.offending_element == (0x1000,)


def test_a_refused_action_without_its_type_keeps_to_the_elements_of_its_response() -> None:
    request = NActionRQ(
        message_id=3,
        requested_sop_class_uid=CT,
        requested_sop_instance_uid="1.2",
        action_type_id=1,
    )
    with pytest.raises(DimseError) as caught:
        decode_message(changed(request, x1008=None))
    assert isinstance(caught.value.response, NActionRSP)
    assert caught.value.response.error_comment == "No usable ActionTypeID"


@pytest.mark.parametrize("tag", ["x110", "x800", "x100"])
def test_a_request_without_identity_or_framing_cannot_be_followed(tag: str) -> None:
    with pytest.raises(DimseProtocolError):
        decode_message(changed(store_request(), **{tag: None}))


@pytest.mark.parametrize("tag", ["x120", "x900", "x800"])
def test_a_response_without_its_essentials_cannot_be_followed(tag: str) -> None:
    response = CFindRSP(message_id_being_responded_to=1, status=0)
    with pytest.raises(DimseProtocolError):
        decode_message(changed(response, **{tag: None}))


def test_a_cancel_without_its_target_cannot_be_followed() -> None:
    cancel = CCancelRQ(message_id_being_responded_to=5)
    with pytest.raises(DimseProtocolError):
        decode_message(changed(cancel, x120=None))


def test_an_unknown_command_field_is_an_unrecognized_operation() -> None:
    with pytest.raises(DimseProtocolError) as caught:
        decode_message(changed(store_request(), x100=b"\x34\x12"))
    assert caught.value.status == 0x0211
    assert "1234" in str(caught.value)


def test_an_oversized_command_set_is_refused_before_it_is_read() -> None:
    with pytest.raises(DimseProtocolError):
        decode_command(bytes(MAX_COMMAND_SET_LENGTH + 1))


def test_error_comments_are_clipped_to_64_characters_and_ascii() -> None:
    response = CStoreRSP(message_id_being_responded_to=1, status=0xC000, error_comment="é" * 70)
    decoded = decode_message(response.encode())
    assert isinstance(decoded, CStoreRSP)
    assert decoded.error_comment == "?" * 64


def test_error_comments_in_other_character_sets_never_fail() -> None:
    response = CStoreRSP(message_id_being_responded_to=1, status=0xC000, error_comment="x")
    decoded = decode_message(changed(response, x902=b"\xff\xfe sp\xc3\xa4t "))
    assert isinstance(decoded, CStoreRSP)
    assert decoded.error_comment == "�� spät"


def test_a_broken_tag_list_keeps_its_whole_tags() -> None:
    response = NSetRSP(
        message_id_being_responded_to=1, status=0x0107, attribute_identifier_list=(0x00100010,)
    )
    decoded = decode_message(changed(response, x1005=b"\x10\0\x20\0\x10"))
    assert isinstance(decoded, NSetRSP)
    assert decoded.attribute_identifier_list == (0x00100020,)


@pytest.mark.parametrize(
    "message",
    [
        CFindRQ(message_id=0x10000, affected_sop_class_uid=CT),
        CFindRQ(message_id=-1, affected_sop_class_uid=CT),
        CFindRQ(message_id=1, affected_sop_class_uid="1.2.é"),
        CMoveRQ(message_id=1, affected_sop_class_uid=CT, move_destination="A" * 17),
        CFindRSP(message_id_being_responded_to=1, status=0, offending_element=(1 << 32,)),
        CStoreRSP(
            message_id_being_responded_to=1,
            status=0x10000,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid="1.2",
        ),
    ],
)
def test_a_value_that_its_element_cannot_hold_is_not_encoded(message: Message) -> None:
    with pytest.raises(ValueError):
        message.encode()
