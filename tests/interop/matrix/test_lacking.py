"""What the matrix says that a peer lacks, it does lack: a gap that closes must become a cell.

The gaps that only an absent program shows (DCMTK as a user of Storage Commitment and MPPS, GDCM as
a provider) cannot be asked for here.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.dictionary.sop_classes import MPPS, STORAGE_COMMITMENT_PUSH, VERIFICATION
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN as IMPLICIT
from isocenter.services.association import Destination
from tests.support import peers
from tests.support.node import AE_TITLE
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import Server

pytestmark = pytest.mark.interop

SYNTAXES = [EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT.uid]


def accepted(server: Server, ae_title: str, *abstract_syntaxes: str) -> set[str]:
    """Which of the abstract syntaxes, and C-ECHO beside them, a server takes."""
    contexts = [(uid, SYNTAXES) for uid in (VERIFICATION, *abstract_syntaxes)]
    there = Destination("127.0.0.1", server.port, called_ae=ae_title)
    with there.connect(contexts) as association:
        taken = association.transport.accepted_contexts.values()
        return {context.abstract_syntax for context in taken}


@pytest.mark.parametrize(
    ("start", "ae_title"),
    [(peers.dcmtk_dcmqrscp, "DCMQRSCP"), (peers.dcmtk_storescp, "STORESCP")],
    ids=["dcmqrscp", "storescp"],
)
def test_dcmtk_provides_neither_commitment_nor_mpps(
    tmp_path: Path, start: Callable[[Path], Server], ae_title: str
):
    with start(tmp_path) as server:
        assert accepted(server, ae_title, STORAGE_COMMITMENT_PUSH, MPPS) == {VERIFICATION}


def test_orthanc_does_not_provide_mpps(orthanc: Orthanc):
    orthanc.introduce("isocenter", AE_TITLE, 104)
    taken = accepted(orthanc, ORTHANC, STORAGE_COMMITMENT_PUSH, MPPS)
    assert taken == {VERIFICATION, STORAGE_COMMITMENT_PUSH}


def test_orthanc_has_no_user_of_get_cancel_or_mpps(orthanc: Orthanc):
    orthanc.introduce("isocenter", AE_TITLE, 104)
    operations = orthanc.rest("/modalities/isocenter")
    assert "move" in operations
    assert not [name for name in operations if name in {"get", "cancel", "mpps"}]


def test_gdcmscu_offers_no_cancel_commitment_or_mpps():
    said = peers.gdcmscu("--help").stdout
    assert "--move" in said
    assert not [word for word in ("cancel", "commit", "mpps", "role") if word in said.lower()]


def test_gdcmscu_ends_without_an_association_when_it_is_told_to_get(tmp_path: Path):
    with peers.dcmtk_dcmqrscp(tmp_path) as server:
        where = ("127.0.0.1", str(server.port))
        peers.gdcmscu("--get", "--studyroot", "--study", "--key", "20,d", *where)
        assert "GDCMSCU -> " not in server.log()
        peers.gdcmscu("--echo", *where)
        assert "GDCMSCU -> " in server.log()


def test_gdcmscu_sends_a_study_root_query_when_it_is_told_to_ask_for_a_worklist():
    said = peers.gdcmscu("--find", "--worklist", "--key", "10,20,X", "127.0.0.1", "1").stdout
    assert "Affected SOP Class UID        :Study Root" in said
