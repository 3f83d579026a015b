"""The log: one line per event, and no way for patient data into it."""

from __future__ import annotations

import ast
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import isocenter
from isocenter.errors import IsocenterError
from isocenter.server.config_values import LogFormat, LogLevel
from isocenter.server.logging import FIELDS, MAXIMUM_TEXT, configure_logging, get_logger

PATIENT = "DOE^JOHN"


@pytest.fixture(autouse=True)
def undo() -> Iterator[None]:
    handlers = list(logging.getLogger().handlers)
    yield
    logging.captureWarnings(False)
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


def json_log(level: LogLevel = "debug") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, "json", stream)
    return stream


def only_line(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    record: dict[str, Any] = json.loads(line)
    return record


def test_an_event_is_one_line_of_key_value_pairs() -> None:
    stream = io.StringIO()
    configure_logging("info", "text", stream)
    get_logger(peer="192.0.2.1:4711").info("association accepted", calling_ae="CT 1", count=3)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("timestamp=")
    assert line.endswith(
        'level=info event="association accepted" peer=192.0.2.1:4711 calling_ae="CT 1" count=3'
    )


def test_an_event_is_one_json_object() -> None:
    stream = json_log()
    get_logger().warning("refused", status=0xA700, reason="full", bytes=5, retry_in=None)
    record = only_line(stream)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "warning",
        "event": "refused",
        "status": "0xA700",
        "reason": "full",
        "bytes": 5,
        "retry_in": None,
    }


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    configure_logging("info", "text", Gone())
    get_logger().error("still here")
    closed = io.StringIO()
    closed.close()
    configure_logging("info", "text", closed)
    get_logger().error("still here")


def test_events_below_the_level_are_not_written() -> None:
    stream = json_log("warning")
    get_logger().info("nothing")
    assert stream.getvalue() == ""


def test_a_field_outside_the_vocabulary_is_withheld_and_named() -> None:
    stream = json_log()
    get_logger().info("stored", patient_name=PATIENT, PatientID="123-45", peer="p")
    record = only_line(stream)
    assert record["withheld"] == "PatientID,patient_name"
    assert record["peer"] == "p"
    assert PATIENT not in stream.getvalue()
    assert "123-45" not in stream.getvalue()


def test_values_that_are_not_plain_are_only_named_by_type() -> None:
    stream = json_log()
    get_logger().info("x", error=PATIENT.encode(), found={"name": PATIENT}, reason=[PATIENT])
    record = only_line(stream)
    assert (record["error"], record["found"], record["reason"]) == ("<bytes>", "<dict>", "<list>")
    assert PATIENT not in stream.getvalue()


def test_an_exception_tells_its_class_and_place_but_not_its_text() -> None:
    stream = json_log()
    try:
        raise ValueError(PATIENT)
    except ValueError:
        get_logger().exception("worker failed")
    record = only_line(stream)
    assert record["error_type"] == "ValueError"
    assert record["error"] == "<ValueError>"
    assert record["at"].startswith("test_logging.py:")
    assert PATIENT not in stream.getvalue()


def test_our_own_errors_tell_their_sentence() -> None:
    stream = json_log()
    get_logger().error("refused", error=IsocenterError("the pack folder is full"))
    assert only_line(stream)["error"] == "the pack folder is full"


def test_an_operating_system_error_tells_its_reason_without_the_file() -> None:
    stream = json_log()
    get_logger().error("no room", error=OSError(28, "No space left on device", PATIENT))
    assert only_line(stream)["error"] == "No space left on device"


def test_other_libraries_are_reduced_to_who_and_where() -> None:
    stream = json_log()
    logging.getLogger("pydicom").warning("Invalid value %s", PATIENT)
    record = only_line(stream)
    assert record["source"] == "pydicom"
    assert record["at"].startswith("test_logging.py:")
    assert PATIENT not in stream.getvalue()


def test_python_warnings_do_not_carry_their_text() -> None:
    stream = json_log()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(PATIENT, stacklevel=1)
        logging.captureWarnings(False)
    assert PATIENT not in stream.getvalue()


def test_configuring_twice_writes_each_foreign_record_once() -> None:
    json_log()
    stream = json_log()
    logging.getLogger("alembic").error("x")
    assert only_line(stream)["source"] == "alembic"


@given(st.text(max_size=1000), st.sampled_from(["text", "json"]))
def test_no_text_can_forge_a_line_or_steer_a_terminal(text: str, format: LogFormat) -> None:
    stream = io.StringIO()
    configure_logging("info", format, stream)
    get_logger(calling_ae=text).info("association requested")
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert len(line) < 12 * MAXIMUM_TEXT


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    methods = {"debug", "info", "warning", "error", "exception", "critical"}
    for path in Path(isocenter.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in methods
                and ast.unparse(node.func.value).lower().endswith(("log", "logger"))
            ):
                yield f"{path.name}:{node.lineno}", node


def test_every_event_in_the_package_is_a_literal() -> None:
    wrong = [
        place
        for place, call in _log_calls()
        if not (call.args and isinstance(call.args[0], ast.Constant) and len(call.args) == 1)
    ]
    assert wrong == []


def test_every_field_in_the_package_is_in_the_vocabulary() -> None:
    wrong = [
        f"{place} {keyword.arg}"
        for place, call in _log_calls()
        for keyword in call.keywords
        if keyword.arg and keyword.arg != "exc_info" and keyword.arg not in FIELDS
    ]
    assert wrong == []
