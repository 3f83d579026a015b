"""The DICOM upper layer protocol machine, PS3.8 Table 9-10, as data.

`TRANSITIONS` says for each (state, event) which action runs and which state follows. Nothing is
decided here: `association.Association` performs the actions. A cell that the standard leaves
empty is absent. Two actions choose between two next states (AE-6 and AR-8); their cells name both.

The table is written row by row as in the standard, and a test holds it beside a second copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple


class State(IntEnum):
    """The states of PS3.8 9.2.1."""

    Sta1 = 1
    Sta2 = 2
    Sta3 = 3
    Sta4 = 4
    Sta5 = 5
    Sta6 = 6
    Sta7 = 7
    Sta8 = 8
    Sta9 = 9
    Sta10 = 10
    Sta11 = 11
    Sta12 = 12
    Sta13 = 13

    @property
    def meaning(self) -> str:
        """The state in words."""
        return _STATE_MEANINGS[self]


class Trigger(IntEnum):
    """The events of PS3.8 Table 9-10 (its rows)."""

    Evt1 = 1
    Evt2 = 2
    Evt3 = 3
    Evt4 = 4
    Evt5 = 5
    Evt6 = 6
    Evt7 = 7
    Evt8 = 8
    Evt9 = 9
    Evt10 = 10
    Evt11 = 11
    Evt12 = 12
    Evt13 = 13
    Evt14 = 14
    Evt15 = 15
    Evt16 = 16
    Evt17 = 17
    Evt18 = 18
    Evt19 = 19

    @property
    def meaning(self) -> str:
        """The event in words."""
        return _TRIGGER_MEANINGS[self]


class Action(StrEnum):
    """The actions of PS3.8 9.2.2, Tables 9-6 to 9-9."""

    AE_1 = "AE-1"
    AE_2 = "AE-2"
    AE_3 = "AE-3"
    AE_4 = "AE-4"
    AE_5 = "AE-5"
    AE_6 = "AE-6"
    AE_7 = "AE-7"
    AE_8 = "AE-8"
    DT_1 = "DT-1"
    DT_2 = "DT-2"
    AR_1 = "AR-1"
    AR_2 = "AR-2"
    AR_3 = "AR-3"
    AR_4 = "AR-4"
    AR_5 = "AR-5"
    AR_6 = "AR-6"
    AR_7 = "AR-7"
    AR_8 = "AR-8"
    AR_9 = "AR-9"
    AR_10 = "AR-10"
    AA_1 = "AA-1"
    AA_2 = "AA-2"
    AA_3 = "AA-3"
    AA_4 = "AA-4"
    AA_5 = "AA-5"
    AA_6 = "AA-6"
    AA_7 = "AA-7"
    AA_8 = "AA-8"


class Transition(NamedTuple):
    """One cell of Table 9-10. `next_states` holds two states only for AE-6 and AR-8."""

    action: Action
    next_states: tuple[State, ...]


_STATE_MEANINGS = {
    State.Sta1: "idle",
    State.Sta2: "transport connection open, awaiting A-ASSOCIATE-RQ",
    State.Sta3: "awaiting the local user's answer to an association request",
    State.Sta4: "awaiting the transport connection",
    State.Sta5: "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ",
    State.Sta6: "association established, ready for data transfer",
    State.Sta7: "awaiting A-RELEASE-RP",
    State.Sta8: "awaiting the local user's answer to a release request",
    State.Sta9: "release collision, requestor, awaiting the local user's answer",
    State.Sta10: "release collision, acceptor, awaiting A-RELEASE-RP",
    State.Sta11: "release collision, requestor, awaiting A-RELEASE-RP",
    State.Sta12: "release collision, acceptor, awaiting the local user's answer",
    State.Sta13: "awaiting the close of the transport connection",
}

_TRIGGER_MEANINGS = {
    Trigger.Evt1: "A-ASSOCIATE request by the local user",
    Trigger.Evt2: "transport connection confirmed",
    Trigger.Evt3: "A-ASSOCIATE-AC received",
    Trigger.Evt4: "A-ASSOCIATE-RJ received",
    Trigger.Evt5: "transport connection indicated",
    Trigger.Evt6: "A-ASSOCIATE-RQ received",
    Trigger.Evt7: "A-ASSOCIATE response by the local user: accept",
    Trigger.Evt8: "A-ASSOCIATE response by the local user: reject",
    Trigger.Evt9: "P-DATA request by the local user",
    Trigger.Evt10: "P-DATA-TF received",
    Trigger.Evt11: "A-RELEASE request by the local user",
    Trigger.Evt12: "A-RELEASE-RQ received",
    Trigger.Evt13: "A-RELEASE-RP received",
    Trigger.Evt14: "A-RELEASE response by the local user",
    Trigger.Evt15: "A-ABORT request by the local user",
    Trigger.Evt16: "A-ABORT received",
    Trigger.Evt17: "transport connection closed",
    Trigger.Evt18: "ARTIM timer expired",
    Trigger.Evt19: "unrecognized or invalid PDU received",
}

# One row per event: the states for which each cell of the row is the same, then the cell.
# "AA-8 13" reads: action AA-8, next state Sta13.
_Row = tuple[tuple[tuple[int, ...], str], ...]

_ESTABLISHED = (6, 7, 8, 9, 10, 11, 12)
_ROWS: dict[int, _Row] = {
    1: (((1,), "AE-1 4"),),
    2: (((4,), "AE-2 5"),),
    3: (((2,), "AA-1 13"), ((3, *_ESTABLISHED), "AA-8 13"), ((5,), "AE-3 6"), ((13,), "AA-6 13")),
    4: (((2,), "AA-1 13"), ((3, *_ESTABLISHED), "AA-8 13"), ((5,), "AE-4 1"), ((13,), "AA-6 13")),
    5: (((1,), "AE-5 2"),),
    6: (((2,), "AE-6 3 13"), ((3, 5, *_ESTABLISHED), "AA-8 13"), ((13,), "AA-7 13")),
    7: (((3,), "AE-7 6"),),
    8: (((3,), "AE-8 13"),),
    9: (((6,), "DT-1 6"), ((8,), "AR-7 8")),
    10: (
        ((2,), "AA-1 13"),
        ((3, 5, 8, 9, 10, 11, 12), "AA-8 13"),
        ((6,), "DT-2 6"),
        ((7,), "AR-6 7"),
        ((13,), "AA-6 13"),
    ),
    11: (((6,), "AR-1 7"),),
    12: (
        ((2,), "AA-1 13"),
        ((3, 5, 8, 9, 10, 11, 12), "AA-8 13"),
        ((6,), "AR-2 8"),
        ((7,), "AR-8 9 10"),
        ((13,), "AA-6 13"),
    ),
    13: (
        ((2,), "AA-1 13"),
        ((3, 5, 6, 8, 9, 12), "AA-8 13"),
        ((7, 11), "AR-3 1"),
        ((10,), "AR-10 12"),
        ((13,), "AA-6 13"),
    ),
    14: (((8, 12), "AR-4 13"), ((9,), "AR-9 11")),
    15: (((3, 5, *_ESTABLISHED), "AA-1 13"), ((4,), "AA-2 1")),
    16: (((2, 13), "AA-2 1"), ((3, 5, *_ESTABLISHED), "AA-3 1")),
    17: (((2,), "AA-5 1"), ((3, 4, 5, *_ESTABLISHED), "AA-4 1"), ((13,), "AR-5 1")),
    18: (((2, 13), "AA-2 1"),),
    19: (((2,), "AA-1 13"), ((3, 5, *_ESTABLISHED), "AA-8 13"), ((13,), "AA-7 13")),
}


def _parse_cell(text: str) -> Transition:
    action, *states = text.split()
    return Transition(Action(action), tuple(State(int(state)) for state in states))


TRANSITIONS: Mapping[tuple[State, Trigger], Transition] = MappingProxyType(
    {
        (State(state), Trigger(event)): _parse_cell(cell)
        for event, row in _ROWS.items()
        for states, cell in row
        for state in states
    }
)
"""PS3.8 Table 9-10: (state, event) -> (action, next state)."""

SENDING_STATES = frozenset(state for state, trigger in TRANSITIONS if trigger is Trigger.Evt9)
"""Where the local user may send data."""

RECEIVING_STATES = frozenset(
    state
    for (state, trigger), transition in TRANSITIONS.items()
    if trigger is Trigger.Evt10 and transition.action in (Action.DT_2, Action.AR_6)
)
"""Where data of the peer are indicated to the local user."""
