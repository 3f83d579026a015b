"""Query/Retrieve Service Class (PS3.4 Annex C), provider: C-FIND answered by a query engine.

Queries run on a few threads of their own. A thread produces a small batch of responses and is
free again while the peer takes them, so a slow reader holds no thread and little memory, and a
C-CANCEL is seen between two batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from itertools import islice
from typing import Literal, Protocol

from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.sop_classes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import TransferSyntax, transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.message import Request
from isocenter.dimse.messages import CFindRQ, CFindRSP
from isocenter.dimse.status import Service
from isocenter.encoding.character_sets import choose_character_set
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.texts import text_value, value_text
from isocenter.errors import IsocenterError
from isocenter.services.provider import ProvidedAssociation, refuse, refuse_foreign_class
from isocenter.upperlayer.contexts import AcceptedContext

Model = Literal["PATIENT", "STUDY", "PATIENT_STUDY"]

SPECIFIC_CHARACTER_SET = 0x00080005
QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054

IDENTIFIER_LIMIT = 2 * 1024 * 1024
"""Bytes of an identifier; ten thousand UIDs have 650 kB."""

BATCH = 32

MODELS: dict[str, Model] = {PATIENT_ROOT_FIND: "PATIENT", STUDY_ROOT_FIND: "STUDY"}


class InvalidIdentifier(IsocenterError):
    """A query that the engine cannot take; `offending_tag` names the key at fault."""

    def __init__(self, message: str, offending_tag: int | None = None) -> None:
        super().__init__(message)
        self.offending_tag = offending_tag


class Matches(Protocol):
    """The matches of one query, each a mapping of tag to text; may be used from any one thread
    at a time."""

    @property
    def unsupported(self) -> frozenset[int]:
        """Keys that were asked for but that the engine neither matches nor returns."""

    def __iter__(self) -> Iterator[Mapping[int, str]]:
        """The matches, fetched as they are asked for."""

    def close(self) -> None:
        """Give up what is left."""


class QueryEngine(Protocol):
    """Who answers queries."""

    def find(self, model: Model, level: str, keys: Mapping[int, str]) -> Matches:
        """Start a query. Raises InvalidIdentifier."""


class FindProvider:
    """C-FIND SCP. `limit` bounds the matches of one query; that there were more ends it in A700."""

    def __init__(
        self, engine: QueryEngine, threads: Executor, *, ae_title: str, limit: int | None
    ) -> None:
        self.engine = engine
        self.threads = threads
        self.ae_title = ae_title
        self.limit = limit

    def begin(
        self, association: ProvidedAssociation, context: AcceptedContext, request: Request
    ) -> FindOperation | None:
        """Start a query (PS3.7 9.1.2)."""
        if not isinstance(request, CFindRQ):
            text = f"{request.command_name} is not provided on this presentation context"
            refuse(association, context.context_id, request, status.UNRECOGNIZED_OPERATION, text)
            return None
        if refuse_foreign_class(association, context, request, request.affected_sop_class_uid):
            return None
        if not request.has_data_set:
            text = "C-FIND without an identifier"
            refuse(association, context.context_id, request, status.MISTYPED_ARGUMENT, text)
            return None
        return FindOperation(self, association, context, request)


class FindOperation:
    """One C-FIND: the identifier comes in, batches of matches go out."""

    def __init__(
        self,
        provider: FindProvider,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: CFindRQ,
    ) -> None:
        self._provider = provider
        self._association = association
        self._context = context
        self._request = request
        self._syntax = transfer_syntax(context.transfer_syntax)
        self._identifier = bytearray()
        self._matches: Matches | None = None
        self._responses: Iterator[bytes] = iter(())
        self._pending = status.PENDING
        self._sent = 0
        self._stopped = False
        self._cancelled = False
        self._truncated = False

    # On the loop

    def write(self, fragment: memoryview) -> None:
        """Collect the identifier, up to its limit."""
        if len(self._identifier) <= IDENTIFIER_LIMIT:
            self._identifier += fragment

    def finish(self) -> None:
        """The identifier is complete: start the query."""
        if len(self._identifier) > IDENTIFIER_LIMIT:
            self._end(status.OUT_OF_RESOURCES, "The identifier is too large")
        else:
            self._run(self._start)

    def cancel(self) -> None:
        """Send no more matches."""
        self._cancelled = True

    def abort(self) -> None:
        """Nobody listens any more."""
        self._stopped = True

    @property
    def congested(self) -> bool:
        """An identifier is bounded, so its sender need not pause."""
        return False

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for."""
        resume()

    def _deliver(self, batch: list[bytes], *, exhausted: bool) -> None:
        """Send a batch of identifiers, then the final response or for the next batch."""
        request, association = self._request, self._association
        for identifier in batch:
            if self._cancelled or self._stopped:
                break
            if self._sent == self._provider.limit:
                self._truncated = True
                break
            response = CFindRSP(
                message_id_being_responded_to=request.message_id,
                affected_sop_class_uid=request.affected_sop_class_uid,
                status=self._pending,
                has_data_set=True,
            )
            association.queue(self._context.context_id, response, identifier)
            self._sent += 1
        association.flush()
        if self._stopped:
            self._run(self._close)
        elif self._cancelled:
            self._run(self._close)
            self._end(status.CANCEL)
        elif self._truncated:
            self._run(self._close)
            comment = f"Stopped after {self._sent} matches; narrow the query"
            self._end(status.OUT_OF_RESOURCES, comment)
        elif not exhausted:
            association.when_writable(self._continue)
        else:
            self._end(status.SUCCESS)

    def _continue(self) -> None:
        if self._stopped or self._cancelled:
            self._deliver([], exhausted=False)
        else:
            self._run(self._produce)

    def _run(self, task: Callable[[], None]) -> None:
        """Run a step on a query thread; here, if the node is stopping and has none left."""
        try:
            self._provider.threads.submit(task)
        except RuntimeError:
            task()

    def _end(self, code: int, comment: str = "", offending_tag: int | None = None) -> None:
        request, association = self._request, self._association
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
        try:
            elements = decode_elements(bytes(self._identifier), self._syntax)
            requested = identifier_texts(elements, self._syntax)
            level = requested.pop(QUERY_RETRIEVE_LEVEL, "").upper()
            character_set = requested.pop(SPECIFIC_CHARACTER_SET, None)
            self._matches = self._provider.engine.find(self._model(), level, requested)
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
        if self._matches.unsupported:
            self._pending = status.PENDING_WARNING
        self._responses = self._encoded(self._matches, level, requested, character_set)
        self._produce()

    def _produce(self) -> None:
        try:
            batch = list(islice(self._responses, BATCH))
        except Exception:
            self._fail()
            return
        exhausted = len(batch) < BATCH
        if exhausted:
            self._close()
        self._association.post(lambda: self._deliver(batch, exhausted=exhausted))

    def _fail(self) -> None:
        self._association.log.exception("a query failed")
        self._close()
        comment = "The query failed; the archive's log says why"
        self._association.post(lambda: self._end(status.UNABLE_TO_PROCESS, comment))

    def _close(self) -> None:
        if self._matches is not None:
            self._matches.close()

    def _model(self) -> Model:
        return MODELS[self._context.abstract_syntax]

    def _encoded(
        self, matches: Matches, level: str, requested: Mapping[int, str], character_set: str | None
    ) -> Iterator[bytes]:
        own = {QUERY_RETRIEVE_LEVEL: level, RETRIEVE_AE_TITLE: self._provider.ae_title}
        limit = self._provider.limit
        for match in islice(matches, None if limit is None else limit + 1):
            values = {
                tag: match.get(tag, "") for tag in requested if tag not in matches.unsupported
            }
            yield encode_identifier(values | own, self._syntax, character_set)


def encode_identifier(
    values: Mapping[int, str], syntax: TransferSyntax, requested_character_set: str | None
) -> bytes:
    """Encode a response's values, in the requested character set where it can carry them.

    Otherwise UTF-8 is used, so that nothing is lost (PS3.4 C.4.1.1.3.2, PS3.5 6.1.2.3).
    """
    character_set = choose_character_set(values.values(), requested_character_set)
    elements: Elements = {}
    for tag, text in values.items():
        if (vr := implicit_vr(tag)) != "SQ":
            elements[tag] = RawElement(vr, text_value(text, vr, syntax, character_set))
    if character_set is not None:
        elements[SPECIFIC_CHARACTER_SET] = RawElement("CS", character_set.encode("ascii"))
    return encode_elements(elements, syntax)


def identifier_texts(elements: Elements, syntax: TransferSyntax) -> dict[int, str]:
    """The keys of an identifier as text; sequences are left out."""
    declared = elements.get(SPECIFIC_CHARACTER_SET)
    character_set = declared.value if declared and isinstance(declared.value, bytes) else None
    return {
        tag: value_text(element.value, element.vr, syntax, character_set)
        for tag, element in elements.items()
        if isinstance(element.value, bytes) and tag & 0xFFFF
    }
