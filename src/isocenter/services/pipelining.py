"""Several C-STOREs under way at a time, where the peer allows it (PS3.7 D.3.3.3).

What is gained is the latency: of the network, and of a peer that flushes to its disk before it
answers. Responses may come in any order; their message ID tells to which request they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from isocenter.dimse.messages import CStoreRSP

if TYPE_CHECKING:
    from isocenter.services.association import ClientAssociation
    from isocenter.upperlayer.sending import Buffers

Job = TypeVar("Job")


class StorePipeline(Generic[Job]):
    """The C-STOREs of one association, each with the job it is sent for.

    The peer must take requests while it makes responses: those are small enough for the network's
    own buffers, as there are never more of them than the window.
    """

    def __init__(self, association: ClientAssociation, window: int) -> None:
        self._association = association
        self._window = min(window, association.window)
        self._outstanding: dict[int, Job] = {}

    @property
    def has_room(self) -> bool:
        """Whether another request may be sent now."""
        return len(self._outstanding) < self._window

    @property
    def outstanding(self) -> list[Job]:
        """The jobs that wait for their response, the oldest first."""
        return list(self._outstanding.values())

    def send(
        self,
        job: Job,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        data_set: Buffers,
    ) -> None:
        """Send one instance; the arguments and errors are those of `ClientAssociation.store`."""
        message_id = self._association.send_store(
            sop_class_uid, sop_instance_uid, transfer_syntax_uid, data_set
        )
        self._outstanding[message_id] = job

    def receive(self) -> tuple[Job, CStoreRSP]:
        """Wait for the next response. The errors are those of `receive_response`."""
        response, _ = self._association.receive_response_to_any(CStoreRSP, self._outstanding)
        return self._outstanding.pop(response.message_id_being_responded_to), response
