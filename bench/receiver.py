"""The reference receiver: asks for a study with C-GET or C-MOVE and takes it at little cost.

Like the reference sender it knows just enough of PS3.8 and PS3.7, is independent of Isocenter and
never stalls. What it receives it copies out of the kernel and drops. The receiver of a C-MOVE is a
process of its own with a thread per association; it serves every server of a run.
"""

import multiprocessing as mp
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.sender import IMPLICIT_VR_LITTLE_ENDIAN, PATIENCE, _command, _item, _items, _ui, _us
from bench.synth import CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
AE_TITLE = "RECEIVER"

_BUFFER = 1 << 18
_RETRIEVE, _STORE = 1, 3  # presentation contexts
_C_STORE_RQ, _C_GET_RQ, _C_MOVE_RQ = 0x0001, 0x0010, 0x0021
_P_DATA_TF, _RELEASE_RQ = 4, 5
_PENDING = 0xFF00

Command = dict[int, bytes]


class Link:
    """One connection: reads commands, passes over data sets, answers C-STORE with success."""

    def __init__(self, connection: socket.socket, maximum_length: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE)
        self._socket = connection
        self._maximum_length = maximum_length
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self.stored = 0

    def send(self, data: bytes) -> None:
        """Writes whole PDUs."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def read_pdu(self) -> tuple[int, bytes]:
        """The next PDU, whole: for those that are no P-DATA-TF."""
        kind, length = struct.unpack(">BxI", self._take(6))
        return kind, self._take(length)

    def serve(self) -> Command | None:
        """Takes instances until another message has come, or (None) the peer releases."""
        command = b""
        request: Command = {}
        context = 0
        while True:
            kind, left = struct.unpack(">BxI", self._take(6))
            if kind == _RELEASE_RQ:
                self._take(left)
                self.send(b"\x06\0\0\0\0\x04\0\0\0\0")
                return None
            if kind != _P_DATA_TF:
                raise ConnectionError(f"PDU type {kind} came in the middle of a retrieve")
            while left:
                length, context, control = struct.unpack(">IBB", self._take(6))
                left -= length + 4
                if control & 1:
                    command += self._take(length - 2)
                else:
                    self._drop(length - 2)
                if control == 3:
                    request, command = _elements(command), b""
                    if _field(request) != _C_STORE_RQ and request[0x0800] == _us(0x0101):
                        return request
                elif control == 2:
                    if _field(request) != _C_STORE_RQ:
                        return request
                    self.stored += 1
                    self.send(_p_data(context, _store_response(request), 3))

    def _take(self, count: int) -> bytes:
        while self._end - self._start < count:
            self._read()
        taken = bytes(self._view[self._start : self._start + count])
        self._start += count
        return taken

    def _drop(self, count: int) -> None:
        while count > self._end - self._start:
            count -= self._end - self._start
            self._start = self._end
            self._read()
        self._start += count

    def _read(self) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start:
            self._buffer[: self._end - self._start] = self._buffer[self._start : self._end]
            self._start, self._end = 0, self._end - self._start
        count = self._socket.recv_into(self._view[self._end :])
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not count:
            raise ConnectionError("the server closed the connection")
        self._end += count

    # As requestor

    def retrieve(self, called: str, study: str, destination: str = "") -> tuple[int, int]:
        """A study by C-MOVE, or C-GET without a destination: final status, completed instances."""
        model = STUDY_ROOT_MOVE if destination else STUDY_ROOT_GET
        self.send(_associate_rq(called, model, self._maximum_length))
        kind, body = self.read_pdu()
        if kind != 2:
            raise ConnectionError(f"the association was not accepted: {body[:4].hex()}")
        self.send(_p_data(_RETRIEVE, _retrieve_request(model, destination), 3))
        self.send(_p_data(_RETRIEVE, _identifier(study), 2))
        while True:
            response = self.serve()
            if response is None:
                raise ConnectionError("the association was released before the final response")
            (status,) = struct.unpack("<H", response[0x0900])
            if status != _PENDING:
                (completed,) = struct.unpack("<H", response.get(0x1021, b"\0\0"))
                return status, completed

    def release(self) -> None:
        """Ends the association in an orderly way."""
        self.send(b"\x05\0\0\0\0\x04\0\0\0\0")
        self.read_pdu()
        self.close()


@contextmanager
def listening(maximum_length: int) -> Iterator[int]:
    """A storage provider in a process of its own; yields its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        arguments = (listener, maximum_length)
        process = mp.get_context("fork").Process(target=_accept, args=arguments, daemon=True)
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def _accept(listener: socket.socket, maximum_length: int) -> None:
    while True:
        connection, _ = listener.accept()
        link = Link(connection, maximum_length)
        threading.Thread(target=_provide, args=(link, maximum_length), daemon=True).start()


