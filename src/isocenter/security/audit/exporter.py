"""Sending the trail to a syslog server, from a cursor that survives restarts and outages.

The trail itself is the spool. The cursor moves on when what was sent has arrived as far as can be
known (`connection`); what had not when a connection broke is sent again, so that a message may
arrive twice, with the same sequenceId, but none is left out.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from isocenter.security.audit.connection import MakeContext, SyslogConnection, SyslogFailed
from isocenter.security.audit.lookup import Kept, messages_after
from isocenter.security.audit.syslog import frame, syslog_message
from isocenter.security.audit.target import Target
from isocenter.security.audit.trail import AuditTrail

SENT_TOGETHER = 100
POLL_SECONDS = 1.0
SETTLE_SECONDS = 5.0
"""How long a connection must live on before what it delivered counts as arrived."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

Sleep = Callable[[float], bool]
"""Waits so many seconds, or until the exporter shall end; says whether it shall."""


class Sender(NamedTuple):
    """How the node names itself to a syslog server (RFC 5424 6.2)."""

    host: str
    application: str
    process: str


class Exporter:
    """Sends a trail to one server until told to end. For one thread, of one process of a node.

    `tell` hears of trouble, as a sentence, when it begins, and of None when it has ended.
    """

    def __init__(
        self,
        trail: AuditTrail,
        target: Target,
        sender: Sender,
        make_context: MakeContext,
        sleep: Sleep,
        tell: Callable[[str | None], None],
        *,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._trail = trail
        self._target = target
        self._sender = sender
        self._make_context = make_context
        self._sleep = sleep
        self._tell = tell
        self._settle = settle
        self._failures = 0

    def run(self) -> None:
        """Until told to end. Raises AuditUnavailable where the trail cannot be read."""
        ending = False
        while True:
            cursor = self._trail.exported(str(self._target))
            if not messages_after(self._trail, cursor, 1):  # nobody is called for nothing
                if ending:
                    return
                ending = self._sleep(POLL_SECONDS)
                continue
            try:
                self._serve(cursor, ending)
                return
            except SyslogFailed as error:
                self._note_failure(str(error))
            if ending or self._sleep(self._pause()):
                return

    def _serve(self, cursor: int, ending: bool) -> None:
        """Send over one connection until told to end. Raises SyslogFailed."""
        with SyslogConnection(
            self._target.host, self._target.port, self._make_context
        ) as connection:
            unsettled: deque[tuple[float, int]] = deque()
            while True:
                messages = messages_after(self._trail, cursor, SENT_TOGETHER)
                if messages:
                    connection.send(b"".join(self._frame(one) for one in messages))
                    cursor = messages[-1].id
                    unsettled.append((time.monotonic(), cursor))
                if ending:  # this was what was written last
                    break
                ending = self._sleep(0.0 if len(messages) == SENT_TOGETHER else POLL_SECONDS)
                connection.check()
                self._note_arrived(connection, unsettled)
            if connection.finish() and unsettled:
                self._note(unsettled[-1][1])

    def _note_arrived(
        self, connection: SyslogConnection, unsettled: deque[tuple[float, int]]
    ) -> None:
        if not connection.delivered:
            return
        arrived = None
        while unsettled and unsettled[0][0] + self._settle <= time.monotonic():
            arrived = unsettled.popleft()[1]
        if arrived is not None:
            self._note(arrived)

    def _note(self, arrived: int) -> None:
        self._trail.note_export(str(self._target), arrived, time.time())
        if self._failures:
            self._failures = 0
            self._tell(None)

    def _note_failure(self, sentence: str) -> None:
        if not self._failures:
            self._tell(sentence)
        self._failures += 1
        self._trail.note_export(str(self._target), None, time.time(), sentence)

    def _pause(self) -> float:
        """Doubled with each failure; with jitter, so that nodes do not all come at once."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10))
        return float(longest * random.uniform(0.5, 1.0))

    def _frame(self, one: Kept) -> bytes:
        return frame(
            syslog_message(
                one.id,
                one.moment,
                one.xml,
                host=self._sender.host,
                application=self._sender.application,
                process=self._sender.process,
            )
        )
