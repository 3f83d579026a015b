"""From an exception to one sentence on standard error and an exit code."""

from __future__ import annotations

import traceback

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless
from isocenter.cli.verbosity import Verbosity, say, verbosity
from isocenter.errors import IsocenterError

# By name, so that a command that never opens an association or an index does not import them.
# An error's nearest listed base class decides.
_EXIT_CODES = {
    "upperlayer.errors.AssociationRejectedError": exit_codes.REJECTED,
    "upperlayer.errors.ConnectFailed": exit_codes.NO_CONNECTION,
    "upperlayer.errors.AssociationError": exit_codes.ABORTED,
    "upperlayer.errors.ProtocolError": exit_codes.ABORTED,
    "upperlayer.errors.UpperLayerError": exit_codes.NO_CONNECTION,
    "dimse.errors.DimseError": exit_codes.ABORTED,
    "services.errors.NoPresentationContext": exit_codes.NO_PRESENTATION_CONTEXT,
    "services.errors.ServiceError": exit_codes.FAILED_STATUS,
    "encoding.errors.EncodingError": exit_codes.INVALID_INPUT,
    "archive.tar.PackDamaged": exit_codes.DAMAGED_ARCHIVE,
    "archive.index.errors.IndexUnusable": exit_codes.DAMAGED_ARCHIVE,
    "security.database.AccessUnusable": exit_codes.DAMAGED_ARCHIVE,
    "security.database.AccessUnavailable": exit_codes.UNWRITABLE_OUTPUT,
    "security.tokens.UnusableTokenKey": exit_codes.SYNTAX,
    "security.audit.database.AuditUnusable": exit_codes.DAMAGED_ARCHIVE,
    "security.audit.database.AuditUnavailable": exit_codes.UNWRITABLE_OUTPUT,
    "archive.workflow.database.WorkflowUnusable": exit_codes.DAMAGED_ARCHIVE,
    "archive.workflow.database.WorkflowUnavailable": exit_codes.UNWRITABLE_OUTPUT,
    "archive.workflow.worklist_item.InvalidWorklistItem": exit_codes.INVALID_INPUT,
    "server.listening.CannotListen": exit_codes.NO_CONNECTION,
    "services.storage_commitment_listener.CannotListenForReports": exit_codes.NO_CONNECTION,
    "archive.archive.ArchiveInUse": exit_codes.UNWRITABLE_OUTPUT,
    "conformance.errors.UnusableDescription": exit_codes.INVALID_INPUT,
    "archive.index.errors.ArchiveIndexError": exit_codes.UNWRITABLE_OUTPUT,
}

_VERIFICATION_FAILED = "services.errors.VerificationFailed"  # says what went wrong in its cause


class CommandFailed(click.ClickException):
    """An expected end of a command: a sentence (what, where, what to do) and an exit code."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.code = exit_code
        # Decided here: when it is shown, the command whose -q this is has been left.
        self._silent = verbosity() == Verbosity.QUIET

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        if self._silent:
            return
        for sentence in self.message.splitlines():
            click.echo(f"isocenter: {harmless(sentence)}", err=True)


def as_failure(error: Exception) -> CommandFailed:
    """What to tell about `error`. With -d its traceback is printed here first."""
    if verbosity() >= Verbosity.DEBUG:
        say("".join(traceback.format_exception(error)).rstrip(), Verbosity.DEBUG)
    if isinstance(error, IsocenterError):
        return CommandFailed(str(error), exit_code_of(error))
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return CommandFailed(f"{place}{error.strerror or error}", exit_codes.UNREADABLE_INPUT)
    return CommandFailed(
        f"internal error: {type(error).__name__}: {error}; "
        "this is a fault in isocenter, run the command again with -d to see where",
        exit_codes.INTERNAL,
    )


def exit_code_of(error: IsocenterError) -> int:
    """The exit code of an error by its class; the nearest base class that is listed decides."""
    cause = error.__cause__
    if isinstance(cause, IsocenterError) and _name(type(error)) == _VERIFICATION_FAILED:
        return exit_code_of(cause)
    for base in type(error).__mro__:
        if _name(base) in _EXIT_CODES:
            return _EXIT_CODES[_name(base)]
    return exit_codes.SYNTAX


def _name(error: type) -> str:
    return f"{error.__module__}.{error.__name__}".removeprefix("isocenter.")
