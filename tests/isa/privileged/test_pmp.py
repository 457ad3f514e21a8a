"""Physical memory protection: address matching, priority, permissions, locking, MPRV, walks (section 3.7)."""

import itertools

import pytest

from tests.isa.engines import CODE, DATA, RAM, SCRATCH, M, S, U, asm
from tests.isa.pages import PageTable

R, W, X, LOCK = 1, 2, 4, 0x80
OFF, TOR, NA4, NAPOT = 0x00, 0x08, 0x10, 0x18
ALL = 0xFFFF_FFFF
LOAD, STORE, AMO = asm("lw", rd=6, rs1=5), asm("sw", rs2=7, rs1=5), asm("amoadd.w", rd=6, rs2=7, rs1=5)
FETCH = asm("jalr", rs1=5)


def napot(base, size):
    """``pmpaddr`` of a naturally aligned power-of-two region."""
    return base >> 2 | (size >> 3) - 1


def set_entry(hart, entry, configuration, address):
    """Write one entry: its address first, since a lock would keep it out."""
    hart.set_csr(f"pmpaddr{entry}", address)
    register, shift = f"pmpcfg{entry // 4}", 8 * (entry % 4)
    hart.set_csr(register, hart.csr(register) & ~(0xFF << shift) | configuration << shift)


@pytest.fixture
def pmp(hart):
    """Entry 15 opens all memory to S and U; the others are off."""
    hart.set_csr("pmpcfg0", 0)
    hart.set_csr("pmpaddr0", 0)
    set_entry(hart, 15, NAPOT | R | W | X, ALL)
    hart.x[7] = 0x1111_1111
    return hart


def attempt(hart, kind, address, mode, *, size=4):
    """Whether the access is allowed; checks the trap if it is not. Ends in machine mode."""
    hart.x[5] = address
    if kind == "x":
        hart.load(address, 0x0000_0073 if size == 4 else 0x9002)  # ecall or c.ebreak, which retire into a trap
        hart.load(CODE, FETCH)
    else:
        name = {("r", 4): "lw", ("r", 2): "lhu", ("r", 1): "lb", ("w", 4): "sw", ("w", 2): "sh", ("w", 1): "sb"}[
            kind, size
        ]
        hart.load(CODE, asm(name, rd=6, rs1=5) if kind == "r" else asm(name, rs2=7, rs1=5))
    if mode == M:
        hart.pc = CODE
    else:
        hart.enter(mode, CODE)
    hart.step()
    if kind == "x":
        hart.step()
        refused = hart.csr("mcause") == 1
        if refused:
            hart.expect_trap(1, hart.csr("mtval"), epc=address)
        else:
            assert hart.csr("mcause") in (3, 8 + mode)
        return not refused
    if hart.pc == CODE + 4:
        if hart.privilege != M:
            hart.load(CODE + 4, 0)
            hart.step()
        return True
    hart.expect_trap({"r": 5, "w": 7}[kind], address)
    return False


@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize("match", [NA4, NAPOT, TOR])
@pytest.mark.parametrize("rights", [0, R, R | W, X, R | X, R | W | X])
def test_rights_by_mode_of_matching(pmp, mode, match, rights):
    if match == TOR:
        set_entry(pmp, 0, OFF, DATA >> 2)
        set_entry(pmp, 1, TOR | rights, DATA + 4 >> 2)
    else:
        set_entry(pmp, 1, match | rights, DATA >> 2 if match == NA4 else napot(DATA, 8))
    for kind, bit in (("r", R), ("w", W), ("x", X)):
        assert attempt(pmp, kind, DATA, mode) == bool(rights & bit)
        assert attempt(pmp, kind, DATA - 4, mode)
        assert attempt(pmp, kind, DATA + 8, mode)
        assert attempt(pmp, kind, DATA, M)  # an unlocked entry does not bind machine mode


