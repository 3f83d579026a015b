"""C-STOREs that this node sends: never more outstanding than the peer performs."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from isocenter.dimse.messages import CStoreRQ, CStoreRSP
from isocenter.services.outgoing import Outgoing
from isocenter.upperlayer.errors import ConnectionLostError

CT = "1.2.840.10008.5.1.4.1.1.2"


class Connection:
    """Counts the commands that are sent; takes everything at once."""

    def __init__(self) -> None:
        self.peer, self.congested, self.commands = "peer", False, 0
        self.core = SimpleNamespace(closing=False)

    def send(self, context_id: int, command: bytes) -> None:
        self.commands += 1

    def send_part(self, context_id: int, data: bytes, *, is_last: bool) -> None:
        pass

    def flush(self) -> None:
        pass


async def take() -> tuple[bytes, bool]:
    return b"\0\0", True


async def store(outgoing: Outgoing, request: CStoreRQ) -> None:
    answer = await outgoing.send_store(1, request, take)
    await outgoing.stored(answer, timeout=60)


async def settle() -> None:
    """Let every task run until it waits for something that only the peer can do."""
    for _ in range(20):
        await asyncio.sleep(0)


async def most_outstanding(operations: int | None) -> int:
    fake: Any = Connection()
    outgoing = Outgoing(fake)
    if operations is not None:
        outgoing.allow(operations)
    requests = [
        CStoreRQ(
            message_id=outgoing.next_message_id(),
            affected_sop_class_uid=CT,
            affected_sop_instance_uid="1.2.3",
        )
        for _ in range(5)
    ]
    tasks = [asyncio.create_task(store(outgoing, request)) for request in requests]
    most = answered = 0
    while answered < len(requests):
        await settle()
        most = max(most, fake.commands - answered)
        number = requests[answered].message_id
        assert outgoing.answered(CStoreRSP(message_id_being_responded_to=number, status=0))
        answered += 1
    await asyncio.gather(*tasks)
    return most


@pytest.mark.parametrize(("operations", "most"), [(None, 1), (1, 1), (3, 3), (8, 5)])
def test_the_window_that_the_peer_performs_is_kept(operations: int | None, most: int) -> None:
    assert asyncio.run(most_outstanding(operations)) == most


def test_an_association_lost_while_a_piece_was_read_ends_the_wait_for_room() -> None:
    """A lost transport stays congested: nobody would ever say that there is room again."""

    async def scene() -> None:
        fake: Any = Connection()
        outgoing = Outgoing(fake)
        reading = asyncio.Event()
        pieces = iter((False, True))

        async def take_slowly() -> tuple[bytes, bool]:
            if is_last := next(pieces):
                await reading.wait()
            return b"\0\0", is_last

        request = CStoreRQ(
            message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3"
        )
        sending = asyncio.create_task(outgoing.send_store(1, request, take_slowly))
        await settle()
        fake.congested = True
        outgoing.end(ConnectionLostError("gone"))
        reading.set()
        await settle()
        assert sending.done()
        with pytest.raises(ConnectionLostError):
            await sending
        # The permit went back: who asks next hears of the end, too.
        with pytest.raises(ConnectionLostError):
            await outgoing.send_store(1, request, take)

    asyncio.run(scene())
