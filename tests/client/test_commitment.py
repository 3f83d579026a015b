"""Storage Commitment through the Python API, against a node of ours."""

from pydicom.dataset import Dataset

import isocenter
from tests.server.support import store_all
from tests.server.support_instances import CT, instance
from tests.support.node import Node


def test_a_program_asks_for_commitment_of_data_sets_and_uids(node: Node) -> None:
    one = instance("1.2.3.4.1")
    assert store_all(node.port, [one]) == [0]
    stored = Dataset()
    stored.SOPClassUID, stored.SOPInstanceUID = CT, one.uid
    with isocenter.connect(node.address) as assoc:
        assert assoc.commit([stored]).complete
        outcome = assoc.commit([stored, (CT, "1.2.3.4.99")], wait=20)
    assert not outcome.complete
    assert [verdict.committed for verdict in outcome.verdicts.values()] == [True, False]
    assert [verdict.reason for verdict in outcome.verdicts.values()] == [None, 0x0112]
