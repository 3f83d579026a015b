"""Whether a peer has sent something that was not read yet: a user that sends much may ask."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.state_machine import State


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


def test_a_peer_that_waits_for_our_answer_is_not_idle() -> None:
    async def scenario() -> None:
        protocol, theirs = await connected()
        real, user = protocol.core, protocol._user
        expired: list[float] = []

        def expire(now: float) -> list[Any]:
            expired.append(now)
            return []

        fake: Any = SimpleNamespace(
            state=State.Sta6, deadline=0.0, inside_pdu=False, expire=expire, take_output=list
        )
        protocol.core = fake
        protocol.flush = lambda: None  # type: ignore[method-assign]
        for answering, inside_pdu, expirations in ((True, False, 0), (True, True, 1)):
            user.answering, fake.inside_pdu = answering, inside_pdu  # type: ignore[misc]
            protocol._expire()
            assert len(expired) == expirations
        user.answering, fake.inside_pdu = False, False  # type: ignore[misc]
        protocol._expire()
        assert len(expired) == 2
        protocol.core = real
        protocol.drop()
        theirs.close()

    asyncio.run(scenario())
