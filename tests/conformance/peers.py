"""Peers that are a script: each connection is answered by a function, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from isocenter.dimse.messages import CEchoRQ, CEchoRSP, decode_message
from isocenter.upperlayer.contexts import ContextResult
from isocenter.upperlayer.pdu import (
    PDU_HEADER,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    decode_body,
)
from isocenter.upperlayer.user_information import UserInformation

Script = Callable[[socket.socket], None]
SECONDS = 20.0


class ScriptedPeer:
    """Listens on loopback and runs its script for one connection after the other."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(SECONDS)
            with connection, suppress(OSError):
                self._script(connection)


@contextmanager
def scripted(script: Script) -> Iterator[ScriptedPeer]:
    """A peer for the time of a `with`."""
    peer = ScriptedPeer(script)
    try:
        yield peer
    finally:
        peer.close()


def request_of(connection: socket.socket) -> AssociateRQ:
    """The association request on a connection."""
    request = decode_body(*_read_pdu(connection))
    assert isinstance(request, AssociateRQ)
    return request


def _read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    kind, length = PDU_HEADER.unpack(_read(connection, PDU_HEADER.size))
    return kind, _read(connection, length)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def until_closed(connection: socket.socket) -> None:
    """Read until the other end has had enough."""
    while connection.recv(65536):
        pass


def _echo_response(body: bytes) -> bytes:
    """The answer to the one C-ECHO of a probe, which is its first message."""
    (value,) = PDataTF.decode(memoryview(body)).values
    message = decode_message(value.data)
    assert isinstance(message, CEchoRQ), message.command_name
    response = CEchoRSP(
        message_id_being_responded_to=message.message_id,
        affected_sop_class_uid=message.affected_sop_class_uid,
        status=0,
    )
    answer = PresentationDataValue(value.context_id, True, True, response.encode())
    return PDataTF((answer,)).encode()


def negotiating(
    decide: Callable[[str, tuple[str, ...]], tuple[int, str]],
    *,
    most: int = 128,
    toxic: str = "",
    echoes: bool = True,
    information: UserInformation | None = None,
) -> Script:
    """Answers contexts by `decide`, and a C-ECHO; any other message is a fault of the test.

    It rejects a request with more than `most` contexts, and aborts one that names `toxic`. Without
    `echoes` it hangs up on the C-ECHO.
    """

    def script(connection: socket.socket) -> None:
        request = request_of(connection)
        contexts = request.presentation_contexts
        if toxic and any(toxic in (c.abstract_syntax, *c.transfer_syntaxes) for c in contexts):
            connection.sendall(Abort(0, 0).encode())
            return
        if len(contexts) > most:
            connection.sendall(AssociateRJ(1, 1, 1).encode())
            return
        results = [
            ContextResult(one.context_id, *decide(one.abstract_syntax, one.transfer_syntaxes))
            for one in contexts
        ]
        answer = AssociateAC(
            request.called_ae_title,
            request.calling_ae_title,
            tuple(results),
            information or UserInformation(maximum_length=16384, implementation_class_uid="1.2.3"),
        )
        connection.sendall(answer.encode())
        while True:
            kind, body = _read_pdu(connection)
            if kind == 4:
                if not echoes:
                    return
                connection.sendall(_echo_response(body))
            if kind == 5:
                connection.sendall(ReleaseRP().encode())
                until_closed(connection)
                return
            if kind == 7:
                return

    return script
