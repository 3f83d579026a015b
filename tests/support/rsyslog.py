"""rsyslog as a syslog server over TLS, and what it has received."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.certificates import KeyPair
from tests.support.processes import Server, require

_MESSAGE = re.compile(
    rb"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) \[meta sequenceId=\"(\d+)\"\] \xef\xbb\xbf(.*)"
)


class Received(NamedTuple):
    """A message as the server wrote it down."""

    priority: int
    timestamp: str
    host: str
    application: str
    process: str
    message_id: str
    sequence_id: int
    xml: bytes


class Rsyslog(Server):
    """rsyslogd with TLS on `port`; it writes down what it gets, each message on a line."""

    def __init__(self, folder: Path, port: int, server: KeyPair, trusted: Path) -> None:
        program = require("rsyslogd", "rsyslog", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if not any(Path("/usr/lib").glob("**/rsyslog/lmnsd_gtls.so")):
            pytest.skip("rsyslog's TLS is not installed (Debian package rsyslog-gnutls)")
        folder.mkdir(parents=True, exist_ok=True)
        self._received = folder / "received"
        config = folder / "rsyslog.conf"
        config.write_text(
            f"""
            global(workDirectory="{folder}" maxMessageSize="2m"
                   DefaultNetstreamDriver="gtls"
                   DefaultNetstreamDriverCAFile="{trusted}"
                   DefaultNetstreamDriverCertFile="{server.certificate}"
                   DefaultNetstreamDriverKeyFile="{server.key}")
            module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1"
                   StreamDriver.AuthMode="anon")
            input(type="imtcp" port="{port}" address="127.0.0.1" MaxFrameSize="2000000")
            template(name="raw" type="string" string="%rawmsg%\\n")
            action(type="omfile" file="{self._received}" template="raw")
            """
        )
        command = [program, "-n", "-C", "-f", config, "-i", folder / "rsyslog.pid"]
        super().__init__(command, port, folder / "rsyslog.log")

    def received(self) -> list[Received]:
        """What it has written down so far, in its order, without a line that is half written."""
        try:
            lines = self._received.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            match = _MESSAGE.fullmatch(line)
            if match is None:  # the knock of a test that looks whether it listens
                continue
            priority, *header, sequence_id, xml = match.groups()
            texts = [part.decode() for part in header]
            found.append(Received(int(priority), *texts, int(sequence_id), xml))
        return found

    def kill(self) -> None:
        """Ends it at once, with nothing flushed."""
        self.process.kill()
        self.process.wait()
