"""Commitment requests of millions, for what is not there, and with reports that nobody takes."""

import pytest

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.services.storage_commitment import Reference, encode_request
from tests.security.attacks.under_attack import MIB, Honest, attack, under_attack
from tests.server.support_instances import CT
from tests.server.support_nodes import configured, eventually
from tests.server.test_storage_commitment import Requester, settings
from tests.support.node import Node, isocenter_json

pytestmark = attack(34, "commitment abuse")

REFUSED = 0x0213


def absent(count: int) -> list[Reference]:
    return [Reference(CT, f"1.2.34.{number}") for number in range(count)]


def test_a_million_instances_are_refused_in_bounded_memory(node: Node, honest: Honest):
    one = encode_request("1.2.34", absent(1), EXPLICIT_VR_LITTLE_ENDIAN)
    at = one.index(b"\xfe\xff\x00\xe0")  # the item
    items = one[at:] * 1_000_000
    data = one[: at - 4] + len(items).to_bytes(4, "little") + items
    with under_attack(node, memory_slack=128 * MIB), Requester.calling(node.port) as requester:
        assert requester.action(data).status == REFUSED
        honest.answered()


def test_what_is_not_there_is_not_committed(node: Node):
    with Requester.calling(node.port) as requester:
        assert requester.ask(absent(100), uid="1.2.34.1") == 0
        report = requester.report()
    assert (len(report.committed), len(report.failed)) == (0, 100)


@pytest.mark.parametrize("data", [b"\xff" * 1000, b"", None])
def test_a_request_that_is_none_is_refused(node: Node, data: bytes | None):
    with Requester.calling(node.port) as requester:
        assert requester.action(data).status != 0


def test_reports_for_a_closed_port_cost_a_job_each_and_nothing_else(start_node, tmp_path):
    """A flood of requests whose reports go to a port where nobody listens."""
    node = start_node(None, *configured(tmp_path, settings(1, '"new"')))
    with under_attack(node) as honest:
        for number in range(30):
            with Requester.calling(node.port) as requester:
                assert requester.ask(absent(10), uid=f"1.2.34.2.{number}") == 0
        honest.answered()
        eventually(lambda: len(isocenter_json("commit", "list", "--data", node.data)) == 30)
