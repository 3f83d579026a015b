"""User identity (PS3.7 D.3.3.7) at a running node: taken, answered, and never told on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.services.user_identity import identity_kind, user_name
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from isocenter.upperlayer.user_information import UserIdentity
from tests.server.support import ECHO, Peer, associate_rq
from tests.server.support_nodes import eventually, log_lines
from tests.support.node import isocenter

SECRET = "correct horse"


def associated(peer: Peer, identity: UserIdentity) -> AssociateAC:
    request = associate_rq(ECHO)
    information = replace(request.user_information, user_identity=identity)
    peer.send(replace(request, user_information=information).encode())
    response = peer.read()
    assert isinstance(response, AssociateAC)
    return response


@pytest.mark.parametrize(
    ("kind", "requested", "answer"),
    [(kind, True, None) for kind in range(1, 6)]
    + [(kind, False, None) for kind in range(1, 6)]
    + [(0, True, None), (6, True, None), (255, True, None)],
)
def test_nobody_is_told_to_be_verified_who_was_not(node, kind, requested, answer):
    identity = UserIdentity(kind, b"jo", SECRET.encode(), requested)
    with Peer(node.port) as peer:
        assert associated(peer, identity).user_information.user_identity_response == answer
        assert peer.echo() == 0
        assert peer.released()
    assert SECRET not in node.log()


@pytest.mark.parametrize("kind", [1, 2])
def test_the_log_names_the_user(node, kind):
    with Peer(node.port) as peer:
        associated(peer, UserIdentity(kind, f"jo{kind}".encode(), SECRET.encode()))
    (line,) = eventually(lambda: log_lines(node, f"user=jo{kind}"))
    assert "user_identity=" in line
    assert SECRET not in node.log()


@pytest.mark.parametrize("kind", [3, 4, 5, 9])
def test_the_log_does_not_quote_what_is_no_name(node, kind):
    with Peer(node.port) as peer:
        associated(peer, UserIdentity(kind, SECRET.encode(), SECRET.encode()))
    assert SECRET not in node.log()


def test_an_identity_that_nobody_can_have_is_rejected_and_the_node_bears_it(node):
    request = associate_rq(ECHO)
    identity = UserIdentity(2, b"\xff" * 30000, b"x" * 30000, True)
    information = replace(request.user_information, user_identity=identity)
    with Peer(node.port) as peer:
        peer.send(replace(request, user_information=information).encode())
        assert peer.read() == AssociateRJ(1, 1, 1)
    eventually(lambda: log_lines(node, "the user identity was not accepted"))


@given(st.integers(0, 255), st.binary(max_size=1000))
def test_whatever_an_identity_holds_it_can_be_spoken_of(kind: int, field: bytes):
    identity = UserIdentity(kind, field, field, True)
    assert identity_kind(identity)
    assert len(user_name(identity) or "") <= 64


def test_the_commands_tell_a_user_and_a_passcode_from_a_file(node, tmp_path):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    options = ("--user", "commander", "--password-file", tmp_path / "secret")
    assert isocenter("echo", node.address, *options).returncode == 0
    (line,) = eventually(lambda: log_lines(node, "user=commander"))
    assert 'user_identity="username and passcode"' in line
    assert SECRET not in node.log()
