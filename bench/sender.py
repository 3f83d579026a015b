"""The reference sender: as little work per instance as a sender can do, the same for every server.

It knows just enough of PS3.8 and PS3.7 to send C-STORE requests one after the other and is
independent of Isocenter, so no server is measured with a sender that was made for it. It never
stalls: TCP_NODELAY, one gather write per instance, acknowledgements at once (TCP_QUICKACK). Each
association is a process of its own; all wait at a barrier until they are told to go.
"""

import gc
import multiprocessing as mp
import os
import socket
import ssl
import struct
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from bench.synth import Template

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
PATIENCE = 120  # seconds for one answer: some servers take one association after the other
_LARGEST_PDU = 131072
_CONTEXT = 1
_WARM_UP_ASSOCIATION = 899


Connect = Callable[[int], socket.socket]
"""Makes the connection with the server on a port of this machine."""


def plain(port: int) -> socket.socket:
    """A connection without TLS."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@dataclass
class Sent:
    """What one association sent: times are CLOCK_MONOTONIC seconds, latencies seconds."""

    accepted: int = 0
    refused: int = 0
    ended: float = 0.0
    cpu: float = 0.0
    latencies: array = field(default_factory=lambda: array("d"))
    error: str = ""


class Client:
    """One association as requestor, with one presentation context."""

    def __init__(
        self,
        port: int,
        abstract_syntax: str,
        transfer_syntax: str,
        called: str,
        connect: Connect = plain,
    ) -> None:
        self._socket = connect(port)
        try:
            body = self._associate(called, abstract_syntax, transfer_syntax)
        except BaseException:
            self._socket.close()
            raise
        self.maximum_length = min(_maximum_length(body) or _LARGEST_PDU, _LARGEST_PDU)

    def _associate(self, called: str, abstract_syntax: str, transfer_syntax: str) -> bytes:
        self._socket.sendall(_associate_rq(called, abstract_syntax, transfer_syntax))
        kind, body = self._read_pdu()
        if kind != 2 or not _context_accepted(body):
            raise ConnectionError(f"the association was not accepted: PDU {kind} {body[:8].hex()}")
        return body

    def send(self, buffers: list[bytes | memoryview]) -> None:
        """Writes the buffers as one, in as few calls as the kernel allows."""
        if isinstance(self._socket, ssl.SSLSocket):  # it cannot gather
            self._socket.sendall(b"".join(buffers))
            return
        sent = self._socket.sendmsg(buffers)
        left = sum(map(len, buffers)) - sent
        while left:
            buffers = list(_without_first(buffers, sent))
            sent = self._socket.sendmsg(buffers)
            left -= sent

    def find(self, model: str, identifier: bytes) -> int:
        """C-FIND with an encoded identifier; returns the number of matches."""
        elements = {0x0002: _ui(model), 0x0100: _us(0x20), 0x0110: _us(1), 0x0700: _us(0)}
        command = _p_data(_command(elements, True), 0x03)
        self.send([command, _p_data(identifier, 0x02)])
        matches = 0
        while (status := self.status()) in (0xFF00, 0xFF01):
            matches += 1
        if status:
            raise ConnectionError(f"the query failed with status {status:04X}H")
        return matches

    def store_data_set(self, sop_class: str, uid: str, number: int, data_set: bytes) -> int:
        """C-STORE with a small encoded data set; returns the status of the response."""
        elements = {
            0x0002: _ui(sop_class),
            0x0100: _us(0x01),
            0x0110: _us(number % 0xFFFF + 1),
            0x0700: _us(0),
            0x1000: _ui(uid),
        }
        self.send([_p_data(_command(elements, True), 0x03), _p_data(data_set, 0x02)])
        return self.status()

    def status(self) -> int:
        """The status of the next response; data sets that come before it are passed over."""
        command = b""
        while True:
            kind, body = self._read_pdu()
            if kind != 4:
                raise ConnectionError(f"PDU type {kind} came instead of a response")
            for control, fragment in _values(body):
                command += fragment if control & 1 else b""
                if control & 3 == 3:
                    return _status(command)

    def echo(self) -> int:
        """C-ECHO; returns its status."""
        command = _command({0x0002: _ui(VERIFICATION), 0x0100: _us(0x30), 0x0110: _us(1)}, False)
        self.send([_p_data(command, 0x03)])
        return self.status()

    def release(self) -> None:
        """Ends the association in an orderly way."""
        self._socket.sendall(b"\x05\0\0\0\0\x04\0\0\0\0")
        self._read_pdu()
        self._socket.close()

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            # Only after a read does this send the acknowledgement that is due, for which a server
            # under Nagle's algorithm waits before it writes the rest of its answer.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not part:
                raise ConnectionError("the server closed the connection")
            data += part
        return data


class StoreClient(Client):
    """An association that stores the instances of one template."""

    def __init__(
        self, port: int, template: Template, called: str = "ANY-SCP", connect: Connect = plain
    ) -> None:
        syntaxes = template.sop_class_uid, template.transfer_syntax_uid
        super().__init__(port, *syntaxes, called, connect)
        self._template = template
        self._first, *self._rest = self._fragments()

    def store(self, association: int, number: int) -> int:
        """Sends one instance and returns the status of the response."""
        uid, head = self._template.instance(association, number)
        header, pixels = self._first
        self.send([self._request(uid, number), header, head, pixels, *self._rest])
        return self.status()

    def store_frames(self, frames: int) -> int:
        """Sends one instance with the template's pixels as each of its many frames."""
        uid, head = self._template.instance(0, 0)
        room = self.maximum_length - 6
        self.send([self._request(uid, 0), _p_data_header(len(head), False), head])
        pixels = memoryview(self._template.pixels)
        for frame in range(1, frames + 1):
            for start in range(0, len(pixels), room):
                fragment = pixels[start : start + room]
                last = frame == frames and start + room >= len(pixels)
                self.send([_p_data_header(len(fragment), last), fragment])
        return self.status()

    def _request(self, sop_instance_uid: str, number: int) -> bytes:
        elements = {
            0x0002: _ui(self._template.sop_class_uid),
            0x0100: _us(0x01),
            0x0110: _us(number % 0xFFFF + 1),
            0x0700: _us(0),
            0x1000: _ui(sop_instance_uid),
        }
        return _p_data(_command(elements, True), 0x03)

    def _fragments(self) -> Iterator:
        """The data set in PDUs: (header, pixels) of the first, then headers and pixels."""
        pixels = memoryview(self._template.pixels)
        room = self.maximum_length - 6
        start = room - len(self._template.head)
        yield _p_data_header(min(room, self._template.size), start >= len(pixels)), pixels[:start]
        while start < len(pixels):
            fragment = pixels[start : start + room]
            start += room
            yield _p_data_header(len(fragment), start >= len(pixels))
            yield fragment


