"""Items and sub-items: round trips, bytes typed from the standard's layouts, and lies."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.items import (
    Fields,
    decode_uid,
    encode_item,
    encode_uid,
    iterate_items,
)
from isocenter.upperlayer.user_information import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from tests.upperlayer import strategies

HEADER = 4  # type, reserved, length


def value_of(item: bytes) -> memoryview:
    assert int.from_bytes(item[2:4], "big") == len(item) - HEADER
    assert item[1] == 0
    return memoryview(item)[HEADER:]


@given(strategies.proposed_contexts)
def test_proposed_contexts_survive_a_round_trip(context: ProposedContext):
    assert ProposedContext.decode(value_of(context.encode())) == context


@given(strategies.context_results)
def test_context_results_survive_a_round_trip(result: ContextResult):
    assert ContextResult.decode(value_of(result.encode())) == result


@given(strategies.role_selections)
def test_role_selections_survive_a_round_trip(role: RoleSelection):
    assert RoleSelection.decode(value_of(role.encode())) == role


@given(strategies.extended_negotiations)
def test_extended_negotiations_survive_a_round_trip(item: ExtendedNegotiation):
    assert ExtendedNegotiation.decode(value_of(item.encode())) == item


@given(strategies.common_extended_negotiations)
def test_common_extended_negotiations_survive_a_round_trip(item: CommonExtendedNegotiation):
    assert CommonExtendedNegotiation.decode(value_of(item.encode())) == item


@given(strategies.user_identities)
def test_user_identities_survive_a_round_trip(identity: UserIdentity):
    assert UserIdentity.decode(value_of(identity.encode())) == identity


@given(strategies.user_information)
def test_user_information_survives_a_round_trip(information: UserInformation):
    assert UserInformation.decode(value_of(information.encode())) == information


@pytest.mark.parametrize(
    ("item", "layout"),
    [
        (
            ProposedContext(3, "1.2", ("1.2.840",)),
            "20 00 0016  03 00 00 00  30 00 0003 312E32  40 00 0007 312E322E383430",
        ),
        (ContextResult(3, 4, "1.2"), "21 00 000B  03 00 04 00  40 00 0003 312E32"),
        (RoleSelection("1.2", True, False), "54 00 0007  0003 312E32  01 00"),
        (ExtendedNegotiation("1.2", b"\1\0\1"), "56 00 0008  0003 312E32  01 00 01"),
        (
            CommonExtendedNegotiation("1.2", "1.3", ("1.4", "1.5")),
            "57 00 0016  0003 312E32  0003 312E33  000A 0003 312E34 0003 312E35",
        ),
        (
            UserIdentity(2, b"user", b"pass", positive_response_requested=True),
            "58 00 000E  02 01  0004 75736572  0004 70617373",
        ),
        (
            UserInformation(
                maximum_length=0x4000,
                implementation_class_uid="1.2",
                implementation_version_name="V1",
                asynchronous_operations_window=(16, 1),
                user_identity_response=b"ok",
            ),
            "50 00 0025  51 00 0004 00004000  52 00 0003 312E32  53 00 0004 0010 0001"
            "  55 00 0002 5631  59 00 0004 0002 6F6B",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_items_have_the_layout_of_the_standard(item, layout: str):
    assert item.encode() == bytes.fromhex(layout)


def test_secrets_of_a_user_identity_stay_out_of_its_text():
    identity = UserIdentity(2, b"someone", b"hunter2")
    information = UserInformation(user_identity=identity, user_identity_response=b"ticket")
    assert "someone" not in repr(information)
    assert "hunter2" not in repr(information)
    assert "ticket" not in repr(information)


@given(st.binary(max_size=64))
def test_uids_are_decoded_whatever_their_bytes(value: bytes):
    encode_uid(decode_uid(value))


def test_forbidden_padding_of_uids_is_stripped():
    assert decode_uid(b"1.2.3\0") == "1.2.3"
    assert decode_uid(b"1.2.3 ") == "1.2.3"


def test_unknown_items_are_skipped():
    unknown = encode_item(0x77, b"from the future")
    known = encode_item(0x40, b"1.2")
    context = ProposedContext.decode(memoryview(bytes(4) + unknown + known + unknown))
    assert context.transfer_syntaxes == ("1.2",)
    information = UserInformation.decode(memoryview(unknown + UserInformation().encode()[4:]))
    assert information == UserInformation()


@pytest.mark.parametrize(
    "lie",
    ["40", "40 00 00", "40 00 0001", "40 00 FFFF 31", "40 00 0001 31 40 00 0002 31"],
)
def test_items_that_pass_the_end_are_the_peers_error(lie: str):
    with pytest.raises(RemoteProtocolError):
        list(iterate_items(memoryview(bytes.fromhex(lie)), 10, "a test"))


def test_the_number_of_items_is_bounded():
    with pytest.raises(RemoteProtocolError, match="more than 10 items"):
        list(iterate_items(memoryview(bytes.fromhex("40000000") * 11), 10, "a test"))


def test_related_general_sop_classes_are_bounded():
    value = bytes(4) + (4096).to_bytes(2, "big") + bytes(4096)
    with pytest.raises(RemoteProtocolError, match="lists more than"):
        CommonExtendedNegotiation.decode(memoryview(value))


@given(st.binary(max_size=100))
def test_any_bytes_decode_or_are_the_peers_error(data: bytes):
    for item_class in (
        ProposedContext,
        ContextResult,
        RoleSelection,
        ExtendedNegotiation,
        CommonExtendedNegotiation,
        UserIdentity,
        UserInformation,
    ):
        with suppress(RemoteProtocolError):
            item_class.decode(memoryview(data))


def test_fields_never_read_past_their_end():
    fields = Fields(memoryview(b"\0\5abc"), "a test")
    with pytest.raises(RemoteProtocolError, match="needs 5 bytes at offset 2 and has 3"):
        fields.counted()


def test_what_does_not_fit_an_item_is_our_error():
    with pytest.raises(LocalProtocolError):
        ExtendedNegotiation("1.2", bytes(0xFFFF)).encode()
    with pytest.raises(LocalProtocolError):
        UserIdentity(1, bytes(0x10000)).encode()
    with pytest.raises(LocalProtocolError):
        UserInformation(implementation_version_name="SEVENTEEN_LETTERS").encode()


def test_a_maximum_length_of_other_than_four_bytes_is_the_peers_error():
    with pytest.raises(RemoteProtocolError, match="maximum length"):
        UserInformation.decode(memoryview(bytes.fromhex("51 00 0002 4000")))
