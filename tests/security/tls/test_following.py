"""Contexts follow their files, while connections go on."""

import os
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest
import structlog

from isocenter.security.certificates import CertificateProblem
from isocenter.security.tls import LOOK_EVERY, ServerTLS
from isocenter.security.tls_files import TLSFiles
from tests.support.tls import Certificates, Pair
from tests.support.tls_peers import tls_listener


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += LOOK_EVERY


class Folder:
    """The files of a listener, whose pair is exchanged as an administrator would."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        folder.mkdir()
        self.files = TLSFiles(
            folder / "node.pem", folder / "node.key", (folder / "trusted.pem",), ()
        )
        shutil.copy(certificates.ca, self.files.trusted[0])

    def put(self, pair: Pair) -> None:
        for source, target in (
            (pair.key, self.files.key),
            (pair.certificate, self.files.certificate),
        ):
            assert target is not None
            shutil.copy(source, target.with_suffix(".new"))
            target.with_suffix(".new").replace(target)


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "ca")


@pytest.fixture
def folder(tmp_path: Path, certificates: Certificates) -> Folder:
    folder = Folder(tmp_path / "tls", certificates)
    folder.put(certificates.issue("FIRST"))
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown_by(port: int, certificates: Certificates) -> str:
    """The common name that a server shows; the connection is closed in good order."""
    context = ssl.create_default_context(cafile=str(certificates.ca))
    with (
        socket.create_connection(("127.0.0.1", port), 20) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        subject = secured.getpeercert()["subject"]  # type: ignore[index]
        return dict(pair for part in subject for pair in part)["commonName"]


def test_a_new_certificate_is_used_for_the_next_connection(
    folder: Folder, certificates: Certificates, clock: Clock
):
    tls = ServerTLS(folder.files, "off", clock)
    with tls_listener(tls.current) as listener:
        assert shown_by(listener.port, certificates) == "FIRST"
        folder.put(certificates.issue("SECOND"))
        assert shown_by(listener.port, certificates) == "FIRST"  # nobody has looked yet
        clock.tick()
        assert shown_by(listener.port, certificates) == "SECOND"


def test_files_that_have_not_changed_are_not_read_again(folder: Folder, clock: Clock):
    tls = ServerTLS(folder.files, "off", clock)
    context = tls.current()
    clock.tick()
    assert tls.current() is context


def test_a_change_that_cannot_be_used_leaves_what_was_and_is_told_once(
    folder: Folder, certificates: Certificates, clock: Clock
):
    tls = ServerTLS(folder.files, "off", clock)
    context = tls.current()
    assert folder.files.certificate is not None
    folder.files.certificate.write_bytes(b"half a certifi")
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            clock.tick()
            assert tls.current() is context
    assert [line["event"] for line in lines] == [
        "certificates changed and cannot be used; those from before stay"
    ]
    folder.put(certificates.issue("MENDED"))
    clock.tick()
    with structlog.testing.capture_logs() as lines:
        assert tls.current() is not context
    assert [line["event"] for line in lines] == ["read the certificates anew"]


def test_a_key_whose_mode_is_mended_is_taken(folder: Folder, clock: Clock):
    key = folder.files.key
    assert key is not None
    key.chmod(0o644)
    with pytest.raises(CertificateProblem, match=f"chmod 600 {key}"):
        ServerTLS(folder.files, "off", clock)
    key.chmod(0o600)
    tls = ServerTLS(folder.files, "off", clock)
    context = tls.current()
    key.chmod(0o640)
    clock.tick()
    assert tls.current() is context
    key.chmod(0o600)
    clock.tick()
    assert tls.current() is not context


def test_files_that_vanish_for_a_moment_do_no_harm(
    folder: Folder, certificates: Certificates, clock: Clock
):
    tls = ServerTLS(folder.files, "off", clock)
    context = tls.current()
    assert folder.files.certificate is not None
    folder.files.certificate.unlink()
    clock.tick()
    assert tls.current() is context
    folder.put(certificates.issue("BACK"))
    clock.tick()
    assert tls.current() is not context


def test_reloading_under_load_breaks_no_connection(
    folder: Folder, certificates: Certificates, clock: Clock
):
    tls = ServerTLS(folder.files, "off", clock)
    pairs = [certificates.issue(f"NUMBER{number}") for number in range(20)]
    trouble: list[Exception] = []
    done = threading.Event()

    def call() -> None:
        try:
            while not done.is_set():
                shown_by(listener.port, certificates)
        except Exception as error:
            trouble.append(error)

    with tls_listener(tls.current) as listener:
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        for pair in pairs:
            folder.put(pair)
            clock.tick()
            shown_by(listener.port, certificates)
        done.set()
        for caller in callers:
            caller.join()
        clock.tick()
        assert shown_by(listener.port, certificates) == "NUMBER19"
    assert trouble == []
    assert listener.failures == []


def test_a_revoked_client_is_refused_from_the_next_look_on(
    tmp_path: Path, certificates: Certificates, clock: Clock
):
    own, peer = certificates.issue("ISOCENTER"), certificates.issue("PEER")
    revoked = tmp_path / "revoked.pem"
    shutil.copy(certificates.revoke(), revoked)
    files = TLSFiles(own.certificate, own.key, (certificates.ca,), (revoked,))
    tls = ServerTLS(files, "required", clock)
    answers: list[str] = []

    def serve(connection: ssl.SSLSocket) -> None:
        try:
            tls.examine(connection)
        except Exception as error:
            answers.append(str(error))
        else:
            answers.append("welcome")

    context = ssl.create_default_context(cafile=str(certificates.ca))
    context.load_cert_chain(peer.certificate, peer.key)

    def call() -> None:
        with (
            socket.create_connection(("127.0.0.1", listener.port), 20) as connection,
            context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
        ):
            assert secured.recv(1) == b""

    with tls_listener(tls.current, serve) as listener:
        call()
        shutil.copy(certificates.revoke(peer), revoked)
        os.utime(revoked, (1, 1))  # another time, whatever the clock's grain
        clock.tick()
        call()
    assert answers == ["welcome", "the peer's certificate was revoked by its issuer"]
