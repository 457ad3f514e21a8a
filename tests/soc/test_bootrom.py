import struct

import pytest

from rvsim.isa import assemble
from rvsim.soc.bootrom import DTB_ADDRESS, DTB_LIMIT, boot_rom
from tests.soc.programs import RAM


def test_the_code_is_what_its_comments_say():
    code = assemble(
        """
        auipc t0, 0
        addi  a2, t0, 36
        csrr  a0, mhartid
        lw    a1, 32(t0)
        lw    t0, 28(t0)
        jr    t0
        nop
        """,
        0x1000,
    )
    assert boot_rom(RAM, 0)[: len(code)] == bytes(code)


def test_the_program_finds_hart_device_tree_and_firmware_information(make_machine):
    machine = make_machine("1: j 1b")
    machine.run(instructions=8)
    hart = machine.hart[0]
    tree, info = hart.x[11], hart.x[12]
    assert hart.pc == RAM
    assert hart.x[10] == 0
    assert machine.memory.read(tree, 4) == b"\xd0\x0d\xfe\xed"
    assert info == 0x1000 + 36


def test_firmware_information_is_that_of_fw_dynamic():
    rom = boot_rom(RAM, RAM + 4096, next_address=0x8040_0000, options=1, boot_hart=0)
    assert struct.unpack_from("<6I", rom, 36) == (0x4942534F, 2, 0x8040_0000, 1, 1, 0)
    assert struct.unpack_from("<2I", rom, 28) == (RAM, RAM + 4096)


def test_a_device_tree_may_lie_in_the_rom():
    rom = boot_rom(RAM, DTB_ADDRESS, blob=b"tree")
    assert rom[DTB_ADDRESS - 0x1000 :] == b"tree"
    assert len(boot_rom(RAM, DTB_ADDRESS, blob=bytes(DTB_LIMIT))) == 0xF000
    with pytest.raises(ValueError, match="does not fit into the boot ROM"):
        boot_rom(RAM, DTB_ADDRESS, blob=bytes(DTB_LIMIT + 1))
