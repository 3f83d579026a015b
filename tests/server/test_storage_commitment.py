"""Storage Commitment of a running node: what it promises, to whom it says so, what it survives."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from isocenter.archive.index import IndexReader
from isocenter.archive.layout import INDEX_FILE, PACKS
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.commitments import Commitments, TransactionSummary
from isocenter.archive.workflow.jobs import Jobs
from isocenter.dictionary.sop_classes import STORAGE_COMMITMENT_PUSH
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import (
    NActionRQ,
    NActionRSP,
    NEventReportRQ,
    NEventReportRSP,
    NGetRQ,
)
from isocenter.services.storage_commitment import (
    PUSH_MODEL_INSTANCE,
    CommitmentReport,
    Reference,
    decode_report,
    encode_request,
)
from isocenter.services.storage_commitment_listener import ReportListener
from isocenter.upperlayer.pdu import AssociateAC
from tests.server.support import ECHO, EXPLICIT, Peer, Syntaxes, associate_rq, store_all
from tests.server.support_instances import CT, Instance, instance
from tests.server.support_nodes import (
    configured,
    eventually,
    wait_until_all_serve,
    worker_of,
    workers,
)
from tests.support.node import Node, isocenter, isocenter_json

COMMIT: Syntaxes = (STORAGE_COMMITMENT_PUSH, EXPLICIT)
MR = "1.2.840.10008.5.1.4.1.1.4"
UID = "1.2.9"

STORED = [instance(f"1.2.3.4.{number}") for number in range(6)]


def referring(*instances: Instance) -> list[Reference]:
    return [Reference(one.sop_class_uid, one.uid) for one in instances]


ALL = referring(*STORED)


class Requester(Peer):
    """A peer that asks for commitment and takes reports, under an AE title of its own."""

    @classmethod
    def calling(cls, port: int, ae_title: str = "MODALITY") -> "Requester":
        peer = cls(port)
        peer.send(associate_rq(COMMIT, ECHO, calling=ae_title).encode())
        assert isinstance(peer.read(), AssociateAC)
        return peer

    def action(self, data: bytes | None, **changed: object) -> NActionRSP:
        """N-ACTION with any content; the response."""
        values = {
            "message_id": self.next_message_id(),
            "requested_sop_class_uid": STORAGE_COMMITMENT_PUSH,
            "requested_sop_instance_uid": PUSH_MODEL_INSTANCE,
            "action_type_id": 1,
            "has_data_set": data is not None,
        } | changed
        self.command(1, NActionRQ(**values))
        if data is not None:
            self.data_set(1, data)
        response, _ = self.read_message()
        assert isinstance(response, NActionRSP), response
        return response

    def ask(self, references: Sequence[Reference] = ALL, *, uid: str = UID) -> int:
        """An honest request; the status."""
        data = encode_request(uid, references, EXPLICIT_VR_LITTLE_ENDIAN)
        return self.action(data).status

    def report(self, *, status: int = 0) -> CommitmentReport:
        """The next report, answered with `status`."""
        message, data = self.read_message()
        assert isinstance(message, NEventReportRQ), message
        assert message.affected_sop_instance_uid == PUSH_MODEL_INSTANCE
        response = NEventReportRSP(
            message_id_being_responded_to=message.message_id,
            affected_sop_class_uid=message.affected_sop_class_uid,
            affected_sop_instance_uid=message.affected_sop_instance_uid,
            event_type_id=message.event_type_id,
            status=status,
        )
        self.command(1, response)
        report = decode_report(data, EXPLICIT_VR_LITTLE_ENDIAN, 200_000)
        assert message.event_type_id == report.event_type
        return report


def settings(port: int = 1, delivery: str = '"auto"', more: str = "") -> str:
    """One peer, MODALITY at `port`; reports are tried again soon."""
    return (
        f'[peers.modality]\nae_title = "MODALITY"\nhost = "127.0.0.1"\nport = {port}\n'
        f"commitment_delivery = {delivery}\n"
        f"[commitment]\nfirst_retry = 0.05\nlongest_retry = 0.1\n{more}"
    )


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[..., Node]:
    """Starts a node that holds STORED."""

    def started(port: int = 1, delivery: str = '"auto"', more: str = "") -> Node:
        node = start_node(None, *configured(tmp_path, settings(port, delivery, more)))
        assert store_all(node.port, STORED) == [0] * len(STORED)
        return node

    return started


@pytest.fixture(scope="module")
def filled(node: Node) -> Node:
    """The module's node, filled."""
    assert store_all(node.port, STORED) == [0] * len(STORED)
    return node


