"""The sending half of ingest: fragments are gathered into blocks.

Whoever receives an instance (a network loop, an import) writes fragments of any size; they are
copied once into pooled blocks, and each full block is delivered to ingest. So an object is never
held whole, and the receive buffer is free again at once.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from isocenter.archive.outcome import Outcome

BLOCK_SIZE = 640 * 1024
"""A CT slice fits one block, and is then written and digested in one go."""

SMALL_BLOCK_SIZE = 64 * 1024
"""What an instance gets when many are under way at once: memory is bounded, nobody is stopped."""

BLOCKS_PER_INSTANCE = 4
BLOCKS_IN_ALL = 96

OnOutcome = Callable[[Outcome], None]
Task = Callable[[], None]


class Announcement(NamedTuple):
    """What is known of an instance before its data set: from the C-STORE command or file meta."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    receiving_ae: str


class Target(Protocol):
    """Where ingest puts an instance: a pack, a spool file, or nowhere."""

    def add(self, data: memoryview) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """All bytes are there."""

    def discard(self) -> None:
        """Forget the instance and leave nothing behind."""


class BlockPool:
    """Reusable blocks of memory; acquiring and releasing may each come from one thread at a time.

    Half of `limit` blocks are of full size; beyond that they are small, however many are asked for.
    """

    def __init__(self, block_size: int = BLOCK_SIZE, limit: int = BLOCKS_IN_ALL) -> None:
        self.block_size = block_size
        self.limit = limit
        self._free: deque[memoryview] = deque()
        self._acquired = 0
        self._released = 0

    @property
    def in_use(self) -> int:
        """How many blocks are out."""
        return self._acquired - self._released

    def acquire(self) -> memoryview:
        """Return a block; its old content is still in it."""
        crowded = self.in_use >= self.limit // 2
        self._acquired += 1
        if crowded:
            return memoryview(bytearray(SMALL_BLOCK_SIZE))
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(bytearray(self.block_size))

    def release(self, block: memoryview) -> None:
        """Take a block back; small ones are not kept."""
        self._released += 1
        if len(block) == self.block_size:
            self._free.append(block)


class IncomingInstance:
    """One instance on its way in, as its sender sees it."""

    __slots__ = (
        "_block",
        "_deliver",
        "_fill",
        "_finished",
        "_pool",
        "announcement",
        "blocks_done",
        "blocks_sent",
        "on_outcome",
        "on_progress",
        "received",
        "target",
    )

    def __init__(
        self,
        announcement: Announcement,
        pool: BlockPool,
        deliver: "Callable[[Block], None]",
        on_outcome: OnOutcome,
    ) -> None:
        self.announcement = announcement
        self.on_outcome = on_outcome
        self.blocks_sent = 0
        self.blocks_done = 0  # counted by ingest, as is:
        self.received = 0  # bytes of the data set
        self.on_progress: Callable[[], None] | None = None  # told when a block has been written
        self.target: Target | None = None  # where ingest puts the bytes
        self._pool = pool
        self._deliver = deliver
        self._block: memoryview | None = None
        self._fill = 0
        self._finished = False

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes of the data set; they are copied before this returns."""
        block, fill = self._block, self._fill
        while True:
            if block is None:
                block, fill = self._pool.acquire(), 0
            room = len(block) - fill
            if len(fragment) <= room:
                after = fill + len(fragment)
                block[fill:after] = fragment
                self._block, self._fill = block, after
                return
            block[fill:] = fragment[:room]
            fragment = fragment[room:]
            self._send(block, len(block), final=False)
            block = None

    def finish(self) -> None:
        """The data set is complete; `on_outcome` is called now, or later from another thread."""
        self._finished = True
        block = self._block
        if block is None:
            block, self._fill = self._pool.acquire(), 0
        self._block = None
        self._send(block, self._fill, final=True)

    def abort(self) -> None:
        """The rest will not come: drop what was received. `on_outcome` gets ABANDONED.

        What is complete already is kept: its target may be in other hands by now.
        """
        if self._finished:
            return
        block, self._block = self._block, None
        self.blocks_sent += 1
        self._deliver(Block(self, block, -1, True))

    @property
    def congested(self) -> bool:
        """Whether the sender should pause until ingest has caught up.

        Never said to a sender whose own blocks are all done: nothing would tell it to go on.
        """
        waiting = self.blocks_sent - self.blocks_done
        return waiting >= BLOCKS_PER_INSTANCE or (
            waiting > 0 and self._pool.in_use >= self._pool.limit
        )

    def _send(self, block: memoryview, fill: int, *, final: bool) -> None:
        self.blocks_sent += 1
        self._deliver(Block(self, block, fill, final))


class Block(NamedTuple):
    """`fill` bytes of an instance; fill -1 says that the sender gave up."""

    instance: IncomingInstance
    block: memoryview | None
    fill: int
    final: bool
