"""Messages of a peer to all services of a node: every answer is a message that can be understood.

An input is a row of fragments as in `assembler`, on an association that is established.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fuzz.node import STEP_UID, FuzzedNode, watched_logs
from fuzz.seeds import DATA_SET_WORDS, texts
from fuzz.target import Target
from fuzz.targets import command_set, query
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    MPPS_RETRIEVE,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    VERIFICATION,
)
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntax,
)
from isocenter.dimse.assembler import CommandReceived, MessageAssembler
from isocenter.dimse.messages import (
    CCancelRQ,
    CEchoRQ,
    CFindRQ,
    CStoreRQ,
    Message,
    NActionRQ,
    NCreateRQ,
    NGetRQ,
    NSetRQ,
    Response,
)
from isocenter.encoding.elements import RawElement, decode_elements, encode_elements
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.storage_commitment import (
    PUSH_MODEL_INSTANCE,
    Reference,
    encode_request,
)
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.events import AssociationRequested, DataReceived
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ, PDataTF, decode_pdu
from isocenter.upperlayer.state_machine import SENDING_STATES
from isocenter.upperlayer.user_information import UserInformation
from tests.archive.workflow.items import step_begun, step_ended
from tests.encoding.synthetic import small_data_set

CT = "1.2.840.10008.5.1.4.1.1.2"
_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)
_CLASSES = (
    VERIFICATION, CT, STUDY_ROOT_FIND, MODALITY_WORKLIST_FIND, MPPS, MPPS_RETRIEVE,
    STORAGE_COMMITMENT_PUSH,
)  # fmt: skip
_CONTEXTS = tuple(
    ProposedContext(2 * number + 1, _CLASSES[number // 2], (_SYNTAXES[number % 2],))
    for number in range(2 * len(_CLASSES))
)
REQUEST = AssociateRQ("HERE", "FUZZER", _CONTEXTS, UserInformation(16384))
RESPONSE = AssociateAC(
    "HERE",
    "FUZZER",
    tuple(ContextResult(c.context_id, 0, c.transfer_syntaxes[0]) for c in _CONTEXTS),
    UserInformation(16384),
)
_COMMAND, _LAST = 1, 2
_ANSWER = 64 * 1024
"""Bytes that one input may make us send at most, besides what it is itself."""


@dataclass
class Wire:
    """The driver's side of an association, as far as services see it."""

    core: Association
    sent: bytearray = field(default_factory=bytearray)
    peer: str = "192.0.2.1:104"
    host: str = "192.0.2.1"
    congested: bool = False

    def confirm_release(self) -> None:
        self.core.confirm_release(0.0)

    def abort(self, source: int = 0, reason: int = 0) -> None:
        self.core.abort(source, reason, 0.0)

    def send(self, context_id: int, command: bytes, data: Any = None) -> None:
        if self.core.state in SENDING_STATES:
            self.core.send_data(context_id, True, command, 0.0)
            if data is not None:
                self.core.send_data(context_id, False, data, 0.0)

    def flush(self) -> None:
        self.sent += b"".join(self.core.data_to_send())

    def has_input(self) -> bool:
        return False

    def after_reading(self, call: Callable[[], None]) -> None:
        call()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class _Node(FuzzedNode):
    def answer(self, association: ProvidedAssociation, _requested: AssociationRequested) -> None:
        association.accepted()  # the core is established already


def _established() -> Association:
    core = Association(requestor=False, now=0.0)
    core.connection_made(0.0)
    core.receive_data(memoryview(REQUEST.encode()), 0.0)
    core.accept(RESPONSE, 0.0)
    core.data_to_send()
    return core


_node = _Node(query.index)
_ESTABLISHED = pickle.dumps(_established())
"""To copy an association costs less than to negotiate it."""


def one_input(data: bytes) -> None:
    with watched_logs():
        _talk(data)


def _talk(data: bytes) -> None:
    core: Association = pickle.loads(_ESTABLISHED)
    wire = Wire(core)
    provided = ProvidedAssociation(_node, wire)  # type: ignore[arg-type]
    provided.handle(AssociationRequested(REQUEST))
    for received in fragments(data):
        provided.handle(received)
        wire.flush()
        if provided.over:
            break
    _check_answers(bytes(wire.sent), len(data))
    for event in core.connection_lost(0.0):
        provided.handle(event)
    provided.closed()
    assert provided.over


def fragments(data: bytes) -> Iterator[DataReceived]:
    """The fragments that an input stands for."""
    position = 0
    while position + 3 <= len(data):
        context, flags, length = data[position : position + 3]
        position += 3
        length <<= flags >> 4 & 3
        context_id = _CONTEXTS[context % len(_CONTEXTS)].context_id
        fragment = memoryview(data)[position : position + length]
        position += length
        yield DataReceived(context_id, bool(flags & _COMMAND), bool(flags & _LAST), fragment)


