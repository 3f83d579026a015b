"""Users at a running node: passcodes and tokens verified, demanded, and what they may see."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.study_labels import StudyLabels
from isocenter.encoding.elements import RawElement
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase
from isocenter.security.users import Users
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from isocenter.upperlayer.user_information import UserIdentity
from tests.server.support import ECHO, FIND, STORE, Peer, associate_rq
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, eventually, log_lines
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.processes import free_port

PASSCODE = b"correct horse battery"
REJECTED = AssociateRJ(1, 1, 1)

TOML = """
[listeners.demanding]
port = {demanding}
user_identity = "required"
[identity]
failures = 3
lockout = 3600
jwt_key = "issuer.pem"
jwt_algorithm = "ES256"
jwt_issuer = "https://issuer.example"
"""


class NodeWithUsers(Node):
    """Anna may see everything, Tim the trial; Otto is disabled, Lea is guessed at."""

    demanding = 0
    key: ec.EllipticCurvePrivateKey

    def token(self, **claims: object) -> bytes:
        """A token that is good but for what `claims` say."""
        good = {
            "iss": "https://issuer.example",
            "aud": "ISOCENTER",
            "sub": "nurse@example",
            "exp": int(time.time()) + 600,
        }
        return jwt.encode({**good, **claims}, self.key, algorithm="ES256").encode()


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeWithUsers]:
    folder = tmp_path_factory.mktemp("clinic")
    NodeWithUsers.key = ec.generate_private_key(ec.SECP256R1())
    NodeWithUsers.demanding = free_port()
    (folder / "issuer.pem").write_bytes(
        NodeWithUsers.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    options = configured(folder, TOML.format(demanding=NodeWithUsers.demanding))
    with NodeWithUsers(folder / "data", *options) as node:
        with AccessDatabase(node.data / ACCESS_FILE) as database:
            users = Users(database)
            for name in ("anna", "otto", "lea", "tim"):
                scope = Scope(frozenset({"trial"})) if name == "tim" else ALL_STUDIES
                users.add(name, PASSCODE, scope)
            users.set_disabled("otto", True)
        yield node


ADDRESSES = (f"127.0.1.{number}" for number in itertools.count(1))
"""Where attempts come from that shall not lock out the next ones."""


def asked(port: int, identity: UserIdentity | None, source: str = "") -> AssociateAC | AssociateRJ:
    with Peer(port, source=source or next(ADDRESSES)) as peer:
        peer.send(request(identity))
        answer = peer.read()
        assert isinstance(answer, AssociateAC | AssociateRJ)
        if isinstance(answer, AssociateAC):
            assert peer.echo() == 0
            assert peer.released()
        return answer


def request(identity: UserIdentity | None, *contexts: tuple[str, str]) -> bytes:
    plain = associate_rq(*(contexts or (ECHO,)))
    information = replace(plain.user_information, user_identity=identity)
    return replace(plain, user_information=information).encode()


def passcode(name: str, secret: bytes = PASSCODE) -> UserIdentity:
    return UserIdentity(2, name.encode(), secret, True)


def response_of(answer: AssociateAC | AssociateRJ) -> bytes | None:
    assert isinstance(answer, AssociateAC), answer
    return answer.user_information.user_identity_response


def test_who_proves_to_be_a_user_gets_the_response_and_stands_in_the_log(
    clinic: NodeWithUsers,
) -> None:
    for port in (clinic.port, clinic.demanding):
        assert response_of(asked(port, passcode("anna"))) == b""
        assert response_of(asked(port, UserIdentity(5, clinic.token(), b"", True))) == b""
    assert log_lines(clinic, "user=anna", "verified=true")
    assert log_lines(clinic, "user=nurse@example", "verified=true")
    assert PASSCODE.decode() not in clinic.log()


def test_where_a_user_is_demanded_nobody_else_comes_in(clinic: NodeWithUsers) -> None:
    for identity in (
        None,
        UserIdentity(1, b"anna"),
        UserIdentity(3, b"ticket"),
        UserIdentity(9, b""),
    ):
        assert asked(clinic.demanding, identity) == REJECTED
        assert response_of(asked(clinic.port, identity)) is None


@pytest.mark.parametrize("port", ["port", "demanding"])
def test_who_fails_is_rejected_whether_a_user_is_demanded_or_not(
    clinic: NodeWithUsers, port: str
) -> None:
    assert asked(getattr(clinic, port), passcode("otto")) == REJECTED
    for bad in (
        clinic.token(aud="SOMEBODY_ELSE"),
        clinic.token(exp=int(time.time()) - 3600),
        jwt.encode({"sub": "anna"}, None, algorithm="none").encode(),
    ):
        assert asked(getattr(clinic, port), UserIdentity(5, bad)) == REJECTED


def test_users_see_the_studies_of_their_scope(clinic: NodeWithUsers) -> None:
    with Peer.associated(clinic.port, STORE) as peer:
        assert peer.store(instance("1.2.3.900.1")).status == 0
    keys = {0x00080052: RawElement("CS", b"STUDY"), 0x0020000D: RawElement("UI", b"")}

    def seen_by(name: str) -> int:
        with Peer(clinic.port, source=next(ADDRESSES)) as peer:
            peer.send(request(passcode(name), FIND))
            assert isinstance(peer.read(), AssociateAC)
            return len(peer.find(keys)) - 1

    assert seen_by("anna") == 1
    assert seen_by("tim") == 0
    (found,) = isocenter_json("find", clinic.address, "-k", "StudyInstanceUID")
    study = found["0020000D"]["Value"][0]
    with AccessDatabase(clinic.data / ACCESS_FILE) as database:
        StudyLabels(database).add("trial", [study])
    assert seen_by("tim") == 1


def test_guessing_is_stopped_for_the_name_and_for_the_address(clinic: NodeWithUsers) -> None:
    for _ in range(3):
        assert asked(clinic.port, passcode("lea", b"guess")) == REJECTED
    assert asked(clinic.port, passcode("lea")) == REJECTED  # right now, but too late
    here = next(ADDRESSES)
    for number in range(3):
        assert asked(clinic.port, passcode(f"nobody{number}"), here) == REJECTED
    assert asked(clinic.port, passcode("anna"), here) == REJECTED
    assert response_of(asked(clinic.port, passcode("anna"))) == b""
    eventually(lambda: log_lines(clinic, "Too many attempts failed"))


def test_the_commands_prove_a_user_too(clinic: NodeWithUsers, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(PASSCODE + b"\n")
    options = ("--user", "anna", "--password-file", tmp_path / "secret")
    done = isocenter("echo", f"localhost:{clinic.demanding}", *options)
    assert done.returncode == 0, done.stdout
