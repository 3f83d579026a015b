"""A running node that speaks TLS, and the certificates that its own CA gives its peers."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from isocenter.cli.main import cli
from tests.support.node import Node
from tests.support.processes import Server, free_port


class PeerFiles(NamedTuple):
    """What `isocenter tls issue` has made for a peer."""

    certificate: Path
    key: Path
    ca: Path

    @property
    def options(self) -> tuple[str | Path, ...]:
        """As the programs of DCMTK, and the commands of Isocenter, want it."""
        return "+tls", self.key, self.certificate, "+cf", self.ca


class TLSNode(Node):
    """`isocenter serve` on loopback with `tls = "always"`; the rest as `toml` says."""

    def __init__(
        self, folder: Path, toml: str = "", *, ae_title: str = "ISOCENTER", port: int | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "isocenter.toml"
        self.config.write_text(
            f'[node]\nae_title = "{ae_title}"\ndata_directory = "{folder / "data"}"\n'
            f'[listen]\ntls = "always"\n{toml}'
        )
        super().__init__(folder / "data", "-c", str(self.config), port=port)

    @property
    def tls(self) -> Path:
        """Its TLS folder."""
        return self.data / "tls"

    def _knock(self) -> None:
        Server._knock(self)  # whoever may speak to it is the tests' business

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """What `isocenter` does with this node's configuration and data folder."""
        return command(*arguments, "-c", self.config)

    def issue(self, ae_title: str, *names: str) -> PeerFiles:
        """A certificate of the node's CA for a peer."""
        out = self.config.parent / f"{ae_title}-tls"
        options = [word for name in names for word in ("--name", name)]
        made = self.command("tls", "issue", ae_title, *options, "--out", out)
        assert made.returncode == 0, made.stdout
        return PeerFiles(out / "certificate.pem", out / "key.pem", out / "ca.pem")


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What `isocenter` does, in this process, which saves the start of another one."""
    done = CliRunner().invoke(cli, [str(word) for word in arguments])
    return subprocess.CompletedProcess(arguments, done.exit_code, done.output)


def port_of(peer: str) -> tuple[str, int]:
    """A free port, and the table of a peer there that is called over TLS."""
    port = free_port()
    toml = f'[peers.{peer.lower()}]\nae_title = "{peer}"\nhost = "localhost"\nport = {port}\n'
    return toml + "tls = true\n", port
