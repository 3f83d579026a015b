"""C-ECHO both ways: foreign programs ask the node, and `isocenter echo` asks foreign programs."""

from pathlib import Path

import pytest

from tests.interop.matrix.cells import VERIFICATION, answers, asks
from tests.support import peers
from tests.support.node import Node, isocenter, isocenter_json

pytestmark = pytest.mark.interop


@asks("DCMTK", VERIFICATION, by="echoscu")
def test_echoscu_gets_an_answer(node: Node):
    answered = peers.dcmtk("echoscu", "-v", "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout
    assert "Received Echo Response (Success)" in answered.stdout


def test_echoscu_gets_an_answer_to_each_of_many_contexts_and_requests(node: Node):
    options = ["-v", "-pts", "30", "-ppc", "128", "--repeat", "5"]
    answered = peers.dcmtk("echoscu", *options, "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout
    assert answered.stdout.count("Received Echo Response (Success)") == 5


def test_a_node_survives_echoscu_that_aborts(node: Node):
    aborted = peers.dcmtk("echoscu", "--abort", "127.0.0.1", str(node.port))
    assert aborted.returncode == 0, aborted.stdout
    answered = peers.dcmtk("echoscu", "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout


@asks("GDCM", VERIFICATION, by="gdcmscu")
def test_gdcmscu_gets_an_answer(node: Node):
    answered = peers.gdcmscu("--echo", "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout


@asks("pynetdicom", VERIFICATION, by="echoscu")
def test_pynetdicom_gets_an_answer(node: Node):
    answered = peers.pynetdicom("echoscu", "-v", "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout
    assert "Received Echo Response (Status: 0x0000 - Success)" in answered.stdout


def test_isocenter_echoes_itself(node: Node):
    answered = isocenter("echo", "127.0.0.1", str(node.port))
    assert answered.returncode == 0, answered.stdout


@answers("DCMTK", VERIFICATION, by="storescp")
def test_isocenter_echoes_storescp(tmp_path: Path):
    with peers.dcmtk_storescp(tmp_path) as server:
        assert isocenter_json("echo", server.address)


@answers("pynetdicom", VERIFICATION, by="qrscp")
def test_isocenter_echoes_pynetdicom(tmp_path: Path):
    with peers.pynetdicom_qrscp(tmp_path) as server:
        answered = isocenter("echo", f"QRSCP@{server.address}")
    assert answered.returncode == 0, answered.stdout


def test_isocenter_says_so_when_nobody_listens(free_port: int):
    unanswered = isocenter("echo", f"127.0.0.1:{free_port}")
    assert unanswered.returncode == 60, unanswered.stdout
    assert "Traceback" not in unanswered.stdout
