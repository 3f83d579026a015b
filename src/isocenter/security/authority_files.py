"""The TLS folder of a node: its files, and how they are written so that nobody reads half of one.

```
tls/            0700
  ca.pem ca.key         the local CA; the key 0600
  node.pem node.key     this node's certificate with the CAs between, and its key, 0600
  trusted.pem           whom this node trusts: the local CA, and what was added
  revoked.pem           revocation lists: the local CA's, and what was added
  issued.json           what the local CA has issued and revoked
  request.key           the key of a request to another CA, until its certificate is installed
```
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from isocenter.errors import IsocenterError

PRIVATE, PUBLIC = 0o600, 0o644
MAXIMUM_INDEX = 64 * 1024 * 1024


class AuthorityFolderProblem(IsocenterError):
    """The TLS folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """The paths below a TLS folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate of the local CA."""
        return self.folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Its key."""
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        """This node's certificate, with its chain."""
        return self.folder / "node.pem"

    @property
    def key(self) -> Path:
        """Its key."""
        return self.folder / "node.key"

    @property
    def trusted(self) -> Path:
        """The CAs that this node trusts."""
        return self.folder / "trusted.pem"

    @property
    def revoked(self) -> Path:
        """Revocation lists."""
        return self.folder / "revoked.pem"

    @property
    def index(self) -> Path:
        """What the local CA has issued."""
        return self.folder / "issued.json"

    @property
    def request_key(self) -> Path:
        """The key of a request that another CA has not answered yet."""
        return self.folder / "request.key"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder if it is not there; of two processes one works in it at a time."""
        self._make()
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Write a file in one step, durably; it belongs to whom the folder belongs to."""
        write_whole(path, data, mode, like=self.folder)

    def _make(self) -> None:
        if self.folder.is_dir():
            return
        self.folder.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
            _give(self.folder, self.folder.parent)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate of the local CA; moments are ISO 8601, the serial number hexadecimal."""

    serial: str
    name: str
    names: tuple[str, ...]
    sha256: str
    issued_at: str
    ends_at: str
    revoked_at: str | None = None


def read_index(files: AuthorityFiles) -> list[Issued]:
    """What the local CA has issued, the oldest first. Raises AuthorityFolderProblem."""
    try:
        with files.index.open("rb") as stream:
            said = json.loads(stream.read(MAXIMUM_INDEX))
        return [Issued(**{**one, "names": tuple(one["names"])}) for one in said["issued"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuthorityFolderProblem(
            f"{files.index} cannot be read: bring it back from a backup, or move the folder away "
            "and make a new CA with isocenter tls init."
        ) from error


def write_index(files: AuthorityFiles, issued: list[Issued]) -> None:
    """Keep what the local CA has issued. Raises OSError."""
    text = json.dumps({"issued": [asdict(one) for one in issued]}, indent=1)
    files.write(files.index, text.encode() + b"\n", PRIVATE)


def write_whole(path: Path, data: bytes, mode: int, *, like: Path | None = None) -> None:
    """Write a file so that a reader finds all of it or what was there before. Raises OSError.

    It is never readable by more than `mode` says, not even for a moment. Root gives it to the owner
    of `like`: the node may run as somebody else.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if like is not None:
            _give(Path(temporary), like)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    _sync(path.parent)


def _give(path: Path, like: Path) -> None:
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
