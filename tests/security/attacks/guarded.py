"""A node that knows its peers: plain on loopback for the honest one, TLS for everybody else."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from isocenter.upperlayer.pdu import PDU
from tests.server.support import ECHO, STORE, Peer, Syntaxes, associate_rq
from tests.server.support_nodes import configured
from tests.support.node import Node, isocenter
from tests.support.processes import free_port
from tests.support.tls_node import PeerFiles

TOML = """
[node]
data_directory = "{data}"
[listeners.secure]
port = {secure}
tls = "always"
known_ae = "always"
[listeners.users]
port = {users}
user_identity = "required"
[peers.modality]
ae_title = "MODALITY"
host = "127.0.0.1"
hosts = ["127.0.0.0/8"]
[peers.elsewhere]
ae_title = "ELSEWHERE"
host = "192.0.2.9"
hosts = ["192.0.2.0/24"]
[peers.pinned]
ae_title = "PINNED"
host = "127.0.0.1"
certificates = ["sha256:{pin}"]
"""


class GuardedNode(Node):
    """`port` is plain, for the honest peer; `secure` wants TLS and known peers, `users` users."""

    secure = users = 0
    config = Path()

    def command(self, *arguments: str | Path):
        """Run a command with this node's configuration and data folder."""
        return isocenter(*arguments, "-c", self.config)

    def issue(self, ae_title: str) -> PeerFiles:
        """A certificate of the node's CA for a peer."""
        out = self.config.parent / f"{ae_title}-tls"
        made = self.command("tls", "issue", ae_title, "--out", out)
        assert made.returncode == 0, made.stdout
        return PeerFiles(out / "certificate.pem", out / "key.pem", out / "ca.pem")


@contextmanager
def guarded_node(folder: Path, toml: str = "") -> Iterator[GuardedNode]:
    """A running one, with its CA made."""
    secure, users = free_port(), free_port()
    text = TOML.format(secure=secure, users=users, pin="ab" * 32, data=folder / "data") + toml
    with GuardedNode(folder / "data", *configured(folder, text)) as node:
        node.secure, node.users, node.config = secure, users, folder / "isocenter.toml"
        yield node


class TLSPeer(Peer):
    """A peer that speaks TLS, with the certificate of `files` if there are any."""

    def __init__(
        self, port: int, ca: Path, files: PeerFiles | None = None, *, source: str = ""
    ) -> None:
        super().__init__(port, source=source)
        context = ssl.create_default_context(cafile=str(ca))
        context.check_hostname = False
        if files is not None:
            context.load_cert_chain(files.certificate, files.key)
        try:
            self.socket = context.wrap_socket(self.socket)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def asks(self, calling: str, *contexts: Syntaxes) -> PDU | None:
        """The answer to a request for an association under that AE title."""
        self.send(associate_rq(*(contexts or (ECHO, STORE)), calling=calling).encode())
        return self.read()
