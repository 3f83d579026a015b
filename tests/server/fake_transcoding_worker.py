"""A converting process that does what the data set tells it to."""

import os
import signal
import time
from collections.abc import Iterator

from isocenter.server.transcoding_worker import main


class FakeConversion:
    """Turns "abc" into "ABC"; "hang", "die" and "eat" into trouble."""

    def __init__(self, data_set: memoryview, _source: str, _target: str, maximum: int) -> None:
        self._text = bytes(data_set)
        self.length = len(data_set)
        if self._text == b"eat":
            self._text = bytearray(1 << 40)
        if self._text == b"fail":
            raise RuntimeError("a bug, and a name that must not be told: Doe^Jane")

    def __iter__(self) -> Iterator[bytes]:
        if self._text == b"hang":
            time.sleep(3600)
        yield self._text[:1].upper()
        if self._text == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        yield self._text[1:].upper()


if __name__ == "__main__":
    main(FakeConversion)
