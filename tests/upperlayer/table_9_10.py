"""A copy of PS3.8 Table 9-10 in the table's own form, typed apart from the code."""

from collections.abc import Iterator

from isocenter.upperlayer.state_machine import State, Trigger

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


def _cells() -> Iterator[tuple[State, Trigger, str]]:
    for line in TABLE_9_10.strip().splitlines()[1:]:
        event, *cells = line.split()
        assert len(cells) == 13, event
        for state, cell in enumerate(cells, start=1):
            yield State(state), Trigger[event], cell


CELLS = list(_cells())
"""(state, event, cell) for all 13 x 19 cells, the empty ones too."""
