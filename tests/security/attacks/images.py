"""Images whose header or codestream lies, stored and then asked for in another transfer syntax.

Storing them is no offence: bytes received are bytes kept. Whoever has them converted meets what
they claim, in a process of its own.
"""

from collections.abc import Mapping

from tests.server.test_retrieve import counters, failed_uids, get
from tests.server.test_transcoding import Received, requesting, store
from tests.support.node import Node

Images = Mapping[str, tuple[str, bytes]]
"""By SOP Instance UID the transfer syntax and the data set."""


def stored_and_asked_for(node: Node, images: Images) -> tuple[set[str], set[str]]:
    """Which of the images were sent in implicit VR, and which the node said it could not send."""
    store(node, dict(images))
    received = Received()
    with requesting(node, received) as association:
        *_, (final, identifier) = get(association)
    sent = set(received)
    failed = failed_uids(identifier)
    assert counters(final)[1:3] == (len(sent), len(failed))
    return sent, failed
