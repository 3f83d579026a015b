"""C-FIND without a network: when a cancel is obeyed, and how a query ends."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CFindRQ
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.security.access import Rights
from isocenter.services.accounts import NoAccount
from isocenter.services.fair_threads import FairThreads
from isocenter.services.find_operation import BATCH, FindOperation
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_retrieve_scp import FindProvider
from isocenter.upperlayer.contexts import AcceptedContext

LEVEL, UID = 0x00080052, 0x0020000D
SUCCESS, CANCEL, OUT_OF_RESOURCES, PENDING = 0x0000, 0xFE00, 0xA700, 0xFF00
MISMATCH = 0xA900
IDENTIFIER = encode_elements(
    {LEVEL: RawElement("CS", b"STUDY"), UID: RawElement("UI", b"")}, EXPLICIT_VR_LITTLE_ENDIAN
)


class Found:
    """Some studies; `close` is remembered."""

    unsupported: frozenset[int] = frozenset()

    def __init__(self, count: int, stopped: str = "") -> None:
        self._left = iter(range(count))
        self.stopped = stopped
        self.closed = False

    def __iter__(self) -> Iterator[Elements]:
        return self

    def __next__(self) -> Elements:
        return {UID: RawElement("UI", b"1.2.%d" % next(self._left))}

    def give_up(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Association:
    """Takes responses; after `arrives` of them a C-CANCEL lies unread in the socket."""

    def __init__(self, arrives: int = -1) -> None:
        self.statuses: list[int] = []
        self.handed_over = 0
        self.operation: Any = None
        self.rights = Rights(())
        self.account = NoAccount()
        self.log = SimpleNamespace(warning=lambda *_, **__: None)
        self.connection: Any = SimpleNamespace(
            core=SimpleNamespace(request=None),
            congested=False,
            has_input=lambda: len(self.statuses) == arrives and not self.read,
            after_reading=self._read,
        )
        self.read = False
        self.host = "127.0.0.1"

    def _read(self, call: Callable[[], None]) -> None:
        assert self.handed_over == len(self.statuses), "what is sent must not wait for the peer"
        self.read = True
        self.operation.cancel()
        call()

    def post(self, call: Callable[[], None]) -> None:
        call()

    def queue(self, _context: int, response: Any, _data_set: bytes | None = None) -> None:
        self.statuses.append(response.status)

    def respond(self, context: int, response: Any) -> None:
        self.queue(context, response)
        self.flush()

    def flush(self) -> None:
        self.handed_over = len(self.statuses)

    def when_writable(self, call: Callable[[], None]) -> None:
        call()

    def done(self, *_: object) -> None:
        pass


class Here(ThreadPoolExecutor):
    """Threads that are this one."""

    def submit(self, task: Any, /, *arguments: Any, **_: Any) -> Any:
        task(*arguments)


def desk(threads: ThreadPoolExecutor) -> QueryDesk:
    """Room for every query of a test."""
    clock: Any = SimpleNamespace(time=lambda: 0.0, call_later=lambda *_: None)
    return QueryDesk(FairThreads(threads, 4), clock)


def ask(found: Found, association: Association, limit: int | None = None) -> list[int]:
    """The statuses of all responses."""
    engine: Any = SimpleNamespace(find=lambda *_: found)
    begin(FindProvider(engine, desk(Here()), ae_title="HERE", limit=limit), association)
    assert association.handed_over == len(association.statuses)
    assert found.closed
    return association.statuses


def begin(
    provider: FindProvider, association: Association, identifier: bytes = IDENTIFIER
) -> FindOperation:
    """A query whose identifier has come."""
    context = AcceptedContext(1, STUDY_ROOT_FIND, EXPLICIT_VR_LITTLE_ENDIAN.uid)
    request = CFindRQ(message_id=7, affected_sop_class_uid=STUDY_ROOT_FIND)
    user: Any = association
    association.operation = operation = FindOperation(provider, user, context, request)
    operation.write(memoryview(identifier))
    operation.finish()
    return operation


@pytest.mark.parametrize("sent", [0, 1, 5, BATCH - 1, BATCH, BATCH + 3])
def test_a_cancel_that_has_arrived_ends_the_query_before_the_next_response(sent: int):
    statuses = ask(Found(3 * BATCH), Association(arrives=sent))
    assert statuses == [PENDING] * sent + [CANCEL]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_every_match_is_one_response(count: int):
    assert ask(Found(count), Association()) == [PENDING] * count + [SUCCESS]


@pytest.mark.parametrize("limit", [1, BATCH - 1, BATCH, BATCH + 1])
def test_a_limit_is_never_silent(limit: int):
    assert ask(Found(limit), Association(), limit) == [PENDING] * limit + [SUCCESS]
    statuses = ask(Found(limit + 1), Association(), limit)
    assert statuses == [PENDING] * limit + [OUT_OF_RESOURCES]


def test_an_engine_that_stopped_is_never_silent():
    stopped = Found(2, "after reading 2 stored headers")
    assert ask(stopped, Association()) == [PENDING] * 2 + [OUT_OF_RESOURCES]


class Later(ThreadPoolExecutor):
    """Threads that are all busy until `run`."""

    def __init__(self) -> None:
        self.tasks: list[Callable[[], None]] = []

    def submit(self, task: Any, /, *arguments: Any, **_: Any) -> Any:
        self.tasks.append(partial(task, *arguments))

    def run(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()


@pytest.mark.parametrize(
    ("end", "answered"), [(FindOperation.cancel, [CANCEL]), (FindOperation.abort, [])]
)
def test_a_query_that_is_not_wanted_any_more_is_not_begun(
    end: Callable[[FindOperation], None], answered: list[int]
):
    searched: list[object] = []
    engine: Any = SimpleNamespace(find=lambda *query: searched.append(query))
    threads, association = Later(), Association()
    provider = FindProvider(engine, desk(threads), ae_title="HERE", limit=None)
    operation = begin(provider, association)
    end(operation)
    threads.run()
    assert association.statuses == answered
    assert searched == []


def test_a_cancel_while_the_search_is_prepared_reaches_it():
    class Endless(Found):
        def give_up(self) -> None:
            self._left = iter(())

    found, association = Endless(10**9), Association()

    def prepare(*_: object) -> Found:
        association.operation.cancel()
        return found

    threads = Later()
    provider = FindProvider(
        SimpleNamespace(find=prepare),  # type: ignore[arg-type]
        desk(threads),
        ae_title="HERE",
        limit=None,
    )
    begin(provider, association)
    threads.run()
    assert association.statuses == [CANCEL]
    assert next(found, None) is None
    assert found.closed


@pytest.mark.parametrize("within", [False, True])
def test_more_keys_than_anybody_has_are_refused(within: bool):
    keys: Elements = {0x00120001 + number: RawElement("CS", b"A") for number in range(3_000)}
    if within:
        halves = [dict(list(keys.items())[:1500]), dict(list(keys.items())[1500:])]
        keys = {0x00400275: RawElement("SQ", list(halves))}
    searched: list[object] = []
    engine: Any = SimpleNamespace(find=lambda *query: searched.append(query))
    association = Association()
    provider = FindProvider(engine, desk(Here()), ae_title="HERE", limit=None)
    begin(provider, association, encode_elements(keys, EXPLICIT_VR_LITTLE_ENDIAN))
    assert association.statuses == [MISMATCH]
    assert searched == []
