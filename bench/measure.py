"""One measurement: a fresh server, a warm-up, a burst of instances, and what the burst cost."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import accounting, sender
from bench.servers import Running, Server
from bench.synth import Template
from bench.warm import touch_free_memory

_WARM_UP = 10  # instances, sent before the clock starts
_PROBES = 200  # files


@dataclass(frozen=True)
class Case:
    """What is sent, how, and over how many associations at once."""

    objects: str
    sender: str
    associations: int


@dataclass
class Run:
    """What one server did with one case."""

    server: str
    case: Case
    accepted: int
    failed: int
    seconds: float
    size: int
    server_cpu: float
    peak_memory: int
    sender_cpu: float | None = None
    latency_median: float | None = None
    latency_p99: float | None = None
    errors: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """Instances per second."""
        return self.accepted / self.seconds if self.accepted else 0.0

    @property
    def megabytes(self) -> float:
        """Megabytes (10**6) of data sets per second."""
        return self.rate * self.size / 1e6

    @property
    def cpu_ms(self) -> float:
        """Server CPU per instance, in milliseconds."""
        return self.server_cpu * 1e3 / max(1, self.accepted)


# How DCMTK's storescu is run: as it comes (Nagle's algorithm on), and without Nagle's algorithm.
STORESCU = {"storescu": {}, "storescu-nodelay": {"TCP_NODELAY": "1"}}


class Bench:
    """Measures servers in folders below `base`, with at most so many instances and seconds."""

    def __init__(
        self,
        base: Path,
        templates: dict[str, Template],
        counts: dict[str, int],
        *,
        seconds: float,
        churn: bool,
    ) -> None:
        self._base = base
        self._churn = churn
        self._templates = templates
        self._counts = counts
        self._seconds = seconds
        self._runs = 0

    def measure(self, server: Server, case: Case) -> Run:
        """Starts the server afresh, measures it with the case, and stops it."""
        template = self._templates[case.objects]
        self._runs += 1
        folder = self._base / "runs" / f"{self._runs:04d}-{server.key}"
        with Running(server, folder, delete=self._churn) as running:
            sender.warm_up(running.port, template, _WARM_UP, running.connect)
            root = running.process.pid
            touch_free_memory(self._counts[case.objects] * template.size)
            cpu = accounting.settled_cpu_seconds(root)
            peaks: list[int] = []
            burst = self._reference if case.sender == "reference" else self._storescu
            run = burst(running, case, lambda: peaks.append(accounting.peak_memory(root)))
            run.server_cpu = accounting.settled_cpu_seconds(root) - cpu
            run.peak_memory = max(peaks)
            return run

    def _reference(self, running: Running, case: Case, watch: Callable[[], None]) -> Run:
        template = self._templates[case.objects]
        seconds, results = sender.send_all(
            running.port,
            template,
            case.associations,
            count=self._counts[case.objects] // case.associations,
            seconds=self._seconds,
            watch=watch,
            connect=running.connect,
        )
        accepted = sum(sent.accepted for sent in results)
        latencies = sorted(latency for sent in results for latency in sent.latencies) or [0.0]
        return Run(
            running.server.key,
            case,
            accepted,
            sum(sent.refused for sent in results),
            seconds,
            template.size,
            0.0,
            0,
            sum(sent.cpu for sent in results) * 1e3 / max(1, accepted),
            latencies[len(latencies) // 2],
            latencies[len(latencies) * 99 // 100],
            tuple(sorted({sent.error for sent in results if sent.error})),
        )

    def _storescu(self, running: Running, case: Case, watch: Callable[[], None]) -> Run:
        server, port = running.server, running.port
        template = self._templates[case.objects]
        count = self._counts[case.sender] // (5 if server.slow else 1) // case.associations
        folders = [
            self._files(case.objects, association, count)
            for association in range(case.associations)
        ]
        began = time.monotonic()
        senders = [_start_storescu(port, folder, STORESCU[case.sender]) for folder in folders]
        for process in senders:
            process.wait()
        seconds = time.monotonic() - began
        watch()
        failed = sum(process.returncode != 0 for process in senders) * count
        accepted = count * case.associations - failed
        return Run(server.key, case, accepted, failed, seconds, template.size, 0.0, 0)

    def _files(self, objects: str, association: int, count: int) -> Path:
        folder = self._base / "files" / f"{objects}-{association}-{count}"
        if not folder.exists():
            self._templates[objects].write_files(folder, association, count)
        return folder

    def seconds_per_file(self) -> float:
        """What creating a file costs just now, where the servers will do it."""
        probe = self._base / "runs" / f"{self._runs:04d}-probe"
        probe.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        for number in range(_PROBES):
            (probe / f"{time.time_ns()}-{number}").touch()
        return (time.perf_counter() - began) / _PROBES

    def clean_up(self) -> None:
        """Removes everything that was written."""
        shutil.rmtree(self._base, ignore_errors=True)


def _start_storescu(port: int, folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["storescu", "+sd", "127.0.0.1", str(port), str(folder)],
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
