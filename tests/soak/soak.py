"""Many clients at once, each doing one kind of work after the other, for a time or a count."""

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.soak.ward import Ward
from tests.soak.watch import Sample, Watch
from tests.soak.work import KINDS, Work

_TROUBLES_KEPT = 20
_WARM_UP_ROUNDS = 2

More = Callable[[int], bool]
"""Whether a client that has done so many rounds goes on."""


@dataclass
class Report:
    """What a soak came to. `before` and `after` are the node at rest, once it has been used."""

    watch: Watch
    done: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    trouble_count: int = 0
    seconds: float = 0.0
    before: Sample | None = None
    after: Sample | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def succeeded(self, work: Work) -> None:
        with self._lock:
            self.done[work.__name__] += 1

    def failed(self, work: Work, error: Exception) -> None:
        with self._lock:
            self.trouble_count += 1
            if len(self.troubles) < _TROUBLES_KEPT:
                lines = "".join(traceback.format_exception(error)[-2:])
                self.troubles.append(f"{work.__name__}: {lines}")

    def summary(self) -> str:
        """The figures as lines of text."""
        total = sum(self.done.values())
        lines = [
            f"{total} associations in {self.seconds:.0f} s ({total / self.seconds:.0f}/s), "
            f"{self.trouble_count} with trouble",
            ", ".join(f"{name} {count}" for name, count in sorted(self.done.items())),
            "memory by minute, MB: "
            + " ".join(f"{each / 1e6:.0f}" for each in self.watch.memory_by_minute()),
        ]
        for name, sample in (("before", self.before), ("after", self.after)):
            if sample is not None:
                lines.append(
                    f"at rest {name}: {sample.memory / 1e6:.0f} MB, "
                    f"{sample.descriptors} descriptors, {sample.threads} threads"
                )
        return "\n".join([*lines, *self.troubles])


def soak(
    ward: Ward,
    watch: Watch,
    *,
    clients: int,
    seconds: float | None = None,
    rounds: int | None = None,
    quiet: float = 1.0,
    seed: int = 0,
) -> Report:
    """Runs `clients` at once until the time, or each one's rounds, are over.

    Every client holds one association nearly all the time, so that is how many the node serves at
    once. They all work a little before the node is looked at for the first time: what it makes on
    first use (threads, connections to its index) is not a leak. It is at rest when it has given
    nothing back for `quiet` seconds.
    """
    report = Report(watch)
    for work, _ in KINDS:
        _do(work, ward, Random(seed), report)
    _run(ward, report, clients, seed, lambda done: done < _WARM_UP_ROUNDS)
    report.before = watch.settled(quiet)
    begun = time.monotonic()
    with watch:
        _run(ward, report, clients, seed + clients, _until(seconds, rounds))
    report.seconds = time.monotonic() - begun
    report.after = watch.settled(quiet)
    return report


def _until(seconds: float | None, rounds: int | None) -> More:
    end = None if seconds is None else time.monotonic() + seconds
    return lambda done: (
        (end is None or time.monotonic() < end) and (rounds is None or done < rounds)
    )


def _run(ward: Ward, report: Report, clients: int, seed: int, more: More) -> None:
    threads = [
        threading.Thread(target=_client, args=(ward, Random(seed + number), report, more))
        for number in range(1, clients + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _client(ward: Ward, random: Random, report: Report, more: More) -> None:
    works, weights = zip(*KINDS, strict=True)
    done = 0
    while more(done):
        (work,) = random.choices(works, weights)
        _do(work, ward, random, report)
        done += 1


def _do(work: Work, ward: Ward, random: Random, report: Report) -> None:
    try:
        work(ward, random)
    except Exception as error:  # whatever goes wrong is what a soak is for
        report.failed(work, error)
    else:
        report.succeeded(work)
