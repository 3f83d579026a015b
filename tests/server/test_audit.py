"""The audit trail of a running node: every event that it causes, and what survives a kill."""

from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from isocenter.archive.layout import AUDIT_FILE
from isocenter.dictionary.sop_classes import STUDY_ROOT_GET, VERIFICATION
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CGetRQ, CStoreRQ
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.security.audit.lookup import Summary, newest
from isocenter.security.audit.trail import AuditTrail
from isocenter.services.association import ClientAssociation, Destination
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    create_step,
    get_step,
    set_step,
)
from isocenter.services.storage_commitment import Reference
from isocenter.upperlayer.pdu import AssociateRJ
from isocenter.upperlayer.user_information import RoleSelection
from tests.archive.workflow.items import step_begun, step_ended
from tests.security.audit.schema_check import check
from tests.server.support import ECHO, EXPLICIT, FIND, STORE, Peer, associate_rq, store_all
from tests.server.support_audit import eventually_told, quick, requestor, told
from tests.server.support_crashes import kill_everything
from tests.server.support_instances import (
    CT,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_INSTANCE_UID,
    instance,
)
from tests.server.support_nodes import configured, wait_until_all_serve
from tests.server.support_retrieve import COUNT, answers, filled, get, move, requesting
from tests.server.test_storage_commitment import Requester
from tests.services.scu.pynetdicom_scp import scp
from tests.support.node import Node

RECEIVED, BEGIN = "DICOM Instances Transferred", "Begin Transferring DICOM Instances"
HERE = "127.0.0.1"


def counts(found: list[Summary]) -> list[tuple[tuple[str, ...], int, int]]:
    return [(one.studies, one.instances, one.outcome) for one in found]


def of_patient(patient: str) -> dict[int, RawElement]:
    return {PATIENT_ID: RawElement("LO", patient.encode())}


def test_a_node_tells_that_it_started_and_stopped(start_node, tmp_path: Path):
    node = start_node(None)
    node.stop()
    found = told(node.data)
    assert [one.kinds for one in found] == [("Application Start",), ("Application Stop",)]


def test_what_an_association_stored_is_one_message_for_each_study(node: Node):
    store_all(
        node.port,
        [instance(f"1.2.3.1.{n}", study="1.2.31") for n in range(5)]
        + [instance(f"1.2.3.2.{n}", study="1.2.32", changed=of_patient("9")) for n in range(3)],
    )
    found = eventually_told(node.data, RECEIVED, lambda found: len(found) == 2)
    assert sorted(counts(found)) == [(("1.2.31",), 5, 0), (("1.2.32",), 3, 0)]
    assert {requestor(one) for one in found} == {("HOSTILE", HERE)}
    assert {one.action for one in found} == {"C"}


def test_a_long_association_tells_what_it_has_stored_so_far(start_node, tmp_path: Path):
    node = start_node(None, *quick(tmp_path))
    with Peer.associated(node.port, STORE) as peer:
        peer.store(instance("1.2.3.1"))
        eventually_told(node.data, RECEIVED)
        peer.store(instance("1.2.3.2"))
        found = eventually_told(node.data, RECEIVED, lambda found: len(found) == 2)
    assert counts(found) == [(("1.2.3",), 1, 0)] * 2


def test_what_was_there_already_is_read_and_what_is_refused_has_failed(start_node, tmp_path: Path):
    reject = '[storage]\non_conflict = "reject"\n'
    node = start_node(None, *configured(tmp_path, reject))
    one = instance("1.2.3.1")
    other = instance("1.2.3.1", changed={PATIENT_NAME: RawElement("PN", b"OTHER")})
    store_all(node.port, [one, one, other])
    found = eventually_told(node.data, RECEIVED, lambda found: len(found) == 3)
    assert {(one.action, one.outcome, bool(one.description)) for one in found} == {
        ("C", 0, False),
        ("R", 0, False),
        ("R", 4, True),
    }


def test_a_query_is_kept_as_it_was_sent(node: Node):
    identifier = {
        0x00080052: RawElement("CS", b"STUDY"),
        PATIENT_ID: RawElement("LO", b"4711"),
        STUDY_INSTANCE_UID: RawElement("UI", b""),
    }
    with Peer.associated(node.port, FIND) as peer:
        peer.find(identifier)
    (found,) = eventually_told(node.data, "Query")
    assert requestor(found) == ("HOSTILE", HERE)
    with AuditTrail(node.data / AUDIT_FILE) as trail:
        (kept,) = [one for one in newest(trail, 10) if one.event == "110112"]
    query = b64decode(fromstring(kept.xml).findtext(".//ParticipantObjectQuery", ""))
    assert b"STUDY" in query
    assert b"4711" in query


