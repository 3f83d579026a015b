"""The one question that leaves something at the peer: an object is stored, where that is wished."""

from __future__ import annotations

from pathlib import Path

from isocenter.conformance.probe.calling import Caller
from isocenter.conformance.probe.findings import Findings
from isocenter.dictionary.uids import uid_name
from isocenter.encoding.files import RefusedFile, inspect_file
from isocenter.errors import IsocenterError
from isocenter.services.storage_report import SendOutcome
from isocenter.services.storage_scu import RetryPolicy, send_files


def store_one(caller: Caller, path: Path, findings: Findings) -> None:
    """Send one file as it is, and tell of the answer. Raises TimeIsUp."""
    file = inspect_file(path)
    if isinstance(file, RefusedFile):
        findings.fail("store-no-file", "The file cannot be sent.", file.reason)
        return
    caller.pace()
    caller.associations += 1
    caller.contexts += 1
    try:
        report = send_files(
            [file], caller.destination, preflight=False, retry=RetryPolicy(retries=0)
        )
    except IsocenterError as error:
        findings.fail("store-failed", "The object could not be sent.", str(error))
        return
    for result in (*report.accepted, *report.warned, *report.refused):
        what = f"{uid_name(file.sop_class_uid)} in {uid_name(file.transfer_syntax_uid)}"
        evidence = f"{result.status or 'no answer'} {result.reason}".strip()
        match result.outcome:
            case SendOutcome.ACCEPTED:
                findings.note("store-accepted", f"The peer stored {what}.", evidence)
            case SendOutcome.WARNED:
                findings.warn("store-warned", f"The peer stored {what} with a warning.", evidence)
            case _:
                findings.fail("store-refused", f"The peer did not store {what}.", evidence)
