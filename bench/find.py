"""`python -m bench.find`: C-FIND over the network by exact keys, in an archive of many studies.

Each server is filled over C-STORE with the same small studies of one instance each. Then it is
asked for one study at a time, over several associations that stay open, in turns with the other
servers; medians and ratios are printed. What a query costs in an index of a million studies is
measured by bench/index.py, without a network.
"""

import argparse
import gc
import multiprocessing as mp
import random
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bench import accounting, sender
from bench.servers import SERVERS, Running

_ROOT = Path(__file__).parent.parent
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_FILLERS = 4
_RETRIES = 400
_SAMPLE = 2000

_KEYS = {"uid": (0x0020, 0x000D), "patient": (0x0010, 0x0020), "accession": (0x0008, 0x0050)}
_RETURNED = (
    (0x0008, 0x0020),
    (0x0008, 0x0030),
    (0x0008, 0x0050),
    (0x0008, 0x1030),
    (0x0010, 0x0010),
    (0x0010, 0x0020),
    (0x0010, 0x0030),
    (0x0020, 0x000D),
)
_MODALITIES_IN_STUDY = (0x0008, 0x0061)


class Round(NamedTuple):
    """What one server did in one round."""

    per_second: float
    median: float
    p99: float
    cpu: float
    """Seconds of server CPU per query."""


