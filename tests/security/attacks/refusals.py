"""C-STORE of objects that must be refused, as a peer sees it and as the log tells it."""

from tests.server.support import ECHO, STORE, Peer, Syntaxes
from tests.server.support_instances import Instance, instance
from tests.server.support_nodes import only_complaint
from tests.support.node import Node

SUCCESS, OUT_OF_RESOURCES, MISMATCH, UNREADABLE = 0x0000, 0xA700, 0xA900, 0xC000
DUPLICATE, INVALID_UID = 0x0111, 0x0117


def refused(
    node: Node,
    ledger,
    status: int,
    one: Instance,
    *,
    uid: str | None = None,
    syntaxes: Syntaxes = STORE,
) -> None:
    """Asserts that `one` is refused with `status`, and that the association outlives it."""
    with Peer.associated(node.port, syntaxes, ECHO, STORE) as peer:
        response = peer.store(one, uid=uid)
        assert f"{response.status:04X}" == f"{status:04X}"
        assert f"{status:04X}" in only_complaint(node, peer.name)
        assert response.error_comment
        assert peer.echo(3) == 0
        ledger.keep(peer, instance(ledger.uid()), context_id=5)
