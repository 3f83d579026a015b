"""What `isocenter validate` reads: files, what is in folders, and studies of the local archive."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from isocenter.archive.retrieve import StoredInstance
    from isocenter.encoding.forms import Buffer

_MAPPED_FROM = 1 << 20  # bytes; below it reading costs less than mapping
_NO_OBJECTS = frozenset({".json", ".txt", ".md", ".html", ".htm", ".xml", ".py", ".exe", ".ini"})


class Input(NamedTuple):
    """Something to validate: its name for people, and its bytes for as long as they are needed."""

    name: str
    content: Callable[[], AbstractContextManager[Buffer]]


def find_inputs(subject: str, config: str | None, data: str | None) -> Iterator[Input]:
    """What a subject of the command line names. Raises CommandFailed for what does not exist."""
    path = Path(subject)
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = Path(folder, name)
                if file.suffix.lower() not in _NO_OBJECTS and file.is_file():
                    yield _file(file)
    elif path.exists():
        yield _file(path)
    elif subject.replace(".", "").isdecimal():
        yield from _study(subject, config, data)
    else:
        raise CommandFailed(
            f"{subject} is no file or folder, and no Study Instance UID.",
            exit_codes.UNREADABLE_INPUT,
        )


def _file(path: Path) -> Input:
    @contextmanager
    def content() -> Iterator[Buffer]:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _MAPPED_FROM:
                yield file.read()
                return
            # The mapping goes when its last view does: closing it here would find some left.
            yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    return Input(str(path), content)


def _study(uid: str, config: str | None, data: str | None) -> Iterator[Input]:
    from isocenter.archive.index.attributes import STUDY_INSTANCE_UID
    from isocenter.archive.layout import PACKS
    from isocenter.archive.retrieve import select_instances
    from isocenter.cli.local_archive import archive_config, readable_index
    from isocenter.security.access import ALL_STUDIES

    settings = archive_config(config, data)
    with readable_index(settings) as index:
        keys = {STUDY_INSTANCE_UID: uid}
        selection = select_instances(index, "STUDY", "STUDY", keys, scope=ALL_STUDIES)
        if not len(selection):
            raise CommandFailed(
                f"The archive in {settings.node.data_directory} holds no study {uid}.",
                exit_codes.NO_INPUT,
            )
        packs = settings.node.data_directory / PACKS
        for instance in selection:
            yield Input(instance.sop_instance_uid, partial(_in_pack, packs, instance))


@contextmanager
def _in_pack(packs: Path, instance: StoredInstance) -> Iterator[Buffer]:
    """The Part 10 file of a stored instance, mapped where it lies in its pack."""
    from isocenter.archive.records import open_pack

    before = instance.offset % mmap.ALLOCATIONGRANULARITY
    descriptor = open_pack(packs, instance.pack)
    try:
        pages = mmap.mmap(
            descriptor,
            before + instance.length,
            access=mmap.ACCESS_READ,
            offset=instance.offset - before,
        )
    finally:
        os.close(descriptor)
    yield memoryview(pages)[before:]
