"""Device-tree nodes as data."""

import pytest

from rvsim.regs import Node
from rvsim.regs.node import reg


def test_a_node_finds_its_children_by_name():
    inner = Node("inner")
    assert Node("outer", children=[inner]).child("inner") is inner
    with pytest.raises(KeyError, match="outer has no child 'none'"):
        Node("outer").child("none")


def test_nodes_are_equal_by_content_and_do_not_share_containers():
    assert Node("a", {"x": 1}) == Node("a", {"x": 1}) != Node("a", {"x": 2})
    first, second = Node("a"), Node("a")
    first.properties["x"] = None
    first.children.append(second)
    assert second.properties == {} and second.children == []
    assert eval(repr(first)) == first


def test_reg_has_two_cells_each_for_address_and_size():
    assert reg(0x1_8000_0000, 0x2_0000_0004) == [1, 0x8000_0000, 2, 4]
