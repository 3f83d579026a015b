"""A receiver that takes implicit VR only: what can be converted arrives, what cannot is named."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import psutil
import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from isocenter.services.association import Destination
from tests.encoding.images import (
    EXPLICIT,
    IMPLICIT,
    JPEG_LS,
    MPEG,
    RLE,
    Image,
    convert,
    jpeg_ls,
    noise,
)
from tests.encoding.synthetic import element
from tests.server.support_instances import CT, instance
from tests.server.support_nodes import configured, log_lines
from tests.server.test_retrieve import counters, failed_uids, get, move, wanted
from tests.services.scu.pynetdicom_scp import scp
from tests.support.node import Node

DEFLATED, JPEG_XL = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.110"
IMAGE = Image(rows=9, columns=7)
PIXELS = noise(9, 7)

GOOD = {
    "1.2.3.4.1": (EXPLICIT, IMAGE.plain(PIXELS.tobytes())),
    "1.2.3.4.2": (JPEG_LS, IMAGE.compressed(jpeg_ls(PIXELS))),
    "1.2.3.4.3": (DEFLATED, IMAGE.plain(PIXELS.tobytes())),
}
BAD = {
    "1.2.3.4.4": (JPEG_LS, IMAGE.compressed(jpeg_ls(PIXELS)[:-20])),
    "1.2.3.4.5": (MPEG, IMAGE.compressed(b"moving pictures")),
    "1.2.3.4.6": (RLE, Image(30000, 30000).compressed(pack("<16I", 2, 64, *([0] * 14)))),
    "1.2.3.4.7": (JPEG_XL, IMAGE.compressed(b"whatever")),
}


def store(node: Node, instances: dict[str, tuple[str, bytes]]) -> None:
    """Store images of the study 1.2.3 in their transfer syntaxes."""
    syntaxes = {syntax for syntax, _ in instances.values()}
    contexts = [(CT, [syntax]) for syntax in sorted(syntaxes)]
    with Destination("127.0.0.1", node.port).connect(contexts) as association:
        for uid, (syntax, data_set) in instances.items():
            whole = with_identity(uid, data_set)
            if syntax == DEFLATED:
                whole = zlib.compress(whole, wbits=-15)
            association.store(CT, uid, syntax, whole)


def with_identity(uid: str, data_set: bytes) -> bytes:
    """The image as an instance of its own; its first element is an SOP Instance UID."""
    identity = instance(uid, pixels=0).data_set.removesuffix(element(0x7FE00010, "OW"))
    return identity + data_set.removeprefix(element(0x00080018, "UI", b"1.2.3\0"))


def settings(port: int, processes: int = 1) -> str:
    """Small limits, and a destination DEST on a port."""
    return (
        f'[peers.dest]\nae_title = "DEST"\nhost = "127.0.0.1"\nport = {port}\n'
        '[transcoding]\nmaximum_size = "64 MiB"\nworkers = 1\n'
        f"[workers]\ncount = {processes}\n"
    )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that holds the images."""
    folder = tmp_path_factory.mktemp("node")
    with Node(folder / "data", *configured(folder, settings(1))) as filled:
        store(filled, GOOD | BAD)
        yield filled


class Received(dict[str, bytes]):
    """Data sets by SOP Instance UID, taken by a C-STORE handler."""

    def take(self, event: evt.Event) -> int:
        assert event.context.transfer_syntax == ImplicitVRLittleEndian
        self[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return 0


@contextmanager
def requesting(node: Node, received: Received) -> Iterator:
    ae = AE("REQUESTOR")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 30
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    ae.add_requested_context(CTImageStorage, ImplicitVRLittleEndian)
    association = ae.associate(
        "127.0.0.1",
        node.port,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, received.take)],
    )
    try:
        yield association
    finally:
        association.release()


def assert_all_that_can_be(received: Received) -> None:
    plain = {uid: with_identity(uid, IMAGE.plain(PIXELS.tobytes())) for uid in GOOD}
    assert received == {uid: convert(one, EXPLICIT, IMPLICIT) for uid, one in plain.items()}


def test_get_sends_all_that_can_be_converted_and_names_the_rest(node: Node):
    received = Received()
    with requesting(node, received) as association:
        *_, (final, identifier) = get(association)
        assert (final.Status, counters(final)) == (0xB000, (None, 3, 4, 0))
        assert failed_uids(identifier) == set(BAD)
        assert_all_that_can_be(received)
        *_, (again, _) = get(association)
        assert counters(again) == (None, 3, 4, 0)  # the association is as good as before
    assert log_lines(node, "did not complete a retrieve", "stored=3", "failed=4")


@pytest.mark.parametrize(
    ("uid", "why"),
    [
        ("1.2.3.4.4", "Not convertible: A compressed frame is cut off"),
        ("1.2.3.4.5", f"Transfer syntax not accepted: {MPEG}"),
        ("1.2.3.4.6", "Not convertible: The image is larger than what may be"),
        ("1.2.3.4.7", f"Transfer syntax not accepted: {JPEG_XL}"),
    ],
)
def test_each_reason_is_told(node: Node, uid: str, why: str):
    identifier = wanted(level="IMAGE")
    identifier.SOPInstanceUID = uid
    with requesting(node, Received()) as association:
        *_, (final, _) = get(association, identifier)
    assert final.Status == 0xA702
    assert final.ErrorComment.startswith(why)


@pytest.mark.parametrize("processes", [1, 2])
def test_move_sends_all_that_can_be_converted(start_node, tmp_path: Path, processes: int):
    received = Received()

    def take_implicit_only(ae: AE) -> None:
        ae.remove_supported_context(CTImageStorage)
        ae.add_supported_context(CTImageStorage, ImplicitVRLittleEndian)

    with scp(on_store=received.take, configure=take_implicit_only) as destination:
        node = start_node(None, *configured(tmp_path, settings(destination.port, processes)))
        store(node, GOOD | BAD)
        with requesting(node, received) as association:
            *_, (final, identifier) = move(association)
    assert (final.Status, counters(final)) == (0xB000, (None, 3, 4, 0))
    assert failed_uids(identifier) == set(BAD)
    assert_all_that_can_be(received)
    converting = [
        process
        for process in psutil.Process(node.process.pid).children(recursive=True)
        if "transcoding_worker" in " ".join(process.cmdline())
    ]
    assert len(converting) == 1
    assert node.stop() == 0
    assert not any(process.is_running() for process in converting)