@pytest.mark.parametrize("rights", [0, R, R | W, X, R | X, R | W | X])
def test_a_locked_entry_binds_machine_mode(pmp, rights):
    set_entry(pmp, 3, NAPOT | LOCK | rights, napot(DATA, 0x1000))
    for kind, bit in (("r", R), ("w", W), ("x", X)):
        for mode in (U, S, M):
            assert attempt(pmp, kind, DATA + 0x10, mode) == bool(rights & bit)
    assert attempt(pmp, "w", DATA + 0x1000, M)


@pytest.mark.parametrize("exponent", range(3, 13))
def test_sizes_of_naturally_aligned_regions(pmp, exponent):
    size = 1 << exponent
    base = DATA + 0x2000 & ~(size - 1)
    set_entry(pmp, 2, NAPOT | R, napot(base, size))
    for address, inside in ((base - 4, False), (base, True), (base + size - 4, True), (base + size, False)):
        assert attempt(pmp, "w", address, S) == (not inside)
        assert attempt(pmp, "r", address, S)


def test_top_of_range(pmp):
    """From the address of the entry before, whatever that entry is, up to its own, which is outside."""
    cases = ((DATA, DATA + 0x20), (DATA, DATA), (DATA + 0x20, DATA))
    for low, high in cases:
        set_entry(pmp, 4, OFF, low >> 2)
        set_entry(pmp, 5, TOR | R, high >> 2)
        for address in range(DATA - 8, DATA + 0x30, 4):
            assert attempt(pmp, "w", address, S) == (not low <= address < high), f"{address:#x}"
    set_entry(pmp, 5, OFF, 0)
    set_entry(pmp, 0, TOR | R | X, DATA >> 2)  # entry 0 starts at address 0
    assert not attempt(pmp, "w", RAM + 0x200, S)
    assert not attempt(pmp, "w", DATA - 4, S)
    assert attempt(pmp, "w", DATA, S)


def test_the_lowest_numbered_entry_decides(pmp):
    set_entry(pmp, 1, NAPOT | R, napot(DATA, 0x10))
    set_entry(pmp, 2, NAPOT | R | W, napot(DATA, 0x100))
    set_entry(pmp, 3, NAPOT, napot(DATA, 0x1000))
    assert not attempt(pmp, "w", DATA, U)
    assert attempt(pmp, "r", DATA, U)
    assert attempt(pmp, "w", DATA + 0x10, U)
    assert not attempt(pmp, "r", DATA + 0x100, U)
    assert attempt(pmp, "r", DATA + 0x1000, U)


def test_an_entry_that_matches_only_a_part_fails_the_access(pmp):
    set_entry(pmp, 1, NA4 | R | W | X, DATA + 4 >> 2)
    for mode in (U, S, M):
        for offset, allowed in ((0, True), (1, False), (3, False), (4, True), (5, False), (7, False), (8, True)):
            assert attempt(pmp, "r", DATA + offset, mode) == allowed, f"{offset}"
            assert attempt(pmp, "w", DATA + offset, mode) == allowed
        assert attempt(pmp, "r", DATA + 3, mode, size=1)
        assert attempt(pmp, "r", DATA + 6, mode, size=2)
        assert not attempt(pmp, "r", DATA + 7, mode, size=2)


def test_each_half_of_a_page_crossing_access_is_checked_by_itself(pmp):
    end = DATA + 0x1000
    set_entry(pmp, 1, NA4 | R | W, end >> 2)
    assert attempt(pmp, "r", end - 2, S)
    assert attempt(pmp, "w", end - 1, S)
    set_entry(pmp, 1, NA4 | R, end >> 2)
    assert attempt(pmp, "r", end - 2, S)
    pmp.x[5] = end - 2
    pmp.run(STORE, mode=S)
    pmp.expect_trap(7, end)
    set_entry(pmp, 1, NA4, end - 4 >> 2)
    pmp.x[5] = end - 2
    pmp.run(LOAD, mode=S)
    pmp.expect_trap(5, end - 2)


