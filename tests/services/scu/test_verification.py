"""C-ECHO, and which of the things that can fail did fail."""

import dataclasses
from typing import Any

import pytest

from isocenter.dimse.messages import CEchoRSP
from isocenter.services.association import Destination
from isocenter.services.errors import VerificationFailed
from isocenter.services.verification_scu import verify
from isocenter.upperlayer.errors import AssociationRejectedError, ConnectFailed
from tests.services.scu.pynetdicom_scp import scp
from tests.services.scu.scripted_transport import scripted
from tests.support.processes import free_port

pytestmark = pytest.mark.interop


def test_a_peer_that_works_is_verified() -> None:
    with scp() as peer:
        assert verify(peer).is_success


def test_nobody_listening_fails_to_connect() -> None:
    with pytest.raises(VerificationFailed) as caught:
        verify(Destination("127.0.0.1", free_port()))
    assert caught.value.phase == "connect"
    assert isinstance(caught.value.__cause__, ConnectFailed)


def test_a_peer_that_does_not_know_us_fails_to_associate() -> None:
    def configure(ae: Any) -> None:
        ae.require_called_aet = True

    with scp(configure=configure) as peer:
        stranger = dataclasses.replace(peer, called_ae="SOMEONE")
        with pytest.raises(VerificationFailed, match="SOMEONE") as caught:
            verify(stranger)
    assert caught.value.phase == "associate"
    assert isinstance(caught.value.__cause__, AssociationRejectedError)


def test_a_peer_without_verification_fails_to_associate() -> None:
    def configure(ae: Any) -> None:
        ae.remove_supported_context("1.2.840.10008.1.1")

    with scp(configure=configure) as peer, pytest.raises(VerificationFailed) as caught:
        verify(peer)
    assert caught.value.phase == "associate"


def test_a_peer_that_answers_with_a_failure_fails_the_echo() -> None:
    with (
        scp(on_echo=lambda event: 0x0122) as peer,
        pytest.raises(VerificationFailed, match="0122H Refused: SOP class not supported") as caught,
    ):
        verify(peer)
    assert caught.value.phase == "echo"


def test_a_peer_that_aborts_fails_the_echo() -> None:
    def on_echo(event: Any) -> int:
        event.assoc.abort()
        return 0x0000

    with scp(on_echo=on_echo) as peer, pytest.raises(VerificationFailed) as caught:
        verify(peer)
    assert caught.value.phase == "echo"


def test_a_status_other_than_success_is_the_echos_result() -> None:
    association, _ = scripted(
        lambda message: [
            (CEchoRSP(message_id_being_responded_to=message.message_id, status=0x0210), None)  # type: ignore[attr-defined]
        ],
        ("1.2.840.10008.1.1", "1.2.840.10008.1.2"),
    )
    assert str(association.echo()) == "0210H Duplicate invocation"
