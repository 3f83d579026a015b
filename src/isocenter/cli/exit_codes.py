"""What the exit codes of `isocenter` mean: DCMTK's groups, so that scripts carry over.

0 success, 1 the command line or configuration, 20-29 input files, 40-49 output and the archive,
60-69 the network and the peer's answers, 70 an association that broke off.
"""

from __future__ import annotations

SUCCESS = 0
SYNTAX = 1
UNREADABLE_INPUT = 20
NO_INPUT = 21
INVALID_INPUT = 22
NO_VALID_INPUT = 23
UNWRITABLE_OUTPUT = 40
DAMAGED_ARCHIVE = 45
NO_CONNECTION = 60
REJECTED = 61
FAILED_STATUS = 62
NO_PRESENTATION_CONTEXT = 66
ABORTED = 70
INTERNAL = 99
INTERRUPTED = 130

MEANINGS: dict[int, str] = {
    SUCCESS: "success",
    SYNTAX: "wrong command line or configuration",
    UNREADABLE_INPUT: "an input file cannot be read",
    NO_INPUT: "no input files",
    INVALID_INPUT: "some input files are not DICOM, were skipped, or have errors",
    NO_VALID_INPUT: "no input file is usable",
    UNWRITABLE_OUTPUT: "output or data folder cannot be written",
    DAMAGED_ARCHIVE: "the archive is damaged",
    NO_CONNECTION: "no connection, or no answer in time",
    REJECTED: "association rejected",
    FAILED_STATUS: "the peer answered with a failure status",
    NO_PRESENTATION_CONTEXT: "no presentation context accepted",
    ABORTED: "association aborted",
    INTERNAL: "a fault in isocenter itself",
    INTERRUPTED: "interrupted by Ctrl-C",
}


def explanation() -> str:
    """The codes as the last paragraph of `isocenter --help`."""
    rows = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
    return f"\b\nExit codes:\n{rows}"
