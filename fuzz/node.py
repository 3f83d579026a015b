"""A node without network, disk or threads, for the harness that talks to all of its services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

import structlog

from isocenter.archive.identity import Refusal, identify
from isocenter.archive.index import INDEX_ATTRIBUTES, Index
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.query import InvalidQuery, Rules, find
from isocenter.archive.receiving import Announcement
from isocenter.archive.workflow.performed_step_rules import StepRefused, changed_step, check_new
from isocenter.archive.workflow.worklist_search import WorklistMatches
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    MPPS,
    MPPS_RETRIEVE,
    STORAGE_COMMITMENT_PUSH,
    STUDY_ROOT_FIND,
    VERIFICATION,
)
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.elements import Elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.scanner import scan
from isocenter.security.access import Scope
from isocenter.server.workflow_engine import STATUS_BY_FAULT
from isocenter.services.failures import NoFailureLog
from isocenter.services.fair_threads import FairThreads
from isocenter.services.find_identifiers import InvalidIdentifier
from isocenter.services.performed_procedure_step_scp import ProcedureStepProvider, StepNotTaken
from isocenter.services.provider import Service
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_options import QueryOptions
from isocenter.services.query_retrieve_scp import FindProvider
from isocenter.services.storage_commitment_scp import (
    Acceptance,
    CommitmentRequest,
    Registration,
    StorageCommitmentProvider,
)
from isocenter.services.storage_scp import StorageProvider
from isocenter.services.verification_scp import VerificationProvider
from isocenter.services.worklist_scp import WorklistProvider
from tests.archive.workflow.items import item, step_begun

STEP_UID = "1.2.3.4"
"""The performed procedure step that is there already."""

_MATCHES = 20


@contextmanager
def watched_logs() -> Iterator[None]:
    """A log entry of an error is one here, and so are control characters in any other."""
    before = structlog.get_config()
    structlog.configure(processors=[_check_entry])
    try:
        yield
    finally:
        structlog.configure(**before)


def _check_entry(_logger: object, method: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Services log what nobody expected and go on; here it must come to light."""
    if "exc_info" in entry:
        raise  # the exception that is being handled, and was to be logged
    assert method not in ("error", "critical"), entry["event"]
    for value in entry.values():
        assert not isinstance(value, str) or value.isprintable(), "a log entry can be forged"
    raise structlog.DropEvent


class Here(Executor):
    """Threads that are this one."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a task now."""
        done: Future[Any] = Future()
        done.set_result(task(*args, **kwargs))
        return done


class NoTime:
    """A clock that stands still: nobody has to give way."""

    def time(self) -> float:
        """No second after any other."""
        return 0.0

    def call_later(self, _delay: float, _callback: Callable[[], None]) -> None:
        """That moment never comes."""


class Sink:
    """Takes instances, says what an archive would say of them, and keeps none."""

    def begin(self, announced: Any, on_outcome: Callable[[Any], None]) -> Arriving:
        """Start taking an instance."""
        return Arriving(Announcement(*announced), on_outcome)


class Arriving:
    """An instance on its way into a `Sink`."""

    congested = False
    received = 0

    def __init__(self, announced: Announcement, on_outcome: Callable[[Any], None]) -> None:
        self.on_progress: Callable[[], None] | None = None
        self._announced, self._on_outcome = announced, on_outcome
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes."""
        self._data += fragment
        self.received += len(fragment)

    def finish(self) -> None:
        """Decide by the header alone."""
        syntax = transfer_syntax(self._announced.transfer_syntax_uid)
        try:
            identify(scan(self._data, syntax, INDEX_ATTRIBUTES).values, self._announced)
        except EncodingError as error:
            self._on_outcome(Outcome(Disposition.UNREADABLE, str(error)))
        except Refusal as error:
            self._on_outcome(Outcome(error.disposition, error.reason))
        else:
            self._on_outcome(Outcome(Disposition.STORED))

    def abort(self) -> None:
        """The rest will not come."""


class Queries:
    """C-FIND over an index; stored headers are not read."""

    def __init__(self, index: Callable[[], Index]) -> None:
        self._index = index

    def find(
        self, model: Any, level: str, identifier: Elements, options: QueryOptions, scope: Scope
    ) -> Any:
        """Start a query. Raises InvalidIdentifier."""
        rules = Rules(options.datetime, options.fuzzy, options.timezone, options.empty_values)
        index = self._index()
        try:
            return find(index, model, level, identifier, scope=scope, rules=rules, relational=True)
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error


class Worklist:
    """A worklist of one item."""

    def find(self, identifier: Elements, options: QueryOptions) -> WorklistMatches:
        """Start a query. Raises InvalidIdentifier."""
        try:
            return WorklistMatches(self, identifier, fuzzy_names=options.fuzzy)  # type: ignore[arg-type]
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error

    def data_sets(self, _candidates: object, *, watch: object) -> list[Elements]:  # noqa: ARG002
        """All that there is."""
        return [item()]


class Steps:
    """Performed procedure steps by the rules, of which only one is kept."""

    def create(self, _uid: str, attributes: Elements, _source_ae: str) -> None:
        """Raises StepNotTaken."""
        self._checked(lambda: check_new(attributes))

    def change(self, uid: str, modifications: Elements) -> None:
        """Raises StepNotTaken."""
        self._checked(lambda: changed_step(self.get(uid), modifications))

    def get(self, _uid: str) -> Elements:
        """The one step."""
        return step_begun()

    def _checked(self, check: Callable[[], object]) -> None:
        try:
            check()
        except StepRefused as error:
            raise StepNotTaken(STATUS_BY_FAULT[error.fault], str(error), tags=error.tags) from error


class Register:
    """Takes every request for commitment."""

    def register(self, _request: CommitmentRequest) -> Registration:
        """Take it."""
        return Registration(Acceptance.TAKEN)


class FuzzedNode:
    """What a provided association needs to know of its node."""

    failures = NoFailureLog()

    def __init__(self, index: Callable[[], Index]) -> None:
        here = Here()
        desk = QueryDesk(FairThreads(here, 2), NoTime())
        steps = ProcedureStepProvider(Steps(), here)
        self.storage = StorageProvider(Sink())
        self.services: dict[str, Service] = {
            VERIFICATION: VerificationProvider(),
            STUDY_ROOT_FIND: FindProvider(Queries(index), desk, ae_title="HERE", limit=_MATCHES),
            MODALITY_WORKLIST_FIND: WorklistProvider(Worklist(), desk, limit=_MATCHES),
            MPPS: steps,
            MPPS_RETRIEVE: steps,
            STORAGE_COMMITMENT_PUSH: StorageCommitmentProvider(Register(), here, maximum=_MATCHES),
        }

    def post(self, call: Callable[[], None]) -> None:
        """Run what another thread would leave to the loop."""
        call()

    def service_for(self, abstract_syntax: str) -> Service:
        """The service that serves an accepted abstract syntax."""
        return self.services.get(abstract_syntax, self.storage)

    def ended(self, _association: object) -> None:
        """The association is over."""
