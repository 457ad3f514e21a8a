"""Misaligned loads and stores: values, page crossings, precise faults (``docs/implementation-defined.md``)."""

import pytest

from tests.isa.engines import CODE, DATA, DEVICE, RAM, RAM_SIZE, ROM, S, asm
from tests.isa.pages import FULL, A, D, PageTable, R, V, W, X
from tests.isa.pages import U as USER
from tests.isa.specification import s

PAGE = 0x1000
END = DATA + PAGE  # the end of a page
LOADS = {"lh": (2, True), "lhu": (2, False), "lw": (4, True)}
STORES = {"sh": 2, "sw": 4}
CROSSINGS = [
    (name, back) for name, size in (("lh", 2), ("lhu", 2), ("lw", 4), ("sh", 2), ("sw", 4)) for back in range(1, size)
]


def access(name):
    return asm(name, rd=6, rs1=5) if name in LOADS else asm(name, rs2=7, rs1=5)


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("address", [DATA + 1, DATA + 2, DATA + 3, END - 1, END - 2, END - 3])
def test_loads_gather_their_bytes(hart, name, address):
    size, signed = LOADS[name]
    content = bytes(0x81 + n for n in range(8))
    hart.write(address, content)
    hart.x[5] = address
    hart.run(access(name))
    value = int.from_bytes(content[:size], "little")
    assert hart.x[6] == (s(value, 8 * size) & 0xFFFF_FFFF if signed else value)


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("address", [DATA + 1, DATA + 2, DATA + 3, END - 1, END - 2, END - 3])
def test_stores_scatter_them(hart, name, address):
    hart.write(address - 4, b"\xee" * 16)
    hart.x[5], hart.x[7] = address, 0x8765_4321
    hart.run(access(name))
    size = STORES[name]
    assert hart.read(address - 4, 16) == b"\xee" * 4 + bytes.fromhex("21436587")[:size] + b"\xee" * (12 - size)


@pytest.mark.parametrize("name", [*LOADS, *STORES])
def test_where_they_trap_it_is_before_anything_else(make_hart, name):
    hart = make_hart(misaligned=False)
    hart.set_up()
    cause = 4 if name in LOADS else 6
    for address in (DATA + 1, DATA + 3, END - 1, DEVICE + 1, 0x4000_0001, ROM + 1):
        hart.x[5] = address
        hart.run(access(name))
        hart.expect_trap(cause, address)
    hart.x[5] = DATA
    hart.run(access(name), asm("lb", rd=6, rs1=5, imm=1), asm("sb", rs2=6, rs1=5, imm=3))
    hart.expect_no_trap(CODE + 12)
    hart.set_csr("satp", 1 << 31)  # no table there: the fetch would fault, the load of machine mode does not translate
    hart.x[5] = DATA + 1
    hart.run(access(name))
    hart.expect_trap(cause, DATA + 1)


def test_a_misaligned_access_to_a_device_is_an_access_fault(hart):
    for name, cause in (("lh", 5), ("lhu", 5), ("lw", 5), ("sh", 7), ("sw", 7)):
        for offset in (1, 3):
            hart.x[5] = DEVICE + offset
            hart.run(access(name))
            hart.expect_trap(cause, DEVICE + offset)
    assert not hart.device.log


def test_rom_is_memory_for_misaligned_loads(hart):
    hart.x[5] = ROM + 1
    hart.run(access("lw"))
    assert hart.x[6] == 0x04030201


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
def test_across_the_end_of_ram_the_second_part_faults_and_nothing_is_written(hart, name, back):
    end = RAM + RAM_SIZE
    hart.write(end - 4, b"\xee" * 4)
    hart.x[5] = end - back
    hart.run(access(name))
    hart.expect_trap(5 if name in LOADS else 7, end)
    assert hart.read(end - 4, 4) == b"\xee" * 4


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
def test_across_the_start_of_ram_the_first_part_faults(hart, name, back):
    hart.x[5] = RAM - back
    hart.run(access(name))
    hart.expect_trap(5 if name in LOADS else 7, RAM - back)


def test_across_the_end_of_the_address_space(hart):
    hart.x[5] = 0xFFFF_FFFE
    hart.run(access("lw"))
    hart.expect_trap(5, 0xFFFF_FFFE)


# ---- across pages of different permissions ------------------------------------------------------------------

VIRTUAL = 0x4040_0000
FIRST, SECOND = RAM + 0x8000, RAM + 0xC000


