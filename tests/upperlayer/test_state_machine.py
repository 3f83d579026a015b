"""The transition data beside a second copy of PS3.8 Table 9-10, typed in the table's own form."""

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

# Rows are events, columns Sta1 to Sta13; "." is an empty cell. Next states follow the slash.
TABLE_9_10 = """
       1       2          3       4       5       6       7           8       9        10        11      12      13
Evt1   AE-1/4  .          .       .       .       .       .           .       .        .         .       .       .
Evt2   .       .          .       AE-2/5  .       .       .           .       .        .         .       .       .
Evt3   .       AA-1/13    AA-8/13 .       AE-3/6  AA-8/13 AA-8/13     AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-6/13
Evt4   .       AA-1/13    AA-8/13 .       AE-4/1  AA-8/13 AA-8/13     AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-6/13
Evt5   AE-5/2  .          .       .       .       .       .           .       .        .         .       .       .
Evt6   .       AE-6/3,13  AA-8/13 .       AA-8/13 AA-8/13 AA-8/13     AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-7/13
Evt7   .       .          AE-7/6  .       .       .       .           .       .        .         .       .       .
Evt8   .       .          AE-8/13 .       .       .       .           .       .        .         .       .       .
Evt9   .       .          .       .       .       DT-1/6  .           AR-7/8  .        .         .       .       .
Evt10  .       AA-1/13    AA-8/13 .       AA-8/13 DT-2/6  AR-6/7      AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-6/13
Evt11  .       .          .       .       .       AR-1/7  .           .       .        .         .       .       .
Evt12  .       AA-1/13    AA-8/13 .       AA-8/13 AR-2/8  AR-8/9,10   AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-6/13
Evt13  .       AA-1/13    AA-8/13 .       AA-8/13 AA-8/13 AR-3/1      AA-8/13 AA-8/13  AR-10/12  AR-3/1  AA-8/13 AA-6/13
Evt14  .       .          .       .       .       .       .           AR-4/13 AR-9/11  .         .       AR-4/13 .
Evt15  .       .          AA-1/13 AA-2/1  AA-1/13 AA-1/13 AA-1/13     AA-1/13 AA-1/13  AA-1/13   AA-1/13 AA-1/13 .
Evt16  .       AA-2/1     AA-3/1  .       AA-3/1  AA-3/1  AA-3/1      AA-3/1  AA-3/1   AA-3/1    AA-3/1  AA-3/1  AA-2/1
Evt17  .       AA-5/1     AA-4/1  AA-4/1  AA-4/1  AA-4/1  AA-4/1      AA-4/1  AA-4/1   AA-4/1    AA-4/1  AA-4/1  AR-5/1
Evt18  .       AA-2/1     .       .       .       .       .           .       .        .         .       .       AA-2/1
Evt19  .       AA-1/13    AA-8/13 .       AA-8/13 AA-8/13 AA-8/13     AA-8/13 AA-8/13  AA-8/13   AA-8/13 AA-8/13 AA-7/13
"""  # noqa: E501


def _cells():
    for line in TABLE_9_10.strip().splitlines()[1:]:
        event, *cells = line.split()
        assert len(cells) == 13, event
        for state, cell in enumerate(cells, start=1):
            yield State(state), Trigger[event], cell


@pytest.mark.parametrize(("state", "trigger", "cell"), list(_cells()))
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
    assert len(list(_cells())) == 19 * 13


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
    assert SENDING_STATES == {State.Sta6, State.Sta8}
    assert RECEIVING_STATES == {State.Sta6, State.Sta7}


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        TRANSITIONS[State.Sta1, Trigger.Evt1] = TRANSITIONS[State.Sta4, Trigger.Evt2]  # type: ignore[index]
