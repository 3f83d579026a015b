"""What one side of an association sends: whole messages and, now and then, an object in pieces.

The pieces of one message must follow each other on the association (PS3.7 6.3.1), so while an
object is under way all other messages wait, and with them whoever makes more of them. An object is
written piece by piece as the peer takes it: no more than one piece lies in memory here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from isocenter.dimse.message import Request, Response
from isocenter.dimse.messages import CStoreRQ, CStoreRSP
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.errors import ResponseTimeout, UpperLayerError

TakePiece = Callable[[], Awaitable[tuple[bytes | memoryview, bool]]]
"""The next piece of a data set, and whether it is the last."""


class Outgoing:
    """The sending half of one association. For the loop's thread only."""

    def __init__(self, connection: AssociationProtocol) -> None:
        self._connection = connection
        self._held: list[tuple[int, bytes, bytes | None]] | None = None
        self._waiting: list[Callable[[], None]] = []
        self._turn = asyncio.Lock()
        self._window = asyncio.Semaphore(1)
        self._room: asyncio.Future[None] | None = None
        self._answers: dict[int, asyncio.Future[Response | None]] = {}
        self._message_id = 0
        self._ended: UpperLayerError | None = None

    @property
    def streaming(self) -> bool:
        """Whether an object is under way, so that messages wait."""
        return self._held is not None

    def allow(self, operations: int) -> None:
        """Let that many operations be outstanding (PS3.7 D.3.3.3); without this it is one."""
        self._window = asyncio.Semaphore(operations)

    def queue(self, context_id: int, command: bytes, data_set: bytes | None = None) -> None:
        """Send a whole message at the connection's next flush, or behind the object under way."""
        if self._held is None:
            self._connection.send(context_id, command, data_set)
        else:
            self._held.append((context_id, command, data_set))

    def when_writable(self, call: Callable[[], None]) -> None:
        """Run `call` once there is room for more messages; at once if there is."""
        if self._connection.congested or self.streaming:
            self._waiting.append(call)
        else:
            call()

    def writable(self) -> None:
        """The peer took what it was sent."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        if not self.streaming:
            self._wake()

    def answered(self, response: Response) -> bool:
        """Hand a response to whoever waits for it; False if nobody does."""
        answer = self._answers.pop(response.message_id_being_responded_to, None)
        if answer is None or answer.done():
            return False
        answer.set_result(response)
        return True

    def end(self, error: UpperLayerError) -> None:
        """The association is over; `error` is raised to those who still send or wait."""
        if self._ended is not None:
            return
        self._ended = error
        self._held = None
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_result(None)
        self.writable()

    def next_message_id(self) -> int:
        """1 to 65535, then from 1 again; ours and the peer's are counted apart."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    async def send_store(
        self, context_id: int, request: CStoreRQ, take: TakePiece
    ) -> asyncio.Future[Response | None]:
        """Send a C-STORE with a data set in pieces; what it returns is for `stored`.

        It waits until the peer takes another operation (PS3.7 D.3.3.3). Raises UpperLayerError
        when the association ends meanwhile; what `take` raises leaves the message incomplete:
        abort the association then.
        """
        window = self._window
        await window.acquire()
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: window.release())
        try:
            await self._send_store(context_id, request, take, answer)
        except BaseException:
            answer.cancel()
            raise
        return answer

    async def _send_store(
        self,
        context_id: int,
        request: CStoreRQ,
        take: TakePiece,
        answer: asyncio.Future[Response | None],
    ) -> None:
        async with self._turn:
            self._answers[request.message_id] = answer
            self._held = []
            try:
                await self._send_pieces(context_id, request, take)
            finally:
                self._let_go()

    async def stored(self, answer: asyncio.Future[Response | None], *, timeout: float) -> CStoreRSP:
        """The response to a C-STORE, awaited for `timeout` seconds.

        Raises UpperLayerError when the association ends before it, or none comes in time.
        """
        try:
            async with asyncio.timeout(timeout):
                response = await answer
        except TimeoutError:
            raise ResponseTimeout(
                f"{self._connection.peer} did not answer a C-STORE within {timeout:g} s; it may be "
                "overloaded: look into its log."
            ) from None
        if isinstance(response, CStoreRSP):
            return response
        raise self._ended or UpperLayerError(
            f"{self._connection.peer} answered a C-STORE with something else."
        )

    async def ask(
        self, context_id: int, request: Request, data_set: bytes | None, *, timeout: float
    ) -> Response:
        """Send a request as a whole message and wait for its response.

        It waits until the peer takes another operation. `timeout` is in seconds. Raises
        UpperLayerError when the association ends before the response, or none comes.
        """
        async with self._window:
            self._check_alive()
            answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
            self._answers[request.message_id] = answer
            self.queue(context_id, request.encode(), data_set)
            if not self.streaming:
                self._connection.flush()
            try:
                async with asyncio.timeout(timeout):
                    response = await answer
            except TimeoutError:
                raise ResponseTimeout(
                    f"{self._connection.peer} did not answer {request.command_name} within "
                    f"{timeout:g} s; look into its log."
                ) from None
            finally:
                self._answers.pop(request.message_id, None)
        if response is None:
            raise self._ended or UpperLayerError("The association ended before the answer came.")
        return response

    async def _send_pieces(self, context_id: int, request: CStoreRQ, take: TakePiece) -> None:
        connection = self._connection
        piece, is_last = await take()
        self._check_alive()
        connection.send(context_id, request.encode())
        while True:
            connection.send_part(context_id, piece, is_last=is_last)
            connection.flush()
            if is_last:
                return
            piece, is_last = await take()
            self._check_alive()  # a lost transport stays congested: waiting would never end
            if connection.congested:
                self._room = asyncio.get_running_loop().create_future()
                await self._room
                self._room = None
            self._check_alive()

    def _check_alive(self) -> None:
        if self._ended is not None:
            raise self._ended

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if self._ended is None and not self._connection.core.closing:
            for message in held or ():
                self._connection.send(*message)
            self._connection.flush()
        if not self._connection.congested:
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
