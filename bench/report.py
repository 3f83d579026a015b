"""The figures in print: medians, spreads and ratios, as a terminal's text and as Markdown."""

import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Case, Run
from bench.servers import BASELINE, SERVERS, versions

_TITLES = {server.key: server.title for server in SERVERS}
_SENDERS = {
    "reference": "reference sender",
    "storescu": "DCMTK `storescu`, defaults (Nagle on)",
    "storescu-nodelay": "DCMTK `storescu`, `TCP_NODELAY=1`",
}

# The ratios that the project has set itself: who against whom, in what, for which objects.
_RATIOS = (
    ("isocenter-os", "dcmtk-best"),
    ("isocenter-os", "dcmtk"),
    ("isocenter-os", "pynetdicom"),
    ("isocenter-os", "orthanc-off"),
    ("isocenter-os-2", "dcmtk-best"),
    ("isocenter-group", "dcmtk-best"),
    ("isocenter-group", "orthanc-on"),
    ("isocenter-group", "isocenter-os"),
    ("isocenter-group-2", "orthanc-on"),
    ("isocenter-tls", "isocenter-os"),
    ("isocenter-tls", "dcmtk-tls"),
    ("dcmtk-tls", "dcmtk-best"),
    ("isocenter-guarded", "isocenter-unguarded"),
)


@dataclass(frozen=True)
class Median:
    """The medians of one server's runs of one case."""

    server: str
    case: Case
    rate: float
    slowest: float
    fastest: float
    megabytes: float
    cpu_ms: float
    peak_memory: float
    latency_p99: float | None
    failed: int


def medians(runs: Iterable[Run]) -> dict[tuple[Case, str], Median]:
    """One `Median` for each case and server, in the order of the first run."""
    groups: dict[tuple[Case, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.case, run.server), []).append(run)
    return {key: _median(group) for key, group in groups.items()}


def _median(runs: Sequence[Run]) -> Median:
    rates = [run.rate for run in runs]
    latencies = [run.latency_p99 for run in runs if run.latency_p99 is not None]
    return Median(
        runs[0].server,
        runs[0].case,
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(run.megabytes for run in runs),
        statistics.median(run.cpu_ms for run in runs),
        statistics.median(run.peak_memory for run in runs),
        statistics.median(latencies) if latencies else None,
        sum(run.failed for run in runs),
    )


def tables(runs: Sequence[Run], descriptions: dict[str, str]) -> str:
    """Everything in Markdown: a table for each kind of object and sender, then the ratios."""
    found = medians(runs)
    cases = sorted({case for case, _ in found}, key=lambda c: (c.objects, c.sender, c.associations))
    parts = []
    for objects, sender in dict.fromkeys((case.objects, case.sender) for case in cases):
        parts.append(f"### {descriptions[objects]}; {_SENDERS[sender]}\n")
        chosen = [case for case in cases if (case.objects, case.sender) == (objects, sender)]
        parts.append(_table(found, chosen))
    ratios = _ratio_table(found, cases)
    if ratios:
        parts += ["### Ratios of instances/s (in brackets: of server CPU per instance)\n", ratios]
    return "\n".join(parts)


def _table(found: dict[tuple[Case, str], Median], cases: Sequence[Case]) -> str:
    head = ["server", "assoc.", "instances/s", "(min-max)", "MB/s", "CPU ms/inst.", "peak MB"]
    head += ["p99 ms", f"x {_TITLES[BASELINE]}"]
    rows = []
    for server in dict.fromkeys(key for case, key in found if case in cases):
        for case in cases:
            median = found.get((case, server))
            if median:
                rows.append(_row(median, found.get((case, BASELINE))))
    return markdown(head, rows)


def _row(median: Median, baseline: Median | None) -> list[str]:
    p99 = "" if median.latency_p99 is None else f"{median.latency_p99 * 1e3:.1f}"
    return [
        _TITLES[median.server] + (f" ({median.failed} failed)" if median.failed else ""),
        str(median.case.associations),
        f"{median.rate:,.0f}",
        f"{median.slowest:,.0f}-{median.fastest:,.0f}",
        f"{median.megabytes:,.0f}",
        f"{median.cpu_ms:.2f}",
        f"{median.peak_memory / 1e6:.0f}",
        p99,
        _ratio(median.rate, baseline.rate if baseline else 0),
    ]


def _ratio_table(found: dict[tuple[Case, str], Median], cases: Sequence[Case]) -> str:
    head = ["ratio"] + [f"{case.objects}, {case.sender}, {case.associations}" for case in cases]
    rows = []
    for ours, theirs in _RATIOS:
        pairs = [(found.get((case, ours)), found.get((case, theirs))) for case in cases]
        if not any(one and other for one, other in pairs):
            continue
        cells = [
            f"{_ratio(one.rate, other.rate)} ({_ratio(one.cpu_ms, other.cpu_ms)})"
            if one and other
            else ""
            for one, other in pairs
        ]
        rows.append([f"{_TITLES[ours]} / {_TITLES[theirs]}", *cells])
    return markdown(head, rows) if rows else ""


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other else ""


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "| " + " | ".join([first, *rest]) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), line(rule), *map(line, rows)]) + "\n"


def machine(folder: Path) -> dict[str, str]:
    """What the figures were measured on; no name of a machine or a person."""
    folder.mkdir(parents=True, exist_ok=True)
    model = next(_values("/proc/cpuinfo", "model name"), platform.processor())
    memory = int(next(_values("/proc/meminfo", "MemTotal"), "0 kB").split()[0])
    found = subprocess.run(
        ["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False
    )
    virtual = any("hypervisor" in flags.split() for flags in _values("/proc/cpuinfo", "flags"))
    return {
        "processor": f"{model.strip()}, {os.cpu_count()} cores{' (virtual)' if virtual else ''}",
        "memory": f"{memory / 2**20:.0f} GiB",
        "file system": found.stdout.strip(),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        **versions(),
    }


def _values(path: str, key: str) -> Iterable[str]:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            yield value.strip()