def _provide(link: Link, maximum_length: int) -> None:
    try:
        _, request = link.read_pdu()
        link.send(_associate_ac(request, maximum_length))
        while link.serve() is not None:
            pass
    except OSError:
        pass  # who breaks off has its reasons; the requestor of the move counts
    finally:
        link.close()


def _field(command: Command) -> int:
    return int(struct.unpack("<H", command[0x0100])[0])


def _elements(command: bytes) -> Command:
    found, at = {}, 0
    while at + 8 <= len(command):
        _, element, length = struct.unpack_from("<HHI", command, at)
        found[element] = command[at + 8 : at + 8 + length]
        at += 8 + length
    return found


def _store_response(request: Command) -> bytes:
    kept = {element: request[element] for element in (0x0002, 0x1000)}
    return _command(
        kept | {0x0100: _us(0x8001), 0x0120: request[0x0110], 0x0900: _us(0)}, has_data_set=False
    )


def _retrieve_request(model: str, destination: str) -> bytes:
    elements = {0x0002: _ui(model), 0x0110: _us(1), 0x0700: _us(0)}
    if destination:
        elements |= {0x0100: _us(_C_MOVE_RQ), 0x0600: destination.encode()}
    else:
        elements |= {0x0100: _us(_C_GET_RQ)}
    return _command(elements, has_data_set=True)


def _identifier(study: str) -> bytes:
    elements = [(0x0008, 0x0052, b"STUDY "), (0x0020, 0x000D, _ui(study))]
    return b"".join(struct.pack("<HHI", g, e, len(value)) + value for g, e, value in elements)


def _p_data(context: int, fragment: bytes, control: int) -> bytes:
    length = len(fragment)
    return struct.pack(">BxIIBB", _P_DATA_TF, length + 6, length + 2, context, control) + fragment


def _associate_rq(called: str, model: str, maximum_length: int) -> bytes:
    contexts = _proposed(_RETRIEVE, model, IMPLICIT_VR_LITTLE_ENDIAN)
    roles = b""
    if model == STUDY_ROOT_GET:
        contexts += _proposed(_STORE, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN)
        uid = CT_IMAGE_STORAGE.encode()
        roles = _item(0x54, struct.pack(">H", len(uid)) + uid + b"\0\1")
    user = _item(0x51, struct.pack(">I", maximum_length)) + _item(0x52, b"2.999.3.2") + roles
    body = (
        struct.pack(">Hxx16s16s32x", 1, called.ljust(16).encode(), AE_TITLE.ljust(16).encode())
        + _item(0x10, b"1.2.840.10008.3.1.1.1")
        + contexts
        + _item(0x50, user)
    )
    return struct.pack(">BxI", 1, len(body)) + body


def _proposed(context: int, abstract_syntax: str, transfer_syntax: str) -> bytes:
    syntaxes = _item(0x30, abstract_syntax.encode()) + _item(0x40, transfer_syntax.encode())
    return _item(0x20, bytes([context, 0, 0, 0]) + syntaxes)


def _associate_ac(request: bytes, maximum_length: int) -> bytes:
    """Accepts what was proposed: explicit VR little endian, else a context's first syntax."""
    results = b""
    for kind, item in _items(request[68:]):
        if kind == 0x20:
            syntaxes = [value for sub, value in _items(item[4:]) if sub == 0x40]
            wanted = EXPLICIT_VR_LITTLE_ENDIAN.encode()
            chosen = wanted if wanted in syntaxes else syntaxes[0]
            results += _item(0x21, bytes([item[0], 0, 0, 0]) + _item(0x40, chosen))
    user = _item(0x51, struct.pack(">I", maximum_length)) + _item(0x52, b"2.999.3.2")
    body = request[:68] + _item(0x10, b"1.2.840.10008.3.1.1.1") + results + _item(0x50, user)
    return struct.pack(">BxI", 2, len(body)) + body
