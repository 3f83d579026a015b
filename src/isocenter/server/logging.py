"""Structured logs that hold no patient data, whoever writes the line.

Any module says `structlog.get_logger()` and `log.info("association accepted", peer=peer)`. What
reaches the stream is bounded here, by construction rather than by care:

* the event is a literal of the source (a test reads every call in the package for that);
* only the fields in `FIELDS` are written, none of which names an attribute of a data set;
* a value is a number, a truth value or a short text with its control characters escaped, so that
  a peer's AE title can neither forge a line nor carry a data set;
* of an exception the class and the source lines are written, and its text only where it is an
  `IsocenterError`, whose text never holds patient data;
* what other libraries log is reduced to who logged, how severely and where in the source.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from isocenter.errors import IsocenterError
from isocenter.server.config_values import LogFormat, LogLevel

# The vocabulary of the log. A new field is added here, with the question in mind whether a value
# from a data set could ever stand in it.
FIELDS = frozenset(
    {
        # who and where
        *(
            "peer",
            "host",
            "port",
            "listener",
            "tls",
            "certificate",
            "calling_ae",
            "called_ae",
            "calling",
            "called",
            "ae_title",
            "association",
            "process",
            "user",
            "user_identity",
            "verified",
        ),
        *(
            "worker",
            "workers",
            "signal",
            "directory",
            "file",
            "path",
            "pack",
            "packs",
            "index",
            "config",
            "version",
        ),
        # what, in the standard's terms (UIDs name objects and classes, not people)
        *("service", "message_id", "context_id", "sop_class", "sop_instance", "study", "series"),
        *(
            "transfer_syntax",
            "abstract_syntax",
            "query_level",
            "model",
            "status",
            "result",
            "source",
        ),
        *("reason", "why", "state", "role", "implementation", "implementation_version", "phase"),
        # how many, how much, how long
        *(
            "count",
            "instances",
            "matches",
            "contexts",
            "proposed",
            "accepted",
            "rejected",
            "stored",
        ),
        *("duplicates", "conflicts", "refused", "quarantined", "failed", "aborted", "pending"),
        *(
            "bytes",
            "bytes_cut",
            "records",
            "size",
            "length",
            "offset",
            "limit",
            "maximum",
            "free",
            "associations",
        ),
        *(
            "days",
            "seconds",
            "milliseconds",
            "attempt",
            "retry_in",
            "durability",
            "expected",
            "found",
        ),
        # what went wrong
        *("error", "error_type", "at", "errno", "exit_code", "advice"),
    }
)
MAXIMUM_TEXT = 300
_ALWAYS = ("timestamp", "level", "event")


def configure_logging(
    level: LogLevel = "info",
    format: LogFormat = "text",
    stream: TextIO | None = None,
) -> None:
    """Send this process's log to `stream` (default: standard error), one line per event."""
    structlog.configure(
        processors=_processors(format),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _LineWriter(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over_standard_logging()


def get_logger(**context: str | int) -> FilteringBoundLogger:
    """A logger whose lines all carry `context`."""
    logger: FilteringBoundLogger = structlog.get_logger(**context)
    return logger


class _LineWriter:
    """Writes one line at a time, and never fails: no work may end because its log cannot be read.

    Whoever reads standard error may have gone (`isocenter serve 2>&1 | head`), or its disk be full.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    log = debug = info = warning = error = critical = exception = msg


def _processors(format: LogFormat) -> list[Processor]:
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if format == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=_ALWAYS, drop_missing=True, bool_as_flag=False
        )
    )
    return [
        structlog.contextvars.merge_contextvars,
        _describe_exception,
        _keep_known_fields,
        _put_time_and_level,
        renderer,
    ]


def _describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception as its class, its place in the source, and its text where that is safe."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if not isinstance(error, BaseException):
        return event
    event["error_type"] = type(error).__name__
    event["at"] = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)[-8:])
    )
    event.setdefault("error", error)
    return event


def _keep_known_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop what is not in the vocabulary, naming the dropped keys; make every value harmless."""
    kept = {"event": _harmless(event.pop("event", ""))}
    kept |= {key: _shown(key, value) for key, value in event.items() if key in FIELDS}
    if unknown := sorted(str(key) for key in event if key not in FIELDS):
        kept["withheld"] = _escaped(",".join(unknown))
    return kept


def _shown(key: str, value: object) -> object:
    """A DIMSE status in hexadecimal, as everybody knows it; anything else as it is."""
    return f"0x{value:04X}" if key == "status" and isinstance(value, int) else _harmless(value)


def _harmless(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _escaped(value)
        case IsocenterError():
            return _escaped(str(value))
        case OSError() if value.strerror:
            return _escaped(value.strerror)
        case _:
            return f"<{type(value).__name__}>"


def _escaped(text: str) -> str:
    """At most MAXIMUM_TEXT characters, and none that would break or colour a terminal's line."""
    if len(text) > MAXIMUM_TEXT:
        text = f"{text[:MAXIMUM_TEXT]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _put_time_and_level(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    return {**_timestamp(logger, method, {}), "level": method, **event}


_timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


class _ForeignRecords(logging.Handler):
    """Lines of other libraries: their texts may quote a data set, so only their place is kept."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: Mapping[str, Any] = {
            "source": record.name,
            "at": f"{record.filename}:{record.lineno}",
        }
        event = "a library reported something; its text is withheld"
        structlog.get_logger().log(record.levelno, event, **fields)


def _take_over_standard_logging() -> None:
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _ForeignRecords)]:
        root.removeHandler(handler)
    root.addHandler(_ForeignRecords(logging.WARNING))
    logging.captureWarnings(True)
