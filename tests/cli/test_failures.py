"""From errors to exit codes."""

from __future__ import annotations

import importlib

import pytest

from isocenter.cli import exit_codes
from isocenter.cli.failures import _EXIT_CODES, _VERIFICATION_FAILED, as_failure, exit_code_of
from isocenter.errors import IsocenterError
from isocenter.services.errors import NoPresentationContext, VerificationFailed
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationAbortedError,
    AssociationRejectedError,
    ConnectFailed,
    ConnectionLostError,
    ConnectTimeout,
    ResponseTimeout,
)


@pytest.mark.parametrize("name", [*_EXIT_CODES, _VERIFICATION_FAILED])
def test_every_error_that_is_listed_exists(name: str) -> None:
    module, _, class_name = name.rpartition(".")
    error = getattr(importlib.import_module(f"isocenter.{module}"), class_name)
    assert issubclass(error, IsocenterError)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectFailed("x"), 60),
        (ConnectTimeout("x"), 60),
        (AssociateTimeout("x"), 60),
        (ResponseTimeout("x"), 60),
        (AssociationRejectedError(1, 1, 7), 61),
        (NoPresentationContext("peer", "1.2"), 66),
        (AssociationAbortedError(2, 0), 70),
        (ConnectionLostError("x"), 70),
        (IsocenterError("x"), 1),
    ],
)
def test_exit_codes_fall_into_dcmtks_groups(error: IsocenterError, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_failed_verification_ends_as_its_cause_would() -> None:
    error = VerificationFailed("associate", "rejected")
    assert exit_code_of(error) == exit_codes.FAILED_STATUS
    error.__cause__ = AssociationRejectedError(1, 1, 7)
    assert exit_code_of(error) == exit_codes.REJECTED


def test_a_system_error_names_its_file() -> None:
    failure = as_failure(FileNotFoundError(2, "No such file or directory", "a.dcm"))
    assert failure.message == "a.dcm: No such file or directory"
    assert failure.code == exit_codes.UNREADABLE_INPUT
