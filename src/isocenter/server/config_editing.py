"""Changing the peers of a configuration file, and nothing else in it.

Comments, order and spelling of the rest stay as they are. What is written is checked first as a
start would check it, and replaces the file in one step, so that nobody ever reads half of it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.errors import IsocenterError
from isocenter.server.config_keys import PEERS
from isocenter.server.config_loading import check_text, read_text

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class CannotEdit(IsocenterError):
    """The file cannot be changed as was asked."""


class PeerExists(CannotEdit):
    """There is a peer of that name or AE title already."""


class NoSuchPeer(CannotEdit):
    """The file has no peer of that name."""


def add_peer(file: Path, name: str, values: Mapping[str, Any]) -> None:
    """Write a new table [peers.NAME] behind the others; the file is made where there is none.

    Raises PeerExists, ConfigError where the file or a value is not allowed, CannotEdit, OSError.
    """

    def add(document: TOMLDocument) -> None:
        import tomlkit

        _require_new(document.unwrap().get(PEERS, {}), name, values, file)
        if PEERS not in document:
            document[PEERS] = tomlkit.table(is_super_table=True)
        table = tomlkit.table()
        table.update(values)
        document[PEERS][name] = table

    _edit(file, add, lambda said: {**said, PEERS: {**said.get(PEERS, {}), name: dict(values)}})


def remove_peer(file: Path, name: str) -> None:
    """Take the table [peers.NAME] out. Raises NoSuchPeer, ConfigError, CannotEdit, OSError."""

    def remove(document: TOMLDocument) -> None:
        if name not in document.unwrap().get(PEERS, {}):
            raise NoSuchPeer(f"{file} has no peer {name!r}; `isocenter peer list` shows them.")
        del document[PEERS][name]

    def without(said: dict[str, Any]) -> dict[str, Any]:
        return {**said, PEERS: {n: peer for n, peer in said[PEERS].items() if n != name}}

    _edit(file, remove, without)


def _require_new(
    peers: Mapping[str, Any], name: str, values: Mapping[str, Any], file: Path
) -> None:
    if name in peers:
        raise PeerExists(
            f"{file} has a peer {name!r} already; remove it first, or change it there."
        )
    for other, peer in peers.items():
        if peer.get("ae_title") == values["ae_title"]:
            raise PeerExists(
                f"Peer {other!r} in {file} has the AE title {values['ae_title']} already, by which "
                "a C-MOVE names its destination; give each peer a title of its own."
            )


def _edit(
    file: Path,
    change: Callable[[TOMLDocument], None],
    expected: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Change a file's document; `expected` says what its values must be then."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = file.resolve()  # behind a link stands the file that is meant
    with _alone(file.parent):
        before = read_text(file) if file.exists() else ""
        check_text(before, file)
        document = tomlkit.parse(before)
        try:
            change(document)
            after = tomlkit.dumps(document)
            faithful = _bare(tomllib.loads(after)) == _bare(expected(tomllib.loads(before)))
        except (TOMLKitError, ValueError, TypeError) as error:
            raise _by_hand(file) from error
        if not faithful:  # a spelling of [peers] that no tool can take apart safely
            raise _by_hand(file)
        check_text(after, file)
        _replace(file, after)


def _by_hand(file: Path) -> CannotEdit:
    return CannotEdit(
        f"The peers in {file} are written in a way that cannot be edited safely; change the file "
        "by hand."
    )


def _bare(said: dict[str, Any]) -> dict[str, Any]:
    """Without an empty [peers], which says nothing."""
    return {key: value for key, value in said.items() if key != PEERS or value}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let two that edit at the same time do so one after the other."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(file: Path, text: str) -> None:
    before = file.stat() if file.exists() else None
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        if before is not None:  # root may be editing what the node reads as somebody else
            with suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        Path(temporary).chmod(before.st_mode & 0o777 if before is not None else 0o644)
        Path(temporary).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
