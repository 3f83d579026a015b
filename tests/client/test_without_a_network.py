"""A connection over a transport that answers from a script: how a program's own tests can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from isocenter.client import Connection, RequestFailed
from isocenter.client.pool import QUERY
from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND, VERIFICATION
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dimse.messages import CEchoRQ, CEchoRSP, CFindRQ, CFindRSP, Message
from isocenter.encoding.elements import encode_elements
from isocenter.services.association import ClientAssociation, Destination
from isocenter.services.errors import ServiceError
from isocenter.services.query_identifier import build_identifier
from isocenter.services.query_keys import parse_key
from tests.services.scu.scripted_transport import scripted

IMPLICIT = IMPLICIT_VR_LITTLE_ENDIAN


@dataclass(frozen=True)
class Script(Destination):
    """A peer that never was."""

    final: int = 0

    def connect(self, contexts: Any, **_: Any) -> ClientAssociation:  # type: ignore[override]
        assert contexts == QUERY.contexts
        syntax = IMPLICIT.uid
        return scripted(self.react, (VERIFICATION, syntax), (STUDY_ROOT_FIND, syntax))[0]

    def react(self, message: Message):
        if isinstance(message, CEchoRQ):
            return ((CEchoRSP(message_id_being_responded_to=message.message_id, status=0), None),)
        assert isinstance(message, CFindRQ)
        match = build_identifier([parse_key("PatientID=7"), parse_key("PatientName=Müller")])
        answered = {"message_id_being_responded_to": message.message_id}
        pending = CFindRSP(status=0xFF00, has_data_set=True, **answered)
        final = CFindRSP(status=self.final, error_comment="so there", **answered)
        return ((pending, encode_elements(match, IMPLICIT)), (final, None))


def test_a_script_can_stand_in_for_a_peer() -> None:
    with Connection(Script("nowhere", 104)) as assoc:
        assert assoc.echo().is_success
        (match,) = assoc.find(PatientID="7")
    assert (match.PatientID, match.PatientName) == ("7", "Müller")


def test_matches_that_came_before_a_failure_are_not_lost() -> None:
    with Connection(Script("nowhere", 104, final=0xA700)) as assoc:
        matches = assoc.find(PatientID="7")
        assert next(matches).PatientID == "7"
        with pytest.raises(RequestFailed, match=r"A700H .*\(so there\)\."):
            next(matches)


def test_an_association_that_comes_when_all_is_closed_is_not_left_open() -> None:
    made: list[ClientAssociation] = []

    class Slow(Script):
        def connect(self, contexts: Any, **_: Any) -> ClientAssociation:  # type: ignore[override]
            connection.close()  # as another thread does meanwhile
            made.append(super().connect(contexts))
            return made[-1]

    connection = Connection(Slow("nowhere", 104))
    with pytest.raises(ServiceError, match="has been closed"):
        connection.echo()
    (transport,) = (association.transport for association in made)
    assert transport.ended == "aborted"  # type: ignore[attr-defined]
