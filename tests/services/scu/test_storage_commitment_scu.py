"""Storage Commitment as its user: every way in which a peer may answer, pynetdicom's."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel

from isocenter.services.association import Destination
from isocenter.services.errors import NoPresentationContext
from isocenter.services.storage_commitment import Reference
from isocenter.services.storage_commitment_listener import (
    CannotListenForReports,
    ReportListener,
)
from isocenter.services.storage_commitment_scu import (
    COMMITMENT_CONTEXT,
    CommitmentRefused,
    Verdict,
    commit_instances,
)
from tests.services.scu.pynetdicom_scp import scp as pynetdicom_scp

CT = "1.2.840.10008.5.1.4.1.1.2"
WELL_KNOWN = "1.2.840.10008.1.20.1.1"
WANTED = [Reference(CT, f"1.2.3.{number}") for number in range(4)]

Handler = Callable[[Any], Any]


def scp(on_action: Handler) -> AbstractContextManager[Destination]:
    """pynetdicom as commitment SCP."""
    return pynetdicom_scp(
        on_action=on_action,
        configure=lambda ae: ae.add_supported_context(StorageCommitmentPushModel),
    )


def result(request: Dataset, failing: int = 0, reason: int = 0x0112) -> tuple[int, Dataset]:
    """Event type and information; the last `failing` instances are not committed."""
    items = list(request.ReferencedSOPSequence)
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    report.ReferencedSOPSequence = items[: len(items) - failing]
    if failing:
        report.FailedSOPSequence = items[len(items) - failing :]
        for one in report.FailedSOPSequence:
            one.FailureReason = reason
    return (2 if failing else 1), report


def later(action: Callable[[], object]) -> None:
    threading.Timer(0.01, action).start()


def report_on(association: Any, event_type: int, information: Dataset) -> list[int]:
    status, _ = association.send_n_event_report(
        information, event_type, StorageCommitmentPushModel, WELL_KNOWN
    )
    return status.Status


def test_a_report_on_the_same_association_is_taken() -> None:
    answers: list[int] = []

    def on_action(event: Any) -> tuple[int, None]:
        what = result(event.action_information, failing=1)
        later(lambda: answers.append(report_on(event.assoc, *what)))
        return 0x0000, None

    with scp(on_action) as peer:
        with peer.connect([COMMITMENT_CONTEXT]) as association:
            report = association.commit(WANTED, transaction_uid="1.2.9", wait=20)
        assert report is not None
        assert report.transaction_uid == "1.2.9"
        assert list(report.committed) == WANTED[:3]
        assert report.failed == {WANTED[3]: 0x0112}
    assert answers == [0x0000]


def test_without_a_report_nothing_is_known() -> None:
    with scp(lambda event: (0x0000, None)) as peer:
        outcome = commit_instances(peer, WANTED, wait=0.2)
    assert not outcome.complete
    assert set(outcome.verdicts.values()) == {Verdict(False)}
    assert outcome.unreported == outcome.transactions


def test_a_peer_that_releases_leaves_nothing_known() -> None:
    def on_action(event: Any) -> tuple[int, None]:
        later(event.assoc.release)
        return 0x0000, None

    with scp(on_action) as peer:
        assert commit_instances(peer, WANTED, wait=20).unreported


def test_a_refused_request_is_an_error_with_the_status() -> None:
    with scp(lambda event: (0x0213, None)) as peer, pytest.raises(CommitmentRefused) as raised:
        commit_instances(peer, WANTED, wait=20)
    assert "0213H" in str(raised.value)


def test_a_peer_without_storage_commitment_is_named() -> None:
    with pynetdicom_scp() as peer, pytest.raises(NoPresentationContext):
        commit_instances(peer, WANTED, wait=20)


def test_what_a_report_does_not_mention_is_not_committed() -> None:
    def on_action(event: Any) -> tuple[int, None]:
        event_type, report = result(event.action_information)
        report.ReferencedSOPSequence = list(report.ReferencedSOPSequence)[:2]
        later(lambda: report_on(event.assoc, event_type, report))
        return 0x0000, None

    with scp(on_action) as peer:
        outcome = commit_instances(peer, WANTED, wait=20)
    assert [verdict.committed for verdict in outcome.verdicts.values()] == [True] * 2 + [False] * 2
    assert not outcome.unreported


def test_a_report_about_another_transaction_is_answered_and_changes_nothing() -> None:
    answers: list[int] = []

    def reports(event: Any) -> None:
        event_type, report = result(event.action_information)
        uid, report.TransactionUID = report.TransactionUID, "1.2.99"
        answers.append(report_on(event.assoc, event_type, report))
        answers.append(report_on(event.assoc, 7, report))
        report.TransactionUID = uid
        answers.append(report_on(event.assoc, event_type, report))

    def on_action(event: Any) -> tuple[int, None]:
        later(lambda: reports(event))
        return 0x0000, None

    with scp(on_action) as peer:
        assert commit_instances(peer, WANTED, wait=20).complete
    assert answers == [0x0115, 0x0113, 0x0000]


def test_more_instances_than_fit_one_transaction_make_several() -> None:
    asked: list[int] = []

    def on_action(event: Any) -> tuple[int, None]:
        asked.append(len(event.action_information.ReferencedSOPSequence))
        what = result(event.action_information)
        later(lambda: report_on(event.assoc, *what))
        return 0x0000, None

    with scp(on_action) as peer:
        outcome = commit_instances(peer, WANTED, wait=20, per_transaction=3)
    assert asked == [3, 1]
    assert outcome.complete
    assert len(set(outcome.transactions)) == 2


@pytest.mark.parametrize("role", [True, False], ids=["with role selection", "without"])
def test_a_report_on_an_association_of_the_peers_is_taken(role: bool) -> None:
    seen: list[Any] = []

    def report_anew(port: int, what: tuple[int, Dataset]) -> None:
        ae = AE("PEER")
        ae.add_requested_context(StorageCommitmentPushModel)
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if role else []
        association = ae.associate("127.0.0.1", port, ext_neg=roles)
        (context,) = association.accepted_contexts
        seen.append(context.as_scp)
        status, _ = association.send_n_event_report(
            what[1], what[0], StorageCommitmentPushModel, WELL_KNOWN
        )
        seen.append(status.Status)
        association.release()

    with ReportListener(0, "127.0.0.1") as listener:

        def on_action(event: Any) -> tuple[int, None]:
            what = result(event.action_information, failing=2, reason=0x0110)
            later(lambda: report_anew(listener.port, what))
            return 0x0000, None

        with scp(on_action) as peer:
            outcome = commit_instances(peer, WANTED, wait=20, listener=listener)
    assert [v.reason for v in outcome.verdicts.values()] == [None, None, 0x0110, 0x0110]
    if role:
        assert seen == [True, 0x0000]


def test_a_port_in_use_is_named() -> None:
    with (
        ReportListener(0, "127.0.0.1") as first,
        pytest.raises(CannotListenForReports, match=str(first.port)),
        ReportListener(first.port, "127.0.0.1"),
    ):
        pass


def test_who_knocks_at_the_listener_can_only_echo() -> None:
    with ReportListener(0, "127.0.0.1") as listener:
        visitor = Destination("127.0.0.1", listener.port)
        with visitor.connect([("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])]) as association:
            assert association.echo().is_success
        with visitor.connect([(CT, ["1.2.840.10008.1.2"])]) as association:
            assert association.transport.accepted_contexts == {}
