"""Query/Retrieve Service Class (PS3.4 Annex C), provider: what C-GET and C-MOVE have in common.

A retrieve is a coroutine: identify, open the way to the receiver, send one instance after the
other, conclude. Everything that waits for a disk or the index runs on threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse import status
from isocenter.dimse.messages import CGetRQ, CGetRSP, CMoveRQ, CMoveRSP, CStoreRQ
from isocenter.dimse.status import Service
from isocenter.encoding.elements import decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.errors import IsocenterError
from isocenter.services.accounts import Recipient
from isocenter.services.collecting import Collected
from isocenter.services.find_identifiers import InvalidIdentifier, identifier_texts
from isocenter.services.find_operation import IDENTIFIER_LIMIT
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.query_retrieve_scp import QUERY_RETRIEVE_LEVEL, Model
from isocenter.services.retrieve_terms import Refused, RetrieveTerms, encode_failed_list
from isocenter.services.store_contexts import Instance, Kind
from isocenter.services.store_lane import Errand
from isocenter.services.sub_operations import Selected, SubOperations
from isocenter.services.work_list import WorkList
from isocenter.upperlayer.contexts import AcceptedContext

RetrieveRQ = CGetRQ | CMoveRQ


class RetrieveOperation:
    """One C-GET or C-MOVE; the subclass knows the way to the receiver."""

    response_class: ClassVar[type[CGetRSP] | type[CMoveRSP]]
    service: ClassVar[Service]

    def __init__(
        self,
        terms: RetrieveTerms,
        model: Model,
        association: ProvidedAssociation,
        context: AcceptedContext,
        request: RetrieveRQ,
    ) -> None:
        self.terms = terms
        self.association = association
        self.request = request
        self._model = model
        self._context = context
        self._syntax = transfer_syntax(context.transfer_syntax)
        self._identifier = Collected(association.host, IDENTIFIER_LIMIT)
        self.cancelled = False
        self._task: asyncio.Task[None] | None = None
        self._beat: asyncio.TimerHandle | None = None

    # What the subclass provides

    def check(self) -> None:
        """Before anything is looked up: raises Refused for what cannot be served at all."""

    def shares(self, kinds: Sequence[Kind]) -> Sequence[Collection[Kind]]:
        """The kinds of instances in groups that are sent one after the other."""
        return [kinds]

    def work_list(self, batches: Iterator[Sequence[Instance]], counts: SubOperations) -> WorkList:
        """How often what could not be delivered is tried."""
        return WorkList(batches, counts)

    async def send(
        self, selected: Selected, work: WorkList, errand: Errand, kinds: Collection[Kind]
    ) -> None:
        """Send what is on the work list, or say there why it cannot be."""
        raise NotImplementedError

    def store_request(self, instance: Instance, message_id: int) -> CStoreRQ:
        """The C-STORE that carries an instance."""
        return CStoreRQ(
            message_id=message_id,
            affected_sop_class_uid=instance.sop_class_uid,
            affected_sop_instance_uid=instance.sop_instance_uid,
            priority=self.request.priority,
        )

    def recipient(self) -> Recipient | None:
        """Who gets the instances, where it is not the one who asks."""
        return None

    # What the association calls

    def write(self, fragment: memoryview) -> None:
        """Collect the identifier, up to its limit."""
        self._identifier.add(fragment)

    def finish(self) -> None:
        """The identifier is complete."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Send nothing beyond the instance that is under way."""
        self.cancelled = True

    def abort(self) -> None:
        """Nobody waits for the end."""
        self._identifier.take()
        if self._task is not None:
            self._task.cancel()

    @property
    def congested(self) -> bool:
        """An identifier is bounded, so its sender need not pause."""
        return False

    def when_relieved(self, resume: Callable[[], None]) -> None:
        """Never asked for."""
        resume()

    # The course of a retrieve

    async def _run(self) -> None:
        try:
            await self._retrieve()
        except Refused as refused:
            self._conclude(refused.code, None, str(refused), refused.offending_tag)
        except Exception:
            self.association.log.exception("a retrieve failed")
            self._conclude(
                status.UNABLE_TO_PROCESS, None, "The retrieve failed; the archive's log says why"
            )
        finally:
            self._identifier.take()

    async def _retrieve(self) -> None:
        self.check()
        selected = await self._select()
        counts = SubOperations(len(selected))
        account, recipient = self.association.account, self.recipient()
        account.sending(recipient, selected.studies)
        self._tell_regularly(counts)
        try:
            await self._send_all(selected, counts)
        finally:
            if self._beat is not None:
                self._beat.cancel()
            account.sent(recipient, selected.studies, counts.sent, self._why_not_all(counts))
        self._conclude(self._final_status(counts), counts, counts.reason)

    async def _select(self) -> Selected:
        if self._identifier.refused:
            raise Refused(status.OUT_OF_RESOURCES_FOR_MATCHES, "The identifier is too large")
        loop = asyncio.get_running_loop()
        call = partial(self._selected, self._identifier.take())
        try:
            return await loop.run_in_executor(self.terms.threads, call)
        except InvalidIdentifier as error:
            code = status.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS
            raise Refused(code, str(error), error.offending_tag) from error
        except EncodingError as error:
            raise Refused(status.UNABLE_TO_PROCESS, str(error)) from error
        except IsocenterError as error:
            raise Refused(status.OUT_OF_RESOURCES_FOR_MATCHES, str(error)) from error

    def _selected(self, identifier: bytes) -> Selected:
        keys = identifier_texts(decode_elements(identifier, self._syntax), self._syntax)
        level = keys.pop(QUERY_RETRIEVE_LEVEL, "").upper()
        return self.terms.source.select(self._model, level, keys, self.association.rights.scope)

    async def _send_all(self, selected: Selected, counts: SubOperations) -> None:
        def progressed() -> None:
            if not self.terms.pending_interval:
                self._tell_progress(counts)

        terms = self.terms
        errand = Errand(
            self.store_request,
            progressed,
            lambda: self.cancelled,
            terms.threads,
            terms.response_timeout,
        )
        lost = ""
        for kinds in self.shares(selected.kinds):
            if self.cancelled:
                return
            work = self.work_list(_batches(selected, kinds), counts)
            if lost:
                work.lose(lost)
            else:
                await self.send(selected, work, errand, kinds)
            lost = work.lost
            await self._fail_rest(work, counts)
        if not self.cancelled:
            counts.lose()

    async def _fail_rest(self, work: WorkList, counts: SubOperations) -> None:
        """Nothing more can be sent: count and name what is left."""
        loop = asyncio.get_running_loop()
        while work.lost and not self.cancelled:
            uids = await loop.run_in_executor(self.terms.threads, work.draw_rest)
            if not uids:
                return
            counts.fail(uids, work.lost)

    def _tell_regularly(self, counts: SubOperations) -> None:
        """Also while a large object is under way, lest whoever waits loses patience."""
        if interval := self.terms.pending_interval:

            def tell() -> None:
                self._tell_progress(counts)
                self._tell_regularly(counts)

            self._beat = asyncio.get_running_loop().call_later(interval, tell)

    def _tell_progress(self, counts: SubOperations) -> None:
        if counts.remaining and not self.association.outgoing.streaming:
            self._respond(status.PENDING, counts.counters(with_remaining=True))

    def _why_not_all(self, counts: SubOperations) -> str:
        if self.cancelled:
            return "The retrieve was cancelled"
        return counts.reason or "The association ended before everything was sent"

    def _final_status(self, counts: SubOperations) -> int:
        """PS3.4 C.4.2.3.1, C.4.3.3.1: failure where nothing at all could be sent."""
        if self.cancelled and counts.remaining:
            return status.CANCEL
        if counts.failed and not counts.completed and not counts.warning:
            return status.OUT_OF_RESOURCES_FOR_SUBOPERATIONS
        if counts.failed or counts.warning:
            return status.SUBOPERATIONS_WITH_FAILURES
        return status.SUCCESS

    def _conclude(
        self,
        code: int,
        counts: SubOperations | None,
        comment: str,
        offending_tag: int | None = None,
    ) -> None:
        told: dict[str, object] = {}
        data_set = None
        if counts is not None:
            told = dict(counts.counters(with_remaining=code == status.CANCEL))
            data_set = encode_failed_list(counts.failed_uids, self._syntax)
        if comment:
            told["error_comment"] = comment
        if offending_tag is not None:
            told["offending_element"] = (offending_tag,)
        self._log(code, counts, comment)
        self.association.done(self, self.request.message_id)
        self._respond(code, told, data_set)

    def _respond(
        self, code: int, told: Mapping[str, object], data_set: bytes | None = None
    ) -> None:
        response = self.response_class(
            message_id_being_responded_to=self.request.message_id,
            affected_sop_class_uid=self.request.affected_sop_class_uid,
            status=code,
            has_data_set=data_set is not None,
            **told,  # type: ignore[arg-type]  # names and values come from the counters above
        )
        self.association.respond(self._context.context_id, response, data_set)

    def _log(self, code: int, counts: SubOperations | None, why: str) -> None:
        log = self.association.log.bind(status=str(status.describe(code, self.service)))
        if counts is not None:
            log = log.bind(stored=counts.completed + counts.warning, failed=counts.failed)
        if code in (status.SUCCESS, status.CANCEL):
            log.info("retrieve ended")
        else:
            log.warning("did not complete a retrieve", why=why)


def _batches(selected: Selected, kinds: Collection[Kind]) -> Iterator[Sequence[Instance]]:
    """The instances of these kinds."""
    if len(kinds) == len(selected.kinds):
        return selected.batches()
    wanted = frozenset(kinds)
    return (
        [one for one in batch if (one.sop_class_uid, one.transfer_syntax_uid) in wanted]
        for batch in selected.batches()
    )