def warm_up(port: int, template: Template, count: int, connect: Connect = plain) -> None:
    """Stores a few instances of a series that no measurement uses."""
    client = StoreClient(port, template, connect=connect)
    for number in range(count):
        client.store(_WARM_UP_ASSOCIATION, number)
    client.release()


def send_all(
    port: int,
    template: Template,
    associations: int,
    *,
    count: int,
    seconds: float,
    watch=None,
    connect: Connect = plain,
) -> tuple[float, list[Sent]]:
    """Stores at most `count` instances over each association, stopping after `seconds`.

    Returns the wall time from "go" to the last response, and what each association sent. `watch`,
    if given, is called a few times a second while the sending lasts.
    """
    fork = mp.get_context("fork")
    pipes: list[Connection] = []
    processes = []
    for association in range(associations):
        ours, theirs = fork.Pipe()
        arguments = (theirs, port, template, association, count, seconds, connect)
        processes.append(fork.Process(target=_associate_and_send, args=arguments))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    began = time.monotonic()
    for pipe in pipes:
        pipe.send(began)
    results: list[Sent] = []
    while pipes:
        for ready in wait(pipes, timeout=0.2):
            results.append(ready.recv())
            pipes.remove(ready)
        if watch:
            watch()
    for process in processes:
        process.join()
    return max(sent.ended for sent in results) - began, results