@pytest.fixture
def paged(hart):
    table = PageTable(hart)
    table.map(CODE, CODE)
    hart.set_csr("satp", table.satp)
    hart.table = table
    hart.write(FIRST + PAGE - 4, b"\x11\x22\x33\x44")
    hart.write(SECOND, b"\x55\x66\x77\x88")
    return hart


def attempt(hart, name, back):
    hart.x[5], hart.x[7] = VIRTUAL + PAGE - back, 0xA4A3_A2A1
    hart.execute(asm("sfence.vma"))
    hart.run(access(name), mode=S)


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
def test_the_two_pages_need_not_be_neighbours_in_memory(paged, name, back):
    paged.table.map(VIRTUAL, FIRST)
    paged.table.map(VIRTUAL + PAGE, SECOND)
    attempt(paged, name, back)
    paged.expect_no_trap()
    if name in LOADS:
        size, signed = LOADS[name]
        value = int.from_bytes((b"\x11\x22\x33\x44\x55\x66\x77\x88")[4 - back :][:size], "little")
        assert paged.x[6] == value
        assert signed or value < 1 << 16
    else:
        stored = b"\xa1\xa2\xa3\xa4"[: STORES[name]]
        assert paged.read(FIRST + PAGE - back, back) + paged.read(SECOND, STORES[name] - back) == stored


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
@pytest.mark.parametrize("flags", [0, V | X | A, FULL & ~A, FULL | USER, W | V, V | R | A])
def test_a_page_fault_names_the_page_and_nothing_is_written(paged, name, back, flags):
    allowed = name in LOADS and flags == V | R | A
    cause = 13 if name in LOADS else 15
    for first, second, where in (
        (flags, FULL, VIRTUAL + PAGE - back),
        (FULL, flags, VIRTUAL + PAGE),
        (flags, flags, VIRTUAL + PAGE - back),
    ):
        paged.table.map(VIRTUAL, FIRST, first)
        paged.table.map(VIRTUAL + PAGE, SECOND, second)
        attempt(paged, name, back)
        if allowed:
            paged.expect_no_trap()
            paged.load(paged.pc, 0)
            paged.step()  # back to machine mode
        else:
            paged.expect_trap(cause, where)
    assert paged.read(FIRST + PAGE - 4, 4) == b"\x11\x22\x33\x44"
    assert paged.read(SECOND, 4) == b"\x55\x66\x77\x88"


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
def test_the_first_pages_access_fault_comes_before_the_second_pages_page_fault(paged, name, back):
    access_fault, page_fault = (5, 13) if name in LOADS else (7, 15)
    paged.table.map(VIRTUAL, 0x4000_0000)
    paged.table.map(VIRTUAL + PAGE, SECOND, 0)
    attempt(paged, name, back)
    paged.expect_trap(access_fault, VIRTUAL + PAGE - back)
    paged.table.map(VIRTUAL, FIRST, 0)
    paged.table.map(VIRTUAL + PAGE, 0x4000_0000)
    attempt(paged, name, back)
    paged.expect_trap(page_fault, VIRTUAL + PAGE - back)
    paged.table.map(VIRTUAL, FIRST)
    attempt(paged, name, back)
    paged.expect_trap(access_fault, VIRTUAL + PAGE)


@pytest.mark.parametrize(("name", "back"), CROSSINGS)
def test_half_in_a_device_is_an_access_fault_of_that_half(paged, name, back):
    cause = 5 if name in LOADS else 7
    paged.table.map(VIRTUAL, FIRST)
    paged.table.map(VIRTUAL + PAGE, DEVICE)
    attempt(paged, name, back)
    paged.expect_trap(cause, VIRTUAL + PAGE)
    paged.table.map(VIRTUAL, DEVICE)
    paged.table.map(VIRTUAL + PAGE, SECOND)
    attempt(paged, name, back)
    paged.expect_trap(cause, VIRTUAL + PAGE - back)
    assert not paged.device.log


def test_dirty_and_accessed_are_asked_of_both_pages(paged):
    paged.table.map(VIRTUAL, FIRST)
    paged.table.map(VIRTUAL + PAGE, SECOND, FULL & ~D)
    attempt(paged, "lw", 2)
    paged.expect_no_trap()
    paged.load(paged.pc, 0)
    paged.step()
    attempt(paged, "sw", 2)
    paged.expect_trap(15, VIRTUAL + PAGE)