@pytest.fixture
def requester(filled: Node, request: pytest.FixtureRequest) -> Iterator[Requester]:
    """Associated with the module's node, under an AE title of the test's own."""
    with Requester.calling(filled.port, f"T{abs(hash(request.node.name)) % 10**12}") as peer:
        yield peer


def listed(node: Node) -> list[TransactionSummary]:
    with Workflow(node.data / "workflow.sqlite") as workflow:
        return Commitments(workflow, Jobs(workflow)).list()


def state(node: Node) -> str:
    (only,) = listed(node)
    return only.state.value


# What is promised


def test_what_is_stored_is_committed_on_the_same_association(requester: Requester):
    assert requester.ask() == 0
    report = requester.report()
    assert list(report.committed) == ALL
    assert not report.failed
    assert requester.released()


def test_each_instance_gets_its_own_answer(requester: Requester):
    absent, other = Reference(CT, "1.2.3.4.99"), Reference(MR, "1.2.3.4.1")
    assert requester.ask([ALL[0], absent, ALL[2], other]) == 0
    report = requester.report()
    assert list(report.committed) == [ALL[0], ALL[2]]
    assert report.failed == {absent: 0x0112, other: 0x0119}


def test_a_byte_that_changed_on_the_disk_is_not_committed(start: Callable[..., Node]):
    node = start()

    def located(uid: str):
        reader = IndexReader(node.data / INDEX_FILE)
        try:
            return reader.locate(uid)
        finally:
            reader.close()

    place = eventually(lambda: located(STORED[2].uid))
    with (node.data / PACKS / place.pack).open("r+b") as pack:
        pack.seek(place.offset + place.length - 100)
        pack.write(b"rotten bits")
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
        report = peer.report()
        assert report.failed == {ALL[2]: 0x0110}
        assert list(report.committed) == [one for one in ALL if one != ALL[2]]
        assert peer.released()
    assert node.stop(trouble_expected=True) == 0  # it complains about the pack, and should


def test_what_was_sent_with_other_bytes_is_not_promised_to_its_sender(start: Callable[..., Node]):
    node = start()
    other = instance(STORED[0].uid, pixels=2000)
    assert store_all(node.port, [other]) == [0]  # from HOSTILE; goes to quarantine
    for ae_title, failed in (("HOSTILE", {ALL[0]: 0x0110}), ("MODALITY", {})):
        with Requester.calling(node.port, ae_title) as peer:
            assert peer.ask() == 0
            assert peer.report().failed == failed


# What is refused


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"requested_sop_instance_uid": "1.2.840.10008.1.20.1.2"}, 0x0112),
        ({"requested_sop_class_uid": "1.2.840.10008.1.20.2"}, 0x0122),
        ({"action_type_id": 2}, 0x0123),
    ],
)
def test_another_instance_class_or_action_is_refused(
    requester: Requester, changed: dict, status: int
):
    data = encode_request(UID, ALL, EXPLICIT_VR_LITTLE_ENDIAN)
    assert requester.action(data, **changed).status == status
    assert requester.echo(3) == 0


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"\0" * 7,
        b"\x08\0\x95\x11UI\x06\x001.2.3\0",
        encode_request(UID, [], EXPLICIT_VR_LITTLE_ENDIAN),
        encode_request("no uid", ALL, EXPLICIT_VR_LITTLE_ENDIAN),
        encode_request(UID, [Reference("", "1.2.3")], EXPLICIT_VR_LITTLE_ENDIAN),
        encode_request(UID, [Reference(CT, "1.2\n3")], EXPLICIT_VR_LITTLE_ENDIAN),
        encode_request(UID, ALL, EXPLICIT_VR_LITTLE_ENDIAN)[:-3],
    ],
    ids=[
        "no data set",
        "empty",
        "junk",
        "no sequence",
        "no items",
        "transaction UID",
        "no class",
        "not a UID",
        "cut",
    ],
)
def test_a_malformed_request_is_refused_and_harms_nobody(requester: Requester, data: bytes | None):
    response = requester.action(data)
    assert response.status == 0x0115
    assert response.error_comment
    assert requester.ask(uid="1.2.10") == 0
    assert requester.report().transaction_uid == "1.2.10"


