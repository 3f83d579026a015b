"""What `Connection.store` takes: files, folders and pydicom data sets, as files to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.client.errors import InputError
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.files import RefusedFile, StorableFile, collect_files, inspect_file

if TYPE_CHECKING:
    from pydicom import Dataset


def storable_files(
    items: Sequence[str | PathLike[str] | Dataset], folder: Path
) -> Iterator[StorableFile]:
    """The files to send for these items; data sets are written to `folder` first.

    What is no DICOM object is passed over inside of folders. Raises InputError for a file that is
    named itself and cannot be sent, and for a data set that cannot be written.
    """
    for number, item in enumerate(items):
        if isinstance(item, str | PathLike):
            yield from _named(Path(item))
        else:
            yield _written(item, folder / f"{number}.dcm")


def _named(path: Path) -> Iterator[StorableFile]:
    for found in collect_files([path]):
        if isinstance(found, StorableFile):
            yield found
        elif found.path == path:
            raise InputError(f"{path} cannot be sent: {found.reason}.")


def _written(data_set: Dataset, path: Path) -> StorableFile:
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    from isocenter.services.data_sets import quiet_pydicom

    if not isinstance(data_set, Dataset):
        kind = type(data_set).__name__
        raise InputError(f"A {kind} cannot be sent; give paths and pydicom data sets.")
    meta = FileMetaDataset()
    meta.update(getattr(data_set, "file_meta", None) or {})
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = UID(EXPLICIT_VR_LITTLE_ENDIAN.uid)
    outgoing = Dataset()
    outgoing.update(data_set)
    outgoing.file_meta = meta
    with quiet_pydicom():
        try:
            dcmwrite(path, outgoing, enforce_file_format=True)
        except Exception as error:  # pydicom raises whatever its converters happen to raise
            raise InputError(f"A data set cannot be written: {error}.") from error
    found = inspect_file(path)
    if isinstance(found, RefusedFile):
        raise InputError(f"A data set cannot be sent: {found.reason}.")
    return found
