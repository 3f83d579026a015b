"""Validation of what comes in: after the response, when a series is quiet, in a process of its own.

The way in knows nothing of it. Every few seconds this looks which series have new instances in the
index; one that had none since the last look is queued as a durable job. Instances are judged one
after the other by a process that is bounded in memory and time (`validation_worker`).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.arrivals import (
    Arrival,
    arrivals_since,
    instances_of_series,
    newest_instance,
)
from isocenter.archive.deletion.selection import MAXIMUM_UIDS, Target
from isocenter.archive.layout import INCOMING
from isocenter.archive.records import open_pack
from isocenter.archive.retrieve import StoredInstance
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.deletions import Deletions
from isocenter.archive.workflow.jobs import Backoff, Job, Jobs
from isocenter.archive.workflow.validations import (
    JOB_KIND,
    KindOfFinding,
    Series,
    Validations,
    Verdict,
    join_kinds,
)
from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.config_services import TranscodingSection
from isocenter.server.io_priority import lower_io_priority
from isocenter.server.jobs import JobRunner
from isocenter.server.transcoder import ConversionFailed, Transcoder
from isocenter.server.validation_worker import JUDGEMENT

WORKER = (sys.executable, "-m", "isocenter.server.validation_worker")

LOOK_EVERY = 15.0
"""Seconds between two looks at what has arrived; a series without news for so long is quiet."""

PATIENCE = 20
"""Looks after which a series that is never quiet is judged as far as it has come."""

BOUNDS = TranscodingSection(workers=1, time_limit=60.0, memory_limit=1 << 30)
"""One process, a minute and a gigabyte for an instance; pixels are mapped, not read."""

KEPT_FOR = 100 * 366 * 86400.0
"""Seconds for which a hidden instance can be restored: nobody asked for its end."""

log = structlog.get_logger(__name__)


class ValidationDesk:
    """Looks for quiet series, and is the handler of their jobs. For the loop's thread."""

    kind = JOB_KIND

    def __init__(
        self,
        config: Config,
        archive: Archive,
        workflow: Workflow,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._hides = config.storage.validation == "quarantine"
        self._archive = archive
        self._jobs = Jobs(workflow)
        self._validations = Validations(workflow, self._jobs)
        self._deletions = Deletions(workflow, self._jobs)
        self._process = Transcoder(archive.folder / INCOMING, BOUNDS, WORKER)
        self._look_every = look_every
        self.looks = 0
        """How often this has looked for what has arrived."""
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}  # last instance, looks
        self._stopping = False
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="validation", initializer=lower_io_priority
        )
        self._table = ThreadPoolExecutor(1, thread_name_prefix="validation-jobs")
        self._runner = JobRunner(self._jobs, self, self._table, Backoff())
        self._looking = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Leave what is not done to the next start."""
        self._stopping = True
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._process.close()
        await self._runner.stop()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)
        self._table.shutdown(cancel_futures=True)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                if await loop.run_in_executor(self._table, self._queue_quiet):
                    self._runner.wake()
                self.looks += 1
            except IsocenterError as error:
                log.warning("could not look for series to validate", error=error)
            except Exception:  # or nothing would be validated until the next start
                log.exception("looking for series to validate failed on an error of ours")
            await asyncio.sleep(self._look_every)

    def _queue_quiet(self) -> bool:
        """Queue the series that have become quiet; say whether there are any. On a thread."""
        index = self._archive.index
        newest = newest_instance(index)
        mark = self._validations.mark(newest)
        if newest == mark:
            return False
        quiet: list[Arrival] = []
        busy: list[Arrival] = []
        for arrival in arrivals_since(index, mark):
            key = arrival[:2]
            last, looks = self._seen.get(key, (-1, 0))
            if last == arrival.last or looks >= PATIENCE:
                quiet.append(arrival)
            else:
                busy.append(arrival)
                self._seen[key] = arrival.last, looks + 1
        if quiet:
            mark = min((arrival.first for arrival in busy), default=newest + 1) - 1
            self._validations.queue(quiet, mark)
            self._seen = {arrival[:2]: self._seen[arrival[:2]] for arrival in busy}
        return bool(quiet)

    async def run(self, job: Job) -> Callable[[], bool]:
        """Judge a series. Raises what reading the index or a pack raises."""
        loop = asyncio.get_running_loop()
        series = await loop.run_in_executor(self._table, self._validations.find, job.subject)
        if series is None:
            return lambda: False
        verdict, wrong = await loop.run_in_executor(self._thread, self._judge, series)
        if verdict.errors:
            log.info(
                "found errors in what was received",
                series=series.series_instance_uid,
                instances=verdict.instances,
                failed=verdict.erroneous,
            )
        return partial(self._note, job, series, verdict, wrong)

    def given_up(self, job: Job, error: str) -> bool:
        """A series is not judged."""
        return self._validations.given_up(job, error)

    def _note(self, job: Job, series: Series, verdict: Verdict, wrong: list[str]) -> bool:
        if not self._validations.note(job, series, verdict):
            return False
        for first in range(0, len(wrong) if self._hides else 0, MAXIMUM_UIDS):
            self._deletions.request(
                Target("IMAGE", tuple(wrong[first : first + MAXIMUM_UIDS])),
                role="validation",
                reason="Has errors; isocenter status --validation lists them.",
                who="storage.validation",
                keep_for=KEPT_FOR,
            )
        return True

    def _judge(self, series: Series) -> tuple[Verdict, list[str]]:
        """The verdict on the new instances of a series, and which have errors. On a thread."""
        kinds: list[KindOfFinding] = []
        severities = {"error": 0, "warning": 0, "note": 0}
        count, wrong = 0, []
        selection = instances_of_series(
            self._archive.index,
            series.study_instance_uid,
            series.series_instance_uid,
            series.judged,
            series.wanted,
        )
        for instance in selection:
            if self._stopping:
                raise ConversionFailed("The node stops")
            found = self._findings(instance)
            count += 1
            for finding in found:
                severities[finding.severity] += 1
            if any(finding.severity == "error" for finding in found):
                wrong.append(instance.sop_instance_uid)
            kinds = list(join_kinds([*kinds, *found]))
        errors, warnings, notes = (severities[level] for level in ("error", "warning", "note"))
        return Verdict(count, len(wrong), errors, warnings, notes, tuple(kinds)), wrong

    def _findings(self, instance: StoredInstance) -> list[KindOfFinding]:
        descriptor = open_pack(self._archive.packs.root, instance.pack)
        try:
            answer = self._process.convert(
                descriptor,
                instance.offset + instance.dataset_offset,
                instance.dataset_length,
                instance.transfer_syntax_uid,
                JUDGEMENT,
            )
        except ConversionFailed as error:
            if self._stopping:
                raise
            text = f"The instance could not be judged: {error}."
            return [KindOfFinding("not-judged", "note", "", text, "PS3.3", 1)]
        finally:
            with suppress(OSError):
                os.close(descriptor)
        try:
            rows = json.loads(answer.read(0, answer.dataset_length))
        finally:
            answer.close()
        return [
            KindOfFinding(check, severity, tag, text, reference, 1)
            for check, severity, tag, text, reference in rows
        ]