def test_other_operations_are_refused(requester: Requester):
    message_id = requester.next_message_id()
    requester.command(
        1,
        NGetRQ(
            message_id=message_id,
            requested_sop_class_uid=STORAGE_COMMITMENT_PUSH,
            requested_sop_instance_uid=PUSH_MODEL_INSTANCE,
        ),
    )
    response, _ = requester.read_message()
    assert response.status == 0x0211


def test_the_largest_permitted_request_is_served(start: Callable[..., Node]):
    node = start(more="maximum_instances = 5\n")
    with Requester.calling(node.port) as peer:
        assert peer.ask(ALL[:6]) == 0x0213
        assert peer.ask(ALL[:5]) == 0
        assert list(peer.report().committed) == ALL[:5]


def test_more_than_may_wait_for_their_reports_is_refused(start: Callable[..., Node]):
    node = start(delivery='["next"]', more="open_instances = 8\n")
    with Requester.calling(node.port) as peer:
        assert peer.ask(uid="1.2.1") == 0
        assert peer.ask(uid="1.2.2") == 0x0213


# Transactions


def test_the_same_request_again_is_the_same_transaction(start: Callable[..., Node], free_port: int):
    node = start(free_port, '["new"]')
    with Requester.calling(node.port) as peer:
        assert [peer.ask() for _ in range(5)] == [0] * 5
        assert peer.ask(ALL[1:]) == 0x0131
        assert peer.ask(ALL[1:], uid="1.2.10") == 0
    assert len(listed(node)) == 2


def test_a_request_after_its_report_is_answered_by_another_report(requester: Requester):
    for _ in range(2):
        assert requester.ask() == 0
        assert list(requester.report().committed) == ALL


def test_a_large_transaction_does_not_hold_up_a_small_one(start: Callable[..., Node]):
    node = start()
    many = [Reference(CT, f"1.2.3.5.{number}") for number in range(30_000)]
    with Requester.calling(node.port, "LARGE") as large, Requester.calling(node.port) as small:
        assert large.ask([*ALL, *many]) == 0
        assert small.ask() == 0
        assert list(small.report().committed) == ALL
        assert next(one.state.value for one in reversed(listed(node))) != "reported"
        report = large.report()
        assert len(report.failed) == len(many)
        assert list(report.committed) == ALL


# Ways of delivery


def test_a_report_is_delivered_on_a_new_association(start: Callable[..., Node], free_port: int):
    node = start(free_port, '["new"]')
    with ReportListener(free_port, "127.0.0.1") as listener:
        listener.reports.expect(UID)
        with Requester.calling(node.port) as peer:
            assert peer.ask() == 0
            report = eventually(lambda: listener.reports.get(UID))
            assert peer.released()
    assert list(report.committed) == ALL
    eventually(lambda: state(node) == "reported")


def test_a_closed_port_costs_nothing_but_another_attempt(
    start: Callable[..., Node], free_port: int
):
    node = start(free_port)
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0  # and goes without a word

    def attempts() -> bool:
        (only,) = listed(node)
        return (only.attempts or 0) > 2 and "cannot be reached" in only.last_error

    eventually(attempts)
    with ReportListener(free_port, "127.0.0.1") as listener:
        listener.reports.expect(UID)
        assert list(eventually(lambda: listener.reports.get(UID)).committed) == ALL


def test_the_requesters_next_association_brings_the_report(start: Callable[..., Node]):
    node = start(delivery='["next"]')
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
    eventually(lambda: state(node) == "checked")
    with Requester.calling(node.port, "ANOTHER") as stranger:
        assert stranger.echo(3) == 0
    with Requester.calling(node.port) as peer:
        assert list(peer.report().committed) == ALL
        assert peer.released()
    eventually(lambda: state(node) == "reported")


