"""What a harness is, and what every execution of one is held to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import thread_time

SECONDS_PER_EXECUTION = 1.0
"""CPU time; the clock on the wall would accuse a busy machine."""

GROWTH = 64 * 1024 * 1024
"""Bytes by which a process may grow after its first executions, which fill caches."""

_WARM_UP = 1 << 16  # executions
_LOOK_EVERY = 1 << 14  # executions
_LONGEST_ERROR = 1_000  # characters

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Unacceptable(AssertionError):
    """An execution that took too long or too much, or an error that says what it must not."""


@dataclass(frozen=True)
class Target:
    """One harness.

    `about` says in a few words what is fed to what, for the table of results. `one_input` takes
    an input of any bytes; whatever it raises is a finding. `seeds` are inputs to begin with;
    `words` are byte strings that mutation puts into inputs. No input is longer than `longest`.
    Of the executions of a run it gets `share` parts: those that are fast get more.
    """

    about: str
    one_input: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    longest: int = 4096
    share: int = 1


def target_names() -> list[str]:
    """The names of all harnesses: those of the files in `targets`."""
    files = Path(__file__).with_name("targets").glob("*.py")
    return sorted(file.stem for file in files if file.stem != "__init__")


def load_target(name: str) -> Target:
    """The harness of this name."""
    target: Target = import_module(f"fuzz.targets.{name}").TARGET
    return target


def check_error(error: Exception) -> None:
    """What a refusal says may go to a log: one line, and not as long as the peer likes."""
    text = str(error)
    if len(text) > _LONGEST_ERROR:
        raise Unacceptable(f"an error's text has {len(text)} characters") from error
    if not text.isprintable():
        raise Unacceptable("an error's text holds control characters of the input") from error


class Guard:
    """A harness that is watched: time of each execution, memory now and then."""

    def __init__(self, target: Target) -> None:
        self._one_input = target.one_input
        self._executions = 0
        self._warm_bytes = 0

    def __call__(self, data: bytes) -> None:
        """One execution. Raises what the harness raises, and Unacceptable."""
        began = thread_time()
        self._one_input(data)
        if (seconds := thread_time() - began) > SECONDS_PER_EXECUTION:
            raise Unacceptable(f"an execution took {seconds:.1f} s")
        self._executions += 1
        if self._executions % _LOOK_EVERY == 0:
            self._check_memory()

    def _check_memory(self) -> None:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
        if self._executions <= _WARM_UP:
            self._warm_bytes = resident
        elif resident > self._warm_bytes + GROWTH:
            raise Unacceptable(
                f"memory grew from {self._warm_bytes >> 20} to {resident >> 20} MiB "
                f"within {self._executions} executions"
            )
