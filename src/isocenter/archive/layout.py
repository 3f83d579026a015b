"""Where things lie below an archive's folder."""

INDEX_FILE = "index.sqlite"
PACKS = "packs"
MARKERS = "open"
INCOMING = "incoming"
QUARANTINE = "quarantine"
LOCK_FILE = "archive.lock"
WORKFLOW_FILE = "workflow.sqlite"
