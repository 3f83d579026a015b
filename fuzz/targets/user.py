"""Answers of a peer that we asked something: C-FIND, C-GET into files, C-MOVE, C-STORE, C-ECHO.

An input is what to ask, and then the peer's fragments as in `provider`.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz.seeds import DATA_SET_WORDS
from fuzz.target import Target, check_error
from fuzz.targets import command_set
from fuzz.targets.provider import (
    CT,
    EXPLICIT_VR_LITTLE_ENDIAN,
    RESPONSE,
    fragment,
    fragments,
    said,
)
from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from isocenter.dimse.errors import DimseError
from isocenter.dimse.messages import (
    CEchoRSP,
    CFindRSP,
    CGetRSP,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
    decode_message,
)
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.services.association import ClientAssociation
from isocenter.services.errors import ServiceError
from isocenter.services.received_files import FileReceiver
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import ConnectionLostError, ResponseTimeout, UpperLayerError
from isocenter.upperlayer.events import DataReceived
from tests.encoding.synthetic import small_data_set

_folder = tempfile.TemporaryDirectory(
    prefix="isocenter-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
)
atexit.register(_folder.cleanup)
_FOLDER = Path(_folder.name)
_ASKED = ("1.2.840.10008.1.1", CT, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE)
_IDENTIFIER: Elements = {
    0x00080052: RawElement("CS", b"STUDY"),
    0x0020000D: RawElement("UI", b"1.2.3"),
}
_CONTEXTS = {
    result.context_id: AcceptedContext(
        result.context_id, _ASKED[number % len(_ASKED)], EXPLICIT_VR_LITTLE_ENDIAN.uid
    )
    for number, result in enumerate(RESPONSE.presentation_contexts)
}


class Peer:
    """Stands in for a BlockingAssociation whose peer says what the input says."""

    peer = "peer.example:104"

    def __init__(self, data: bytes) -> None:
        self.accepted_contexts = _CONTEXTS
        self.is_open = True
        self._incoming = fragments(data)

    def send(self, _context_id: int, command: bytes, _data: Any = None) -> None:
        if not self.is_open:
            raise ConnectionLostError("we have ended it")
        decode_message(command)

    def receive(self, _timeout: float | None) -> DataReceived:
        received = next(self._incoming, None)
        if received is None:
            raise ResponseTimeout("the peer says nothing more")
        return received

    def release(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False


def one_input(data: bytes) -> None:
    if not data:
        return
    association = ClientAssociation(Peer(data[1:]))  # type: ignore[arg-type]
    receiver = FileReceiver(_FOLDER, by_study=bool(data[0] & 8))
    try:
        _ask(association, data[0] & 7, receiver)
    except (DimseError, EncodingError, ServiceError, UpperLayerError) as error:
        check_error(error)
    if receiver.written or any(_FOLDER.iterdir()):
        found = [path for path in _FOLDER.rglob("*") if path.is_file()]
        assert set(receiver.written) == set(found)
        for path in found:
            path.unlink()


def _ask(association: ClientAssociation, what: int, receiver: FileReceiver) -> None:
    if what == 0:
        association.echo()
    elif what == 1:
        association.store(CT, "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN.uid, small_data_set())
    elif what in (2, 3):
        limit = 1 if what == 3 else None
        for match in association.find(STUDY_ROOT_FIND, _IDENTIFIER, cancel_after=limit):
            assert match.comment.isprintable()
    elif what == 4:
        for progress in association.move(STUDY_ROOT_MOVE, _IDENTIFIER, "THERE"):
            assert progress.comment.isprintable()
    else:
        for progress in association.get(STUDY_ROOT_GET, _IDENTIFIER, receiver):
            assert progress.comment.isprintable()


def seeds() -> Iterator[bytes]:
    yield b"\0" + said(0, CEchoRSP(message_id_being_responded_to=1, status=0))
    yield b"\1" + said(1, CStoreRSP(message_id_being_responded_to=1, status=0xA900))
    pending = CFindRSP(message_id_being_responded_to=1, status=0xFF00, has_data_set=True)
    done = CFindRSP(message_id_being_responded_to=1, status=0, error_comment="done")
    identifier = encode_elements(_IDENTIFIER, EXPLICIT_VR_LITTLE_ENDIAN)
    answers = said(2, pending, identifier) * 2 + said(2, done)
    yield b"\2" + answers
    yield b"\3" + answers
    moved = CMoveRSP(
        message_id_being_responded_to=1, status=0xB000, number_of_failed_suboperations=1,
        has_data_set=True,
    )  # fmt: skip
    failed = {0x00080058: RawElement("UI", b"1.2.3\\1.2.4")}
    yield b"\4" + said(4, moved, encode_elements(failed, EXPLICIT_VR_LITTLE_ENDIAN))
    store = CStoreRQ(message_id=7, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3.4")
    got = CGetRSP(message_id_being_responded_to=1, status=0, number_of_completed_suboperations=1)
    for way in (5, 13):
        yield bytes((way,)) + said(1, store, small_data_set()) + said(3, got)
    yield b"\5" + fragment(1, 3, store.encode())


TARGET = Target(
    "a peer's answers to what we asked it",
    one_input,
    seeds,
    (*command_set.WORDS, *DATA_SET_WORDS),
    1536,
)
