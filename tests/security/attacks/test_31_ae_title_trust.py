"""AE titles that somebody else has: neither address nor certificate of another is good enough."""

from collections.abc import Iterator

import pytest

from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from tests.security.attacks.guarded import GuardedNode, TLSPeer, guarded_node
from tests.security.attacks.under_attack import attack
from tests.server.support_nodes import eventually, failures, log_lines
from tests.support.tls_node import PeerFiles

pytestmark = attack(31, "AE-title trust")

NOT_RECOGNIZED = AssociateRJ(1, 1, 3)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedNode]:
    with guarded_node(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="module")
def modality(node: GuardedNode) -> PeerFiles:
    return node.issue("MODALITY")


SPOOFED = {
    "a peer that calls from elsewhere": ("ELSEWHERE", "may not call from this address"),
    "a peer with another certificate": ("PINNED", "the certificate is not one of the peer"),
    "a title that nobody has": ("NOBODY", "[peers]"),
    "another case": ("modality", "[peers]"),
    "nothing": (" ", "[peers]"),
}


@pytest.mark.parametrize("what", SPOOFED)
def test_a_title_that_is_not_ones_own_is_not_recognized(
    node: GuardedNode, modality: PeerFiles, what: str
):
    """The peer hears no more than that; the log says which it was."""
    title, why = SPOOFED[what]
    with TLSPeer(node.secure, modality.ca, modality) as peer:
        assert peer.asks(title) == NOT_RECOGNIZED
        name = peer.name
    (line,) = eventually(lambda: log_lines(node, "rejected an association", f"peer={name} "))
    assert why in line
    eventually(
        lambda: [one for one in failures(node) if one["calling_ae"].strip() == title.strip()]
    )


def test_the_certificate_of_another_peer_is_not_good_for_this_one(node: GuardedNode):
    other = node.issue("OTHER")
    with TLSPeer(node.secure, other.ca, other) as peer:
        assert peer.asks("MODALITY") == NOT_RECOGNIZED


def test_whose_title_it_is_is_served(node: GuardedNode, modality: PeerFiles):
    with TLSPeer(node.secure, modality.ca, modality) as peer:
        assert isinstance(peer.asks("MODALITY"), AssociateAC)
        assert peer.echo() == 0