def test_a_get_begins_and_ends_with_what_went(start_node, tmp_path: Path):
    node = filled(start_node, tmp_path)
    with requesting(node) as association:
        get(association)
    (begun,) = eventually_told(node.data, BEGIN)
    sent = eventually_told(node.data, RECEIVED, lambda found: len(found) == 2)[-1]
    assert requestor(begun) == requestor(sent) == ("REQUESTOR", HERE)
    assert counts([begun, sent]) == [(("1.2.3",), COUNT, 0)] * 2
    assert ("REQUESTOR", ("Destination Role ID",)) in [(a.user_id, a.roles) for a in sent.actors]


def test_what_a_get_could_not_send_is_told_apart(start_node, tmp_path: Path):
    node = filled(start_node, tmp_path)
    statuses = [0xA700, 0, 0xC000, 0, 0]
    with requesting(node, on_store=lambda event: statuses.pop(0)) as association:
        get(association)
    found = eventually_told(node.data, RECEIVED, lambda found: len(found) == 3)[1:]
    assert counts(found) == [(("1.2.3",), 3, 0), (("1.2.3",), 2, 4)]
    assert "A700" in found[1].description


def test_a_move_names_its_destination(start_node, tmp_path: Path):
    with scp(on_store=answers()) as there:
        node = filled(start_node, tmp_path, there.port)
        with requesting(node) as association:
            move(association)
        sent = eventually_told(node.data, RECEIVED, lambda found: len(found) == 2)[-1]
    assert counts([sent]) == [(("1.2.3",), COUNT, 0)]
    assert requestor(sent) == ("REQUESTOR", HERE)
    (destination,) = [one for one in sent.actors if one.roles == ("Destination Role ID",)]
    assert (destination.ae_titles, destination.host) == ("DEST", HERE)


def test_who_leaves_in_the_middle_leaves_a_trace_of_what_went(start_node, tmp_path: Path):
    node = filled(start_node, tmp_path)
    with Peer(node.port) as peer:
        associate_to_get(peer)
        peer.command(
            3, CGetRQ(message_id=1, affected_sop_class_uid=STUDY_ROOT_GET, has_data_set=True)
        )
        keys = {
            0x00080052: RawElement("CS", b"STUDY"),
            STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3"),
        }
        peer.data_set(3, encode_elements(keys, EXPLICIT_VR_LITTLE_ENDIAN))
        request, _ = peer.read_message()
        assert isinstance(request, CStoreRQ)
    (found,) = eventually_told(node.data, RECEIVED, lambda found: len(found) > 1)[1:]
    assert counts([found]) == [(("1.2.3",), COUNT, 4)]


def associate_to_get(peer: Peer) -> None:
    """Contexts 1 for C-ECHO, 3 for C-GET, 5 for storage with both roles."""
    request = associate_rq((VERIFICATION, EXPLICIT), (STUDY_ROOT_GET, EXPLICIT), STORE)
    roles = (RoleSelection(STORE[0], True, True),)
    information = replace(request.user_information, role_selections=roles)
    peer.send(replace(request, user_information=information).encode())
    peer.read()


def test_a_commitment_tells_for_whom_instances_were_read_back(start_node, tmp_path: Path):
    node = filled(start_node, tmp_path)
    with Requester.calling(node.port) as peer:
        peer.ask([Reference(CT, f"1.2.3.4.{n}") for n in (0, 1, 99)])
        peer.report()
    (found,) = eventually_told(node.data, "DICOM Instances Accessed")
    assert requestor(found)[0] == "MODALITY"
    assert (found.studies, found.instances, found.outcome) == (("1.2.3",), 2, 4)


def test_a_performed_step_is_a_procedure_record(node: Node):
    where = Destination(HERE, node.port, calling_ae="CT1")
    with where.connect(PROCEDURE_STEP_CONTEXTS) as association:
        assert isinstance(association, ClientAssociation)
        create_step(association, "1.2.3.4", step_begun())
        set_step(association, "1.2.3.4", step_ended())
        get_step(association, "1.2.3.4")
    found = eventually_told(node.data, "Procedure Record", lambda found: len(found) == 3)
    assert [one.action for one in found] == ["C", "U", "R"]
    assert {requestor(one) for one in found} == {("CT1", HERE)}
    assert all(one.studies for one in found)


