"""`python -m bench.halfopen`: an honest C-ECHO while others hold half-open connections.

A third of them says nothing, a third half a PDU header, a third half an A-ASSOCIATE-RQ; to a TLS
port nothing, half a ClientHello, or a whole one and no more. They come from several addresses of
loopback, and stay. The honest peer, from an address of its own, connects, associates, echoes and
releases, again and again. Printed is how long that takes it alone and among them, which share of
its echoes is answered, and how many connections the server keeps.
"""

import argparse
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from bench.sender import IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION, Client, Connect
from bench.servers import SERVERS, Running

HONEST = "127.0.0.2"
PATIENCE = 20.0  # seconds for an answer
WANTED = 1.0  # seconds within which an honest C-ECHO should be answered
HALF_HEADER = b"\x01\x00\x00"
HALF_REQUEST = b"\x01\x00\x00\x00\x00\xd0\x00\x01\x00\x00" + b"ANY-SCP".ljust(16) + b"HALF"
DEFAULT = ("isocenter-os", "isocenter-os-2", "isocenter-tls", "dcmtk-best", "pynetdicom")
_GIVEN_UP_AFTER = 3  # echoes that were not answered


def main() -> int:
    """Measures what the arguments ask for and prints a line for each server."""
    arguments = _arguments()
    print(f"{arguments.connections:,} connections from {arguments.addresses} addresses, which stay")
    print(f"{'C-ECHO with its association, ms':32}{'alone':>22}{'among them':>24}")
    print(f"{'':32}" + f"{'median':>8}{'p99':>7}{'max':>7}" + f"{'median':>10}{'p99':>7}{'max':>7}")
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        for server in SERVERS:
            if server.key in arguments.servers and server.installed:
                with Running(server, Path(folder) / server.key, delete=True) as running:
                    slow |= _measure(running, arguments) and "isocenter" in server.key
    return int(slow)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.halfopen", description=__doc__)
    add = parser.add_argument
    add("--connections", type=int, default=1000, help="half-open connections (1000)")
    add("--addresses", type=int, default=10, help="addresses that they come from (10)")
    add("--echoes", type=int, default=200, help="honest echoes, alone and among them (200)")
    add("--tls", action="store_true", help="only the servers that speak TLS")
    add("--servers", nargs="+", help=" ".join(server.key for server in SERVERS))
    arguments = parser.parse_args()
    wanted = arguments.servers or DEFAULT
    tls = [server.key for server in SERVERS if server.secure]
    arguments.servers = [key for key in wanted if not arguments.tls or key in tls]
    return arguments


def _measure(running: Running, arguments: argparse.Namespace) -> bool:
    """Print one server's line; say whether an echo among the others took too long."""
    secure = running.server.secure
    said = (b"", *_halves_of_hello()) if secure else (b"", HALF_HEADER, HALF_REQUEST)
    honest = _from_its_own_address(running)
    alone, _ = _echoes(running.port, honest, arguments.echoes)
    with ExitStack() as stack:
        for number in range(arguments.connections):
            _half_open(
                stack,
                running.port,
                f"127.0.1.{1 + number % arguments.addresses}",
                said[number % len(said)],
            )
        among, failed = _echoes(running.port, honest, arguments.echoes)
        kept = _connections(running.process)
    share = len(among) / max(1, len(among) + failed)
    figures = f"{_figures(alone)}   {_figures(among)}"
    print(f"{running.server.title:32}{figures}   {share:.0%} answered, {kept} kept", flush=True)
    return failed > 0 or max(among) > WANTED


def _from_its_own_address(running: Running) -> Connect:
    """The way `running` is connected to, from the honest one's address."""

    def plain(port: int) -> socket.socket:
        connection = socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE, source_address=(HONEST, 0)
        )
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return running.connect if running.server.secure else plain


def _half_open(stack: ExitStack, port: int, source: str, said: bytes) -> None:
    connection = stack.enter_context(socket.socket())
    connection.settimeout(PATIENCE)
    with suppress(OSError):  # refused, or closed already: the server's choice
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", port))
        connection.sendall(said)


def _echoes(port: int, connect: Connect, count: int) -> tuple[list[float], int]:
    """Seconds of each C-ECHO that was answered, and how many were not."""
    seconds: list[float] = []
    failed = 0
    while len(seconds) + failed < count and failed < _GIVEN_UP_AFTER:
        began = time.monotonic()
        try:
            client = Client(port, VERIFICATION, IMPLICIT_VR_LITTLE_ENDIAN, "ANY-SCP", connect)
            client.echo()
            client.release()
        except OSError:
            failed += 1
        else:
            seconds.append(time.monotonic() - began)
    return seconds, failed


def _halves_of_hello() -> tuple[bytes, bytes]:
    """Half of what a TLS client says first, and all of it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    return hello[: len(hello) // 2], hello


def _connections(process: "subprocess.Popen[bytes]") -> int:
    """Connections that a server and its children have open, each counted once."""
    server = psutil.Process(process.pid)
    open_ones = set()
    for one in (server, *server.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a child that has just ended
            open_ones |= {each.raddr for each in one.net_connections("tcp") if each.raddr}
    return len(open_ones)


def _figures(seconds: Sequence[float]) -> str:
    if not seconds:
        return f"{'-':>8}{'-':>7}{'-':>7}"
    ordered = sorted(value * 1000 for value in seconds)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"{statistics.median(ordered):8.1f}{p99:7.1f}{ordered[-1]:7.1f}"


if __name__ == "__main__":
    sys.exit(main())
