"""Nothing is open that nobody opened: listeners, strangers, users that come with the program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.upperlayer.pdu import AssociateRJ
from tests.security.attacks.guarded import GuardedNode, TLSPeer, guarded_node
from tests.security.attacks.under_attack import attack
from tests.server.support import ECHO, FIND, STORE
from tests.support.node import ISOCENTER, isocenter, isocenter_json
from tests.support.processes import free_port, run

pytestmark = attack(29, "missing/default authentication")

STRANGER = AssociateRJ(1, 1, 3)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedNode]:
    with guarded_node(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_plain_listener_beyond_loopback_does_not_start(tmp_path: Path, host: str):
    (tmp_path / "isocenter.toml").write_text(f'[listen]\nhost = "{host}"\ntls = "never"\n')
    port = ["--port", str(free_port())]
    done = run([ISOCENTER, "serve", "-c", tmp_path / "isocenter.toml", *port], timeout=30)
    assert done.returncode != 0
    assert "insecure = true" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("contexts", [(ECHO,), (STORE,), (FIND,)])
def test_a_stranger_gets_no_service_not_even_verification(node: GuardedNode, contexts):
    """Not even with a certificate of the node's own CA."""
    files = node.issue(f"S{contexts[0][0][-3:]}".replace(".", ""))
    with TLSPeer(node.secure, files.ca, files) as peer:
        assert peer.asks("STRANGER", *contexts) == STRANGER


def test_there_is_no_user_before_one_is_added(node: GuardedNode):
    assert isocenter_json("user", "list", "--data", node.data) == []


@pytest.mark.parametrize("user", ["admin", "orthanc", "root", "isocenter"])
def test_no_user_comes_with_the_program(node: GuardedNode, tmp_path: Path, user: str):
    (tmp_path / "passcode").write_text(f"{user}\n")
    address = f"127.0.0.1:{node.users}"
    done = isocenter("echo", address, "--user", user, "--password-file", tmp_path / "passcode")
    assert done.returncode != 0


def test_whoever_does_not_say_who_it_is_is_not_served_where_that_is_asked(node: GuardedNode):
    assert isocenter("echo", f"127.0.0.1:{node.users}").returncode != 0