def test_half_words_of_an_instruction_are_fetched_one_by_one(pmp):
    set_entry(pmp, 1, NA4 | R | W, DATA + 4 >> 2)
    assert attempt(pmp, "x", DATA + 2, S, size=2)
    assert not attempt(pmp, "x", DATA + 2, S, size=4)
    assert pmp.csr("mtval") == DATA + 4
    assert not attempt(pmp, "x", DATA + 6, S, size=2)
    assert pmp.csr("mtval") == DATA + 6
    assert attempt(pmp, "x", DATA + 8, S)


@pytest.mark.parametrize("mode", [U, S])
def test_without_a_match_only_machine_mode_has_access(pmp, mode):
    set_entry(pmp, 15, OFF, 0)
    set_entry(pmp, 0, NAPOT | R | W | X, napot(CODE, 0x1000))
    for kind in "rwx":
        assert not attempt(pmp, kind, DATA, mode)
        assert attempt(pmp, kind, DATA, M)
        assert attempt(pmp, kind, CODE + 0x100, mode)


def test_without_entries_there_is_no_protection(make_hart):
    hart = make_hart(pmp_entries=0)
    hart.set_up()
    for mode, kind in itertools.product((U, S, M), "rwx"):
        assert attempt(hart, kind, DATA, mode)


def test_amos_need_write_permission_and_fault_as_stores(pmp):
    for rights in (0, R, X, R | X):
        set_entry(pmp, 1, NA4 | rights, DATA >> 2)
        pmp.x[5] = DATA
        for word in (AMO, asm("sc.w", rd=6, rs2=7, rs1=5)):
            pmp.run(word, mode=S)
            pmp.expect_trap(7, DATA)
    pmp.run(asm("lr.w", rd=6, rs1=5), mode=U)
    pmp.expect_no_trap()


@pytest.mark.parametrize("mpp", [U, S, M])
def test_mprv_takes_the_mode_from_mpp(pmp, mpp):
    set_entry(pmp, 1, NA4 | R, DATA >> 2)
    for word, allowed in ((LOAD, True), (STORE, mpp == M)):
        pmp.set_csr("mstatus", 1 << 17 | mpp << 11)
        pmp.x[5] = DATA
        pmp.run(word)
        if allowed:
            pmp.expect_no_trap()
        else:
            pmp.expect_trap(7, DATA)


# ---- registers --------------------------------------------------------------------------------------------------


def test_configuration_bytes(pmp):
    for value in range(256):
        expected = value & 0x9F & ~LOCK
        if not value & R:
            expected &= ~W
        pmp.set_csr("pmpcfg1", (value & ~LOCK) * 0x0101_0101)
        assert pmp.csr("pmpcfg1") == expected * 0x0101_0101


@pytest.mark.parametrize("entry", range(15))
@pytest.mark.parametrize("match", [OFF, TOR, NA4, NAPOT])
def test_a_locked_entry_keeps_its_registers(pmp, entry, match):
    address = (RAM + 0x8_0000 >> 2) + 1
    before = (address - 1) & ~1
    if entry:
        pmp.set_csr(f"pmpaddr{entry - 1}", before)
    set_entry(pmp, entry, LOCK | match | R | X, address)
    register, shift = f"pmpcfg{entry // 4}", 8 * (entry % 4)
    pmp.set_csr(register, 0)
    pmp.set_csr(f"pmpaddr{entry}", 0x1234)
    assert pmp.csr(register) == (LOCK | match | R | X) << shift
    assert pmp.csr(f"pmpaddr{entry}") == address
    if entry:
        pmp.set_csr(f"pmpaddr{entry - 1}", 0x5678)  # the lower bound of a locked range is locked with it
        assert pmp.csr(f"pmpaddr{entry - 1}") == (before if match == TOR else 0x5678)
    pmp.set_csr(f"pmpaddr{entry + 1}", 0x9ABC)
    assert pmp.csr(f"pmpaddr{entry + 1}") == 0x9ABC


