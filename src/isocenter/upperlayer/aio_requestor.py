"""The asyncio driver of an association that we ask for; the acceptor's is in `aio`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from isocenter.upperlayer.aio import WRITE_TIMEOUT, AssociationProtocol, AssociationUser
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.errors import ConnectFailed, ConnectTimeout
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateRQ

MakeUser = Callable[[AssociationProtocol], AssociationUser]


class RequestorProtocol(AssociationProtocol):
    """The requestor's side of one transport connection: sends `request` when it is made."""

    def __init__(
        self,
        make_user: MakeUser,
        receive_buffer: memoryview,
        request: AssociateRQ,
        *,
        limits: AssociationLimits,
        timeouts: Timeouts,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        super().__init__(
            make_user,
            receive_buffer,
            limits=limits,
            timeouts=timeouts,
            write_timeout=write_timeout,
        )
        self._request = request

    def release(self) -> None:
        """A-RELEASE request; harmless once the association has ended."""
        if self.established:
            self.core.release(self._loop.time())
            self.flush()

    def _make_core(self, now: float) -> Association:
        core = Association(requestor=True, limits=self._limits, timeouts=self._timeouts, now=now)
        core.request_association(self._request, now)
        return core


async def connect(
    host: str, port: int, make_protocol: Callable[[], RequestorProtocol], *, timeout: float
) -> RequestorProtocol:
    """Make the transport connection; the association request goes out with it.

    `timeout` is in seconds. What comes of the request, the protocol's user hears. Raises
    ConnectFailed and ConnectTimeout.
    """
    loop = asyncio.get_running_loop()
    peer = f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout):
            _, protocol = await loop.create_connection(make_protocol, host, port)
    except TimeoutError as error:
        raise ConnectTimeout(
            f"{peer} did not answer within {timeout:g} s: check host, port and firewalls."
        ) from error
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectFailed(f"The host {host!r} was not found: check its name.") from error
    except OSError as error:
        raise ConnectFailed(
            f"{peer} cannot be reached ({error.strerror}): check host, port and network."
        ) from error
    return protocol
