"""Deleting files that were sent, for `store --commit --delete`: only what is surely kept elsewhere.

A commitment is about an instance, not about a file: that the file is still what was sent, and that
the peer did not alter what it was sent, is looked at here.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isocenter.cli.console import plural
from isocenter.cli.file_problems import show_problems
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.encoding.files import StorableFile
    from isocenter.services.storage_commitment_scu import CommitmentOutcome
    from isocenter.services.storage_report import SendReport


class Facts(NamedTuple):
    """What changes when a file is written to, or another one takes its place."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def facts_of(files: Iterable[StorableFile]) -> dict[Path, Facts]:
    """The facts of files before they are sent; those of a link, not of what it leads to."""
    known: dict[Path, Facts] = {}
    for file in files:
        try:
            known[file.path] = _facts(file.path)
        except OSError:  # it is gone, and sending will say so
            continue
    return known


def delete_committed(
    report: SendReport, outcome: CommitmentOutcome, before: Mapping[Path, Facts]
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Remove the files whose instances are committed; return them, and what was not removed.

    `before` are the facts from before the sending. Of several files with one SOP Instance UID the
    peer keeps one only, perhaps one that it seemed to refuse, so none of them is removed.
    """
    from isocenter.services.storage_commitment import Reference

    paths_of: dict[str, set[Path]] = {}
    for result in (*report.accepted, *report.warned, *report.refused):
        paths_of.setdefault(result.file.sop_instance_uid, set()).add(result.file.path)
    altered = {result.file.path for result in report.warned}
    sent = {result.file.path: result.file for result in (*report.accepted, *report.warned)}
    deleted: list[Path] = []
    kept: list[tuple[Path, str]] = []
    for path, file in sent.items():
        verdict = outcome.verdicts.get(Reference(file.sop_class_uid, file.sop_instance_uid))
        if verdict is None or not verdict.committed:
            continue
        if len(paths_of[file.sop_instance_uid]) > 1:
            kept.append((path, "another file has the same SOP Instance UID"))
        elif path in altered:  # coerced, or elements left out (PS3.4 B.2.3)
            kept.append((path, "the peer stored it with a warning"))
        elif (trouble := _delete(path, before.get(path))) is not None:
            kept.append((path, trouble))
        else:
            deleted.append(path)
    return deleted, kept


def show_deleted(deleted: Sequence[Path], kept: Sequence[tuple[Path, str]]) -> None:
    """What was removed, and what was committed and yet not removed."""
    show_problems(kept, "Did not delete")
    say(f"Deleted {plural(len(deleted), 'committed file')}.", Verbosity.NORMAL)


def _delete(path: Path, before: Facts | None) -> str | None:
    """Remove a file; return why that was not done."""
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            return "it is a symbolic link"
        if _facts(path) != before:
            return "it has changed since it was sent"
        path.unlink()
    except OSError as error:
        return error.strerror or "it cannot be deleted"
    return None


def _facts(path: Path) -> Facts:
    status = path.lstat()
    return Facts(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )
