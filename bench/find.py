"""`python -m bench.find`: C-FIND over the network, at study level, in an archive of few studies.

What a query costs in an index of a million studies is measured by bench/index.py, without a
network; this is about the way from the request to the response.
"""

import argparse
import statistics
import struct
import time
from pathlib import Path

from bench import accounting, sender
from bench.servers import SERVERS, Running
from bench.synth import make_template

_ROOT = Path(__file__).parent.parent
_STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def main() -> None:
    """Fills each server that was named with studies, queries it, and prints the latencies."""
    parser = argparse.ArgumentParser(prog="python -m bench.find", description=__doc__)
    parser.add_argument("--servers", nargs="+", default=["isocenter-os"])
    parser.add_argument("--studies", type=int, default=500, help="one small image each (500)")
    parser.add_argument("--queries", type=int, default=1000, help="of each kind (1000)")
    arguments = parser.parse_args()
    for server in SERVERS:
        if server.key in arguments.servers:
            with Running(server, _ROOT / ".make" / "find") as running:
                _fill(running.port, arguments.studies)
                _measure(running, "exact UID", _identifier("2.999.3.150"), arguments.queries)
                _measure(running, "every study", _identifier(""), arguments.queries // 50)


def _fill(port: int, studies: int) -> None:
    client = sender.StoreClient(port, make_template("small", 64))
    for study in range(min(studies, 899)):
        client.store(study, 0)
    client.release()


def _measure(running: Running, title: str, identifier: bytes, queries: int) -> None:
    where = (running.port, _STUDY_ROOT_FIND, sender.IMPLICIT_VR_LITTLE_ENDIAN, "ANY-SCP")
    client = sender.Client(*where)
    client.find(_STUDY_ROOT_FIND, identifier)
    cpu = accounting.cpu_seconds(running.process.pid)
    latencies = []
    for _ in range(queries):
        began = time.perf_counter()
        matches = client.find(_STUDY_ROOT_FIND, identifier)
        latencies.append(time.perf_counter() - began)
    cpu = accounting.settled_cpu_seconds(running.process.pid) - cpu
    client.release()
    latencies.sort()
    print(
        f"{running.server.title}: {title}, {matches} matches: median"
        f" {statistics.median(latencies) * 1e3:.2f} ms, p99"
        f" {latencies[len(latencies) * 99 // 100] * 1e3:.2f} ms,"
        f" server CPU {cpu / queries * 1e3:.2f} ms per query"
    )


def _identifier(study_instance_uid: str) -> bytes:
    """A study level identifier in implicit VR little endian: the usual keys of a work list."""
    uid = study_instance_uid.encode("ascii") + b"\0" * (len(study_instance_uid) % 2)
    elements = [
        (0x0008, 0x0020, b""),
        (0x0008, 0x0050, b""),
        (0x0008, 0x0052, b"STUDY "),
        (0x0008, 0x0061, b""),
        (0x0008, 0x1030, b""),
        (0x0010, 0x0010, b""),
        (0x0010, 0x0020, b""),
        (0x0020, 0x000D, uid),
    ]
    return b"".join(struct.pack("<HHI", g, e, len(value)) + value for g, e, value in elements)


if __name__ == "__main__":
    main()
