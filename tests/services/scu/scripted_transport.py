"""A transport that answers from a script: for peers that no real program can play."""

from collections.abc import Callable, Sequence
from typing import Any

from isocenter.dimse.messages import Message, decode_message
from isocenter.services.association import ClientAssociation
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import ResponseTimeout
from isocenter.upperlayer.events import DataReceived

# What the peer does about a request: responses, each with its data set, if any.
Reaction = Callable[[Message], Sequence[tuple[Message, bytes | None]]]


class ScriptedTransport:
    """Stands in for a BlockingAssociation."""

    peer = "peer.example:104"

    def __init__(self, reaction: Reaction, *contexts: tuple[str, str]) -> None:
        self.accepted_contexts = {
            2 * number + 1: AcceptedContext(2 * number + 1, *context)
            for number, context in enumerate(contexts)
        }
        self.sent: list[Message] = []
        self.ended = ""
        self._reaction = reaction
        self._incoming: list[DataReceived] = []

    def send(self, context_id: int, command: bytes, data: Any = None) -> None:
        assert not self.ended
        message = decode_message(command)
        assert message.has_data_set is (data is not None)
        self.sent.append(message)
        for answer, data_set in self._reaction(message):
            self._incoming.append(DataReceived(context_id, True, True, memoryview(answer.encode())))
            if data_set is not None:
                self._incoming.append(DataReceived(context_id, False, True, memoryview(data_set)))

    def receive(self, timeout: float | None) -> DataReceived:
        if not self._incoming:
            raise ResponseTimeout("nothing more in the script")
        return self._incoming.pop(0)

    def release(self) -> None:
        self.ended = self.ended or "released"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"


def scripted(
    reaction: Reaction, *contexts: tuple[str, str]
) -> tuple[ClientAssociation, ScriptedTransport]:
    """An association over a scripted transport, and that transport."""
    transport = ScriptedTransport(reaction, *contexts)
    return ClientAssociation(transport), transport  # type: ignore[arg-type]
