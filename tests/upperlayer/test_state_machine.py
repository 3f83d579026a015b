"""The transition data cell by cell beside the second copy of PS3.8 Table 9-10."""

import pytest

from isocenter.upperlayer.machine import _ACTIONS
from isocenter.upperlayer.state_machine import (
    RECEIVING_STATES,
    SENDING_STATES,
    TRANSITIONS,
    Action,
    State,
    Trigger,
)
from tests.upperlayer.table_9_10 import CELLS


@pytest.mark.parametrize(("state", "trigger", "cell"), CELLS)
def test_each_cell_is_that_of_the_standard(state: State, trigger: Trigger, cell: str):
    transition = TRANSITIONS.get((state, trigger))
    if cell == ".":
        assert transition is None
        return
    action, _, next_states = cell.partition("/")
    assert transition is not None
    assert transition.action.value == action
    assert transition.next_states == tuple(State(int(number)) for number in next_states.split(","))


def test_both_copies_have_every_event_and_state():
    assert len(CELLS) == 19 * 13


def test_pynetdicom_reads_the_standard_the_same_way():
    fsm = pytest.importorskip("pynetdicom.fsm")
    theirs = {
        (State[state], Trigger[event]): action.replace("_", "-")
        for (event, state), action in fsm.TRANSITION_TABLE.items()
    }
    ours = {key: transition.action.value for key, transition in TRANSITIONS.items()}
    assert ours == theirs


def test_every_action_is_performed_by_the_machine():
    assert set(_ACTIONS) == set(Action)


def test_every_state_and_event_has_words():
    assert all(state.meaning for state in State)
    assert all(trigger.meaning for trigger in Trigger)


def test_data_flow_where_the_standard_lets_them():
    assert {State.Sta6, State.Sta8} == SENDING_STATES
    assert {State.Sta6, State.Sta7} == RECEIVING_STATES


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        TRANSITIONS[State.Sta1, Trigger.Evt1] = TRANSITIONS[State.Sta4, Trigger.Evt2]  # type: ignore[index]
