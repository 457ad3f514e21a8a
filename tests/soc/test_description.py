from itertools import pairwise

import pytest

from rvsim.periph.clint.registers import SIZE as CLINT_SIZE
from rvsim.periph.plic.registers import plic_map
from rvsim.soc import description
from rvsim.soc.description import BOOT_ROM, PERIPHERALS, RAM_BASE, VIRTIO_SLOTS, Block

BLOCKS = (BOOT_ROM, *PERIPHERALS, *VIRTIO_SLOTS)


def test_no_two_blocks_overlap():
    blocks = sorted(BLOCKS, key=lambda block: block.base)
    for before, after in pairwise(blocks):
        assert before.end <= after.base, f"{before} overlaps {after}"
    assert blocks[-1].end <= RAM_BASE


def test_no_two_blocks_share_an_interrupt():
    numbers = [block.interrupt for block in BLOCKS if block.interrupt]
    assert len(numbers) == len(set(numbers))


def test_addresses_are_those_of_the_virt_board():
    assert {block.name: (block.base, block.size, block.interrupt) for block in PERIPHERALS} == {
        "finisher": (0x10_0000, 0x1000, 0),
        "rtc": (0x10_1000, 0x1000, 11),
        "clint": (0x200_0000, 0x1_0000, 0),
        "plic": (0xC00_0000, 0x60_0000, 0),
        "uart": (0x1000_0000, 0x100, 10),
    }
    assert (BOOT_ROM.base, BOOT_ROM.size, RAM_BASE) == (0x1000, 0xF000, 0x8000_0000)
    assert [(slot.base, slot.interrupt) for slot in VIRTIO_SLOTS] == [
        (0x1000_1000 + 0x1000 * n, n + 1) for n in range(8)
    ]


def test_a_block_is_as_large_as_its_register_map():
    assert description.CLINT.size == CLINT_SIZE
    assert description.PLIC.size == plic_map(2).size


@pytest.mark.parametrize("fields", [{"base": -1}, {"size": 0}, {"base": 0xFFFF_FFFF, "size": 2}, {"interrupt": 1024}])
def test_a_block_that_cannot_be_is_refused(fields):
    with pytest.raises(ValueError, match="odd: "):
        Block(**{"name": "odd", "base": 0, "size": 16, **fields})
