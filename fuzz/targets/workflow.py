"""Worklist files, and the steps that modalities report: kept, or refused with a reason."""

import json
from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS
from fuzz.target import Target, check_error
from fuzz.targets import dicom_json
from isocenter.archive.workflow.performed_step_rules import StepRefused, changed_step, check_new
from isocenter.archive.workflow.worklist_files import read_data_sets
from isocenter.archive.workflow.worklist_item import (
    InvalidWorklistItem,
    complete_items,
    restored_item,
)
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.dicom_json import from_json, parse_json, to_json
from isocenter.encoding.elements import Elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from tests.archive.workflow.items import item, step_begun, step_ended

_MOST = 8


def one_input(data: bytes) -> None:
    try:
        found = read_data_sets(data)
    except EncodingError as error:
        check_error(error)
        return
    for data_set in found[:_MOST]:
        _schedule(data_set)
        _perform(data_set)


def _schedule(data_set: Elements) -> None:
    try:
        items = complete_items(data_set)
    except (EncodingError, InvalidWorklistItem) as error:
        check_error(error)
        return
    for scheduled in items[:_MOST]:
        text = json.dumps(to_json(scheduled.data_set), allow_nan=False)
        restored = restored_item(from_json(parse_json(text)))
        assert restored.scheduled_date == scheduled.scheduled_date


def _perform(data_set: Elements) -> None:
    try:
        check_new(data_set)
        changed_step(data_set, data_set)
    except StepRefused as error:
        check_error(error)


def seeds() -> Iterator[bytes]:
    meta = FileMeta("1.2.3", "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN.uid)
    for data_set in (item(), step_begun(), step_begun() | step_ended()):
        model = to_json(data_set)
        yield json.dumps(model).encode()
        yield json.dumps([model, model]).encode()
        explicit = encode_elements(data_set, EXPLICIT_VR_LITTLE_ENDIAN)
        yield explicit
        yield encode_elements(data_set, IMPLICIT_VR_LITTLE_ENDIAN)
        yield encode_file_meta(meta) + explicit


TARGET = Target(
    "files and data sets to worklist and performed steps", one_input, seeds,
    (*DATA_SET_WORDS, *dicom_json.WORDS, b"IN PROGRESS", b"COMPLETED"),
)  # fmt: skip
