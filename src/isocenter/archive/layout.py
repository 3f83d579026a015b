"""Where things lie below an archive's folder."""

from pathlib import Path

INDEX_FILE = "index.sqlite"
PACKS = "packs"
MARKERS = "open"
INCOMING = "incoming"
QUARANTINE = "quarantine"
LOCK_FILE = "archive.lock"
WORKFLOW_FILE = "workflow.sqlite"
ACCESS_FILE = "access.sqlite"
AUDIT_FILE = "audit.sqlite"
AUDIT_OVERFLOW = "audit.overflow"
TRASH = "trash"
TLS = "tls"


def make_archive_folder(folder: Path) -> None:
    """Make the folder where there is none: for its owner, and the group's eyes. Raises OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)


def is_open_to_all(folder: Path) -> bool:
    """Whether every user of this machine can look into the folder. Raises OSError."""
    return folder.stat().st_mode & 0o007 != 0
