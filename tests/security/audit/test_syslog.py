"""Audit messages framed, and sent to a real syslog server: outages, restarts, impostors."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security.audit import exporter as exporter_module
from isocenter.security.audit import kinds
from isocenter.security.audit.chain import draft
from isocenter.security.audit.events import Party, Query
from isocenter.security.audit.exporter import Exporter, Sender
from isocenter.security.audit.lookup import export_states
from isocenter.security.audit.syslog import frame, syslog_message
from isocenter.security.audit.target import BadTarget, Target, parse_target
from isocenter.security.audit.trail import AuditTrail
from tests.security.audit.schema_check import check
from tests.security.audit.trails import HERE, SOURCE, alert, made
from tests.server.support_nodes import eventually
from tests.support.certificates import TestCA
from tests.support.processes import free_port
from tests.support.rsyslog import Rsyslog

SENDER = Sender("pacs1", "isocenter", "4711")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(exporter_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(exporter_module, "LONGEST_PAUSE", 0.2)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[AuditTrail]:
    with AuditTrail(tmp_path / "audit.sqlite") as one:
        yield one


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


def trusting(ca: TestCA) -> Callable[[], ssl.SSLContext]:
    return lambda: ssl.create_default_context(cafile=str(ca.trusted))


@contextmanager
def exporting(
    trail: AuditTrail,
    port: int,
    make_context: Callable[[], ssl.SSLContext],
    *,
    host: str = "127.0.0.1",
    settle: float = 0.2,
) -> Iterator[list[str | None]]:
    """An exporter at work; what it tells of trouble."""
    told: list[str | None] = []
    ending = threading.Event()
    one = Exporter(
        trail, Target(host, port), SENDER, make_context, ending.wait, told.append, settle=settle
    )
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield told
    finally:
        ending.set()
        thread.join(30)
        assert not thread.is_alive()


def add(trail: AuditTrail, *numbers: int) -> None:
    trail.append([made(number) for number in numbers], alert)


def settled(trail: AuditTrail) -> bool:
    """Whether everything counts as arrived."""
    return [state.waiting for state in export_states(trail)] == [0]


def sequence(server: Rsyslog) -> list[int]:
    return [one.sequence_id for one in server.received()]


@given(st.text(max_size=300), st.text(max_size=60), st.binary(max_size=50))
def test_whatever_its_names_a_header_has_its_fields(host: str, name: str, xml: bytes) -> None:
    message = syslog_message(7, 0.5, xml, host=host, application=name, process=name)
    header, bom, content = message.partition(b"\xef\xbb\xbf")
    assert (bom, content) == (b"\xef\xbb\xbf", xml)
    fields = header.decode("ascii").split(" ")
    assert fields[:2] == ["<85>1", "1970-01-01T00:00:00.500Z"]
    assert fields[5:] == ["DICOM+RFC3881", "[meta", 'sequenceId="7"]', ""]
    assert all(fields[:-1])
    assert len(fields[2]) <= 255
    assert len(fields[3]) <= 48


def test_a_frame_counts_octets() -> None:
    assert frame("ü".encode()) == b"2 \xc3\xbc"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("log.example", ("log.example", 6514)),
        ("log.example:601", ("log.example", 601)),
        ("192.0.2.1:601", ("192.0.2.1", 601)),
        ("[2001:db8::1]:601", ("2001:db8::1", 601)),
        ("2001:db8::1", ("2001:db8::1", 6514)),
        ("[2001:db8::1]", ("2001:db8::1", 6514)),
    ],
)
def test_a_server_is_named_by_host_and_port(text: str, target: tuple[str, int]) -> None:
    assert parse_target(text) == target
    assert parse_target(str(parse_target(text))) == target


@pytest.mark.parametrize("text", ["", ":601", "log:0", "log:x", "log:99999", "a b", "[::1]x"])
def test_a_text_that_names_no_server_is_refused(text: str) -> None:
    with pytest.raises(BadTarget):
        parse_target(text)


@pytest.mark.interop
def test_a_server_gets_every_message_once_and_whole(
    trail: AuditTrail, ca: TestCA, tmp_path: Path
) -> None:
    port = free_port()
    long = Query("1.2", bytes(range(256)) * 200, "1.2.840.10008.1.2", 51_200)
    with Rsyslog(tmp_path / "log", port, ca.issue("localhost"), ca.trusted) as server:
        add(trail, 1, 2)
        with exporting(trail, port, trusting(ca)):
            trail.append([draft(kinds.query(HERE, Party("CT1"), long, 5.0), SOURCE)], alert)
            add(trail, *range(250))
            eventually(lambda: len(server.received()) == 253)
            eventually(lambda: settled(trail))
        received = server.received()
    assert [one.sequence_id for one in received] == list(range(1, 254))
    assert {one[:1] + one[2:6] for one in received} == {
        (85, "pacs1", "isocenter", "4711", "DICOM+RFC3881")
    }
    assert len(received[2].xml) > 65_536
    for one in received[:4]:
        check(one.xml)


@pytest.mark.interop
def test_after_a_restart_of_the_node_nothing_is_sent_twice(
    trail: AuditTrail, ca: TestCA, tmp_path: Path
) -> None:
    port = free_port()
    with Rsyslog(tmp_path / "log", port, ca.issue("localhost"), ca.trusted) as server:
        for start in (0, 10, 20):
            with exporting(trail, port, trusting(ca), settle=60.0):
                add(trail, *range(start, start + 10))
                eventually(lambda n=start: len(server.received()) == n + 10)
            assert trail.exported(f"127.0.0.1:{port}") == start + 10
    assert sequence(server) == list(range(1, 31))


@pytest.mark.interop
def test_what_comes_while_the_server_is_down_arrives_when_it_is_back(
    trail: AuditTrail, ca: TestCA, tmp_path: Path
) -> None:
    port, pair = free_port(), ca.issue("localhost")
    with exporting(trail, port, trusting(ca)) as told:
        add(trail, 0)
        eventually(lambda: told)
        assert "cannot be reached" in (told[0] or "")
        with Rsyslog(tmp_path / "log", port, pair, ca.trusted) as server:
            eventually(lambda: sequence(server) == [1])
            eventually(lambda: settled(trail))
            add(trail, 1, 2)
            eventually(lambda: sequence(server) == [1, 2, 3])
            server.kill()
        add(trail, 3, 4)
        with Rsyslog(tmp_path / "log", port, pair, ca.trusted) as server:
            eventually(lambda: set(sequence(server)) == {1, 2, 3, 4, 5})
            eventually(lambda: settled(trail))
    assert told[1] is None


@pytest.mark.interop
# Reset within `wrap_socket`, before its handshake, the standard library's socket closes itself only
# when it is collected.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_server_that_is_killed_again_and_again_misses_nothing(
    trail: AuditTrail, ca: TestCA, tmp_path: Path
) -> None:
    port, pair = free_port(), ca.issue("localhost")
    with exporting(trail, port, trusting(ca), settle=1.0):
        for round_ in range(4):
            with Rsyslog(tmp_path / "log", port, pair, ca.trusted) as server:
                for number in range(5):
                    add(trail, *range(100 * round_ + 10 * number, 100 * round_ + 10 * number + 9))
                eventually(lambda s=server, n=round_: len(set(sequence(s))) > 45 * n)
                server.kill()
        with Rsyslog(tmp_path / "log", port, pair, ca.trusted) as server:
            eventually(lambda: set(sequence(server)) == set(range(1, 181)))


@pytest.mark.parametrize("fault", ["stranger", "expired", "other name"])
@pytest.mark.interop
def test_a_server_that_is_not_who_it_should_be_gets_nothing(
    trail: AuditTrail, ca: TestCA, tmp_path: Path, fault: str
) -> None:
    port = free_port()
    signer = TestCA(tmp_path / "stranger") if fault == "stranger" else ca
    address = "192.0.2.1" if fault == "other name" else "127.0.0.1"
    pair = signer.issue("loghost", address=address, expired=fault == "expired")
    add(trail, 0)
    with (
        Rsyslog(tmp_path / "log", port, pair, signer.trusted) as server,
        exporting(trail, port, trusting(ca)) as told,
    ):
        eventually(lambda: told)
        eventually(lambda: export_states(trail))
    assert "was not trusted" in (told[0] or "")
    assert server.received() == []
    (state,) = export_states(trail)
    assert (state.through, state.waiting) == (0, 1)
    assert "was not trusted" in (state.last_error or "")


def test_a_server_without_tls_gets_nothing(trail: AuditTrail, ca: TestCA) -> None:
    add(trail, 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(b"what?\r\n" * 20)

        thread = threading.Thread(target=answer)
        thread.start()
        with exporting(trail, listener.getsockname()[1], trusting(ca)) as told:
            eventually(lambda: told)
        thread.join(10)
    assert "was not trusted" in (told[0] or "")
    assert b"AuditMessage" not in heard[0]
