"""What a node holds in memory, seen from outside, as an operator would see it."""

import pytest

from bench.memory import memory_with_idle_associations, peak_with_big_object

MB = 10**6


@pytest.mark.slow
def test_a_two_gigabyte_object_is_never_held_whole(start_node):
    node = start_node()
    assert peak_with_big_object(node.port, node.process.pid, 2000) < 150 * MB


@pytest.mark.slow
def test_four_hundred_idle_associations_cost_little(start_node):
    node = start_node()
    one = memory_with_idle_associations(node.port, node.process.pid, 1)
    many = memory_with_idle_associations(node.port, node.process.pid, 400)
    assert many - one < 100 * MB
