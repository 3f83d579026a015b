"""The certificates of servers that are measured with TLS, and the sender's end of it."""

import socket
import ssl
from pathlib import Path

from bench import sender
from isocenter.security import authority


class Files:
    """Where a server finds what it needs, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self.certificate = folder / "node.pem"
        self.key = folder / "node.key"


def prepared(folder: Path) -> sender.Connect:
    """Makes the files, and returns how a sender connects: with a certificate, verifying."""
    authority.ensure(folder, ["localhost", "127.0.0.1"], "ISOCENTER")
    files = Files(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.certificate, files.key)

    def connect(port: int) -> socket.socket:
        return context.wrap_socket(sender.plain(port), server_hostname="localhost")

    return connect
