"""User identities that are junk, too long, forged or guessed (PS3.7 D.3.3.7): nobody is let in."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.upperlayer.pdu import PDU, AssociateAC, AssociateRJ
from isocenter.upperlayer.user_information import UserIdentity
from tests.security.attacks.under_attack import MIB, Honest, attack, under_attack
from tests.security.identity.tokens import EC_KEY, by_hand, claims, public_pem, token
from tests.server.support import ECHO, Peer, associate_rq
from tests.server.support_nodes import configured, eventually, log_lines
from tests.support.node import Node, isocenter
from tests.support.processes import free_port

pytestmark = attack(32, "user identity")

SECRET = "correct-horse-battery"
USERNAME, PASSCODE, KERBEROS, SAML, JWT = range(1, 6)


class NodeOfUsers(Node):
    """`port` is for the honest peer; on `users` nobody is served who is not verified."""

    users = 0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeOfUsers]:
    folder = tmp_path_factory.mktemp("users")
    (folder / "issuer.pem").write_bytes(public_pem(EC_KEY))
    (folder / "passcode").write_text(f"{SECRET}\n")
    users = free_port()
    toml = (
        f'[listeners.users]\nport = {users}\nuser_identity = "required"\n'
        f'[identity]\njwt_key = "{folder / "issuer.pem"}"\njwt_algorithm = "ES256"\n'
        'jwt_issuer = "https://login.example"\nfailures = 1000\n'
    )
    with NodeOfUsers(folder / "data", *configured(folder, toml)) as running:
        running.users = users
        added = isocenter(
            "user", "add", "jo", "--password-file", folder / "passcode", "--data", running.data
        )
        assert added.returncode == 0, added.stdout
        yield running


def answer(node: NodeOfUsers, identity: UserIdentity | None) -> PDU | None:
    request = associate_rq(ECHO)
    information = replace(request.user_information, user_identity=identity)
    with Peer(node.users) as peer:
        peer.send(replace(request, user_information=information).encode())
        return peer.read()


BYTES = b"\xff\0'\"%s{}" * 100
GOOD = token()
HEADER, PAYLOAD, SIGNATURE = GOOD.split(b".")


def none_of_it(name: str) -> bytes:
    return by_hand({"alg": name, "typ": "JWT"}, claims())


IDENTITIES = {
    "none at all": None,
    "a name without a passcode": UserIdentity(USERNAME, b"jo"),
    "a wrong passcode": UserIdentity(PASSCODE, b"jo", b"wrong"),
    "an empty passcode": UserIdentity(PASSCODE, b"jo", b""),
    "a passcode of 60 kB": UserIdentity(PASSCODE, b"jo", b"x" * 60_000),
    "the passcode and more": UserIdentity(PASSCODE, b"jo", SECRET.encode() + b"\0"),
    "a name of 60 kB": UserIdentity(PASSCODE, b"j" * 60_000, SECRET.encode()),
    "a name that is SQL": UserIdentity(PASSCODE, b"' OR 1=1 --", SECRET.encode()),
    "a name of any bytes": UserIdentity(PASSCODE, BYTES, BYTES),
    "a Kerberos ticket of junk": UserIdentity(KERBEROS, BYTES),
    "an endless Kerberos ticket": UserIdentity(KERBEROS, b"\x60\x84\xff\xff\xff\xff" * 9000),
    "a SAML assertion": UserIdentity(SAML, b"<Assertion><Subject>jo</Subject></Assertion>"),
    "a SAML entity bomb": UserIdentity(
        SAML,
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaa">'
        + b"".join(b'<!ENTITY %c "&%c;&%c;">' % (n + 1, n, n) for n in range(97, 120))
        + b"]><a>&x;</a>",
    ),
    "a SAML reference": UserIdentity(
        SAML, b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    ),
    "a token of alg none": UserIdentity(JWT, none_of_it("none")),
    "a token of alg NoNe": UserIdentity(JWT, none_of_it("NoNe")),
    "a token signed with the public key": UserIdentity(
        JWT, by_hand({"alg": "HS256"}, claims(), public_pem(EC_KEY)[:32])
    ),
    "a token without its signature": UserIdentity(JWT, HEADER + b"." + PAYLOAD + b"."),
    "a token with another user": UserIdentity(
        JWT,
        b".".join(
            (
                HEADER,
                base64.urlsafe_b64encode(json.dumps(claims(sub="root")).encode()).rstrip(b"="),
                SIGNATURE,
            )
        ),
    ),
    "a token that has expired": UserIdentity(JWT, token(exp=1)),
    "a token for somebody else": UserIdentity(JWT, token(aud="ANOTHER")),
    "a token of another issuer": UserIdentity(JWT, token(iss="https://evil.example")),
    "a token of junk": UserIdentity(JWT, BYTES),
    "a token of dots": UserIdentity(JWT, b"." * 60_000),
    "a token of nested JSON": UserIdentity(
        JWT,
        base64.urlsafe_b64encode(b'{"alg":' + b"[" * 30_000).rstrip(b"=") + b".e30.e30",
    ),
    "type 0": UserIdentity(0, b"jo", SECRET.encode()),
    "type 6": UserIdentity(6, b"jo", SECRET.encode()),
    "type 255": UserIdentity(255, BYTES, BYTES),
}


@pytest.mark.parametrize("what", IDENTITIES)
def test_who_is_not_verified_is_rejected(node: NodeOfUsers, what: str):
    assert isinstance(answer(node, IDENTITIES[what]), AssociateRJ)


@pytest.mark.parametrize(
    "good", [UserIdentity(PASSCODE, b"jo", SECRET.encode()), UserIdentity(JWT, GOOD)]
)
def test_who_is_verified_is_served(node: NodeOfUsers, good: UserIdentity):
    assert isinstance(answer(node, good), AssociateAC)


def test_no_secret_is_in_the_log_and_none_was_echoed(node: NodeOfUsers):
    answer(node, UserIdentity(PASSCODE, b"jo", b"a-wrong-secret"))
    eventually(lambda: log_lines(node, "rejected an association"))
    text = node.log()
    assert SECRET not in text
    assert "a-wrong-secret" not in text
    assert PAYLOAD.decode() not in text


def test_a_flood_of_passcodes_takes_bounded_memory_and_keeps_nobody_waiting(
    node: NodeOfUsers, honest: Honest
):
    """Each guess costs 64 MiB for a moment (argon2id): only so many are tried at one time."""
    peers = []
    try:
        with under_attack(node, memory_slack=64 * MIB):
            for number in range(40):
                request = associate_rq(ECHO)
                identity = UserIdentity(PASSCODE, b"jo%d" % number, b"guess")
                information = replace(request.user_information, user_identity=identity)
                peer = Peer(node.users)
                peers.append(peer)
                peer.send(replace(request, user_information=information).encode())
            honest.answered()
            assert all(isinstance(peer.read(), AssociateRJ) for peer in peers)
            for peer in peers:
                peer.socket.close()
    finally:
        for peer in peers:
            peer.socket.close()


def test_who_guesses_is_locked_out_and_others_are_not(start_node, tmp_path: Path):
    (tmp_path / "passcode").write_text(f"{SECRET}\n")
    users = free_port()
    toml = (
        f'[listeners.users]\nport = {users}\nuser_identity = "required"\n'
        "[identity]\nfailures = 3\nlockout = 3600\n"
    )
    data = tmp_path / "data"
    node = start_node(data, *configured(tmp_path, toml))
    for name in ("jo", "al"):
        isocenter("user", "add", name, "--password-file", tmp_path / "passcode", "--data", data)

    def is_let_in(name: str, passcode: str, source: str) -> bool:
        request = associate_rq(ECHO)
        identity = UserIdentity(PASSCODE, name.encode(), passcode.encode())
        information = replace(request.user_information, user_identity=identity)
        with Peer(users, source=source) as peer:
            peer.send(replace(request, user_information=information).encode())
            return isinstance(peer.read(), AssociateAC)

    with under_attack(node):
        for _ in range(4):
            assert not is_let_in("jo", "guess", "127.0.1.1")
        assert not is_let_in("jo", SECRET, "127.0.1.1")
        assert not is_let_in("jo", SECRET, "127.0.1.2")  # the name is locked everywhere
        assert is_let_in("al", SECRET, "127.0.1.2")
