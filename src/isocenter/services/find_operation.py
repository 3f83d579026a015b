"""C-FIND of any service class (PS3.4 C.4.1, K.4.1): one request, and the responses to it.

Queries run on a few threads of their own (`query_desk`). A thread produces a small batch of
responses and is free again while the peer takes them, so a slow reader holds no thread and little
memory. Before
each response is handed to the transport it is asked whether the peer has sent something, and what
it sent is read first: a C-CANCEL that has arrived ends the query before the next response.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.messages import CFindRQ, CFindRSP
from isocenter.dimse.status import Service
from isocenter.encoding.elements import Elements, decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.recoding import neutral_elements
from isocenter.security.access import Scope
from isocenter.services.accounts import AskedFor
from isocenter.services.collecting import Collected
from isocenter.services.extended_negotiation import granted_options
from isocenter.services.find_identifiers import (
    InvalidIdentifier,
    check_keys,
    empty_answer,
    encode_answer,
    requested_character_set,
)
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_options import QueryOptions
from isocenter.upperlayer.contexts import AcceptedContext

IDENTIFIER_LIMIT = 2 * 1024 * 1024
"""Bytes of an identifier; ten thousand UIDs have 650 kB."""

TOLD_BYTES = 64 * 1024
"""Bytes of an identifier that are kept on account; the rest is a list of UIDs."""

BATCH = 32


class Matches(Protocol):
    """The matches of one query as neutral elements (`encoding.recoding`); may be used from any
    one thread at a time."""

    @property
    def unsupported(self) -> frozenset[int]:
        """Keys that were asked for but that the engine neither matches nor returns."""

    @property
    def stopped(self) -> str:
        """After the last match: why more may match than were found, as a clause; else empty."""

    def __iter__(self) -> Iterator[Elements]:
        """The matches, fetched as they are asked for."""

    def give_up(self) -> None:
        """Have the search for the next match end soon; from any thread, at any time."""

    def close(self) -> None:
        """Give up what is left."""


class FindSource(Protocol):
    """Where the answers of one service class come from."""

    @property
    def desk(self) -> QueryDesk:
        """Where queries run, and wait to."""

    @property
    def limit(self) -> int | None:
        """How many matches one query may have; that there are more ends it in A700."""

    def search(
        self, sop_class_uid: str, identifier: Elements, options: QueryOptions, scope: Scope
    ) -> tuple[Matches, Elements]:
        """Start a query by a neutral identifier; the elements are those of every response.

        Raises InvalidIdentifier.
        """


class FindOperation:
    """One C-FIND: the identifier comes in, batches of matches go out."""

    def __init__(
        self,
        provider: FindSource,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: CFindRQ,
    ) -> None:
        self._provider = provider
        self._association = association
        self._context = context
        self._request = request
        self._syntax = transfer_syntax(context.transfer_syntax)
        self._identifier = Collected(association.host, IDENTIFIER_LIMIT)
        self._matches: Matches | None = None
        self._responses: Iterator[bytes] = iter(())
        self._ready: deque[bytes] = deque()
        self._exhausted = False
        self._pending = status.PENDING
        self._sent = 0
        self._waits = False
        self._stopped = False
        self._cancelled = False
        self._gave_way = False
        self.host = association.host

    # On the loop

    def start(self) -> None:
        """There is room for it (`query_desk.Query`)."""
        self._waits = False
        self._run(self._start)

    def give_way(self) -> None:
        """Others wait for the cursor that this one's peer does not read from."""
        self._gave_way = True
        self._give_up()
        self._break_off()

    def write(self, fragment: memoryview) -> None:
        """Collect the identifier, up to its limit."""
        self._identifier.add(fragment)

    def finish(self) -> None:
        """The identifier is complete: start the query."""
        self._tell()
        if self._identifier.refused:
            self._end(status.OUT_OF_RESOURCES, "The identifier is too large")
        else:
            self._waits = True
            self._provider.desk.begin(self)

    def _tell(self) -> None:
        """Have it kept that this was asked, before anything is answered."""
        asked = AskedFor(
            self._context.abstract_syntax,
            self._identifier.head(TOLD_BYTES),
            self._context.transfer_syntax,
            self._identifier.length,
        )
        self._association.account.queried(asked)

    def cancel(self) -> None:
        """Send no more matches."""
        self._cancelled = True
        self._give_up()
        if self._waits:
            self._identifier.take()
            self._end(status.CANCEL)

    def abort(self) -> None:
        """Nobody listens any more."""
        self._stopped = True
        self._give_up()
        self._identifier.take()
        if self._waits:
            self._provider.desk.ended(self)

    @property
    def congested(self) -> bool:
        """An identifier is bounded, so its sender need not pause."""
        return False

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for."""
        resume()

    def _give_up(self) -> None:
        if self._matches is not None:
            self._matches.give_up()

    def _take(self, batch: list[bytes], *, exhausted: bool) -> None:
        self._ready.extend(batch)
        self._exhausted = exhausted
        self._deliver()

    def _deliver(self, *, look_up: bool = True) -> None:
        """Send what is ready; first see to what the peer has sent meanwhile, unless just done."""
        association = self._association
        while self._ready and self._wanted:
            if look_up and association.connection.has_input():
                association.flush()
                association.connection.after_reading(lambda: self._deliver(look_up=False))
                return
            look_up = True
            self._queue(self._ready.popleft())
        if self._gave_way:
            return
        if self._ready or self._stopped or self._cancelled:
            self._break_off()
        elif self._exhausted:
            self._conclude()
        else:
            association.flush()
            if association.connection.congested:
                self._provider.desk.stopped_reading(self)
            association.when_writable(self._continue)

    @property
    def _wanted(self) -> bool:
        """Whether the peer may be sent another match."""
        ended = self._stopped or self._cancelled or self._gave_way
        return not (ended or self._sent == self._provider.limit)

    def _queue(self, identifier: bytes) -> None:
        response = CFindRSP(
            message_id_being_responded_to=self._request.message_id,
            affected_sop_class_uid=self._request.affected_sop_class_uid,
            status=self._pending,
            has_data_set=True,
        )
        self._association.queue(self._context.context_id, response, identifier)
        self._sent += 1

    def _break_off(self) -> None:
        """Somebody wants no more, or the limit is reached and there are more."""
        self._ready.clear()
        self._run(self._close)
        if self._cancelled:
            self._end(status.CANCEL)
        elif self._stopped:
            self._provider.desk.ended(self)
        elif self._gave_way:
            comment = "Gave way to other queries: matches were not read for too long"
            self._end(status.OUT_OF_RESOURCES, comment)
        else:
            comment = f"Stopped after {self._sent} matches; narrow the query"
            self._end(status.OUT_OF_RESOURCES, comment)

    def _conclude(self) -> None:
        """All that the engine found has been sent."""
        if self._matches is not None and self._matches.stopped:
            comment = f"Stopped {self._matches.stopped}; narrow the query"
            self._end(status.OUT_OF_RESOURCES, comment)
        else:
            self._end(status.SUCCESS)

    def _continue(self) -> None:
        self._provider.desk.reads_again(self)
        if self._gave_way:
            return
        if self._stopped or self._cancelled:
            self._break_off()
        else:
            self._run(self._produce)

    def _run(self, task: Callable[[], None]) -> None:
        """Run a step on a query thread; here, if the node is stopping and has none left."""
        try:
            self._provider.desk.run(self, task)
        except RuntimeError:
            task()

    def _end(self, code: int, comment: str = "", offending_tag: int | None = None) -> None:
        request, association = self._request, self._association
        self._provider.desk.ended(self)
        response = CFindRSP(
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=request.affected_sop_class_uid,
            status=code,
            error_comment=comment or None,
            offending_element=None if offending_tag is None else (offending_tag,),
        )
        if comment:
            association.log.warning(
                "did not complete a query",
                status=str(status.describe(code, Service.QUERY)),
                why=comment,
            )
        association.done(self, request.message_id)
        association.respond(self._context.context_id, response)

    # On a query thread

    def _start(self) -> None:
        post = self._association.post
        if self._stopped or self._cancelled:  # while it waited for a thread
            self._identifier.take()
            post(self._break_off)
            return
        try:
            elements = decode_elements(self._identifier.take(), self._syntax)
            check_keys(elements)
            character_set = requested_character_set(elements)
            identifier = neutral_elements(elements, self._syntax)
            uid = self._context.abstract_syntax
            options = granted_options(self._association.connection.core.request, uid)
            self._matches, own = self._provider.search(
                uid, identifier, options, self._association.rights.scope
            )
        except InvalidIdentifier as error:
            code = status.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS
            text, tag = str(error), error.offending_tag
            post(lambda: self._end(code, text, tag))
            return
        except EncodingError as error:
            text = str(error)
            post(lambda: self._end(status.UNABLE_TO_PROCESS, text))
            return
        except Exception:
            self._fail()
            return
        if self._stopped or self._cancelled:  # before there was anything to give up
            self._give_up()
        if self._matches.unsupported:
            self._pending = status.PENDING_WARNING
        empty = empty_answer(identifier, self._matches.unsupported)
        matches = islice(self._matches, self._most_matches())
        self._responses = (
            encode_answer({**empty, **match, **own}, self._syntax, character_set)
            for match in matches
        )
        self._produce()

    def _most_matches(self) -> int | None:
        """One more than may be sent, to know that there are more."""
        limit = self._provider.limit
        return None if limit is None else limit + 1

    def _produce(self) -> None:
        try:
            batch = list(islice(self._responses, BATCH))
        except Exception:
            self._fail()
            return
        exhausted = len(batch) < BATCH
        if exhausted:
            self._close()
        self._association.post(lambda: self._take(batch, exhausted=exhausted))

    def _fail(self) -> None:
        self._association.log.exception("a query failed")
        self._close()
        comment = "The query failed; the archive's log says why"
        self._association.post(lambda: self._end(status.UNABLE_TO_PROCESS, comment))

    def _close(self) -> None:
        if self._matches is not None:
            self._matches.close()