def test_neighbours_of_a_locked_byte_are_written(pmp):
    set_entry(pmp, 5, LOCK | NA4 | R, DATA >> 2)
    pmp.set_csr("pmpcfg1", 0x0F0F_0F0F)
    assert pmp.csr("pmpcfg1") == 0x0F0F_910F


# ---- with translation -------------------------------------------------------------------------------------------


def test_the_walk_reads_as_supervisor_mode(pmp):
    table = PageTable(pmp)
    table.map(CODE, CODE)
    table.map(DATA, DATA)
    pmp.set_csr("satp", table.satp)
    root, second = table.root, table.slot(DATA) & ~0xFFF
    for where in (root, second):
        for rights, allowed in ((R, True), (0, False), (X, False)):
            set_entry(pmp, 1, NAPOT | rights, napot(where, 0x1000))
            pmp.execute(asm("sfence.vma"))
            pmp.load(CODE, LOAD)
            pmp.x[5] = DATA
            pmp.enter(S, CODE)
            pmp.step()
            if allowed:
                pmp.expect_no_trap()
                pmp.load(CODE + 4, 0)
                pmp.step()
            else:
                pmp.expect_trap(1, CODE)  # already the fetch needs the tables
    set_entry(pmp, 1, NAPOT | R, napot(root, 0x1000))
    set_entry(pmp, 2, NA4, table.slot(DATA) >> 2)
    for word, cause in ((LOAD, 5), (STORE, 7), (AMO, 7)):
        pmp.execute(asm("sfence.vma"))
        pmp.load(CODE, word)
        pmp.enter(S, CODE)
        pmp.step()
        pmp.expect_trap(cause, DATA)


def test_protection_is_of_the_physical_address(pmp):
    table = PageTable(pmp)
    table.map(CODE, CODE)
    table.map(0x4000_0000, DATA)
    pmp.set_csr("satp", table.satp)
    set_entry(pmp, 1, NA4 | R, DATA + 8 >> 2)
    for offset, allowed in ((4, True), (8, False), (12, True)):
        pmp.execute(asm("sfence.vma"))
        pmp.x[5] = 0x4000_0000 + offset
        pmp.load(CODE, STORE)
        pmp.enter(S, CODE)
        pmp.step()
        if allowed:
            pmp.expect_no_trap()
            pmp.load(CODE + 4, 0)
            pmp.step()
        else:
            pmp.expect_trap(7, 0x4000_0000 + offset)


def test_a_change_takes_effect_on_translations_in_use(pmp):
    """Here without a fence: writes of PMP registers forget cached translations themselves."""
    pmp.x[5] = DATA
    assert attempt(pmp, "w", DATA, S)
    set_entry(pmp, 1, NA4 | R, DATA >> 2)
    assert not attempt(pmp, "w", DATA, S)
    assert SCRATCH < DATA
    set_entry(pmp, 1, OFF, 0)
    assert attempt(pmp, "w", DATA, S)


@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize(
    ("word", "cause"), [(LOAD, 5), (STORE, 7), (AMO, 7), (asm("lr.w", rd=6, rs1=5), 5), (asm("sc.w", rd=6, rs1=5), 7)]
)
def test_an_access_beside_a_denied_one_does_not_open_it(pmp, word, cause, mode):
    """One after the other in one mode, so that a translation kept for the page would show."""
    set_entry(pmp, 1, NA4, DATA + 4 >> 2)
    pmp.x[5] = DATA
    pmp.run(word, asm("addi", rd=5, rs1=5, imm=4), word, mode=mode)
    pmp.expect_trap(cause, DATA + 4, epc=CODE + 8)


def test_range_without_bytes_is_not_touched_by_an_access_across_its_place(pmp):
    """TOR with both ends equal matches nothing (section 3.7.1), not even in the middle of a misaligned access."""
    set_entry(pmp, 0, OFF, DATA + 4 >> 2)
    set_entry(pmp, 1, TOR, DATA + 4 >> 2)
    assert attempt(pmp, "r", DATA + 2, U)
    assert attempt(pmp, "w", DATA + 2, U)
