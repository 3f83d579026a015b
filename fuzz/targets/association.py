"""The association state machine, both sides, in every state: bytes of a peer and local calls.

An input is a state to begin in and then steps: bytes that arrive, or something that the local user
or the clock does.
"""

import pickle
from collections.abc import Callable, Iterator

from fuzz.target import Target, check_error
from fuzz.targets import pdu
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.errors import LocalProtocolError
from isocenter.upperlayer.events import DataReceived, Event
from isocenter.upperlayer.pdu import AssociateRJ
from isocenter.upperlayer.state_machine import State
from tests.upperlayer.links import REQUEST, RESPONSE
from tests.upperlayer.states import IN_STATE

_STATES = sorted(IN_STATE)
_BEGUN: dict[str, bytes] = {}
"""Associations in each state, pickled: to copy one costs less than to negotiate it."""

_OURS = 4096
"""Bytes that we send for one step at most, besides the data of the local user."""


def _send(association: Association, argument: int, now: float) -> None:
    for context_id in association.accepted_contexts or (argument,):
        association.send_data(context_id, bool(argument & 1), [b"x" * argument], now)


def _accept(association: Association, _argument: int, now: float) -> None:
    association.accept(RESPONSE, now)


def _reject(association: Association, argument: int, now: float) -> None:
    association.reject(AssociateRJ(1, 1, argument & 7), now)


def _request(association: Association, _argument: int, now: float) -> None:
    association.request_association(REQUEST, now)


_CALLS: tuple[Callable[[Association, int, float], object], ...] = (
    _send,
    _accept,
    _reject,
    _request,
    lambda association, _, now: association.release(now),
    lambda association, _, now: association.confirm_release(now),
    lambda association, argument, now: association.abort(argument & 2, argument & 7, now),
    lambda association, _, now: association.expire(now),
    lambda association, _, now: association.connection_made(now),
)


def one_input(data: bytes) -> None:
    if not data:
        return
    association = _begun(_STATES[data[0] % len(_STATES)])
    position, now = 1, 0.0
    while position + 2 <= len(data):
        step, argument = data[position], data[position + 1]
        position += 2
        if step & 1:
            now += 7 * (step >> 5)
            _call(association, step >> 1 & 15, argument, now)
            continue
        length = argument << (step >> 1 & 3)
        piece = data[position : position + length]
        position += length
        events = association.receive_data(memoryview(piece), now)
        _check(association, events, len(piece), _OURS)
    association.connection_lost(now)
    assert association.state is State.Sta1
    assert association.receive_data(memoryview(b"\7\0\0\0\0\4\0\0\0\0"), now) == []


def _begun(state: str) -> Association:
    if state not in _BEGUN:
        association = IN_STATE[state]()
        association.data_to_send()
        _BEGUN[state] = pickle.dumps(association)
    copy: Association = pickle.loads(_BEGUN[state])
    return copy


def _call(association: Association, number: int, argument: int, now: float) -> None:
    try:
        _CALLS[number % len(_CALLS)](association, argument, now)
    except LocalProtocolError as error:
        check_error(error)
    _check(association, [], 0, _OURS + argument)


def _check(association: Association, events: list[Event], received: int, sent: int) -> None:
    data = sum(len(event.data) for event in events if isinstance(event, DataReceived))
    assert data <= received
    assert len(events) <= received + 1
    assert sum(map(len, association.data_to_send())) <= sent
    waiting = association.state not in (State.Sta1, State.Sta3, State.Sta4, State.Sta8)
    waiting = waiting and association.state not in (State.Sta9, State.Sta12)
    assert association.deadline is not None or not waiting, f"no deadline in {association.state}"


def seeds() -> Iterator[bytes]:
    pdus = list(pdu.seeds())
    for state in range(len(_STATES)):
        for encoded in pdus:
            yield bytes((state,)) + _arrival(encoded)
        for call in range(len(_CALLS)):
            yield bytes((state, call << 1 | 1, 3)) + b"".join(map(_arrival, pdus[3:]))


def _arrival(encoded: bytes) -> bytes:
    """A step in which these bytes arrive, padded with zeros to a length that a step can say."""
    length = -(-len(encoded) // 2)
    return bytes((1 << 1, length)) + encoded.ljust(2 * length, b"\0")


TARGET = Target(
    "bytes and local calls to `Association`, both roles, any state",
    one_input,
    seeds,
    pdu.WORDS,
    2048,
    share=2,
)
