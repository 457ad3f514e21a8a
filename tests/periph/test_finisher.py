"""The test finisher's behaviour, on the functional twin."""

import pytest

from rvsim.bus import BusError
from rvsim.periph.finisher import FinisherTwin, device_tree_node, syscon_nodes


@pytest.fixture
def ends():
    return []


@pytest.fixture
def finisher(ends):
    return FinisherTwin(lambda kind, code: ends.append((kind, code)))


@pytest.mark.parametrize(
    ("value", "end"),
    [
        (0x5555, (0x5555, 0)),
        (0x3333, (0x3333, 0)),
        (0x0001_3333, (0x3333, 1)),
        (0xFFFF_3333, (0x3333, 0xFFFF)),
        (0x7777, (0x7777, 0)),
    ],
)
def test_a_command_ends_the_machine_with_its_code(finisher, ends, value, end):
    finisher.write(0, 4, value)
    assert ends == [end]


def test_half_a_word_carries_a_command_without_code(finisher, ends):
    finisher.write(0, 2, 0x3333)
    finisher.write(2, 2, 0x3333)
    assert ends == [(0x3333, 0)]


@pytest.mark.parametrize("value", [0, 1, 0x5556, 0x5555_0000, 0xFFFF_FFFF])
def test_other_values_do_nothing(finisher, ends, value):
    finisher.write(0, 4, value)
    assert ends == []


def test_everything_reads_as_zero_and_only_the_first_word_commands(finisher, ends):
    finisher.write(4, 4, 0x5555)
    assert ends == [] and finisher.read(0, 4) == finisher.read(0xFFC, 4) == 0


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 8), (1, 2), (0x1000, 4)])
def test_other_accesses_are_bus_errors(finisher, ends, offset, size):
    with pytest.raises(BusError, match=r"^finisher: "):
        finisher.write(offset, size, 0x5555)
    assert ends == []


def test_there_is_nothing_to_checkpoint(finisher):
    assert finisher.state() == {}
    finisher.restore({})


def test_the_device_tree_nodes_power_off_and_reboot_through_it():
    node = device_tree_node(0x10_0000, 0x1000, phandle=4)
    assert node.name == "test@100000" and node.properties["phandle"] == 4
    assert node.properties["compatible"] == ["sifive,test1", "sifive,test0", "syscon"]
    poweroff, reboot = syscon_nodes(4)
    assert poweroff.name == "poweroff" and poweroff.properties["compatible"] == "syscon-poweroff"
    assert (poweroff.properties["regmap"], poweroff.properties["offset"]) == (4, 0)
    assert (poweroff.properties["value"], reboot.properties["value"]) == (0x5555, 0x7777)
