"""Figures of a running process, in Prometheus' text format, as a file for its node exporter.

A file needs no further listener, which would have to be guarded like the others. Each process of a
node writes its own; those of workers carry the worker's number in their name and as a label.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

WRITE_EVERY = 15.0
"""Seconds."""

log = structlog.get_logger(__name__)


class Figure(NamedTuple):
    """A figure at one moment; names ending in `_total` only ever grow."""

    name: str
    meaning: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class MetricsFile:
    """Writes what `figures` says, again and again."""

    def __init__(
        self, path: Path, worker: str | None, figures: Callable[[], Iterable[Figure]]
    ) -> None:
        self._path = path if worker is None else path.with_stem(f"{path.stem}-{worker}")
        self._common = () if worker is None else (("worker", worker),)
        self._figures = figures

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            figures = list(self._figures())
            try:
                await loop.run_in_executor(None, self.write, figures)
            except OSError as error:
                log.warning("the metrics could not be written", error=error.strerror)
            await asyncio.sleep(WRITE_EVERY)

    def write(self, figures: Iterable[Figure]) -> None:
        """Replace the file in one step, so that nobody reads half of it. Raises OSError."""
        from prometheus_client import CollectorRegistry, write_to_textfile

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(list(_families(figures, self._common))))
        write_to_textfile(str(self._path), registry)


class _Collected:
    """What the library asks for the figures."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _families(figures: Iterable[Figure], common: tuple[tuple[str, str], ...]) -> Iterable[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    for name, alike in by_name.items():
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        labels = [*(key for key, _ in common), *(key for key, _ in alike[0].labels)]
        family = kind(f"isocenter_{name}", alike[0].meaning, labels=labels)
        for figure in alike:
            values = [*(value for _, value in common), *(value for _, value in figure.labels)]
            family.add_metric(values, figure.value)
        yield family
