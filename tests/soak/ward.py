"""What the clients of a soak share: the node, and which studies it has acknowledged."""

import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from isocenter.dimse.messages import CStoreRQ
from isocenter.services.association import Destination
from isocenter.services.retrieve_scu import Arriving
from isocenter.upperlayer.contexts import AcceptedContext
from tests.server.support_instances import Instance, instance

INSTANCES_PER_STUDY = 6
_KNOWN_STUDIES = 200  # of which clients remember that they are complete


@dataclass(frozen=True)
class Study:
    """A study that was stored and acknowledged; its instances follow from its UID."""

    uid: str
    pixels: int

    def instances(self) -> list[Instance]:
        """What it consists of, made anew each time: nothing is kept in the clients' memory."""
        return [
            instance(f"{self.uid}.{number}", study=self.uid, pixels=self.pixels)
            for number in range(1, INSTANCES_PER_STUDY + 1)
        ]


@dataclass
class Ward:
    """What all clients of a soak share."""

    destination: Destination
    move_destination: str
    folder: Path
    maximum_studies: int | None = None
    studies: deque[Study] = field(default_factory=lambda: deque(maxlen=_KNOWN_STUDIES))
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_number(self) -> int:
        """1, 2, 3... whoever asks."""
        with self._lock:
            self._number += 1
            return self._number

    def some_study(self, random: Random) -> Study:
        """One that is complete. Raises IndexError before the first was stored."""
        return random.choice(self.studies)


class Collector:
    """A Receiver that keeps data sets in memory, for as long as one retrieve lasts."""

    def __init__(self) -> None:
        self.received: dict[str, bytes] = {}

    def begin(self, request: CStoreRQ, context: AcceptedContext) -> Arriving:
        return _Collected(self, request.affected_sop_instance_uid)


class _Collected:
    def __init__(self, collector: Collector, uid: str) -> None:
        self._collector = collector
        self._uid = uid
        self._data = bytearray()

    def write(self, fragment: memoryview) -> None:
        self._data += fragment

    def finish(self) -> int:
        self._collector.received[self._uid] = bytes(self._data)
        return 0x0000

    def abort(self) -> None:
        """Nothing is kept."""
