"""Commands on the audit trail of this machine's archive; a node may be running meanwhile.

Whoever reads the trail stands in it: that is noted before anything is shown.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import existing_archive_config

if TYPE_CHECKING:
    from isocenter.security.audit.chain import Draft
    from isocenter.security.audit.events import Event, Party
    from isocenter.security.audit.trail import AuditTrail
    from isocenter.server.config import Config


@contextmanager
def local_trail(config: str | None, data: str | None, what: str) -> Iterator[AuditTrail]:
    """The trail that a command line means, in which now stands `what` was asked of it.

    Raises CommandFailed, ConfigError, AuditUnusable and AuditUnavailable.
    """
    settings = existing_archive_config(config, data)
    from isocenter.archive.layout import AUDIT_FILE
    from isocenter.security.audit.kinds import audit_log_used

    path = settings.node.data_directory / AUDIT_FILE
    if not path.is_file():
        raise CommandFailed(
            f"{settings.node.data_directory} holds no audit trail; a node begins one when it "
            "starts, unless audit.enabled is false.",
            exit_codes.UNREADABLE_INPUT,
        )
    used = audit_log_used(this_person(), path.absolute().as_uri(), what, time.time())
    with opened_trail(settings) as trail:
        record(settings, trail, [used])
        yield trail


@contextmanager
def opened_trail(settings: Config) -> Iterator[AuditTrail]:
    """The trail of an archive, made where there is none. Raises AuditUnusable."""
    from isocenter.archive.layout import AUDIT_FILE
    from isocenter.security.audit.trail import AuditTrail

    with AuditTrail(settings.node.data_directory / AUDIT_FILE) as trail:
        yield trail


def record(settings: Config, trail: AuditTrail, events: list[Event]) -> None:
    """Add events to a trail, as the archive's node reports them. Raises AuditUnavailable."""
    from isocenter.security.audit import codes, kinds
    from isocenter.security.audit.chain import draft
    from isocenter.security.audit.codes import Outcome
    from isocenter.security.audit.messages import source_name
    from isocenter.server.audit import this_node

    here = this_node(settings)
    source = source_name(here.ae_titles, here.host)

    def broken(what: str) -> Draft:
        kind, outcome = codes.TRAIL_BROKEN, Outcome.MAJOR_FAILURE
        alert = kinds.security_alert(here, kind, what, time.time(), outcome=outcome)
        return draft(alert, source)

    trail.append([draft(event, source) for event in events], broken)


def this_person() -> Party:
    """Who runs the command: `login@machine` (PS3.15 A.5.2.1)."""
    from isocenter.security.audit.events import Party

    host = socket.gethostname()
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        login = str(os.getuid())
    return Party(user=f"{login}@{host}", host=host)
