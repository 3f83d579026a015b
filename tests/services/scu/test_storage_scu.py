"""Sending files: every verdict a peer can give, and every way it can fall silent."""

import itertools
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes

from isocenter.encoding import files as files_module
from isocenter.encoding.files import read_data_set
from isocenter.services import storage_scu
from isocenter.services.association import Destination
from isocenter.services.errors import VerificationFailed
from isocenter.services.storage_report import FileResult, SendOutcome
from isocenter.services.storage_scu import RetryPolicy, send_files
from tests.services.scu.instances import MR, data_set_bytes, write_instance, write_instances
from tests.services.scu.pynetdicom_scp import scp
from tests.support.processes import free_port

pytestmark = pytest.mark.interop

AT_ONCE = RetryPolicy(retries=3, first_delay=0.0)


class Archive:
    """A C-STORE handler of pynetdicom that keeps everything and answers as told."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)  # for the first requests; then success
        self.received: list[tuple[str, bytes]] = []
        self.associations: set[int] = set()

    def __call__(self, event: Any) -> Any:
        request = event.request
        self.received.append((request.AffectedSOPInstanceUID, request.DataSet.getvalue()))
        self.associations.add(id(event.assoc))
        answer = self.answers.pop(0) if self.answers else 0x0000
        return answer(event) if callable(answer) else answer

    @property
    def uids(self) -> list[str]:
        return [uid for uid, _ in self.received]


def abort(event: Any) -> int:
    event.assoc.abort()
    return 0x0000


def failure(code: int, comment: str) -> Dataset:
    status = Dataset()
    status.Status = code
    status.ErrorComment = comment
    return status


def uids_of(results: list[FileResult]) -> list[str]:
    return [result.file.sop_instance_uid for result in results]


def test_every_file_arrives_byte_for_byte(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 5)
    archive = Archive()
    with scp(on_store=archive) as peer:
        report = send_files(files, peer)
    assert archive.received == [(file.sop_instance_uid, data_set_bytes(file)) for file in files]
    assert uids_of(report.accepted) == [file.sop_instance_uid for file in files]
    assert report.bytes == sum(file.dataset_length for file in files)
    assert report.associations == 1
    assert report.complete
    assert report.seconds > 0


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_files_around_the_mapping_threshold_arrive_whole(tmp_path: Path, extra: int) -> None:
    small = write_instance(tmp_path / "a", 1, pixels=2)
    pixels = files_module._MAPPED_FROM - small.size + extra
    file = write_instance(tmp_path / "b", 2, pixels=pixels + pixels % 2)
    archive = Archive()
    with scp(on_store=archive) as peer:
        assert send_files([file], peer, preflight=False).complete
    assert archive.received == [("1.2.3.2", data_set_bytes(file))]


def test_each_verdict_is_reported_with_its_reason(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 4)
    archive = Archive(0x0000, 0xB000, failure(0xC123, "no patient"), 0x0122)
    heard: list[FileResult] = []
    with scp(on_store=archive) as peer:
        report = send_files(files, peer, on_result=heard.append)
    assert uids_of(report.accepted) == ["1.2.3.1"]
    assert [result.reason for result in report.warned] == ["B000H Coercion of data elements"]
    assert [result.reason for result in report.refused] == [
        "C123H Cannot understand: no patient",
        "0122H Refused: SOP class not supported",
    ]
    assert not report.complete
    assert [result.outcome for result in heard] == [
        SendOutcome.ACCEPTED,
        SendOutcome.WARNED,
        SendOutcome.REFUSED,
        SendOutcome.REFUSED,
    ]
    assert report.bytes == files[0].dataset_length + files[1].dataset_length


def test_a_file_whose_context_was_not_accepted_is_refused_and_the_others_go(
    tmp_path: Path,
) -> None:
    odd = write_instance(tmp_path / "odd", 1, sop_class="1.2.840.10008.5.1.4.1.1.88.11")
    files = [odd, *write_instances(tmp_path, 2)]
    archive = Archive()
    with scp(on_store=archive) as peer:
        report = send_files(files, peer)
    assert len(report.accepted) == 2
    (refused,) = report.refused
    assert refused.file is odd
    assert refused.status is None
    assert "accepted no presentation context" in refused.reason


def test_each_transfer_syntax_goes_over_a_context_of_its_own(tmp_path: Path) -> None:
    syntaxes: list[str] = []

    def on_store(event: Any) -> int:
        syntaxes.append(event.context.transfer_syntax)
        return 0x0000

    wanted = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"]
    files = [
        write_instance(tmp_path / str(number), number, sop_class=MR, syntax=syntax)
        for number, syntax in enumerate(wanted)
    ]
    with scp(on_store=on_store) as peer:
        assert send_files(files, peer).complete
    assert syntaxes == wanted


def test_several_associations_share_the_files(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 12)
    together = threading.Barrier(3)
    archive = Archive()
    met: set[int] = set()

    def on_store(event: Any) -> Any:
        if id(event.assoc) not in met:  # with its first object, however fast it sends the next
            met.add(id(event.assoc))
            together.wait(20)  # broken unless three associations store at the same time
        return archive(event)

    with scp(on_store=on_store) as peer:
        report = send_files(files, peer, associations=3)
    assert report.complete
    assert report.associations == 3
    assert len(archive.associations) == 3
    assert sorted(archive.uids) == sorted(file.sop_instance_uid for file in files)


def test_more_than_128_contexts_take_a_second_association(tmp_path: Path) -> None:
    sop_classes = [f"1.2.840.10008.5.1.4.1.1.{arc}" for arc in ("1", "1.1", "2", "4", "7", "20")]
    pairs = itertools.islice(itertools.product(sop_classes, AllTransferSyntaxes), 130)
    files = [
        write_instance(tmp_path / str(number), number, sop_class=sop_class, syntax=syntax)
        for number, (sop_class, syntax) in enumerate(pairs)
    ]

    def configure(ae: Any) -> None:
        for sop_class in sop_classes:
            ae.add_supported_context(sop_class, AllTransferSyntaxes)

    archive = Archive()
    with scp(on_store=archive, configure=configure) as peer:
        report = send_files(files, peer)
    assert report.complete
    assert report.associations == 2
    assert archive.uids == [file.sop_instance_uid for file in files]


def test_repeat_sends_the_list_again(tmp_path: Path) -> None:
    archive = Archive()
    with scp(on_store=archive) as peer:
        report = send_files(write_instances(tmp_path, 2), peer, repeat=3)
    assert archive.uids == ["1.2.3.1", "1.2.3.2"] * 3
    assert len(report.accepted) == 6


def test_a_peer_out_of_resources_is_asked_again(tmp_path: Path) -> None:
    archive = Archive(0xA700, 0xA7FF)
    with scp(on_store=archive) as peer:
        report = send_files(write_instances(tmp_path, 2), peer, retry=AT_ONCE)
    assert archive.uids == ["1.2.3.1", "1.2.3.1", "1.2.3.1", "1.2.3.2"]
    assert [result.attempts for result in report.accepted] == [3, 1]


def test_a_peer_that_stays_full_is_believed_after_one_file(tmp_path: Path) -> None:
    archive = Archive(*[0xA700] * 6, 0x0000, 0xA700, 0x0000)
    with scp(on_store=archive) as peer:
        report = send_files(write_instances(tmp_path, 5), peer, retry=AT_ONCE)
    assert Counter(archive.uids) == {
        "1.2.3.1": 4,
        "1.2.3.2": 1,
        "1.2.3.3": 1,
        "1.2.3.4": 1,
        "1.2.3.5": 2,
    }
    assert uids_of(report.accepted) == ["1.2.3.4", "1.2.3.5"]
    assert {result.reason for result in report.refused} == {"A700H Refused: out of resources"}


def test_a_lost_association_is_made_anew_and_its_file_sent_again(tmp_path: Path) -> None:
    archive = Archive(0x0000, abort)
    with scp(on_store=archive) as peer:
        report = send_files(write_instances(tmp_path, 4), peer, retry=AT_ONCE)
    assert report.complete
    assert report.associations == 2
    assert archive.uids == ["1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4", "1.2.3.2"]
    assert {result.file.sop_instance_uid: result.attempts for result in report.accepted}[
        "1.2.3.2"
    ] == 2


def test_the_one_file_that_kills_every_association_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    archive = Archive()

    def on_store(event: Any) -> Any:
        if event.request.AffectedSOPInstanceUID == "1.2.3.1":
            archive.received.append(("1.2.3.1", b""))
            return abort(event)
        return archive(event)

    with scp(on_store=on_store) as peer:
        report = send_files(write_instances(tmp_path, 4), peer, retry=AT_ONCE)
    assert uids_of(report.accepted) == ["1.2.3.2", "1.2.3.3", "1.2.3.4"]
    (refused,) = report.refused
    assert refused.attempts == 4
    assert "broke off" in refused.reason
    assert Counter(archive.uids)["1.2.3.1"] == 4


def test_a_peer_that_always_aborts_is_given_up(tmp_path: Path) -> None:
    with scp(on_store=abort) as peer:
        report = send_files(write_instances(tmp_path, 20), peer, retry=AT_ONCE)
    assert len(report.refused) == 20
    assert report.associations == 4
    assert all("broke off" in result.reason for result in report.refused)


def test_a_peer_that_is_gone_refuses_every_file_with_the_reason(tmp_path: Path) -> None:
    nowhere = Destination("127.0.0.1", free_port())
    report = send_files(write_instances(tmp_path, 3), nowhere, preflight=False, retry=AT_ONCE)
    assert len(report.refused) == 3
    assert all("nothing listens there" in result.reason for result in report.refused)


def test_a_permanent_rejection_is_not_tried_again(tmp_path: Path) -> None:
    calls: list[int] = []

    class CountingDestination(Destination):
        def connect(self, *arguments: Any, **options: Any) -> Any:
            calls.append(1)
            return super().connect(*arguments, **options)

    def configure(ae: Any) -> None:
        ae.require_called_aet = True

    with scp(configure=configure) as peer:
        stranger = CountingDestination(peer.host, peer.port, called_ae="SOMEONE")
        report = send_files(write_instances(tmp_path, 2), stranger, preflight=False, retry=AT_ONCE)
    assert len(calls) == 1
    assert all("does not know itself" in result.reason for result in report.refused)


def test_a_transient_rejection_is_tried_again(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 2)
    refusals = 0

    def configure(ae: Any) -> None:
        ae.maximum_associations = 1

    archive = Archive()
    with (
        scp(on_store=archive, configure=configure) as peer,
        peer.connect([(MR, ("1.2.840.10008.1.2",))]) as occupant,
    ):

        class RelentingDestination(Destination):
            def connect(self, *arguments: Any, **options: Any) -> Any:
                nonlocal refusals
                try:
                    return super().connect(*arguments, **options)
                except Exception:
                    refusals += 1
                    occupant.abort()
                    raise

        patient = RelentingDestination(peer.host, peer.port)
        many = RetryPolicy(retries=200, first_delay=0.01, longest_delay=0.01)
        report = send_files(files, patient, preflight=False, retry=many)
    assert refusals >= 1
    assert report.complete


def test_the_preflight_names_the_problem_before_anything_is_sent(tmp_path: Path) -> None:
    archive = Archive()
    with scp(on_store=archive, on_echo=lambda event: 0x0110) as peer:
        with pytest.raises(VerificationFailed) as caught:
            send_files(write_instances(tmp_path, 1), peer)
        assert caught.value.phase == "echo"
        assert not archive.received
        assert send_files(write_instances(tmp_path, 1), peer, preflight=False).complete


def test_a_file_that_is_gone_by_its_turn_is_refused_and_the_others_go(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 3)
    files[0].path.unlink()
    files[1].path.write_bytes(b"something shorter")
    with scp(on_store=Archive()) as peer:
        report = send_files(files, peer)
    assert uids_of(report.accepted) == ["1.2.3.3"]
    assert "No such file" in report.refused[0].reason
    assert "has changed" in report.refused[1].reason


def test_nothing_to_send_needs_no_association() -> None:
    report = send_files([], Destination("127.0.0.1", free_port()), preflight=False)
    assert report.complete
    assert report.associations == 0


@pytest.mark.parametrize("options", [{"associations": 0}, {"repeat": 0}])
def test_counts_start_at_one(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="count from one"):
        send_files([], Destination("127.0.0.1", 1), **options)  # type: ignore[arg-type]


def test_an_error_in_the_callers_callback_reaches_the_caller(tmp_path: Path) -> None:
    def fail(result: FileResult) -> None:
        raise ZeroDivisionError

    with scp(on_store=Archive()) as peer, pytest.raises(ZeroDivisionError):
        send_files(write_instances(tmp_path, 3), peer, on_result=fail)


def interrupt() -> None:
    """What Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.parametrize("associations", [1, 2])
