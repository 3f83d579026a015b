"""Whether a peer has sent something that was not read yet: a user that sends much may ask."""

import asyncio
import socket
from typing import Any

from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.limits import AssociationLimits, Timeouts


class Silent:
    """An association's user that does nothing."""

    answering = False

    def handle(self, _event: Any) -> None:
        pass

    def closed(self) -> None:
        pass

    def writable(self) -> None:
        pass


async def connected() -> tuple[AssociationProtocol, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    protocol = AssociationProtocol(
        lambda _: Silent(),
        memoryview(bytearray(1024)),
        limits=AssociationLimits(),
        timeouts=Timeouts(),
    )
    await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, ours)
    return protocol, theirs


def test_input_is_seen_before_it_is_read_and_read_when_waited_for() -> None:
    async def scenario() -> None:
        protocol, theirs = await connected()
        assert not protocol.has_input()
        theirs.send(b"\x01\0")
        assert protocol.has_input()
        read = asyncio.Event()
        protocol.after_reading(read.set)
        await read.wait()
        assert not protocol.has_input()
        protocol.drop()
        theirs.close()

    asyncio.run(scenario())


def test_input_that_may_not_be_read_now_is_none() -> None:
    """Or a user that waits for its being read would wait for itself."""

    async def scenario() -> None:
        protocol, theirs = await connected()
        protocol.pause_reading()
        theirs.send(b"\x01\0")
        assert not protocol.has_input()
        protocol.resume_reading()
        assert protocol.has_input()
        protocol.drop()
        await asyncio.sleep(0)
        assert not protocol.has_input()
        theirs.close()

    asyncio.run(scenario())
