"""PS3.8: PDUs, the association state machine, and the drivers that move their bytes.

Read `state_machine` (Table 9-10 as data), then `machine` (its actions) and `association` (the
calls of a driver). `pdu`, `contexts`, `user_information` and `items` are the bytes; `framing` and
`sending` the two directions of data. Only `aio` and `blocking` know sockets and clocks; `memory`
joins two associations for tests.
"""