def test_all_old_reports_go_out_on_the_next_association(start: Callable[..., Node]):
    node = start(delivery='["next"]')
    uids = {f"1.2.9.{number}" for number in range(40)}
    with Requester.calling(node.port) as peer:
        assert [peer.ask(uid=uid) for uid in uids] == [0] * 40
    eventually(lambda: {one.state.value for one in listed(node)} == {"checked"})
    with Requester.calling(node.port) as peer:
        assert {peer.report().transaction_uid for _ in uids} == uids


def test_a_requester_that_refuses_the_report_gets_it_again(start: Callable[..., Node]):
    node = start(delivery='["same"]')
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
        for _ in range(3):
            peer.report(status=0x0110)
        assert list(peer.report().committed) == ALL
        eventually(lambda: state(node) == "reported")


def test_what_is_wanted_on_the_same_association_only_is_lost_with_it(start: Callable[..., Node]):
    node = start(delivery='["same"]')
    with Requester.calling(node.port) as peer:
        data = encode_request(UID, [*ALL, Reference(CT, "1.2.99")], EXPLICIT_VR_LITTLE_ENDIAN)
        assert peer.action(data).status == 0
    eventually(lambda: state(node) == "unreported")
    (only,) = isocenter_json("commit", "list", "--data", node.data)
    assert "association is gone" in only["last_error"]
    assert node.stop(trouble_expected=True) == 0  # that a report is lost is an error in the log


def test_a_report_is_given_up_in_the_end_and_can_be_tried_again(
    start: Callable[..., Node], free_port: int
):
    node = start(free_port, '["new"]', "retry_for = 1\n")
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
    eventually(lambda: state(node) == "unreported")
    with ReportListener(free_port, "127.0.0.1") as listener:
        listener.reports.expect(UID)
        assert isocenter("commit", "retry", UID, "--data", node.data).returncode == 0
        assert list(eventually(lambda: listener.reports.get(UID)).committed) == ALL
    assert isocenter("commit", "retry", UID, "--data", node.data).returncode == 20
    assert node.stop(trouble_expected=True) == 0


# Crashes


def test_a_killed_node_reports_after_its_restart(
    start: Callable[..., Node], start_node, tmp_path: Path, free_port: int
):
    node = start(free_port)
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
        node.kill()
    with ReportListener(free_port, "127.0.0.1") as listener:
        listener.reports.expect(UID)
        start_node(node.data, *configured(tmp_path, settings(free_port)))
        assert list(eventually(lambda: listener.reports.get(UID)).committed) == ALL


def test_a_stopped_node_reports_after_its_restart(
    start: Callable[..., Node], start_node, tmp_path: Path
):
    node = start(delivery='["next"]')
    with Requester.calling(node.port) as peer:
        assert peer.ask() == 0
    node.stop()
    again = start_node(node.data, *configured(tmp_path, settings(delivery='["next"]')))
    with Requester.calling(again.port) as peer:
        assert list(peer.report().committed) == ALL


TWO_WORKERS = "[workers]\ncount = 2\n"


def test_with_two_workers_each_report_goes_back_on_its_own_association(
    start: Callable[..., Node],
):
    node = start(more=TWO_WORKERS)
    wait_until_all_serve(node, 2)
    with ExitStack() as stack:
        peers = [
            stack.enter_context(Requester.calling(node.port, f"MODALITY{number}"))
            for number in range(6)
        ]
        assert len({worker_of(node, peer.name) for peer in peers}) == 2
        for number, peer in enumerate(peers):
            assert peer.ask([ALL[number % 6]], uid=f"1.2.9.{number}") == 0
        for number, peer in enumerate(peers):
            report = peer.report()
            assert report.transaction_uid == f"1.2.9.{number}"
            assert list(report.committed) == [ALL[number % 6]]


@pytest.mark.slow  # until the lease of the dead worker has ended
def test_a_killed_worker_leaves_its_transactions_to_the_other(
    start: Callable[..., Node], free_port: int
):
    node = start(free_port, more=TWO_WORKERS)
    wait_until_all_serve(node, 2)
    with Requester.calling(node.port) as peer:
        number = worker_of(node, peer.name)
        assert peer.ask() == 0
        assert number in (0, 1)
        workers(node)[number].kill()
    with ReportListener(free_port, "127.0.0.1") as listener:
        listener.reports.expect(UID)
        assert list(eventually(lambda: listener.reports.get(UID), 100).committed) == ALL
    assert node.stop(trouble_expected=True) == 0
