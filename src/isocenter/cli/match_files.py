"""Matches as files, as `findscu -X` writes them: rsp0001.dcm, rsp0002.dcm and so on (PS3.10 7)."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, encode_elements
from isocenter.encoding.part10 import FileMeta, encode_file_meta


class MatchFiles:
    """Writes matches of one SOP class to a folder, which is made if it is not there.

    Raises CommandFailed, UNWRITABLE_OUTPUT.
    """

    def __init__(self, folder: Path, sop_class_uid: str) -> None:
        self.folder = folder
        self._sop_class_uid = sop_class_uid
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error

    def write(self, number: int, match: Elements) -> Path:
        """One match as a file; `number` counts from 1. A match has no UID of its own: it gets one.

        Raises CommandFailed, and EncodingError for a match that no file can hold.
        """
        meta = FileMeta(
            sop_class_uid=self._sop_class_uid,
            sop_instance_uid=f"2.25.{uuid4().int}",
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN.uid,
        )
        content = encode_file_meta(meta) + encode_elements(match, EXPLICIT_VR_LITTLE_ENDIAN)
        path = self.folder / f"rsp{number:04}.dcm"
        try:
            path.write_bytes(content)
        except OSError as error:
            raise _unwritable(path, error) from error
        return path


def _unwritable(path: Path, error: OSError) -> CommandFailed:
    return CommandFailed(f"{path}: {error.strerror}", exit_codes.UNWRITABLE_OUTPUT)