def _check_answers(sent: bytes, received: int) -> None:
    assert len(sent) <= _ANSWER + 64 * received
    peer = MessageAssembler()
    position = 0
    data_set = bytearray()
    while position < len(sent):
        end = position + 6 + int.from_bytes(sent[position + 2 : position + 6], "big")
        pdu = decode_pdu(sent[position:end])
        position = end
        if not isinstance(pdu, PDataTF):
            continue
        for context_id, is_command, is_last, piece in pdu.values:
            received_data = DataReceived(context_id, is_command, is_last, memoryview(piece))
            for event in peer.feed(received_data):
                if isinstance(event, CommandReceived):
                    assert isinstance(event.message, Response)
                    continue
                data_set += event.data
                if event.is_last:
                    syntax = RESPONSE.presentation_contexts[context_id // 2].transfer_syntax
                    decode_elements(data_set, transfer_syntax(syntax))
                    data_set.clear()


def said(context: int, message: Message, data_set: bytes | None = None) -> bytes:
    """A message and its data set as fragments of an input."""
    parts = [fragment(context, _COMMAND | _LAST, message.encode())]
    if data_set is not None:
        parts += [fragment(context, 0, data_set[:9]), fragment(context, _LAST, data_set[9:])]
    return b"".join(parts)


def fragment(context: int, flags: int, content: bytes) -> bytes:
    """A fragment of an input, on one of the contexts by number."""
    shift = (len(content) > 255) + (len(content) > 510) + (len(content) > 1020)
    length = -(-len(content) >> shift)
    return bytes((context, flags | shift << 4, length)) + content.ljust(length << shift, b"\0")


def seeds() -> Iterator[bytes]:
    identifier = {0x00080052: RawElement("CS", b"STUDY"), 0x0020000D: RawElement("UI", b"")}
    name, modality = {0x00100010: RawElement("PN", b"*")}, {0x00080060: RawElement("CS", b"CT")}
    references = [Reference(CT, "1.2.3")]
    yield said(0, CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION))
    for number, uid in enumerate(_SYNTAXES):
        syntax = transfer_syntax(uid)

        def encoded(elements: Any, syntax: Any = syntax) -> bytes:
            return encode_elements(elements, syntax)

        contexts: Sequence[int] = range(number, 2 * len(_CLASSES), 2)
        yield said(
            contexts[1],
            CStoreRQ(message_id=2, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3.4"),
            small_data_set(implicit=syntax.implicit_vr),
        )
        find = CFindRQ(message_id=3, affected_sop_class_uid=STUDY_ROOT_FIND)
        yield said(contexts[2], find, encoded(identifier | name))
        keys = identifier | {tag: texts()[tag] for tag in (0x00080005, 0x00080020, 0x00100010)}
        yield said(contexts[2], find, encoded(keys)) + said(
            contexts[2], CCancelRQ(message_id_being_responded_to=3)
        )
        find = CFindRQ(message_id=4, affected_sop_class_uid=MODALITY_WORKLIST_FIND)
        step = {0x00400100: RawElement("SQ", [modality])}
        yield said(contexts[3], find, encoded(name | step))
        create = NCreateRQ(
            message_id=5,
            affected_sop_class_uid=MPPS,
            affected_sop_instance_uid=STEP_UID,
            has_data_set=True,
        )
        yield said(contexts[4], create, encoded(step_begun()))
        change = NSetRQ(
            message_id=6, requested_sop_class_uid=MPPS, requested_sop_instance_uid=STEP_UID
        )
        yield said(contexts[4], change, encoded(step_ended()))
        get = NGetRQ(
            message_id=7,
            requested_sop_class_uid=MPPS_RETRIEVE,
            requested_sop_instance_uid=STEP_UID,
            attribute_identifier_list=(0x00400252, 0x00400270),
        )
        yield said(contexts[5], get)
        commit = NActionRQ(
            message_id=8,
            requested_sop_class_uid=STORAGE_COMMITMENT_PUSH,
            requested_sop_instance_uid=PUSH_MODEL_INSTANCE,
            action_type_id=1,
            has_data_set=True,
        )
        yield said(contexts[6], commit, encode_request("1.2.5", references, syntax))


TARGET = Target(
    "messages to all services of a node, and its answers to a peer",
    one_input,
    seeds,
    (*command_set.WORDS, *DATA_SET_WORDS),
    2048,
)
