"""Destinations of a C-MOVE, willing and otherwise: what is delivered, and what is said of it."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelMove

from isocenter.services.association import Destination
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, eventually, failures, log_lines, memory
from tests.server.support_retrieve import (
    COUNT,
    answers,
    counters,
    failed_uids,
    fill,
    filled,
    move,
    requesting,
    settings,
    uids,
    wanted,
)
from tests.services.scu.pynetdicom_scp import scp
from tests.support.node import Node

MOVE = StudyRootQueryRetrieveInformationModelMove


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[..., Node]:
    """Starts a node that holds COUNT instances and may send to a port."""
    return partial(filled, start_node, tmp_path)


def test_an_unknown_destination_is_refused(start):
    with requesting(start()) as association:
        ((final, _),) = move(association, "ELSEWHERE")
    assert final.Status == 0xA801
    assert "[peers]" in final.ErrorComment
    assert len(final.ErrorComment) <= 64


def test_a_destination_that_takes_nothing(start):
    def take_nothing(ae: AE) -> None:
        ae.remove_supported_context(CTImageStorage)

    with scp(configure=take_nothing) as there, requesting(start(there.port)) as association:
        ((final, identifier),) = move(association)[-1:]
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))


def test_a_destination_that_is_not_there(start, free_port: int):
    with requesting(start(free_port)) as association:
        *_, (final, identifier) = move(association)
        assert association.send_c_echo().Status == 0
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))
    assert "cannot be reached" in final.ErrorComment


def test_a_destination_that_accepts_and_says_nothing(start):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        requesting(start(silent.getsockname()[1])) as association,
    ):
        *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert "did not answer" in final.ErrorComment


def test_a_destination_that_hangs_in_the_middle(start):
    released = threading.Event()

    def hang(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.2":
            released.wait(20)
        return 0

    with scp(on_store=hang) as there:
        node = start(there.port)
        try:
            with requesting(node) as association, requesting(node) as other:
                *_, (final, identifier) = move(association)
                assert other.send_c_echo().Status == 0
        finally:
            released.set()
    assert (final.Status, counters(final)) == (0xB000, (None, 4, 1, 0))
    assert failed_uids(identifier) == uids(2)
    kept = eventually(lambda: [one for one in failures(node) if one["what"] == "sub-operation"])
    assert "did not answer a C-STORE" in kept[0]["diagnosis"]


def test_a_destination_that_aborts_half_way(start):
    def abort(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.3":
            event.assoc.abort()
        return 0

    with scp(on_store=abort) as there, requesting(start(there.port)) as association:
        *_, (final, identifier) = move(association)
    assert (final.Status, counters(final)) == (0xB000, (None, 4, 1, 0))
    assert failed_uids(identifier) == uids(3)


def test_a_connection_lost_inside_an_object_is_one_failure(start):
    received = []

    def cut(event) -> None:
        received.append(len(event.data))
        if sum(received) > 4_000_000:
            event.assoc.dul.socket.close()

    def configure(ae: AE) -> None:
        ae.maximum_pdu_size = 0

    with scp(configure=configure, on_data=cut) as there:
        node = start(there.port)
        fill(node, *(instance(f"1.2.3.9.{n}", study="9.9", pixels=9_000_000) for n in range(3)))
        with requesting(node) as association:
            *_, (final, identifier) = association.send_c_move(wanted("9.9"), "DEST", MOVE)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, 3, 0))
    assert failed_uids(identifier) == {f"1.2.3.9.{number}" for number in range(3)}


def test_a_move_is_cancelled_within_one_object(start):
    reached, cancelled = threading.Event(), threading.Event()

    def store(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.1":
            reached.set()
            cancelled.wait(20)
        return 0

    with scp(on_store=store) as there:
        node = start(there.port, response_timeout=20)
        with requesting(node) as association:
            responses = association.send_c_move(wanted(), "DEST", MOVE, msg_id=7)
            next(responses)
            assert reached.wait(20)
            context_id = association._get_valid_context(MOVE, "", "scu").context_id
            association.send_c_cancel(7, context_id)
            with requesting(node) as other:
                assert other.send_c_echo().Status == 0
            cancelled.set()
            *_, (final, _) = responses
    remaining, completed, failed, _ = counters(final)
    assert (final.Status, failed, remaining + completed) == (0xFE00, 0, COUNT)
    # Where the echo took longer than CANCEL_PATIENCE, what was under way was broken off.
    assert completed in (1, 2, 3)


def test_a_move_to_oneself_succeeds(start):
    """The node sends to itself what it has already, and takes it for the duplicates they are."""
    with requesting(start()) as association:
        *_, (final, _) = move(association, "ISOCENTER")
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_a_destination_that_is_busy_is_asked_again(start):
    on_store = answers(*[0xA700] * COUNT)
    with scp(on_store=on_store) as there, requesting(start(there.port, attempts=2)) as association:
        *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_a_destination_that_stays_busy_is_asked_so_often(start):
    asked = []

    def refuse(event) -> int:
        asked.append(event.request.AffectedSOPInstanceUID)
        return 0xA700

    with scp(on_store=refuse) as there, requesting(start(there.port, attempts=3)) as association:
        *_, (final, identifier) = move(association)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))
    assert sorted(asked) == sorted([*uids(*range(COUNT))] * 3)


def test_what_a_lost_association_carried_goes_over_another(start):
    aborted = []

    def abort_once(event) -> int:
        if not aborted and event.request.AffectedSOPInstanceUID == "1.2.3.4.3":
            aborted.append(event)
            event.assoc.abort()
        return 0

    with (
        scp(on_store=abort_once) as there,
        requesting(start(there.port, attempts=2)) as association,
    ):
        *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_a_destination_that_aborts_every_time_is_given_up(start):
    associations = set()

    def abort(event) -> int:
        associations.add(event.assoc)
        event.assoc.abort()
        return 0

    with scp(on_store=abort) as there, requesting(start(there.port, attempts=2)) as association:
        *_, (final, identifier) = move(association)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))
    assert len(associations) == 4


def test_objects_go_over_several_associations_at_one_time(start):
    together = threading.Barrier(2)
    first = threading.Semaphore(2)

    def store(event) -> int:
        if first.acquire(blocking=False):
            together.wait(20)  # both associations have something under way
        return 0

    with scp(on_store=store) as there:
        node = start(there.port, associations=2, response_timeout=20)
        with requesting(node) as association:
            *pending, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))
    remaining = [counters(status)[0] for status, _ in pending]
    assert remaining == sorted(remaining, reverse=True)


def test_a_destination_that_allows_one_association_gets_one(start):
    def configure(ae: AE) -> None:
        ae.maximum_associations = 1

    with scp(configure=configure, on_store=lambda event: 0) as there:
        node = start(there.port, associations=4)
        with requesting(node) as association:
            *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_more_kinds_than_contexts_take_several_associations(start, start_node):
    classes = [f"1.2.276.0.99.1.{number}" for number in range(1, 151)]
    there = start_node()
    node = start(there.port)
    for group in (classes[:100], classes[100:]):
        contexts = [(sop_class, ["1.2.840.10008.1.2.1"]) for sop_class in group]
        with Destination("127.0.0.1", node.port).connect(contexts) as association:
            for sop_class in group:
                one = instance(f"{sop_class}.1", study="7.7", sop_class_uid=sop_class)
                association.store(sop_class, one.uid, "1.2.840.10008.1.2.1", one.data_set)
    with requesting(node) as association:
        *_, (final, _) = association.send_c_move(wanted("7.7"), "DEST", MOVE)
    assert (final.Status, counters(final)) == (0, (None, len(classes), 0, 0))
    # Two contexts for each class: as it is stored, and as it could be converted.
    assert len(log_lines(there, "accepted an association", "calling_ae=ISOCENTER")) == 3


def cancelling(association, at_once: Callable[[], object] = lambda: None):
    """A move that is cancelled after `at_once`; its last response."""
    responses = association.send_c_move(wanted(), "DEST", MOVE, msg_id=7)
    at_once()
    context_id = association._get_valid_context(MOVE, "", "scu").context_id
    association.send_c_cancel(7, context_id)
    *_, (final, _) = responses
    return final


def test_a_cancel_does_not_wait_for_an_association(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = start(silent.getsockname()[1], association_timeout=60, pending_interval=0.1)
        with requesting(node) as association:
            kept = []
            final = cancelling(association, lambda: kept.append(silent.accept()[0]))
            kept.pop().close()
    assert (final.Status, counters(final)) == (0xFE00, (COUNT, 0, 0, 0))


def test_a_cancel_does_not_wait_for_the_next_attempt(start, free_port: int):
    node = start(free_port, attempts=3, retry_delay=60, pending_interval=0.1)
    with requesting(node) as association:
        final = cancelling(association)
    assert (final.Status, counters(final)) == (0xFE00, (COUNT, 0, 0, 0))


def test_a_cancel_waits_so_long_for_what_is_under_way(start):
    reached, released = threading.Event(), threading.Event()

    def hang(event) -> int:
        reached.set()
        released.wait(30)
        return 0

    with scp(on_store=hang) as there:
        node = start(there.port, response_timeout=60, pending_interval=0.1)
        try:
            with requesting(node) as association:
                final = cancelling(association, lambda: reached.wait(20))
                assert association.send_c_echo().Status == 0
        finally:
            released.set()
    assert (final.Status, counters(final)) == (0xFE00, (COUNT, 0, 0, 0))


def test_who_leaves_takes_the_association_with_the_destination_along(start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = start(silent.getsockname()[1], association_timeout=60, pending_interval=0.1)
        with requesting(node) as association:
            responses = association.send_c_move(wanted(), "DEST", MOVE)
            next(responses)
            connection, _ = silent.accept()
            association.abort()
        with closing(connection):
            connection.settimeout(20)
            while not connection.recv(4096).endswith(b"\7\0\0\0\0\4\0\0\0\0"):
                pass  # what comes before the A-ABORT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_move_of_many_objects_takes_little_memory(start_node, tmp_path: Path):
    many = 100_000
    options = configured(tmp_path, settings(1, pending_interval=1))
    node = start_node(None, *options, "--durability", "os")
    fill(node, *(instance(f"1.2.4.{n}", study="4.4", pixels=100) for n in range(many)))
    with requesting(node) as association:
        association.dimse_timeout = 600
        before = memory(node)
        *_, (final, _) = association.send_c_move(wanted("4.4"), "ISOCENTER", MOVE)
    after = memory(node)
    assert (final.Status, counters(final)) == (0, (None, 65535, 0, 0))
    assert after - before < 40 * 1024 * 1024
