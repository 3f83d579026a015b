"""One harness under atheris, from outside: started, listened to, and told about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from fuzz.corpus import write_corpus, write_words
from fuzz.target import Target

PEAK_MIB = 640
"""Memory of a process at any moment; libFuzzer looks at the peak."""

HANG_SECONDS = 60
"""On the clock: an execution without end. What only takes long is for `Guard` to see."""

_LAST_LINES = 60
_STATUS = re.compile(r"^#(\d+)\s.* cov: (\d+) .*?rss: (\d+)Mb")
_EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)")
_SAVED = re.compile(r"Test unit written to (\S+)")
_RAISED = re.compile(r"^\s*=== Uncaught Python exception: ===")
_OVER = re.compile(r"^==\d+== ")


@dataclass(frozen=True)
class Result:
    """What came of a session: `seconds` of CPU time, `coverage` in branches that were reached."""

    name: str
    about: str
    executions: int
    seconds: float
    coverage: int
    peak_mib: int
    finding: str = ""
    """What went wrong, in a line; empty where nothing did."""
    saved: Path | None = None
    """The input that shows it."""
    log: tuple[str, ...] = ()


def run_session(
    name: str, target: Target, folder: Path, executions: int | None, seconds: int | None
) -> Result:
    """Fuzz one harness until a limit is reached or something is found.

    `folder` keeps its corpus and the inputs of its findings. `executions` None is no limit, and
    so is `seconds` None.
    """
    corpus, findings, words = folder / "corpus", folder / "findings", folder / "words"
    findings.mkdir(parents=True, exist_ok=True)
    write_corpus(target, corpus)
    write_words(target, words)
    options = [
        f"-max_len={target.longest}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={PEAK_MIB}",
        f"-artifact_prefix={findings}/",
        *([f"-dict={words}"] if target.words else []),  # libFuzzer refuses one without words
        f"-runs={-1 if executions is None else executions}",
        f"-max_total_time={seconds or 0}",
        "-print_final_stats=1",
        f"-report_slow_units={HANG_SECONDS}",
        str(corpus),
    ]
    command = [sys.executable, "-m", "fuzz.process", name, *options]
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    done, coverage, peak = 0, 0, 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if status := _STATUS.match(line):
                done, coverage, peak = int(status[1]), int(status[2]), max(peak, int(status[3]))
            elif executed := _EXECUTED.match(line):
                done = int(executed[1])
            else:
                lines.append(line.rstrip())
        _, status_of_exit, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status_of_exit)
    failed = process.returncode != 0
    return Result(
        name,
        target.about,
        done,
        usage.ru_utime + usage.ru_stime,
        coverage,
        peak,
        _finding(lines) if failed else "",
        _saved(lines) if failed else None,
        tuple(_traceback(lines)) if failed else (),
    )


def _finding(lines: deque[str]) -> str:
    """The exception's own line, or libFuzzer's summary where there was none."""
    last = list(lines)
    for number, line in enumerate(last[:-1]):
        if _RAISED.match(line):
            return last[number + 1].strip()
    summaries = [line for line in last if line.startswith(("SUMMARY:", "==")) and "ERROR" in line]
    return summaries[0] if summaries else next(reversed(last), "the process ended")


def _traceback(lines: deque[str]) -> list[str]:
    """What Python said of an exception; everything that was said where there was none."""
    last = list(lines)
    begins = next((n for n, line in enumerate(last) if _RAISED.match(line)), None)
    if begins is None:
        return last
    ends = next((n for n in range(begins, len(last)) if _OVER.match(last[n])), len(last))
    return last[begins + 1 : ends]


def _saved(lines: deque[str]) -> Path | None:
    found = (_SAVED.search(line) for line in lines)
    return next((Path(match[1]) for match in found if match), None)
