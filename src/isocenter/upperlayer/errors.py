"""What can go wrong on an association, by phase and by whose fault it is.

`LocalProtocolError`: our own code asked for something that Table 9-10 does not allow now.
`RemoteProtocolError`: the peer broke PS3.8. The timeouts are separate classes because each one
calls for another remedy.
"""

from __future__ import annotations

from isocenter.errors import IsocenterError
from isocenter.upperlayer.reasons import AbortReason, describe_abort, describe_rejection


class UpperLayerError(IsocenterError):
    """Anything that went wrong in the upper layer (PS3.8)."""


class ProtocolError(UpperLayerError):
    """A rule of PS3.8 was broken."""


class LocalProtocolError(ProtocolError):
    """Our side asked for what the protocol does not allow now: an error in the calling code."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow.

    `abort_reason` is the A-P-ABORT reason that answers it (PS3.8 9.3.8).
    """

    def __init__(
        self, diagnosis: str, abort_reason: int = AbortReason.INVALID_PDU_PARAMETER_VALUE
    ) -> None:
        super().__init__(diagnosis)
        self.diagnosis = diagnosis
        self.abort_reason = abort_reason


class AssociationError(UpperLayerError):
    """The association was not made, or ended other than by our own release."""


class AssociationRejectedError(AssociationError):
    """The peer answered with A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def __init__(self, result: int, source: int, reason: int, text: str = "") -> None:
        super().__init__(
            text or f"The association was {describe_rejection(result, source, reason)}."
        )
        self.result = result
        self.source = source
        self.reason = reason


class AssociationAbortedError(AssociationError):
    """The association was broken off with A-ABORT, by the peer or by us (PS3.8 9.3.8)."""

    def __init__(self, source: int, reason: int, text: str = "") -> None:
        super().__init__(text or f"The association was {describe_abort(source, reason)}.")
        self.source = source
        self.reason = reason


class AssociationReleasedError(AssociationError):
    """The peer released the association while we still expected something from it."""


class ConnectionLostError(AssociationError):
    """The transport connection ended without release or abort."""


class ConnectFailed(AssociationError):
    """No transport connection could be made: refused, unreachable, unknown host, TLS failure."""


class UpperLayerTimeout(UpperLayerError, TimeoutError):
    """Something did not happen in time; the subclass says what."""


class ConnectTimeout(UpperLayerTimeout):
    """The transport connection (or the TLS handshake) was not made in time."""


class AssociateTimeout(UpperLayerTimeout):
    """No answer to our A-ASSOCIATE-RQ in time."""


class WriteTimeout(UpperLayerTimeout):
    """The peer took none of our bytes for too long."""


class ResponseTimeout(UpperLayerTimeout):
    """The peer sent nothing while we waited for a message."""


class ReleaseTimeout(UpperLayerTimeout):
    """No A-RELEASE-RP in time."""
