"""What can go wrong with a DIMSE message, split by whether the peer can still be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocenter.errors import IsocenterError

if TYPE_CHECKING:
    from isocenter.dimse.message import Response


class DimseError(IsocenterError):
    """A request that breaks PS3.7 in a way that a response can report; the association goes on.

    `status` is the PS3.7 Annex C code that says so and `response` the complete message to send
    back on the same presentation context. `data_set_follows` tells that the peer announced a
    data set behind the broken command.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int,
        response: Response | None = None,
        data_set_follows: bool = False,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.response = response
        self.data_set_follows = data_set_follows


class DimseProtocolError(DimseError):
    """The message stream cannot be followed any further: the association must be aborted.

    `response` is None.
    """
