"""A peer that may say anything: raw PDUs and PDVs, honest ones from the project's own classes."""

import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from socket import AF_INET, SO_RCVBUF, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any, Self

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND, VERIFICATION
from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.dimse.message import Message
from isocenter.dimse.messages import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CStoreRQ,
    CStoreRSP,
    decode_message,
)
from isocenter.encoding.elements import Elements, encode_elements
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.pdu import (
    PDU,
    Abort,
    AssociateAC,
    AssociateRQ,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    decode_pdu,
)
from isocenter.upperlayer.user_information import UserInformation
from tests.server.support_instances import CT, Instance

PATIENCE = 20.0  # seconds until a peer that says nothing counts as stuck
PIECE = 65536

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)

IMPLICIT = IMPLICIT_VR_LITTLE_ENDIAN.uid
EXPLICIT = EXPLICIT_VR_LITTLE_ENDIAN.uid
DEFLATED = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid

Syntaxes = tuple[str, str]
ECHO: Syntaxes = (VERIFICATION, IMPLICIT)
STORE: Syntaxes = (CT, EXPLICIT)
FIND: Syntaxes = (STUDY_ROOT_FIND, EXPLICIT)


def pdu(pdu_type: int, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A PDU that states `length`, by default the truth."""
    return struct.pack(">BxI", pdu_type, len(body) if length is None else length) + body


def pdv(context_id: int, control: int, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A presentation data value item that states `length`, by default the truth."""
    stated = len(data) + 2 if length is None else length
    return struct.pack(">IBB", stated, context_id, control) + data


def p_data(context_id: int, control: int, data: bytes = b"") -> bytes:
    """A P-DATA-TF with one PDV."""
    return pdu(4, pdv(context_id, control, data))


def fragments(context_id: int, data: bytes) -> Iterable[bytes]:
    """A data set as P-DATA-TF PDUs."""
    for start in range(0, len(data), PIECE):
        last = LAST if start + PIECE >= len(data) else 0
        yield p_data(context_id, last, data[start : start + PIECE])
    if not data:
        yield p_data(context_id, LAST)


def associate_rq(
    *contexts: Syntaxes, calling: str = "HOSTILE", window: tuple[int, int] | None = None
) -> AssociateRQ:
    """A request that proposes `contexts` under the identifiers 1, 3, 5..."""
    return AssociateRQ(
        called_ae_title="ISOCENTER",
        calling_ae_title=calling,
        presentation_contexts=tuple(
            ProposedContext(2 * number + 1, abstract_syntax, (transfer_syntax,))
            for number, (abstract_syntax, transfer_syntax) in enumerate(contexts)
        ),
        user_information=UserInformation(
            maximum_length=131072,
            implementation_class_uid="1.2.3.4",
            asynchronous_operations_window=window,
        ),
    )


def store_rq(instance: Instance, *, message_id: int = 1, uid: str | None = None) -> CStoreRQ:
    """The command that announces `instance`, under another SOP Instance UID if given."""
    return CStoreRQ(
        message_id=message_id,
        affected_sop_class_uid=instance.sop_class_uid,
        affected_sop_instance_uid=instance.uid if uid is None else uid,
    )


class Peer:
    """One TCP connection to a node. The `with` block ends by closing it without a word."""

    def __init__(
        self, port: int, *, patience: float = PATIENCE, receive_buffer: int = 0, source: str = ""
    ) -> None:
        self.socket = socket(AF_INET, SOCK_STREAM)
        if source:  # another address of the loopback network
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(SOL_SOCKET, SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.name = "{}:{}".format(*self.socket.getsockname())
        self._message_id = 0

    @classmethod
    def associated(cls, port: int, *contexts: Syntaxes, **options: Any) -> Self:
        """A peer whose contexts have all been accepted."""
        peer = cls(port, **options)
        try:
            response = peer.associate(*contexts)
            assert [c.result for c in response.presentation_contexts] == [0] * len(contexts)
        except BaseException:
            peer.socket.close()
            raise
        return peer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # What it says

    def send(self, *pieces: bytes) -> None:
        """Sends bytes as they are; that the node has closed already is not noticed here."""
        with suppress(BrokenPipeError, ConnectionResetError):  # its answer can still be read
            self.socket.sendall(b"".join(pieces))

    def associate(self, *contexts: Syntaxes, window: tuple[int, int] | None = None) -> AssociateAC:
        self.send(associate_rq(*contexts, window=window).encode())
        response = self.read()
        assert isinstance(response, AssociateAC), response
        return response

    def command(self, context_id: int, message: Message) -> None:
        self.send(p_data(context_id, COMMAND | LAST, message.encode()))

    def data_set(self, context_id: int, data: bytes) -> None:
        for fragment in fragments(context_id, data):
            self.send(fragment)

    def next_message_id(self) -> int:
        self._message_id += 1
        return self._message_id

    # What it hears

    def read(self) -> PDU | None:
        """The next PDU; None at the end of the connection, however it came."""
        header = self._read_exactly(6)
        if len(header) < 6:
            return None
        body = self._read_exactly(struct.unpack(">BxI", header)[1])
        return decode_pdu(header + body)

    def read_message(self) -> tuple[Message, bytes]:
        """The next DIMSE message with its data set."""
        message, data = None, {True: bytearray(), False: bytearray()}
        while True:
            received = self.read()
            assert isinstance(received, PDataTF), received
            for value in received.values:
                data[value.is_command] += value.data
                if value.is_last and value.is_command:
                    message = decode_message(bytes(data[True]))
                if (
                    value.is_last
                    and message is not None
                    and not (message.has_data_set and value.is_command)
                ):
                    return message, bytes(data[False])

    def aborted(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that ends the connection; other PDUs are passed by."""
        while not isinstance(received := self.read(), Abort):
            assert received is not None, "the connection ended without an A-ABORT"
        assert self.ended()
        return received.source, received.reason

    def ended(self) -> bool:
        """Whether the node closes the connection, with nothing more said, while we wait."""
        self.socket.shutdown(1)
        return self.read() is None

    def released(self) -> bool:
        """Releases the association as one should."""
        self.send(ReleaseRQ().encode())
        return isinstance(self.read(), ReleaseRP)

    # Honest operations

    def echo(self, context_id: int = 1) -> int:
        """C-ECHO; the status."""
        message_id = self.next_message_id()
        self.command(
            context_id, CEchoRQ(message_id=message_id, affected_sop_class_uid=VERIFICATION)
        )
        response, _ = self.read_message()
        assert isinstance(response, CEchoRSP)
        return response.status

    def begin_store(self, instance: Instance, *, context_id: int = 1, uid: str | None = None):
        """The command of a C-STORE, without its data set."""
        message_id = self.next_message_id()
        self.command(context_id, store_rq(instance, message_id=message_id, uid=uid))

    def store(
        self, instance: Instance, *, context_id: int = 1, uid: str | None = None
    ) -> CStoreRSP:
        """C-STORE; the response."""
        self.begin_store(instance, context_id=context_id, uid=uid)
        self.data_set(context_id, instance.data_set)
        return self.read_store_response()

    def read_store_response(self) -> CStoreRSP:
        response, _ = self.read_message()
        assert isinstance(response, CStoreRSP)
        return response

    def begin_find(
        self,
        identifier: Elements | bytes,
        *,
        context_id: int = 1,
        sop_class: str = STUDY_ROOT_FIND,
    ) -> int:
        """A C-FIND request; its message ID."""
        message_id = self.next_message_id()
        self.command(context_id, CFindRQ(message_id=message_id, affected_sop_class_uid=sop_class))
        if not isinstance(identifier, bytes):
            identifier = encode_elements(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
        self.data_set(context_id, identifier)
        return message_id

    def find(self, identifier: Elements | bytes, *, context_id: int = 1) -> list[CFindRSP]:
        """C-FIND; all its responses, the final one last."""
        self.begin_find(identifier, context_id=context_id)
        return self.read_matches()

    def read_matches(self) -> list[CFindRSP]:
        """Responses up to the final one."""
        responses: list[CFindRSP] = []
        while not responses or responses[-1].status in (0xFF00, 0xFF01):
            response, _ = self.read_message()
            assert isinstance(response, CFindRSP)
            responses.append(response)
        return responses

    def cancel(self, message_id: int, *, context_id: int = 1) -> None:
        self.command(context_id, CCancelRQ(message_id_being_responded_to=message_id))

    def _read_exactly(self, count: int) -> bytes:
        data = bytearray()
        try:
            while len(data) < count and (piece := self.socket.recv(count - len(data))):
                data += piece
        except ConnectionResetError:
            pass  # the node closed while bytes of ours were still on their way
        return bytes(data)


def echo_seconds(port: int) -> float:
    """How long an honest stranger waits for association, C-ECHO and release."""
    begun = time.monotonic()
    with Peer.associated(port, ECHO) as peer:
        assert peer.echo() == 0
        assert peer.released()
    return time.monotonic() - begun


def store_all(port: int, instances: Iterable[Instance], syntaxes: Syntaxes = STORE) -> list[int]:
    """Stores over one association; the statuses."""
    with Peer.associated(port, syntaxes) as peer:
        statuses = [peer.store(instance).status for instance in instances]
        assert peer.released()
    return statuses