def _associate_and_send(
    pipe: Connection,
    port: int,
    template: Template,
    association: int,
    count: int,
    seconds: float,
    connect: Connect,
) -> None:
    gc.disable()
    sent = Sent()
    pipe.send("ready")
    began = pipe.recv()
    try:
        _send_until(sent, port, template, association, count, began + seconds, connect)
    except OSError as error:
        sent.error = f"{type(error).__name__}: {error}"
        sent.ended = sent.ended or time.monotonic()
    times = os.times()
    sent.cpu = times.user + times.system
    pipe.send(sent)


def _send_until(
    sent: Sent,
    port: int,
    template: Template,
    association: int,
    count: int,
    end: float,
    connect: Connect,
) -> None:
    client = StoreClient(port, template, connect=connect)
    sent.ended = then = time.monotonic()
    for number in range(count):
        if then >= end:
            break
        status = client.store(association, number)
        now = time.monotonic()
        sent.latencies.append(now - then)
        sent.ended = then = now
        if status == 0 or status & 0xF000 == 0xB000:
            sent.accepted += 1
        else:
            sent.refused += 1
    client.release()


def _without_first(buffers: list[bytes | memoryview], count: int) -> Iterator[memoryview]:
    for buffer in buffers:
        if count < len(buffer):
            yield memoryview(buffer)[count:]
        count = max(0, count - len(buffer))


def _p_data_header(length: int, last: bool) -> bytes:
    """Header of a P-DATA-TF PDU with one data fragment of `length` bytes (PS3.8 9.3.5)."""
    return struct.pack(">BxIIBB", 4, length + 6, length + 2, _CONTEXT, 0x02 if last else 0x00)


def _p_data(fragment: bytes, control: int) -> bytes:
    length = len(fragment)
    return struct.pack(">BxIIBB", 4, length + 6, length + 2, _CONTEXT, control) + fragment


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The presentation data values of a P-DATA-TF PDU: control header and fragment."""
    at = 0
    while at + 6 <= len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 5], body[at + 6 : at + 4 + length]
        at += 4 + length


def _ui(uid: str) -> bytes:
    return uid.encode("ascii") + b"\0" * (len(uid) % 2)


def _us(number: int) -> bytes:
    return struct.pack("<H", number)


def _command(elements: dict[int, bytes], has_data_set: bool) -> bytes:
    """A command set (PS3.7 6.3.1): implicit VR little endian, group length first."""
    elements[0x0800] = _us(0x0000 if has_data_set else 0x0101)
    body = b"".join(
        struct.pack("<HHI", 0, element, len(value)) + value
        for element, value in sorted(elements.items())
    )
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def _status(command: bytes) -> int:
    at = 0
    while at + 8 <= len(command):
        group, element, length = struct.unpack_from("<HHI", command, at)
        if (group, element) == (0x0000, 0x0900):
            return int(struct.unpack_from("<H", command, at + 8)[0])
        at += 8 + length
    raise ConnectionError("a response came without a status")


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _associate_rq(called: str, abstract_syntax: str, transfer_syntax: str) -> bytes:
    """A-ASSOCIATE-RQ with one presentation context (PS3.8 9.3.2)."""
    syntaxes = _item(0x30, abstract_syntax.encode()) + _item(0x40, transfer_syntax.encode())
    user = _item(0x51, struct.pack(">I", _LARGEST_PDU)) + _item(0x52, b"2.999.3.1")
    body = (
        struct.pack(">Hxx16s16s32x", 1, called.ljust(16).encode(), b"BENCH".ljust(16))
        + _item(0x10, b"1.2.840.10008.3.1.1.1")
        + _item(0x20, bytes([_CONTEXT, 0, 0, 0]) + syntaxes)
        + _item(0x50, user)
    )
    return struct.pack(">BxI", 1, len(body)) + body


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from(">BxH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _context_accepted(body: bytes) -> bool:
    return any(kind == 0x21 and item[2] == 0 for kind, item in _items(body[68:]))


def _maximum_length(body: bytes) -> int:
    for kind, item in _items(body[68:]):
        if kind == 0x50:
            for sub_kind, sub_item in _items(item):
                if sub_kind == 0x51:
                    return int(struct.unpack(">I", sub_item)[0])
    return 0