def test_ctrl_c_finishes_the_files_under_way_and_releases(
    tmp_path: Path, associations: int
) -> None:
    files = write_instances(tmp_path, 200)
    seen: list[FileResult] = []

    def on_result(result: FileResult) -> None:
        seen.append(result)
        if len(seen) == 3:
            interrupt()

    archive = Archive()
    with scp(on_store=archive) as peer:
        report = send_files(files, peer, associations=associations, on_result=on_result)
    assert report.canceled
    assert not report.complete
    assert len(report.accepted) + len(report.unsent) == 200
    assert not report.refused
    assert sorted(archive.uids) == sorted(uids_of(report.accepted))


# pynetdicom forgets to close its socket when the peer aborts inside a handler.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_ctrl_c_aborts_a_file_that_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_scu, "_CANCEL_GRACE", 0.0)
    let_go = threading.Event()

    def hang(event: Any) -> int:
        interrupt()
        let_go.wait(20)
        return 0x0000

    with scp(on_store=hang) as peer:
        try:
            report = send_files(write_instances(tmp_path, 3), peer)
        finally:
            let_go.set()
    assert report.canceled
    assert len(report.unsent) == 3


def test_the_delays_double_up_to_the_longest() -> None:
    policy = RetryPolicy(first_delay=0.5, longest_delay=3.0)
    assert [policy.delay(n) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_mapped_file_is_a_view_and_not_a_copy(tmp_path: Path) -> None:
    file = write_instance(tmp_path / "big", 1, pixels=files_module._MAPPED_FROM)
    data_set = read_data_set(file)
    assert isinstance(data_set, memoryview)
    assert data_set == data_set_bytes(file)
