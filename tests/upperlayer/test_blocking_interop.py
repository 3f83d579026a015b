"""The blocking driver against DCMTK and pynetdicom: associate, echo, release, be rejected."""

from pathlib import Path

import pytest

from isocenter.upperlayer.blocking import BlockingAssociation
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.errors import AssociationRejectedError
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import UserInformation
from tests.support.peers import dcmtk_storescp
from tests.upperlayer.links import CT_IMAGE, EXPLICIT, IMPLICIT, VERIFICATION

pytestmark = pytest.mark.interop

REQUEST = AssociateRQ(
    "STORESCP",
    "ISOCENTER",
    (
        ProposedContext(1, VERIFICATION, (IMPLICIT,)),
        ProposedContext(3, CT_IMAGE, (EXPLICIT, IMPLICIT)),
        ProposedContext(5, "1.2.3.4.5", (IMPLICIT,)),
    ),
    UserInformation(implementation_class_uid="1.2.3", implementation_version_name="TEST"),
)


def element(number: int, value: bytes) -> bytes:
    return bytes((0, 0)) + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value


# C-ECHO-RQ of PS3.7 9.3.5.1: SOP class, command field 0030H, message ID 1, no data set.
ELEMENTS = (
    element(0x0002, VERIFICATION.encode() + b"\0")
    + element(0x0100, b"\x30\0")
    + element(0x0110, b"\1\0")
    + element(0x0800, b"\1\1")
)
ECHO = element(0x0000, len(ELEMENTS).to_bytes(4, "little")) + ELEMENTS
SUCCESS = element(0x0900, b"\0\0")


def echo(port: int) -> BlockingAssociation:
    with BlockingAssociation.connect("127.0.0.1", port, REQUEST) as association:
        association.send(1, ECHO)
        response = association.receive(20)
        assert response.is_command
        assert response.is_last
        assert SUCCESS in bytes(response.data)
    return association


def test_dcmtk_associates_echoes_and_releases(tmp_path: Path):
    server = dcmtk_storescp(tmp_path)
    try:
        association = echo(server.port)
        assert sorted(association.accepted_contexts) == [1, 3]
        assert association.response.user_information.implementation_version_name.startswith(
            "OFFIS_DCMTK"
        )
    finally:
        server.stop()
    log = (tmp_path / "storescp.log").read_text()
    assert "Association Release" in log


def test_dcmtk_refusal_is_understood(tmp_path: Path):
    server = dcmtk_storescp(tmp_path, "--refuse")
    try:
        with pytest.raises(AssociationRejectedError, match="no reason given"):
            BlockingAssociation.connect("127.0.0.1", server.port, REQUEST)
    finally:
        server.stop()


def test_pynetdicom_associates_echoes_and_releases():
    pynetdicom = pytest.importorskip("pynetdicom")
    seen: list[str] = []
    handlers = [
        (pynetdicom.evt.EVT_RELEASED, lambda event: seen.append("released")),
        (pynetdicom.evt.EVT_ABORTED, lambda event: seen.append("aborted")),
    ]
    ae = pynetdicom.AE("PYNETDICOM")
    ae.add_supported_context(VERIFICATION)
    ae.add_supported_context(CT_IMAGE)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        association = echo(server.socket.getsockname()[1])
        assert sorted(association.accepted_contexts) == [1, 3]
    finally:
        server.shutdown()
    assert seen == ["released"]


def test_pynetdicom_rejection_is_understood():
    pynetdicom = pytest.importorskip("pynetdicom")
    ae = pynetdicom.AE("PYNETDICOM")
    ae.require_called_aet = True
    ae.add_supported_context(VERIFICATION)
    server = ae.start_server(("127.0.0.1", 0), block=False)
    try:
        port = server.socket.getsockname()[1]
        with pytest.raises(AssociationRejectedError, match="check the called AE title") as caught:
            BlockingAssociation.connect("127.0.0.1", port, REQUEST)
        assert caught.value.reason == 7
    finally:
        server.shutdown()
