"""Performed procedure steps, and answers with warnings, through the Python API."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import Dataset

import isocenter
from isocenter.client import InputError, KeysNotSupported, RequestFailed
from tests.cli.helpers import write_object
from tests.support.node import Node


def begun() -> Dataset:
    step = Dataset()
    scheduled = Dataset()
    scheduled.StudyInstanceUID = "1.2.3.9"
    step.ScheduledStepAttributesSequence = [scheduled]
    step.PerformedProcedureStepID = "PPS1"
    step.PerformedStationAETitle = "CT1"
    step.PerformedProcedureStepStartDate = "20261123"
    step.PerformedProcedureStepStartTime = "0930"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.Modality = "CT"
    return step


def test_a_step_begins_and_ends(node: Node) -> None:
    ended = Dataset()
    ended.PerformedProcedureStepStatus = "DISCONTINUED"
    ended.PerformedProcedureStepEndDate = "20261123"
    ended.PerformedProcedureStepEndTime = "0940"
    with isocenter.connect(node.address) as assoc:
        uid = assoc.create_step(begun())
        assert uid
        assoc.set_step(uid, ended)
        with pytest.raises(RequestFailed, match="0110"):
            assoc.set_step(uid, ended)


def test_the_peer_takes_the_uid_that_is_given_once(node: Node) -> None:
    with isocenter.connect(node.address) as assoc:
        assert assoc.create_step(begun(), "1.2.3.77") == "1.2.3.77"
        with pytest.raises(RequestFailed, match="0111"):
            assoc.create_step(begun(), "1.2.3.77")


def test_a_step_without_attributes_is_not_sent(node: Node) -> None:
    with isocenter.connect(node.address) as assoc, pytest.raises(InputError, match="empty"):
        assoc.create_step(Dataset())


def test_keys_that_the_peer_does_not_support_are_told_of(node: Node, tmp_path: Path) -> None:
    write_object(tmp_path / "1.dcm", 1)
    with isocenter.connect(node.address) as assoc:
        assert assoc.store(tmp_path).complete
        with pytest.warns(KeysNotSupported, match="FF01H"):
            assert list(assoc.find(StudyInstanceUID="1.2.3.1.1", keys={"PixelData": None}))


def test_a_peers_transfer_syntaxes_and_the_user_reach_the_association(
    node: Node, tmp_path: Path
) -> None:
    from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType

    config = tmp_path / "some.toml"
    config.write_text(
        f'[peers.pacs]\nhost = "127.0.0.1"\nport = {node.port}\nae_title = "P"\n'
        'transfer_syntaxes = ["JPEGLSLossless"]\n'
    )
    user = UserIdentity(UserIdentityType.USERNAME, b"jane")
    with isocenter.connect("pacs", config=config, user_identity=user) as assoc:
        assert assoc.destination.transfer_syntaxes == ("1.2.840.10008.1.2.4.80",)
        assert assoc.destination.user_identity == user
