"""Instances of a C-GET as files: where they go, and what is there already."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dimse import status
from isocenter.dimse.messages import CStoreRQ
from isocenter.encoding.elements import encode_elements
from isocenter.services import part_file
from isocenter.services.query_identifier import build_identifier
from isocenter.services.query_keys import parse_key
from isocenter.services.received_files import FileReceiver
from isocenter.upperlayer.contexts import AcceptedContext

CT = "1.2.840.10008.5.1.4.1.1.2"


def data_set(**values: str) -> bytes:
    keys = [parse_key(f"{keyword}={value}") for keyword, value in values.items()]
    return encode_elements(build_identifier(keys), EXPLICIT_VR_LITTLE_ENDIAN)


def receive(
    receiver: FileReceiver, content: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN.uid
) -> int:
    """Let the receiver have one instance in two pieces; returns the C-STORE status."""
    request = CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3.4")
    arriving = receiver.begin(request, AcceptedContext(1, CT, syntax))
    assert not isinstance(arriving, int)
    arriving.write(memoryview(content)[:7])
    arriving.write(memoryview(content)[7:])
    return arriving.finish()


PLAIN = data_set(StudyInstanceUID="1.2", SeriesInstanceUID="1.3", PatientID="4")


def test_a_file_is_named_by_its_instance(tmp_path: Path) -> None:
    receiver = FileReceiver(tmp_path)
    assert receive(receiver, PLAIN) == status.SUCCESS
    assert receiver.written == [tmp_path / "1.2.3.4.dcm"]
    assert pydicom.dcmread(receiver.written[0]).PatientID == "4"


def test_the_same_content_again_changes_nothing(tmp_path: Path) -> None:
    receiver = FileReceiver(tmp_path)
    for _ in range(3):
        assert receive(receiver, PLAIN) == status.SUCCESS
    assert [path.name for path in tmp_path.iterdir()] == ["1.2.3.4.dcm"]
    assert len(receiver.written) == 1
    assert receiver.unchanged == receiver.written * 2


def test_other_content_goes_beside(tmp_path: Path) -> None:
    receiver = FileReceiver(tmp_path)
    (tmp_path / "1.2.3.4.dcm").write_bytes(b"somebody's own file")
    for _ in range(2):
        assert receive(receiver, PLAIN) == status.SUCCESS
    assert (tmp_path / "1.2.3.4.dcm").read_bytes() == b"somebody's own file"
    assert receiver.written == receiver.beside == [tmp_path / "1.2.3.4_2.dcm"]
    assert receiver.unchanged == receiver.beside
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("deflated", [False, True])
def test_folders_are_named_by_study_and_series(tmp_path: Path, deflated: bool) -> None:
    receiver = FileReceiver(tmp_path, by_study=True)
    content, syntax = PLAIN, EXPLICIT_VR_LITTLE_ENDIAN.uid
    if deflated:
        stream = zlib.compressobj(wbits=-15)
        content = stream.compress(PLAIN) + stream.flush()
        syntax = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid
    assert receive(receiver, content, syntax) == status.SUCCESS
    assert receiver.written == [tmp_path / "1.2" / "1.3" / "1.2.3.4.dcm"]


@pytest.mark.parametrize(
    "content",
    [
        data_set(StudyInstanceUID="../../etc", SeriesInstanceUID="/tmp"),
        data_set(PatientID="4"),
        b"no data set at all",
        b"",
    ],
)
def test_a_study_that_has_no_uid_leads_out_of_no_folder(tmp_path: Path, content: bytes) -> None:
    receiver = FileReceiver(tmp_path, by_study=True)
    assert receive(receiver, content) == status.SUCCESS
    assert receiver.written == [tmp_path / "unknown" / "unknown" / "1.2.3.4.dcm"]


@pytest.mark.parametrize(
    ("sop_class", "instance"), [("1." * 33_000, "1.2.3"), (CT, "../1.2"), (CT, "")]
)
def test_uids_that_no_file_can_have_are_refused(
    tmp_path: Path, sop_class: str, instance: str
) -> None:
    receiver = FileReceiver(tmp_path)
    request = CStoreRQ(
        message_id=1, affected_sop_class_uid=sop_class, affected_sop_instance_uid=instance
    )
    context = AcceptedContext(1, CT, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    assert receiver.begin(request, context) == status.INVALID_SOP_INSTANCE
    assert receiver.trouble
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_walked_around(tmp_path: Path) -> None:
    (tmp_path / "1.2.3.4.dcm").mkdir()
    receiver = FileReceiver(tmp_path)
    assert receive(receiver, PLAIN) == status.SUCCESS
    assert receiver.beside == [tmp_path / "1.2.3.4_2.dcm"]


def test_a_folder_that_cannot_be_made_refuses_the_instance(tmp_path: Path) -> None:
    (tmp_path / "1.2").write_bytes(b"a file where the folder of the study should be")
    receiver = FileReceiver(tmp_path, by_study=True)
    assert receive(receiver, PLAIN) == status.OUT_OF_RESOURCES
    assert receiver.trouble
    assert [path.name for path in tmp_path.iterdir()] == ["1.2"]


def test_a_file_that_another_process_writes_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "1.2.3.4.dcm"
    exists, link = Path.exists, os.link

    def looked_at_too_early(path: Path, **_: bool) -> bool:
        found = exists(path)
        if path == theirs and not found:
            path.write_bytes(b"of another process")
        return found

    def linked_behind_them(source: Path, path: Path, **options: int) -> None:
        looked_at_too_early(path)
        link(source, path, **options)

    monkeypatch.setattr(Path, "exists", looked_at_too_early)
    monkeypatch.setattr(os, "link", linked_behind_them)
    receiver = FileReceiver(tmp_path)
    assert receive(receiver, PLAIN) == status.SUCCESS
    monkeypatch.undo()
    assert theirs.read_bytes() == b"of another process"
    assert receiver.written == receiver.beside == [tmp_path / "1.2.3.4_2.dcm"]
    assert len(list(tmp_path.iterdir())) == 2


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os, "link", refused)


def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_file, "_DESCRIPTORS", Path("/nowhere"))


@pytest.mark.parametrize("restrict", [without_links, without_proc, lambda _: None])
def test_any_file_system_will_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    restrict: Callable[[pytest.MonkeyPatch], None],
) -> None:
    restrict(monkeypatch)
    receiver = FileReceiver(tmp_path)
    for content in (PLAIN, PLAIN, data_set(PatientID="other")):
        assert receive(receiver, content) == status.SUCCESS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.2.3.4.dcm", "1.2.3.4_2.dcm"]
    assert len(receiver.unchanged) == 1
    mask = os.umask(0)
    os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o666 & ~mask}


def test_nothing_is_to_be_seen_of_a_file_before_it_is_complete(tmp_path: Path) -> None:
    request = CStoreRQ(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3.4")
    context = AcceptedContext(1, CT, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    arriving = FileReceiver(tmp_path).begin(request, context)
    assert not isinstance(arriving, int)
    arriving.write(memoryview(PLAIN))
    seen = list(tmp_path.iterdir())
    arriving.abort()
    assert seen == []