def test_a_rejected_association_is_an_alert_and_a_flood_of_them_few(start_node, tmp_path: Path):
    strict = '[node]\ncheck_called_ae = "always"\nae_title = "STRICT"\n'
    node = start_node_that_is_strict(start_node, tmp_path, strict)
    for _ in range(30):
        with Peer(node.port) as peer:
            peer.send(associate_rq(ECHO).encode())
            assert isinstance(peer.read(), AssociateRJ)
    node.stop()
    found = told(node.data, "Security Alert")
    assert {one.kinds for one in found} == {("Node Authentication",)}
    assert len(found) < 10
    assert {one.outcome for one in found} == {4}


def start_node_that_is_strict(start_node, tmp_path: Path, strict: str) -> Node:
    class Strict(Node):
        def _knock(self) -> None:
            with Peer(self.port) as peer:
                peer.send(associate_rq(ECHO).encode())
                assert peer.read() is not None

    return Strict(tmp_path / "strict", *configured(tmp_path, strict))


def test_a_service_that_is_denied_is_an_alert(start_node, tmp_path: Path):
    rights = '[peers.x]\nae_title = "HOSTILE"\nhost = "h"\nservices = ["echo", "get"]\n'
    node = start_node(None, *configured(tmp_path, rights))
    with Peer(node.port) as peer:
        associate_to_get(peer)
        peer.begin_store(instance("1.2.3.1"), context_id=5)
        assert peer.read_store_response().status == 0x0124
    (found,) = eventually_told(node.data, "Security Alert")
    assert found.kinds == ("Use of Restricted Function",)


def test_the_workers_of_a_node_make_one_chain(start_node, tmp_path: Path):
    node = start_node(None, "--workers", "2")
    wait_until_all_serve(node, 2)
    for number in range(10):
        store_all(node.port, [instance(f"1.2.3.{number}", study=f"1.2.5.{number}")])
    node.stop()
    found = told(node.data)
    assert sum(one.instances for one in found) == 10
    assert (found[0].kinds, found[-1].kinds) == (("Application Start",), ("Application Stop",))
    processes = {actor.user_id for one in found for actor in one.actors if one.instances}
    assert len(processes) == 3  # the peer and both workers


@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("--workers", "2"), marks=pytest.mark.slow)],
    ids=["one", "workers"],
)
def test_what_was_told_before_a_kill_is_there_after_it(start_node, tmp_path: Path, options):
    data = tmp_path / "data"
    file = quick(tmp_path)
    node = start_node(data, *file, *options)
    with Peer.associated(node.port, STORE) as peer:
        for number in range(10):
            peer.store(instance(f"1.2.3.1.{number}"))
        eventually_told(data, RECEIVED, lambda found: sum(one.instances for one in found) == 10)
        peer.store(instance("1.2.3.1.99"))
        kill_everything(node)
    node = start_node(data, *file, *options)
    store_all(node.port, [instance("1.2.3.1.100")])
    node.stop()
    found = told(data)
    assert sum(one.instances for one in found) in (11, 12)
    assert [one.kinds for one in found].count(("Application Start",)) == 2
    with AuditTrail(data / AUDIT_FILE) as trail:
        for kept in newest(trail, 100):
            check(kept.xml)


def test_without_a_trail_there_is_none(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[audit]\nenabled = false\n"))
    store_all(node.port, [instance("1.2.3.1")])
    node.stop()
    assert not (node.data / AUDIT_FILE).exists()


def test_a_node_serves_while_its_trail_cannot_be_written(start_node, tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / AUDIT_FILE).write_text("no database" * 100)
    node = start_node(data)
    assert store_all(node.port, [instance("1.2.3.1")]) == [0]
    assert node.stop(trouble_expected=True) == 0
    assert "the audit trail cannot be written" in node.log()
    (data / AUDIT_FILE).unlink()
    node = start_node(data)
    node.stop()
    found = told(data)
    assert sum(one.instances for one in found) == 1
    assert [one.kinds for one in found].count(("Application Start",)) == 2