def main() -> None:
    """Fills the servers that were named, queries them in turns, and prints medians and ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.find", description=__doc__)
    parser.add_argument("--servers", nargs="+", default=["isocenter-os", "orthanc-off"])
    parser.add_argument("--studies", type=int, default=100_000, help="(100000)")
    parser.add_argument("--associations", type=int, default=4, help="kept open (4)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round (4)")
    parser.add_argument("--rounds", type=int, default=5, help="of each server and key (5)")
    parser.add_argument("--keys", nargs="+", default=list(_KEYS), choices=list(_KEYS))
    parser.add_argument("--modalities", action="store_true", help="ask for ModalitiesInStudy too")
    arguments = parser.parse_args()
    named = [server for server in SERVERS if server.key in arguments.servers]
    with ExitStack() as stack:
        running = []
        for server in named:
            at_work = stack.enter_context(Running(server, _ROOT / ".make" / "find" / server.key))
            running.append(at_work)
            began = time.monotonic()
            _fill(at_work.port, arguments.studies)
            print(f"{server.title}: {arguments.studies} studies stored in"
                  f" {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        for key in arguments.keys:
            _compare(running, key, arguments)


def _compare(running: list[Running], key: str, arguments: argparse.Namespace) -> None:
    extra = (_MODALITIES_IN_STUDY,) if arguments.modalities else ()
    identifiers = _identifiers(key, arguments.studies, extra)
    rounds: dict[str, list[Round]] = {each.server.title: [] for each in running}
    for _ in range(arguments.rounds):
        for each in running:
            asked = _ask(each, identifiers, arguments.associations, arguments.seconds)
            rounds[each.server.title].append(asked)
    print(f"exact {key}, {arguments.associations} associations:")
    rates = {}
    for title, results in rounds.items():
        middle = Round(*(statistics.median(column) for column in zip(*results, strict=True)))
        rates[title] = middle.per_second
        print(
            f"  {title}: {middle.per_second:.0f} queries/s, median {middle.median * 1e3:.2f} ms,"
            f" p99 {middle.p99 * 1e3:.2f} ms, server CPU {middle.cpu * 1e3:.2f} ms per query"
        )
    first, *others = rates
    for other in others:
        print(f"  {first} / {other}: {rates[first] / rates[other]:.1f}", flush=True)


# Filling


def _fill(port: int, studies: int) -> None:
    fork = mp.get_context("fork")
    fillers = [
        fork.Process(target=_store, args=(port, range(part, studies, _FILLERS)))
        for part in range(_FILLERS)
    ]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
        if filler.exitcode:
            raise SystemExit("a server could not be filled")


def _store(port: int, numbers: range) -> None:
    where = (port, _SECONDARY_CAPTURE, "1.2.840.10008.1.2.1", "ANY-SCP")
    client = sender.Client(*where)
    for count, number in enumerate(numbers):
        uid, data_set = _instance(number)
        for _ in range(_RETRIES):
            status = client.store_data_set(_SECONDARY_CAPTURE, uid, count, data_set)
            if status & 0xFF00 != 0xA700:
                break
            time.sleep(0.25)  # out of resources: too many studies at once
        if status:
            raise ConnectionError(f"an instance was refused with status {status:04X}H")
    client.release()


def _study(number: int) -> dict[tuple[int, int], str]:
    return {
        _KEYS["uid"]: f"2.999.3.{number + 1}",
        _KEYS["patient"]: f"P{number:07d}",
        _KEYS["accession"]: f"A{number:07d}",
    }


def _instance(number: int) -> tuple[str, bytes]:
    """The SOP Instance UID and a data set of a few elements, in explicit VR little endian."""
    uid = f"2.999.3.{number + 1}.1.1"
    values = {
        (0x0008, 0x0016): ("UI", _SECONDARY_CAPTURE),
        (0x0008, 0x0018): ("UI", uid),
        (0x0008, 0x0020): ("DA", f"20{number % 20:02d}0{number % 9 + 1}1{number % 10}"),
        (0x0008, 0x0030): ("TM", f"{number % 24:02d}1512"),
        (0x0008, 0x0060): ("CS", "OT"),
        (0x0008, 0x1030): ("LO", "CT CHEST ABDOMEN PELVIS"),
        (0x0010, 0x0010): ("PN", f"NAME{number % 5000}^GIVEN{number % 77}"),
        (0x0010, 0x0030): ("DA", f"19{number % 100:02d}0101"),
        (0x0020, 0x000E): ("UI", f"2.999.3.{number + 1}.1"),
    }
    vrs = {_KEYS["uid"]: "UI", _KEYS["patient"]: "LO", _KEYS["accession"]: "SH"}
    values |= {tag: (vrs[tag], text) for tag, text in _study(number).items()}
    elements = []
    for (group, element), (vr, text) in sorted(values.items()):
        value = _padded(text, b"\0" if vr == "UI" else b" ")
        elements.append(struct.pack("<HH2sH", group, element, vr.encode(), len(value)) + value)
    return uid, b"".join(elements)


def _padded(text: str, padding: bytes) -> bytes:
    return text.encode("ascii") + padding * (len(text) % 2)


# Asking


def _identifiers(key: str, studies: int, extra: tuple[tuple[int, int], ...]) -> list[bytes]:
    """Study level identifiers in implicit VR little endian, each for another study."""
    chance = random.Random(20240131)
    tag = _KEYS[key]
    return [
        _identifier({tag: _study(chance.randrange(studies))[tag]}, (*_RETURNED, *extra))
        for _ in range(_SAMPLE)
    ]


def _identifier(asked: dict[tuple[int, int], str], returned: tuple[tuple[int, int], ...]) -> bytes:
    values = {(0x0008, 0x0052): "STUDY", **dict.fromkeys(returned, ""), **asked}
    parts = []
    for (group, element), text in sorted(values.items()):
        value = _padded(text, b"\0" if (group, element) == _KEYS["uid"] else b" ")
        parts.append(struct.pack("<HHI", group, element, len(value)) + value)
    return b"".join(parts)


def _ask(running: Running, identifiers: list[bytes], associations: int, seconds: float) -> Round:
    fork = mp.get_context("fork")
    pipes = []
    askers = []
    for number in range(associations):
        ours, theirs = fork.Pipe()
        arguments = (theirs, running.port, identifiers[number::associations], seconds)
        askers.append(fork.Process(target=_ask_until, args=arguments))
        askers[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    cpu = accounting.cpu_seconds(running.process.pid)
    for pipe in pipes:
        pipe.send(time.monotonic())
    latencies = sorted(latency for pipe in pipes for latency in pipe.recv())
    cpu = accounting.settled_cpu_seconds(running.process.pid) - cpu
    for asker in askers:
        asker.join()
    return Round(
        len(latencies) / seconds,
        statistics.median(latencies),
        latencies[len(latencies) * 99 // 100],
        cpu / len(latencies),
    )


def _ask_until(pipe: Connection, port: int, identifiers: list[bytes], seconds: float) -> None:
    gc.disable()
    client = sender.Client(port, _STUDY_ROOT_FIND, sender.IMPLICIT_VR_LITTLE_ENDIAN, "ANY-SCP")
    client.find(_STUDY_ROOT_FIND, identifiers[0])
    pipe.send("ready")
    end = pipe.recv() + seconds
    pipe.send(list(_latencies(client, identifiers, end)))
    client.release()


def _latencies(client: sender.Client, identifiers: list[bytes], end: float) -> Iterator[float]:
    then = time.monotonic()
    while True:
        for identifier in identifiers:
            if client.find(_STUDY_ROOT_FIND, identifier) != 1:
                raise SystemExit("a query by an exact key did not find one study")
            now = time.monotonic()
            if now > end:
                return
            yield now - then
            then = now


if __name__ == "__main__":
    main()
