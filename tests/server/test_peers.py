"""Peers of a running node: found by AE title as the file says now, and kept to their rights."""

from pathlib import Path

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET, VERIFICATION
from isocenter.server.config import Config
from isocenter.server.config_loading import load_config
from isocenter.server.peers import PeerAddresses, Peers
from isocenter.services.destination import Address
from isocenter.upperlayer.contexts import ContextAnswer
from isocenter.upperlayer.pdu import AssociateAC
from isocenter.upperlayer.user_information import RoleSelection
from tests.server.support import CT, ECHO, EXPLICIT, FIND, STORE, Peer, associate_rq
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, eventually, log_lines
from tests.support.node import isocenter

ONE = '[peers.one]\nae_title = "ONE"\nhost = "192.0.2.1"\nport = 104\n'
TWO = '[peers.two]\nae_title = "TWO"\nhost = "192.0.2.2"\ntls = true\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "isocenter.toml"
    path.write_text(ONE)
    return path


def test_a_peer_is_found_by_its_title(file: Path) -> None:
    peers = Peers(load_config(file).config)
    found = peers.find("ONE ")
    assert found is not None
    assert found.host == "192.0.2.1"
    assert peers.find("TWO") is None


def test_a_peer_that_is_added_later_is_found(file: Path) -> None:
    addresses = PeerAddresses(Peers(load_config(file).config))
    file.write_text(ONE + TWO)
    assert addresses["TWO"] == Address("TWO", "192.0.2.2", 11112, tls=True)
    assert list(addresses) == ["ONE", "TWO"]
    assert len(addresses) == 2


def test_a_peer_that_is_removed_is_gone(file: Path) -> None:
    peers = Peers(load_config(file).config)
    file.write_text(TWO)
    assert peers.find("ONE") is None


@pytest.mark.parametrize("broken", ["[peers.one\n", "[peers.one]\nhots = 1\n", "[other]\n"])
def test_a_broken_file_leaves_the_peers_as_they_were(file: Path, broken: str) -> None:
    peers = Peers(load_config(file).config)
    file.write_text(broken)
    assert peers.find("ONE") is not None
    file.write_text(TWO)
    assert peers.find("ONE") is None


def test_a_file_that_vanishes_leaves_the_peers_as_they_were(file: Path) -> None:
    peers = Peers(load_config(file).config)
    file.unlink()
    assert peers.find("ONE") is not None


def test_a_file_that_appears_is_read(file: Path) -> None:
    file.unlink()
    peers = Peers(load_config().config)
    assert peers.find("ONE") is None
    file.write_text(ONE)
    assert peers.find("ONE") is not None


def test_a_file_that_does_not_change_is_not_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = Peers(load_config(file).config)
    monkeypatch.setattr("isocenter.server.peers.load_config", pytest.fail)
    assert peers.find("ONE") is not None


def test_of_two_peers_with_one_title_the_first_counts() -> None:
    twins = {name: {"ae_title": "ONE", "host": name} for name in ("first", "second")}
    found = Peers(Config.model_validate({"peers": twins})).find("ONE")
    assert found is not None
    assert found.host == "first"


def test_a_running_node_moves_to_a_peer_that_was_added_meanwhile(
    start_node, tmp_path: Path
) -> None:
    config = configured(tmp_path, "")
    node = start_node(None, *config)
    move = ("move", node.address, "-aem", "LATE", "-k", "StudyInstanceUID=1.2.3")
    assert "A801H" in isocenter(*move).stdout
    assert isocenter("peer", "add", "late", "LATE@127.0.0.1:104", *config).returncode == 0
    assert "Nothing matched" in isocenter(*move).stdout


RESTRICTED = """
[peers.viewer]
ae_title = "VIEWER"
host = "127.0.0.1"
services = ["echo", "get"]
"""


def test_contexts_of_services_that_a_peer_may_not_use_are_refused(start_node, tmp_path) -> None:
    node = start_node(None, *configured(tmp_path, RESTRICTED))
    with Peer(node.port) as peer:
        peer.send(associate_rq(ECHO, FIND, STORE, calling="VIEWER").encode())
        response = peer.read()
        assert isinstance(response, AssociateAC)
        refused = ContextAnswer.USER_REJECTION
        assert [context.result for context in response.presentation_contexts] == [
            ContextAnswer.ACCEPTANCE,
            refused,
            refused,
        ]
        assert peer.echo() == 0
    (line,) = eventually(lambda: log_lines(node, "may not use"))
    assert 'service="find, store"' in line


def test_whom_no_table_names_may_use_every_service(start_node, tmp_path) -> None:
    node = start_node(None, *configured(tmp_path, RESTRICTED))
    with Peer.associated(node.port, ECHO, FIND, STORE) as peer:
        assert peer.echo() == 0


def test_who_may_get_but_not_store_is_sent_objects_and_sends_none(start_node, tmp_path) -> None:
    from dataclasses import replace

    node = start_node(None, *configured(tmp_path, RESTRICTED))
    request = associate_rq((STUDY_ROOT_GET, EXPLICIT), STORE, ECHO, calling="VIEWER")
    roles = (RoleSelection(CT, scu_role=True, scp_role=True),)
    information = replace(request.user_information, role_selections=roles)
    with Peer(node.port) as peer:
        peer.send(replace(request, user_information=information).encode())
        response = peer.read()
        assert isinstance(response, AssociateAC)
        assert [context.result for context in response.presentation_contexts] == [0, 0, 0]
        assert peer.store(instance("1.2.9"), context_id=3).status == 0x0124
        assert peer.echo(5) == 0


def test_verification_is_a_service_like_any_other(start_node, tmp_path) -> None:
    toml = '[peers.mute]\nae_title = "MUTE"\nhost = "h"\nservices = []\n'
    node = start_node(None, *configured(tmp_path, toml))
    done = isocenter("echo", "-aet", "MUTE", node.address)
    assert done.returncode == 66
    assert VERIFICATION in done.stdout
