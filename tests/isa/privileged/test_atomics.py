"""LR and SC, and what keeps or loses a reservation; alignment of atomics (chapter "A")."""

import pytest

from tests.isa.engines import CODE, DATA, M_HANDLER, M, S, asm

LR = asm("lr.w", rd=6, rs1=5)
SC = asm("sc.w", rd=7, rs2=8, rs1=5)
SC_NEXT = asm("sc.w", rd=9, rs2=8, rs1=10)


@pytest.fixture
def at_data(hart):
    hart.x[5], hart.x[8], hart.x[10] = DATA, 0xCAFE_F00D, DATA + 4
    hart.store_word(DATA, 0x8000_0001)
    return hart


def test_a_pair_succeeds_and_the_reservation_is_used_up(at_data):
    at_data.run(LR, SC, SC)
    assert (at_data.x[6], at_data.x[7]) == (0x8000_0001, 1)
    assert at_data.load_word(DATA) == 0xCAFE_F00D
    at_data.run(LR, SC)
    assert at_data.x[7] == 0


def test_without_a_reservation_it_fails_and_writes_nothing(at_data):
    at_data.run(SC)
    assert at_data.x[7] == 1
    assert at_data.load_word(DATA) == 0x8000_0001


def test_another_word_fails_and_clears_the_reservation(at_data):
    at_data.run(LR, SC_NEXT, SC)
    assert (at_data.x[9], at_data.x[7]) == (1, 1)
    assert at_data.load_word(DATA + 4) == 0


def test_a_later_reservation_replaces_the_first(at_data):
    at_data.run(LR, asm("lr.w", rd=6, rs1=10), SC)
    assert at_data.x[7] == 1


def test_own_stores_keep_it(at_data):
    at_data.run(LR, asm("sw", rs2=8, rs1=5), asm("amoadd.w", rd=6, rs2=8, rs1=5), SC)
    assert at_data.x[7] == 0


def test_traps_and_returns_keep_it(at_data):
    at_data.load(M_HANDLER, [asm("mret")])
    at_data.run(LR, asm("ecall"))
    at_data.step()
    at_data.set_csr("mepc", CODE + 0x20)
    at_data.load(CODE + 0x20, SC)
    at_data.set_csr("mstatus", M << 11)
    at_data.execute(asm("mret"))
    at_data.step()
    assert at_data.x[7] == 0


def test_a_conditional_store_that_traps_keeps_it(at_data):
    at_data.x[10] = DATA + 2
    at_data.run(LR, SC_NEXT)
    at_data.expect_trap(6, DATA + 2, epc=CODE + 4)
    at_data.run(SC)
    assert at_data.x[7] == 0


@pytest.mark.parametrize(
    ("offset", "size", "lost"), [(0, 1, 1), (3, 1, 1), (-4, 5, 1), (0, 64, 1), (-4, 4, 0), (4, 4, 0)]
)
def test_a_bus_master_that_writes_the_word_takes_it_away(at_data, offset, size, lost):
    at_data.run(LR)
    at_data.dma_write(DATA + offset, bytes(size))
    at_data.run(SC)
    assert at_data.x[7] == lost


@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize("misaligned", [True, False])
def test_atomics_are_aligned_whatever_loads_and_stores_do(make_hart, offset, misaligned):
    hart = make_hart(misaligned=misaligned)
    hart.set_up()
    hart.x[5] = DATA + offset
    for name, cause in (("lr.w", 4), ("sc.w", 6), ("amoswap.w", 6), ("amomaxu.w", 6)):
        hart.run(asm(name, rd=6, rs1=5))
        hart.expect_trap(cause, DATA + offset)


def test_misalignment_comes_before_any_fault_of_the_address(hart):
    hart.x[5] = 0x4000_0002
    for name, cause in (("lr.w", 4), ("sc.w", 6), ("amoswap.w", 6)):
        hart.run(asm(name, rd=6, rs1=5))
        hart.expect_trap(cause, 0x4000_0002)


def test_rd_may_be_the_address_register(at_data):
    at_data.run(asm("amoadd.w", rd=5, rs2=8, rs1=5), mode=S)
    assert at_data.x[5] == 0x8000_0001
    assert at_data.load_word(DATA) == 0x8000_0001 + 0xCAFE_F00D - (1 << 32)


def test_rd_zero_still_writes_memory(at_data):
    at_data.run(asm("amoswap.w", rd=0, rs2=8, rs1=5))
    assert (at_data.x[0], at_data.load_word(DATA)) == (0, 0xCAFE_F00D)
