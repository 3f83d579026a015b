"""PDUs: round trips, bytes typed from PS3.8 9.3, lies, and pynetdicom as a second opinion."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
    check_ae_title,
    decode_ae_title,
    decode_body,
    decode_pdu,
    encode_ae_title,
)
from isocenter.upperlayer.user_information import RoleSelection, UserInformation
from tests.upperlayer import strategies

APPLICATION_CONTEXT = "10 00 0015 312E322E3834302E31303030382E332E312E312E31"
USER_INFORMATION = "50 00 0013  51 00 0004 00020000  52 00 0007 312E322E332E34"
ECHO_REQUEST = AssociateRQ(
    "ANY-SCP",
    "ISOCENTER",
    (ProposedContext(1, "1.2", ("1.3", "1.4")),),
    UserInformation(131072, "1.2.3.4"),
)
VECTORS = [
    (
        ECHO_REQUEST,
        "01 00 00000091  0001 0000  414E592D534350202020202020202020"
        "49534F43454E54455220202020202020" + "00" * 32 + APPLICATION_CONTEXT + "20 00 0019 01000000"
        "30 00 0003 312E32  40 00 0003 312E33  40 00 0003 312E34" + USER_INFORMATION,
    ),
    (
        AssociateAC(
            "ANY-SCP",
            "ISOCENTER",
            (ContextResult(1, 0, "1.3"),),
            UserInformation(131072, "1.2.3.4"),
        ),
        "02 00 00000083  0001 0000  414E592D534350202020202020202020"
        "49534F43454E54455220202020202020" + "00" * 32 + APPLICATION_CONTEXT + "21 00 000B 01000000"
        "40 00 0003 312E33" + USER_INFORMATION,
    ),
    (AssociateRJ(1, 1, 7), "03 00 00000004 00 01 01 07"),
    (
        PDataTF(
            (
                PresentationDataValue(1, True, True, b"ab"),
                PresentationDataValue(1, False, False, b"c"),
            )
        ),
        "04 00 0000000F  00000004 01 03 6162  00000003 01 00 63",
    ),
    (ReleaseRQ(), "05 00 00000004 00000000"),
    (ReleaseRP(), "06 00 00000004 00000000"),
    (Abort(2, 6), "07 00 00000004 00 00 02 06"),
]


@pytest.mark.parametrize(("pdu", "layout"), VECTORS, ids=[type(p).__name__ for p, _ in VECTORS])
def test_pdus_have_the_layout_of_the_standard(pdu: PDU, layout: str):
    assert pdu.encode() == bytes.fromhex(layout)
    assert decode_pdu(bytes.fromhex(layout)) == pdu


@given(strategies.pdus)
def test_pdus_survive_a_round_trip(pdu: PDU):
    assert decode_pdu(pdu.encode()) == pdu


@given(st.integers(0, 255), st.binary(max_size=300))
def test_any_bytes_decode_or_are_the_peers_error(pdu_type: int, body: bytes):
    with suppress(RemoteProtocolError):
        assert decode_body(pdu_type, body).pdu_type == pdu_type


@given(strategies.requests | strategies.responses, st.data())
def test_a_changed_association_pdu_decodes_or_is_the_peers_error(pdu: PDU, data: st.DataObject):
    encoded = bytearray(pdu.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(6, len(encoded) - 1))] = data.draw(strategies.octets)
    try:
        decoded = decode_pdu(encoded)
    except RemoteProtocolError:
        return
    decoded.encode()  # what was understood can be said again


@pytest.mark.parametrize(
    ("context_ids", "words"), [((2,), "odd"), ((1, 3, 1), "twice"), ((0,), "odd")]
)
def test_context_identifiers_are_odd_and_unique(context_ids: tuple[int, ...], words: str):
    contexts = tuple(ProposedContext(number, "1.2", ("1.3",)) for number in context_ids)
    encoded = AssociateRQ("A", "B", contexts).encode()
    with pytest.raises(RemoteProtocolError, match=words):
        decode_pdu(encoded)


def test_missing_items_are_left_empty():
    body = bytes(68)
    request = AssociateRQ.decode(memoryview(body))
    assert request == AssociateRQ("", "", (), UserInformation(), "", 0)


@pytest.mark.parametrize("layout", ["", "07", "0700000000", "07 00 00000004 00", "09 00 00000000"])
def test_what_is_no_pdu_is_the_peers_error(layout: str):
    with pytest.raises(RemoteProtocolError):
        decode_pdu(bytes.fromhex(layout))


def test_spaces_around_ae_titles_are_not_significant():
    assert decode_ae_title(b"  STORE SCP     ") == "STORE SCP"
    assert decode_ae_title(b"STORE".ljust(16, b"\0")) == "STORE"
    assert check_ae_title(" STORE ") == "STORE"


def test_bytes_that_no_ae_title_holds_cannot_imitate_one():
    assert decode_ae_title(b"A\xff\nB") == "A\ufffd\ufffdB"
    assert encode_ae_title("A\ufffdB") == b"A?B".ljust(16)


@pytest.mark.parametrize("title", ["", "   ", "SEVENTEEN_LETTERS", "A\\B", "A\nB", "RÖNTGEN"])
def test_our_own_ae_titles_are_checked(title: str):
    with pytest.raises(LocalProtocolError):
        check_ae_title(title)


pynetdicom_pdu = pytest.importorskip("pynetdicom.pdu")
PYNETDICOM_CLASSES = {
    1: pynetdicom_pdu.A_ASSOCIATE_RQ,
    2: pynetdicom_pdu.A_ASSOCIATE_AC,
    3: pynetdicom_pdu.A_ASSOCIATE_RJ,
    4: pynetdicom_pdu.P_DATA_TF,
    5: pynetdicom_pdu.A_RELEASE_RQ,
    6: pynetdicom_pdu.A_RELEASE_RP,
    7: pynetdicom_pdu.A_ABORT_RQ,
}


@given(strategies.pdus)
def test_pynetdicom_encodes_what_it_decoded_to_the_same_bytes(pdu: PDU):
    encoded = pdu.encode()
    theirs = PYNETDICOM_CLASSES[pdu.pdu_type]()
    theirs.decode(encoded)
    assert theirs.encode() == encoded


def test_pynetdicom_understands_our_request_as_we_mean_it():
    request = AssociateRQ(
        "ANY-SCP",
        "ISOCENTER",
        (ProposedContext(5, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
        UserInformation(
            16384,
            "1.2.3",
            "VERSION",
            asynchronous_operations_window=(4, 2),
            role_selections=(RoleSelection("1.2.840.10008.1.1", False, True),),
        ),
    )
    theirs = pynetdicom_pdu.A_ASSOCIATE_RQ()
    theirs.decode(request.encode())
    assert theirs.called_ae_title.strip() == "ANY-SCP"
    assert theirs.calling_ae_title.strip() == "ISOCENTER"
    (context,) = theirs.presentation_context
    assert context.context_id == 5
    assert context.abstract_syntax == "1.2.840.10008.1.1"
    assert context.transfer_syntax == ["1.2.840.10008.1.2"]
    information = theirs.user_information
    assert information.maximum_length == 16384
    assert information.async_ops_window.max_operations_invoked == 4
    assert information.async_ops_window.max_operations_performed == 2
    (role,) = information.role_selection.values()
    assert (role.scu_role, role.scp_role) == (0, 1)
