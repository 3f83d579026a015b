"""Other people's user identities at our desk, and how they take the answer (PS3.7 D.3.3.7).

The acceptor here is as small as one can be: what a node decides around it is tested at the node.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isocenter.dictionary.sop_classes import VERIFICATION
from isocenter.security.access import ALL_STUDIES
from isocenter.security.database import AccessDatabase
from isocenter.security.identity import IdentityDesk
from isocenter.security.identity_outcome import Refused, Verified, Why
from isocenter.security.users import Users
from isocenter.services.user_identity import acknowledge
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.negotiation import accept_context, negotiate, reject_as_user
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ, ReleaseRP, ReleaseRQ, decode_pdu
from isocenter.upperlayer.reasons import UserRejectReason
from isocenter.upperlayer.user_information import UserInformation
from tests.cli.helpers import write_object
from tests.security.identity.hashing import cheaply
from tests.security.identity.tokens import RULES, token
from tests.support.node import isocenter
from tests.support.peers import dcmtk

pytestmark = pytest.mark.interop

SECRET = "correct horse"


class Acceptor:
    """Accepts whoever is verified, or of an unverifiable kind; remembers what became of each."""

    def __init__(self, desk: IdentityDesk) -> None:
        self.outcomes: list[Verified | Refused] = []
        self._desk = desk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, (host, *_) = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(30)
                self._answer(connection, host)

    def _answer(self, connection: socket.socket, host: str) -> None:
        request = _read(connection)
        assert isinstance(request, AssociateRQ)
        identity = request.user_information.user_identity
        assert identity is not None
        outcome = self._desk.verify(identity, host)
        self.outcomes.append(outcome)
        if isinstance(outcome, Refused) and outcome.failed:
            connection.sendall(reject_as_user(UserRejectReason.NO_REASON_GIVEN).encode())
            connection.recv(1)  # the requestor closes
            return
        connection.sendall(_accepted(request, outcome).encode())
        if isinstance(_read(connection), ReleaseRQ):  # what else is asked gets no answer
            connection.sendall(ReleaseRP().encode())


def _accepted(request: AssociateRQ, outcome: Verified | Refused) -> AssociateAC:
    def accept(proposed: ProposedContext) -> Any:
        return accept_context(proposed, proposed.transfer_syntaxes[0])

    ours = UserInformation(maximum_length=16384, implementation_class_uid="1.2.3.4")
    return negotiate(
        request, accept, user_information=ours, answer_identity=lambda _: acknowledge(outcome)
    )


def _read(connection: socket.socket) -> Any:
    header = _exactly(connection, 6)
    if len(header) < 6:
        return None
    body = _exactly(connection, struct.unpack(">BxI", header)[1])
    return decode_pdu(header + body)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


@pytest.fixture
def acceptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acceptor]:
    cheaply(monkeypatch)
    with AccessDatabase(tmp_path / "access.sqlite") as database:
        users = Users(database)
        users.add("jo", SECRET.encode(), ALL_STUDIES)
        running = Acceptor(IdentityDesk(users, RULES, failures=50, lockout=60))
        yield running
        running.close()


def by_pynetdicom(
    port: int, kind: int, primary: bytes, secondary: bytes = b""
) -> tuple[bool, bytes | None]:
    """Whether pynetdicom's association was accepted, and the response to its identity."""
    pytest.importorskip("pynetdicom")
    from pynetdicom import AE
    from pynetdicom.pdu_primitives import UserIdentityNegotiation

    identity = UserIdentityNegotiation()
    identity.user_identity_type = kind
    identity.primary_field = primary
    if secondary:
        identity.secondary_field = secondary
    identity.positive_response_requested = True
    ae = AE("REQUESTOR")
    ae.acse_timeout = ae.network_timeout = 20
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", port, ext_neg=[identity])
    established = association.is_established
    answer = association.acceptor.user_identity if established else None
    if established:
        association.release()
    return established, None if answer is None else answer.server_response


GOOD = Verified("jo", ALL_STUDIES)


@pytest.mark.parametrize(
    ("kind", "primary", "secondary", "outcome", "answered"),
    [
        (1, b"jo", b"", Refused(Why.NAME_ONLY, "jo"), (True, None)),
        (2, b"jo", SECRET.encode(), GOOD, (True, b"")),
        (2, b"jo", b"wrong horse", Refused(Why.WRONG, "jo"), (False, None)),
        (2, b"nobody", SECRET.encode(), Refused(Why.WRONG, "nobody"), (False, None)),
        (3, b"\x60\x82 no ticket", b"", Refused(Why.KERBEROS), (True, None)),
        (4, b"<saml:Assertion/>", b"", Refused(Why.SAML), (True, None)),
        (5, token(), b"", GOOD, (True, b"")),
        (
            5,
            token(exp=1),
            b"",
            Refused(Why.BAD_TOKEN, detail="The token has expired."),
            (False, None),
        ),
    ],
)
def test_pynetdicom_identifies_itself(
    acceptor: Acceptor, kind: int, primary: bytes, secondary: bytes, outcome: Any, answered: Any
) -> None:
    assert by_pynetdicom(acceptor.port, kind, primary, secondary) == answered
    assert acceptor.outcomes == [outcome]


@pytest.mark.parametrize(
    ("options", "outcome", "accepted"),
    [
        (("-usr", "jo"), Refused(Why.NAME_ONLY, "jo"), True),
        (("-usr", "jo", "-pwd", SECRET), GOOD, True),
        (("-usr", "jo", "-pwd", SECRET, "-rsp"), GOOD, True),
        (("-usr", "jo", "-pwd", "wrong horse"), Refused(Why.WRONG, "jo"), False),
        (("-usr", "jo", "-epw"), Refused(Why.WRONG, "jo"), False),
        (("-kt", "file"), Refused(Why.KERBEROS), True),
        (("--saml", "file"), Refused(Why.SAML), True),
        (("--jwt", "token"), GOOD, True),
        (("--jwt", "token", "-rsp"), GOOD, True),
        (
            ("--jwt", "expired"),
            Refused(Why.BAD_TOKEN, detail="The token has expired."),
            False,
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_dcmtk_identifies_itself(
    acceptor: Acceptor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    outcome: Any,
    accepted: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)
    done = dcmtk("storescu", "-v", *options, "127.0.0.1", str(acceptor.port), "image.dcm")
    assert acceptor.outcomes == [outcome], done.stdout
    assert ("Association Accepted" in done.stdout) is accepted, done.stdout


def write_files(folder: Path) -> None:
    write_object(folder / "image.dcm", 1)
    (folder / "file").write_bytes(b"<no assertion/>")
    (folder / "token").write_bytes(token())
    (folder / "expired").write_bytes(token(exp=1))


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (lambda folder: ("--jwt-file", folder / "token"), GOOD),
        (
            lambda folder: ("--user", "jo", "--password-file", folder / "secret"),
            GOOD,
        ),
        (lambda folder: ("--user", "jo"), Refused(Why.NAME_ONLY, "jo")),
    ],
)
def test_the_commands_identify_themselves(
    acceptor: Acceptor, tmp_path: Path, make: Callable[[Path], Any], outcome: Any
) -> None:
    (tmp_path / "token").write_bytes(token() + b"\n")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    isocenter("echo", f"127.0.0.1:{acceptor.port}", *make(tmp_path))
    assert acceptor.outcomes == [outcome]
