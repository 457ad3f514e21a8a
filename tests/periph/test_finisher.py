"""The test finisher's behaviour, on the functional twin and on the hardware."""

import pytest

from rvsim.bus import BusError
from rvsim.bus.simulation import Initiator
from rvsim.periph.finisher import Finisher, device_tree_node, syscon_nodes
from tests.periph.drivers import TwinFinisher


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
async def test_a_command_ends_the_machine_with_its_code(finisher, value, end):
    await finisher.write(0, 4, value)
    assert finisher.ends == [end]


async def test_half_a_word_carries_a_command_without_code(finisher):
    await finisher.write(0, 2, 0x3333)
    await finisher.write(2, 2, 0x3333)
    assert finisher.ends == [(0x3333, 0)]


@pytest.mark.parametrize("value", [0, 1, 0x5556, 0x5555_0000, 0xFFFF_FFFF])
async def test_other_values_do_nothing(finisher, value):
    await finisher.write(0, 4, value)
    assert finisher.ends == []


async def test_everything_reads_as_zero_and_only_the_first_word_commands(finisher):
    await finisher.write(4, 4, 0x5555)
    assert finisher.ends == [] and await finisher.read(0, 4) == await finisher.read(0xFFC, 4) == 0


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (1, 2), (0x1000, 4)])
async def test_other_accesses_are_bus_errors(finisher, offset, size):
    with pytest.raises(BusError):
        await finisher.write(offset, size, 0x5555)
    assert finisher.ends == []


async def test_half_of_the_register_alone_is_no_command(finisher):
    await finisher.write(2, 2, 0x5555)
    assert finisher.ends == []


async def test_in_hardware_the_first_command_counts_and_is_seen_with_the_answer(hardware):
    finisher = Finisher()

    async def scenario(context):
        initiator = Initiator(context, finisher.bus)
        for value in (0x1234, 0x0007_3333, 0x5555):
            assert context.get(finisher.done) == (value == 0x5555)
            await initiator.write(0, 4, value)
        assert context.get(finisher.done) and context.get(finisher.value) == 0x0007_3333

    hardware(finisher, scenario)


def test_there_is_nothing_to_checkpoint():
    finisher = TwinFinisher().twin
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
