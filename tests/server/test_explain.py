"""What a running node remembers of what failed on it, and `isocenter explain`."""

import json
from pathlib import Path
from typing import Any

import pytest

from isocenter.dictionary.sop_classes import VERIFICATION
from isocenter.upperlayer.pdu import Abort
from tests.server.support import ECHO, FIND, STORE, Peer
from tests.server.support_instances import PATIENT, instance
from tests.server.support_nodes import configured, eventually, failures
from tests.support.node import Node, isocenter

UNKNOWN_SYNTAX = (VERIFICATION, "1.2.3.4")
PRINTING = ("1.2.840.10008.5.1.1.9", ECHO[1])


def the_failure(node: Node, what: str) -> dict[str, Any]:
    (one,) = eventually(lambda: [one for one in failures(node) if one["what"] == what])
    return one


@pytest.fixture
def own(start_node) -> Node:
    """A node of the test's own, whose memory is empty."""
    return start_node()


def test_nothing_has_failed_yet(own: Node) -> None:
    assert failures(own) == []
    assert "Nothing has failed" in isocenter("explain", "--data", own.data).stdout


def test_a_wrong_title_is_remembered_with_its_cure(start_node, tmp_path: Path) -> None:
    toml = '[node]\nae_title = "ISOCENTER"\ncheck_called_ae = "always"\n'
    node = start_node(None, *configured(tmp_path, toml))
    for _ in range(3):
        isocenter("echo", "-aec", "WRONG", "-aet", "CT1", node.address)

    def thrice() -> bool:
        return the_failure(node, "association rejected")["occurrences"] == 3

    eventually(thrice)
    one = the_failure(node, "association rejected")
    assert (one["calling_ae"], one["called_ae"], one["peer"]) == ("CT1", "WRONG", "127.0.0.1")
    assert one["diagnosis"] == "the called AE title is not known here: call ISOCENTER"
    assert one["negotiation"]["acceptor"] is None
    told = isocenter("explain", "--data", node.data).stdout
    assert "CT1@127.0.0.1" in told
    whole = isocenter("explain", one["id"], "--data", node.data).stdout
    assert "3 times since" in whole
    assert "Context 1: Verification SOP Class" in whole


@pytest.mark.parametrize(
    ("said", "diagnosis"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "an HTTP request to a DICOM port"),
        (bytes.fromhex("160301020001000200"), "a TLS ClientHello to a port without TLS"),
        (b"hello, hello", "does not speak the DICOM upper layer"),
    ],
)
def test_who_speaks_no_dicom_is_recognized(own: Node, said: bytes, diagnosis: str) -> None:
    with Peer(own.port) as peer:
        peer.send(said)
        peer.aborted()
    assert diagnosis in the_failure(own, "connection")["diagnosis"]


@pytest.mark.parametrize(
    ("context", "diagnosis"),
    [
        (PRINTING, "not provided: Basic Grayscale Print Management Meta SOP Class"),
        (UNKNOWN_SYNTAX, "none of the transfer syntaxes 1.2.3.4 is supported for Verification"),
    ],
)
def test_contexts_that_were_all_refused_are_one_failure(own: Node, context, diagnosis: str) -> None:
    with Peer(own.port) as peer:
        peer.associate(context)
        peer.send(Abort(0, 0).encode())
        assert peer.read() is None
    one = the_failure(own, "no presentation context accepted")
    assert diagnosis in one["diagnosis"]
    assert one["negotiation"]["contexts"][0]["answer"].endswith("not supported")
    assert len(failures(own)) == 1  # the abort behind it is no failure of its own


def test_a_failing_store_is_remembered_without_the_patient(own: Node) -> None:
    with Peer.associated(own.port, STORE) as peer:
        broken = instance("1.2.9").cut(200)
        assert peer.store(broken).status == 0xC000
        assert peer.released()
    one = the_failure(own, "C-STORE")
    assert one["diagnosis"].startswith("C000H")
    assert one["negotiation"]["contexts"][0]["answer"] == "accepted"
    assert PATIENT not in json.dumps(one)


def test_a_failing_query_is_remembered(own: Node) -> None:
    with Peer.associated(own.port, FIND) as peer:
        assert peer.find({})[-1].status == 0xA900
        assert peer.released()
    assert the_failure(own, "C-FIND")["diagnosis"].startswith("A900H")


def test_an_abort_and_a_lost_connection_are_remembered(own: Node) -> None:
    with Peer.associated(own.port, ECHO) as peer:
        peer.send(Abort(0, 0).encode())
        assert peer.read() is None
    with Peer.associated(own.port, ECHO):
        pass
    assert "instead of a release" in the_failure(own, "association aborted")["diagnosis"]
    assert "without a release" in the_failure(own, "connection lost")["diagnosis"]


def test_a_release_in_good_order_is_no_failure(own: Node) -> None:
    with Peer.associated(own.port, ECHO) as peer:
        assert peer.echo() == 0
        assert peer.released()
    own.stop()
    assert failures(own) == []


def test_a_destination_that_cannot_be_reached_is_remembered(
    start_node, tmp_path: Path, free_port: int
) -> None:
    toml = f'[peers.gone]\nae_title = "GONE"\nhost = "127.0.0.1"\nport = {free_port}\n'
    node = start_node(None, *configured(tmp_path, toml))
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(instance("1.2.9")).status == 0
        assert peer.released()
    isocenter("move", node.address, "-aem", "GONE", "-k", "StudyInstanceUID=1.2.3")
    one = the_failure(node, "connection")
    assert (one["role"], one["peer"]) == ("user", f"127.0.0.1:{free_port}")
    assert one["called_ae"] == "GONE"
    assert "1 object not sent" in the_failure(node, "C-MOVE")["diagnosis"]


def test_a_destination_with_tls_is_not_called_in_the_clear(start_node, tmp_path: Path) -> None:
    receiver = start_node()
    toml = f'[peers.safe]\nae_title = "SAFE"\nhost = "127.0.0.1"\nport = {receiver.port}\n'
    node = start_node(None, *configured(tmp_path, toml + "tls = true\n"))
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(instance("1.2.9")).status == 0
        assert peer.released()
    moved = isocenter("move", node.address, "-aem", "SAFE", "-k", "StudyInstanceUID=1.2.3")
    assert "No certification authority is trusted: isocenter tls trust FILE" in moved.stdout
    assert "calling_ae=ISOCENTER called_ae=SAFE" not in receiver.log()


def test_a_failure_that_is_not_kept_has_no_number(own: Node) -> None:
    done = isocenter("explain", "7", "--data", own.data)
    assert done.returncode == 1
    assert "There is no failure 7" in done.stdout


def test_several_workers_keep_their_failures_together(start_node) -> None:
    node = start_node(None, "--workers", "2")
    for _ in range(6):
        with Peer.associated(node.port, FIND) as peer:
            assert peer.find({})[-1].status == 0xA900
            assert peer.released()
    eventually(lambda: the_failure(node, "C-FIND")["occurrences"] == 6)
