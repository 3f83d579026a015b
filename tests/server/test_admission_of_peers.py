"""A running node that knows its peers: strangers, wrong addresses, quotas, destinations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from tests.server.support import ECHO, STORE, Peer, associate_rq
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, eventually, failures, log_lines
from tests.support.node import Node, isocenter
from tests.support.processes import free_port

CALLING_NOT_RECOGNIZED = (1, 1, 3)
LIMIT_EXCEEDED = (2, 3, 2)

TOML = """
[listen]
known_ae = "always"
[listeners.second]
port = {second}
known_ae = "never"
[peers.here]
ae_title = "HERE"
host = "127.0.0.1"
hosts = ["127.0.0.0/8"]
[peers.elsewhere]
ae_title = "ELSEWHERE"
host = "192.0.2.9"
hosts = ["192.0.2.0/24"]
[peers.pair]
ae_title = "PAIR"
host = "127.0.0.1"
associations = 2
[peers.slow]
ae_title = "SLOW"
host = "127.0.0.1"
objects_per_minute = 3
"""


class GuardedNode(Node):
    """Its main listener turns strangers away, so the tests' own knock goes to the second one."""

    second = 0

    def _knock(self) -> None:
        main, self.port = self.port, self.second
        try:
            super()._knock()
        finally:
            self.port = main


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedNode]:
    folder = tmp_path_factory.mktemp("guarded")
    GuardedNode.second = free_port()
    options = configured(folder, TOML.format(second=GuardedNode.second))
    with GuardedNode(folder / "data", *options) as node:
        yield node


def answer(peer: Peer, calling: str) -> AssociateAC | tuple[int, int, int]:
    peer.send(associate_rq(ECHO, STORE, calling=calling).encode())
    answer = peer.read()
    if isinstance(answer, AssociateRJ):
        return answer.result, answer.source, answer.reason
    assert isinstance(answer, AssociateAC)
    return answer


@pytest.mark.parametrize("calling", ["STRANGER", "ELSEWHERE", "here"])
def test_who_is_not_known_here_is_turned_away_and_the_log_says_why(
    guarded: GuardedNode, calling: str
) -> None:
    with Peer(guarded.port) as peer:
        assert answer(peer, calling) == CALLING_NOT_RECOGNIZED
        name = peer.name
    (line,) = eventually(lambda: log_lines(guarded, "rejected an association", f"peer={name} "))
    assert ("may not call from this address" if calling == "ELSEWHERE" else "[peers]") in line
    eventually(lambda: [one for one in failures(guarded) if one["calling_ae"] == calling])


def test_who_is_known_is_served_and_another_listener_may_know_no_strangers(
    guarded: GuardedNode,
) -> None:
    with Peer(guarded.port) as peer:
        assert isinstance(answer(peer, "HERE"), AssociateAC)
        assert peer.echo() == 0
        assert peer.released()
    with Peer(guarded.second) as peer:
        assert isinstance(answer(peer, "STRANGER"), AssociateAC)
        assert peer.echo() == 0
        assert peer.released()


def test_a_peer_has_only_so_many_associations(guarded: GuardedNode) -> None:
    with Peer(guarded.port) as one, Peer(guarded.port) as two, Peer(guarded.port) as three:
        assert isinstance(answer(one, "PAIR"), AssociateAC)
        assert isinstance(answer(two, "PAIR"), AssociateAC)
        assert answer(three, "PAIR") == LIMIT_EXCEEDED
        assert one.released()

    def served() -> bool:
        with Peer(guarded.port) as again:
            return isinstance(answer(again, "PAIR"), AssociateAC)

    eventually(served)


def test_a_peer_stores_only_so_much_in_a_minute_and_others_as_they_like(
    guarded: GuardedNode,
) -> None:
    with Peer(guarded.port) as slow, Peer(guarded.port) as other:
        answer(slow, "SLOW")
        answer(other, "HERE")
        objects = [instance(f"1.2.3.700.{number}") for number in range(5)]
        statuses = [slow.store(one, context_id=3).status for one in objects]
        assert statuses[:3] == [0, 0, 0]
        assert 0xA700 in statuses
        assert [other.store(one, context_id=3).status for one in objects] == [0] * 5
        assert slow.echo() == 0


def test_a_configuration_without_its_insecure_word_does_not_start(tmp_path: Path) -> None:
    options = configured(tmp_path, '[listeners.ward]\nhost = "0.0.0.0"\ntls = "never"\n')
    done = isocenter("serve", *options, "--data", tmp_path / "data")
    assert done.returncode != 0
    assert "insecure = true" in done.stdout
    assert "isocenter.toml:2" in done.stdout


def test_an_insecure_listener_says_so_at_each_start(tmp_path: Path) -> None:
    toml = f'[listeners.ward]\nhost = "0.0.0.0"\nport = {free_port()}\ninsecure = true\n'
    with Node(tmp_path / "data", *configured(tmp_path, toml)) as node:
        (line,) = log_lines(node, "this listener is insecure")
        assert "listener=ward" in line
        assert "INSECURE" in node.log()
