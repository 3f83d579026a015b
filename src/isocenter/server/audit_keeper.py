"""What a node does for its audit trail as a whole, whatever the number of its processes.

It says in the trail that it started and stopped, sends messages to a syslog server, and removes
old ones. One process does it: the only one, or the supervisor.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from isocenter.archive.layout import AUDIT_FILE
from isocenter.errors import IsocenterError
from isocenter.security.audit import codes, kinds
from isocenter.security.audit.chain import Draft, draft
from isocenter.security.audit.codes import Outcome
from isocenter.security.audit.connection import MakeContext
from isocenter.security.audit.events import Event, Resource
from isocenter.security.audit.exporter import Exporter, Sender
from isocenter.security.audit.head import Head
from isocenter.security.audit.lookup import export_states
from isocenter.security.audit.messages import source_name
from isocenter.security.audit.target import parse_target
from isocenter.security.audit.trail import AuditTrail
from isocenter.server.audit import this_node
from isocenter.server.audit_recorder import AuditRecorder
from isocenter.server.config import Config
from isocenter.server.tls import tls_files

A_DAY = 86400.0
PRUNE_EVERY = 3600.0
WATCH_EVERY = 60.0
START_AGAIN = 30.0
"""Seconds until the export is tried again when the trail itself could not be read."""

log = structlog.get_logger(__name__)


@contextmanager
def audit_kept(config: Config, make_context: MakeContext | None = None) -> Iterator[None]:
    """Look after the trail of a node while it runs; `make_context` is for its syslog server."""
    if not config.audit.enabled:
        yield
        return
    keeper = AuditKeeper(config, make_context or default_context(config))
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class AuditKeeper:
    """See the module. Its threads end with `stop`."""

    def __init__(self, config: Config, make_context: MakeContext) -> None:
        self._config = config.audit
        self._path = config.node.data_directory / AUDIT_FILE
        self._here = this_node(config)
        self._source = source_name(self._here.ae_titles, self._here.host)
        self._target = parse_target(config.audit.syslog) if config.audit.syslog else None
        self._make_context = make_context
        self._trail = AuditTrail(self._path, required=False)
        self._recorder = AuditRecorder(self._path, self._here)
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Say that the node started, and begin."""
        self._say(started=True)
        duties = [self._look_after]
        if self._target is not None:
            duties.append(self._export)
        for duty in duties:
            thread = threading.Thread(target=duty, name="audit-keeper", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Say that the node stopped, and end."""
        self._say(started=False)
        self._recorder.close()
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self._trail.close()

    def _say(self, *, started: bool) -> None:
        event = kinds.application_activity(self._here, started=started, now=time.time())
        self._recorder.record(lambda: (event,))

    # On threads

    def _export(self) -> None:
        assert self._target is not None
        sender = Sender(self._here.host, "isocenter", str(self._here.process))
        exporter = Exporter(
            self._trail, self._target, sender, self._make_context, self._ending.wait, self._tell
        )
        while True:
            try:
                exporter.run()
                return
            except IsocenterError as error:
                log.error("the audit trail cannot be sent to syslog", error=error)
            except Exception:
                log.exception("the audit trail cannot be sent to syslog")
            if self._ending.wait(START_AGAIN):
                return

    def _tell(self, trouble: str | None) -> None:
        if trouble is None:
            log.info("the syslog server takes audit messages again")
        else:
            log.error("audit messages wait for the syslog server", why=trouble)

    def _look_after(self) -> None:
        pruned, behind = 0.0, False
        while True:
            try:
                if time.monotonic() - pruned >= PRUNE_EVERY or not pruned:
                    pruned = time.monotonic()
                    self._prune()
                behind = self._watch(behind)
            except IsocenterError as error:
                log.error("the audit trail cannot be looked after", error=error)
            except Exception:
                log.exception("the audit trail cannot be looked after")
            if self._ending.wait(WATCH_EVERY):
                return

    def _watch(self, behind: bool) -> bool:
        """Warn, once, when more messages wait than should."""
        states = {state.target: state.waiting for state in export_states(self._trail)}
        waiting = states.get(str(self._target), 0)
        if waiting > self._config.spool and not behind:
            log.warning("the syslog server falls behind", pending=waiting, limit=self._config.spool)
        return waiting > self._config.spool

    def _prune(self) -> None:
        if not self._config.keep_for:
            return
        through = None
        if self._target is not None:
            through = self._trail.exported_by_all([str(self._target)])
        count = self._trail.prune(
            time.time() - self._config.keep_for * A_DAY,
            through=through,
            announce=self._announce,
            alert=self._broken,
        )
        if count:
            log.info("removed old audit messages", count=count)

    def _announce(self, count: int, last: Head) -> Draft:
        text = f"Removed {count} messages by audit.keep_for, the last of them {last}"
        return self._draft(codes.MESSAGES_REMOVED, text, Outcome.SUCCESS)

    def _broken(self, what: str) -> Draft:
        log.error("the audit trail was changed from outside", why=what)
        return self._draft(codes.TRAIL_BROKEN, what, Outcome.MAJOR_FAILURE)

    def _draft(self, kind: codes.Code, text: str, outcome: Outcome) -> Draft:
        trail = Resource(self._path.absolute().as_uri(), kinds.TRAIL_NAME, text)
        event: Event = kinds.security_alert(
            self._here, kind, text, time.time(), resource=trail, outcome=outcome
        )
        return draft(event, self._source)


def default_context(config: Config) -> MakeContext:
    """The node's own TLS (PS3.15 A.6), with the authorities of [audit] where they are named."""

    def make() -> ssl.SSLContext:
        from isocenter.security.tls_contexts import client_context

        files = tls_files(config)
        if config.audit.syslog_trusted is not None:
            files = replace(files, trusted=(config.audit.syslog_trusted,))
        context = client_context(files)
        context.check_hostname = True
        return context

    return make
