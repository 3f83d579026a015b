"""Probes of other people's programs and of our own node, held against what is known of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.conformance.capabilities import Capabilities
from isocenter.conformance.compare.claims import are_of_one_node, hold_against
from isocenter.conformance.documents import read_file
from isocenter.conformance.probe.probe import Wish, probe
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    PATIENT_STUDY_ONLY_FIND,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from isocenter.services.association import Destination
from tests.support import peers
from tests.support.corpus import bundled
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import free_port
from tests.support.tls_node import TLSNode

pytestmark = pytest.mark.interop

NOW = datetime(2026, 11, 27, tzinfo=UTC)
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90"
UNCOMPRESSED = {IMPLICIT, EXPLICIT, BIG}
QUERIES = (STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET)
SOME = (
    VERIFICATION,
    CT,
    MR,
    *QUERIES,
    PATIENT_STUDY_ONLY_FIND,
    STORAGE_COMMITMENT_PUSH,
    MODALITY_WORKLIST_FIND,
    MPPS,
)


def probed(port: int, title: str = "ANY-SCP", wish: Wish | None = None) -> Capabilities:
    """A probe of a peer on this machine, by default about a few SOP classes."""
    to = Destination("127.0.0.1", port, called_ae=title)
    return probe(to, wish or Wish(rate=200, sop_classes=SOME), NOW).capabilities


def accepted(document: Capabilities) -> dict[str, set[str]]:
    """The SOP classes that are accepted, with their transfer syntaxes."""
    return {
        one.sop_class: set(one.accepts)
        for one in document.entities[0].capabilities
        if one.role == "SCP"
    }


def senders(document: Capabilities) -> set[str]:
    """The SOP classes for which the peer takes the SCU role by role selection."""
    return {one.sop_class for one in document.entities[0].capabilities if one.role == "SCU"}


@pytest.mark.parametrize(
    ("options", "taken", "refused"),
    [
        ((), UNCOMPRESSED, {JPEG_LOSSLESS}),
        (("+xi",), {IMPLICIT}, {EXPLICIT, JPEG_LOSSLESS}),
        (("+xs",), UNCOMPRESSED | {JPEG_LOSSLESS}, {JPEG_2000}),
        (("+xa",), UNCOMPRESSED | {JPEG_LOSSLESS, JPEG_2000}, {"1.2.840.10008.1.2.4.110"}),
    ],
)
def test_dcmtk_storescp_takes_what_its_profile_says(
    tmp_path: Path, options: tuple[str, ...], taken: set[str], refused: set[str]
):
    with peers.dcmtk_storescp(tmp_path, *options) as storescp:
        document = probed(storescp.port)
    found = accepted(document)
    assert found.keys() == {VERIFICATION, CT, MR}
    assert taken <= found[CT]
    assert not refused & found[CT]
    assert senders(document) == set()
    (entity,) = document.entities
    assert entity.association.maximum_pdu == 16384
    assert entity.checks_called_ae is False
    assert document.product.implementation_version_name.startswith("OFFIS_DCMTK")


def test_every_sop_class_in_every_transfer_syntax_costs_storescp_few_associations(tmp_path: Path):
    with peers.dcmtk_storescp(tmp_path) as storescp:
        document = probed(storescp.port, wish=Wish(rate=200))
    tried = document.tried
    assert tried is not None
    assert tried.complete
    assert len(tried.sop_classes) * len(tried.transfer_syntaxes) > 19_000
    assert tried.associations < 30
    assert len(accepted(document)) > 150


def test_dcmtk_dcmqrscp_answers_queries_and_sends_but_vouches_for_nothing(tmp_path: Path):
    with peers.dcmtk_dcmqrscp(tmp_path) as dcmqrscp:
        document = probed(dcmqrscp.port, "DCMQRSCP")
    found = accepted(document)
    assert {*QUERIES, PATIENT_STUDY_ONLY_FIND, VERIFICATION, CT, MR} == found.keys()
    assert senders(document) == {CT, MR}
    assert document.entities[0].checks_called_ae is True


def test_pynetdicom_qrscp_is_found_with_its_queries(tmp_path: Path):
    with peers.pynetdicom_qrscp(tmp_path) as qrscp:
        document = probed(qrscp.port, "QRSCP")
    found = accepted(document)
    assert {*QUERIES, VERIFICATION, CT, MR} <= found.keys()
    assert JPEG_2000 in found[CT]
    assert MPPS not in found
    assert document.entities[0].association.maximum_pdu == 16382


def test_orthanc_is_found_with_its_worklist_plugin_and_its_commitment(tmp_path: Path):
    with Orthanc(tmp_path / "orthanc", free_port()) as orthanc:
        document = probed(orthanc.port, ORTHANC)
    found = accepted(document)
    assert {*QUERIES, VERIFICATION, CT, MR, STORAGE_COMMITMENT_PUSH} <= found.keys()
    assert MPPS not in found
    assert JPEG_2000 in found[CT]
    assert senders(document) >= {CT, MR}


def test_our_node_does_what_its_statement_claims_and_nothing_else(tmp_path: Path, node: Node):
    statement = tmp_path / "statement.json"
    config = tmp_path / "isocenter.toml"
    config.write_text(f"[listen]\nport = {node.port}\n")
    written = isocenter("conformance", "statement", "-c", config, "-o", statement)
    assert written.returncode == 0, written.stdout
    document = probed(node.port, "ISOCENTER")
    claims = hold_against(read_file(statement), document)
    assert are_of_one_node(read_file(statement), document)
    assert claims.differences == ()
    assert claims.checked == len(SOME)


def test_our_node_over_tls_does_what_it_claims_of_versions_and_suites(tmp_path: Path):
    known = '[peers.prober]\nae_title = "PROBER"\nhost = "127.0.0.1"\n'
    with TLSNode(tmp_path / "node", known) as node:
        files = node.issue("PROBER", "localhost")
        result = tmp_path / "probe.json"
        done = isocenter(
            "conformance", "probe", f"ISOCENTER@localhost:{node.port}", "-aet", "PROBER",
            *files.options, "--rate", "200", "--sop-class", CT, "-o", result,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        document = read_file(result)
        config = node.config.read_text().replace("[listen]\n", f"[listen]\nport = {node.port}\n")
        (tmp_path / "same.toml").write_text(config)
        claims = isocenter_json(
            "conformance", "compare", "self", str(result), "-c", tmp_path / "same.toml"
        )
    assert claims["differences"] == []
    tls = document.connections[0].tls
    assert tls is not None
    assert tls.versions == ("TLS 1.2", "TLS 1.3")
    assert tls.client_certificate == "required"
    assert "ISOCENTER" in tls.certificate
    assert {one.severity for one in document.findings} == {"note"}


def test_an_object_is_stored_only_when_it_is_asked_for(tmp_path: Path, start_node):
    node = start_node()
    args = ("conformance", "probe", node.address, "--rate", "200", "--sop-class", CT)
    quiet = isocenter_json(*args)
    stored = isocenter_json(*args, "--store", bundled("CT_small.dcm"))
    assert "store-accepted" not in {one["id"] for one in quiet["findings"]}
    assert "store-accepted" in {one["id"] for one in stored["findings"]}
    node.stop()
    status = isocenter_json("status", "--data", node.data)
    assert json.dumps(status).count('"instances": 1') == 1
