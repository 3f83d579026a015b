"""From P-DATA fragments to messages (PS3.7 6.3.1, PS3.8 Annex E).

The command set of a message comes first, whole, on one presentation context; then, where it says
so, its data set, on the same context; then the next message. Command fragments are collected up to
64 KiB; data set fragments pass straight through, so that no object is ever held here.
"""

from __future__ import annotations

from typing import NamedTuple

from isocenter.dimse.command_set import MAX_COMMAND_SET_LENGTH, oversized_command_set
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.message import Message
from isocenter.dimse.messages import decode_message
from isocenter.dimse.status import UNRECOGNIZED_OPERATION
from isocenter.upperlayer.events import DataReceived


class CommandReceived(NamedTuple):
    """A whole command set has arrived; `message.has_data_set` announces what follows."""

    context_id: int
    message: Message


class DataSetFragment(NamedTuple):
    """The next bytes of the announced data set.

    `data` is a view into the receive buffer: valid only until the fragment has been handled.
    """

    context_id: int
    data: memoryview
    is_last: bool


DimseEvent = CommandReceived | DataSetFragment


class MessageAssembler:
    """Turns the fragments of one direction of one association into messages."""

    __slots__ = ("_command", "_context_id", "_data_set_pending", "_discarding")

    def __init__(self) -> None:
        self._command = bytearray()
        self._context_id: int | None = None  # of the message that is under way
        self._data_set_pending = False
        self._discarding = False  # the data set belongs to a command that was refused

    @property
    def idle(self) -> bool:
        """True between messages."""
        return self._context_id is None

    def feed(self, received: DataReceived) -> tuple[DimseEvent, ...]:
        """What a fragment completes: nothing, a command, or a piece of a data set.

        Raises DimseError for a request that cannot be taken but can be answered (its data set, if
        any, is then swallowed) and DimseProtocolError where the association must be aborted.
        """
        context_id, is_command, is_last, data = received
        if self._context_id is not None and context_id != self._context_id:
            raise _out_of_order(
                f"context {context_id} inside a message on context {self._context_id}"
            )
        if not is_command:
            return self._data_set_fragment(context_id, data, is_last)
        if self._data_set_pending:
            raise _out_of_order(f"a command on context {context_id} inside a data set")
        return self._command_fragment(context_id, data, is_last)

    def _command_fragment(
        self, context_id: int, data: memoryview, is_last: bool
    ) -> tuple[DimseEvent, ...]:
        if is_last and not self._command:
            return self._complete_command(context_id, data)
        command = self._command
        if len(command) + len(data) > MAX_COMMAND_SET_LENGTH:
            raise oversized_command_set(len(command) + len(data))
        command += data
        self._context_id = context_id
        if not is_last:
            return ()
        self._command = bytearray()
        return self._complete_command(context_id, command)

    def _complete_command(
        self, context_id: int, data: memoryview | bytearray
    ) -> tuple[DimseEvent, ...]:
        try:
            message = decode_message(data)
        except DimseError as error:
            self._expect_data_set(context_id, error.data_set_follows)
            self._discarding = error.data_set_follows
            raise
        self._expect_data_set(context_id, message.has_data_set)
        return (CommandReceived(context_id, message),)

    def _expect_data_set(self, context_id: int, announced: bool) -> None:
        self._context_id = context_id if announced else None
        self._data_set_pending = announced

    def _data_set_fragment(
        self, context_id: int, data: memoryview, is_last: bool
    ) -> tuple[DimseEvent, ...]:
        if not self._data_set_pending:
            raise _out_of_order(f"data set bytes on context {context_id} that no command announced")
        discarding = self._discarding
        if is_last:
            self._context_id = None
            self._data_set_pending = False
            self._discarding = False
        return () if discarding else (DataSetFragment(context_id, data, is_last),)


def _out_of_order(what: str) -> DimseProtocolError:
    return DimseProtocolError(f"The peer sent {what}.", status=UNRECOGNIZED_OPERATION)
