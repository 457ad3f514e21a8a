"""Sv32 translation: permissions under SUM, MXR and MPRV, A and D, superpages, malformed tables (section 4.3)."""

import itertools

import pytest

from tests.isa.engines import CODE, DATA, DEVICE, RAM, RAM_SIZE, ROM, M, S, U, asm, csr_asm
from tests.isa.pages import FULL, SV32, A, D, G, PageTable, R, V, W, X
from tests.isa.pages import U as USER

MPRV, SUM, MXR = 1 << 17, 1 << 18, 1 << 19
#: Where the tests' page is mapped, and the physical page that holds its data.
PAGE, TARGET = 0x4040_0000, RAM + 0x8000
VCODE = 0x0000_1000
LOAD, STORE, AMO = asm("lw", rd=6, rs1=5), asm("sw", rs2=7, rs1=5), asm("amoadd.w", rd=6, rs2=7, rs1=5)
CAUSES = {LOAD: 13, STORE: 15, AMO: 15}
FENCE = asm("sfence.vma")


class Translated:
    """A hart with a page table: code at VCODE for the mode in use, ``PAGE`` for the test."""

    def __init__(self, hart):
        self.hart = hart
        self.table = PageTable(hart)
        hart.x[5], hart.x[7] = PAGE + 0x10, 0x1111_1111
        hart.store_word(TARGET + 0x10, 0x2222_2222)

    def run(self, word, mode, *, status=0, at=VCODE, physical=CODE):
        """Execute ``word`` in ``mode``, translated; in M-mode only MPRV makes a difference."""
        hart = self.hart
        if hart.privilege != M:
            raise AssertionError("a test starts from machine mode")
        if at == VCODE:
            self.table.map(VCODE, CODE, FULL | (USER if mode == U else 0))
            hart.load(physical, word)
        hart.set_csr("satp", self.table.satp)
        hart.execute(FENCE)
        hart.set_csr("mepc", physical if mode == M else at)
        if mode == M:
            # MPRV is set last, by the instruction before the one under test
            hart.load(physical - 4, csr_asm("csrrw", 0, "mstatus", rs1=31))
            hart.x[31] = status
            hart.pc = physical - 4
            hart.step()
        else:
            hart.set_csr("mstatus", status & ~(3 << 11) | mode << 11)
            hart.execute(asm("mret"))
        hart.step()

    def succeeded(self):
        return self.hart.pc in (VCODE + 4, CODE + 4)

    def back(self):
        """To machine mode again, with MPRV off."""
        hart = self.hart
        if hart.privilege != M:
            hart.set_line(11, True)  # a machine external interrupt is always enabled below machine mode
            hart.step()
            hart.set_line(11, False)
        assert hart.privilege == M
        hart.load(CODE - 8, csr_asm("csrrw", 0, "mstatus", rs1=0))
        hart.pc = CODE - 8
        hart.step()
        hart.set_csr("mcause", 0)


@pytest.fixture
def sv32(hart):
    hart.set_csr("mie", 1 << 11)
    return Translated(hart)


def allowed(word, mode, flags, status):
    """Section 4.3.2 for a leaf entry with ``flags``."""
    if not flags & V or (flags & W and not flags & R) or not flags & A:
        return False
    if mode == U and not flags & USER:
        return False
    if mode == S and flags & USER and not status & SUM:
        return False
    if word == LOAD:
        return bool(flags & R or (status & MXR and flags & X))
    return bool(flags & W and flags & D)


@pytest.mark.parametrize("status", [0, SUM, MXR, SUM | MXR])
@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize("word", [LOAD, STORE, AMO])
def test_permissions_of_loads_and_stores(sv32, word, mode, status):
    for flags in range(256):
        if flags & V and not flags & (R | X):
            continue  # a pointer or reserved
        sv32.table.map(PAGE, TARGET, flags)
        sv32.run(word, mode, status=status)
        if allowed(word, mode, flags, status):
            assert sv32.succeeded(), f"{flags:#x}"
        else:
            sv32.hart.expect_trap(CAUSES[word], PAGE + 0x10, epc=VCODE)
        sv32.back()


@pytest.mark.parametrize("mpp", [U, S, M])
@pytest.mark.parametrize("word", [LOAD, STORE, AMO])
def test_mprv_makes_machine_mode_load_and_store_as_mpp_says(sv32, word, mpp):
    for flags, status in itertools.product(range(1, 256, 2), (0, SUM, MXR, SUM | MXR)):
        if not flags & (R | X) or flags & (A | D) == D:
            continue
        sv32.table.map(PAGE, TARGET, flags)
        sv32.run(word, M, status=status | MPRV | mpp << 11)
        if mpp == M:
            sv32.hart.expect_trap({LOAD: 5, STORE: 7, AMO: 7}[word], PAGE + 0x10)  # nothing is there
        elif allowed(word, mpp, flags, status):
            assert sv32.succeeded(), f"{flags:#x}"
        else:
            sv32.hart.expect_trap(CAUSES[word], PAGE + 0x10)
        sv32.back()


def test_mprv_does_not_touch_fetches(sv32):
    sv32.run(asm("addi", rd=9, rs1=0, imm=3), M, status=MPRV | U << 11)
    assert sv32.hart.x[9] == 3


@pytest.mark.parametrize("status", [0, SUM, MXR, SUM | MXR])
@pytest.mark.parametrize("mode", [U, S])
def test_permissions_of_fetches(sv32, mode, status):
    sv32.hart.load(TARGET, asm("addi"))
    for flags in range(256):
        if flags & V and not flags & (R | X):
            continue
        sv32.table.map(PAGE, TARGET, flags)
        sv32.run(asm("addi"), mode, status=status, at=PAGE)
        good = flags & V and flags & X and flags & A and not (flags & W and not flags & R)
        if good and bool(flags & USER) == (mode == U):  # SUM never opens user pages to fetches
            assert sv32.hart.pc == PAGE + 4, f"{flags:#x}"
        else:
            sv32.hart.expect_trap(12, PAGE, epc=PAGE)
        sv32.back()


def test_data_go_where_the_table_says(sv32):
    sv32.table.map(PAGE, TARGET)
    sv32.run(LOAD, S)
    assert sv32.hart.x[6] == 0x2222_2222
    sv32.back()
    sv32.run(STORE, S)
    assert sv32.hart.load_word(TARGET + 0x10) == 0x1111_1111
    sv32.back()
    sv32.run(AMO, S)
    assert sv32.hart.load_word(TARGET + 0x10) == 0x2222_2222


def test_entries_are_not_changed(sv32):
    """Svade: the hart never sets A or D itself."""
    sv32.table.map(PAGE, TARGET, FULL & ~D)
    sv32.run(LOAD, S)
    assert sv32.succeeded()
    assert sv32.hart.load_word(sv32.table.slot(PAGE)) == TARGET >> 12 << 10 | FULL & ~D


@pytest.mark.parametrize("mode", [U, S])
@pytest.mark.parametrize("word", [LOAD, STORE])
def test_superpages(sv32, mode, word):
    user = USER if mode == U else 0
    sv32.table.map(PAGE, RAM, FULL | user, level=1)
    sv32.hart.x[5] = PAGE + 0x8010
    sv32.run(word, mode)
    assert sv32.succeeded()
    if word == LOAD:
        assert sv32.hart.x[6] == 0x2222_2222
    else:
        assert sv32.hart.load_word(TARGET + 0x10) == 0x1111_1111
    sv32.back()
    for low in (1, 0x200, 0x3FF):
        sv32.table.map(PAGE, RAM | low << 12, FULL | user, level=1)
        sv32.run(word, mode)
        sv32.hart.expect_trap(CAUSES[word], PAGE + 0x8010, epc=VCODE)
        sv32.back()


@pytest.mark.parametrize("flags", [A, D, USER, A | D | USER, W, 0, R, X])
@pytest.mark.parametrize("word", [LOAD, STORE, AMO])
def test_a_pointer_with_bits_that_are_reserved_in_pointers_faults(sv32, word, flags):
    sv32.table.map(PAGE, TARGET)
    root = sv32.table.slot(PAGE, level=1)
    pointer = sv32.hart.load_word(root)
    if flags:
        sv32.hart.store_word(root, pointer | flags)
        if flags & (R | X):
            sv32.hart.store_word(root, pointer & ~V | flags)
        sv32.run(word, S)
        sv32.hart.expect_trap(CAUSES[word], PAGE + 0x10, epc=VCODE)
        sv32.back()
    sv32.hart.store_word(root, pointer | G)  # global is allowed in a pointer
    sv32.run(word, S)
    assert sv32.succeeded()


def test_a_pointer_at_the_last_level_faults(sv32):
    sv32.table.map(PAGE, TARGET, V)
    sv32.run(LOAD, S)
    sv32.hart.expect_trap(13, PAGE + 0x10, epc=VCODE)


@pytest.mark.parametrize("table", [0x4000_0000, ROM, DEVICE, RAM + RAM_SIZE, 0x3_0000_0000])
@pytest.mark.parametrize("word", [LOAD, STORE, AMO])
def test_a_table_outside_ram_is_an_access_fault(sv32, word, table):
    cause = {LOAD: 5, STORE: 7, AMO: 7}[word]
    sv32.table.slot(PAGE)
    sv32.hart.store_word(sv32.table.slot(PAGE, level=1), table >> 12 << 10 | V)
    sv32.run(word, S)
    sv32.hart.expect_trap(cause, PAGE + 0x10, epc=VCODE)
    assert not sv32.hart.device.log


@pytest.mark.parametrize("root", [0x4000_0000, ROM, 0x3_FFFF_F000])
def test_a_root_outside_ram_is_an_access_fault_of_the_fetch(hart, root):
    hart.set_csr("satp", SV32 | root >> 12)
    hart.execute(FENCE)
    hart.load(CODE, asm("addi"))
    hart.enter(S, CODE)
    hart.step()
    hart.expect_trap(1, CODE)


@pytest.mark.parametrize("physical", [0x1_0000_0000 | TARGET, 0x3_8000_8000, 0x4000_0000])
def test_a_page_outside_memory_is_an_access_fault(sv32, physical):
    for word, cause in ((LOAD, 5), (STORE, 7), (AMO, 7)):
        sv32.table.map(PAGE, physical)
        sv32.run(word, S)
        sv32.hart.expect_trap(cause, PAGE + 0x10, epc=VCODE)
        sv32.back()
    sv32.run(asm("addi"), S, at=PAGE)
    sv32.hart.expect_trap(1, PAGE, epc=PAGE)


def test_devices_are_reached_through_translation(sv32):
    sv32.table.map(PAGE, DEVICE)
    sv32.run(LOAD, S)
    assert sv32.hart.x[6] == 0x13121110
    assert sv32.hart.device.log == [("read", 0x10, 4)]


@pytest.mark.parametrize("mode", [U, S, M])
def test_bare_addresses_are_physical(hart, mode):
    hart.set_csr("satp", 0x0000_1234)
    hart.x[5] = DATA
    hart.store_word(DATA, 0x3333_3333)
    hart.run(LOAD, mode=mode)
    assert hart.x[6] == 0x3333_3333


def test_machine_mode_is_not_translated(hart):
    hart.set_csr("satp", SV32)  # a root where no RAM is
    hart.x[5] = DATA
    hart.run(LOAD)
    hart.expect_no_trap()


@pytest.mark.parametrize(("rs1", "rs2"), [(0, 0), (8, 0), (0, 9), (8, 9)])
@pytest.mark.parametrize("name", ["sfence.vma", "sinval.vma"])
def test_a_changed_entry_is_seen_after_the_fence(sv32, name, rs1, rs2):
    hart = sv32.hart
    other = RAM + 0xA000
    hart.store_word(other + 0x10, 0x4444_4444)
    sv32.table.map(PAGE, TARGET)
    slot = sv32.table.slot(PAGE)
    sv32.table.map(0x7000_0000, slot & ~0xFFF)
    hart.x[8], hart.x[9] = PAGE, 0
    hart.x[10], hart.x[11] = 0x7000_0000 | slot & 0xFFF, other >> 12 << 10 | FULL
    words = [LOAD, asm("sw", rs2=11, rs1=10), asm(name, rs1=rs1, rs2=rs2), asm("lw", rd=12, rs1=5)]
    sv32.table.map(VCODE, CODE)
    hart.load(CODE, words)
    sv32.run(LOAD, S)
    for _ in words[1:]:
        hart.step()
    assert (hart.x[6], hart.x[12]) == (0x2222_2222, 0x4444_4444)


def test_another_address_space_after_a_write_of_satp_and_a_fence(sv32):
    hart = sv32.hart
    other = PageTable(hart, RAM + 0x2_0000)
    sv32.table.map(PAGE, TARGET)
    other.map(PAGE, RAM + 0xB000)
    other.map(VCODE, CODE)
    hart.store_word(RAM + 0xB010, 0x5555_5555)
    hart.x[8] = other.satp | 3 << 22
    words = [LOAD, csr_asm("csrrw", 0, "satp", rs1=8), FENCE, asm("lw", rd=12, rs1=5)]
    sv32.table.map(VCODE, CODE)
    hart.load(CODE, words)
    sv32.run(LOAD, S)
    for _ in words[1:]:
        hart.step()
    assert (hart.x[6], hart.x[12]) == (0x2222_2222, 0x5555_5555)


@pytest.mark.parametrize("change", [SUM, MXR])
def test_sum_and_mxr_take_effect_with_the_next_instruction(sv32, change):
    hart = sv32.hart
    sv32.table.map(PAGE, TARGET, FULL | USER if change == SUM else V | X | A)
    sv32.table.map(VCODE, CODE)
    hart.x[8] = change
    words = [
        csr_asm("csrrs", 0, "sstatus", rs1=8),
        LOAD,
        csr_asm("csrrc", 0, "sstatus", rs1=8),
        asm("lw", rd=9, rs1=5),
    ]
    hart.load(CODE, words)
    sv32.run(words[0], S)
    for _ in words[1:]:
        hart.step()
    assert hart.x[6] == 0x2222_2222
    hart.expect_trap(13, PAGE + 0x10, epc=VCODE + 12)


def test_an_instruction_across_two_pages(sv32):
    hart = sv32.hart
    word = asm("addi", rd=9, rs1=0, imm=0x123)
    hart.write(TARGET + 0xFFE, (word & 0xFFFF).to_bytes(2, "little"))
    hart.write(RAM + 0xC000, (word >> 16).to_bytes(2, "little"))
    sv32.table.map(PAGE, TARGET)
    sv32.table.map(PAGE + 0x1000, RAM + 0xC000)
    sv32.run(word, S, at=PAGE + 0xFFE)
    assert (hart.x[9], hart.pc) == (0x123, PAGE + 0x1002)
    sv32.back()
    for flags, cause in ((FULL & ~X, 12), (FULL & ~A, 12), (FULL | USER, 12), (0, 12)):
        sv32.table.map(PAGE + 0x1000, RAM + 0xC000, flags)
        sv32.run(word, S, at=PAGE + 0xFFE)
        hart.expect_trap(cause, PAGE + 0x1000, epc=PAGE + 0xFFE)
        sv32.back()
    sv32.table.map(PAGE + 0x1000, 0x4000_0000)
    sv32.run(word, S, at=PAGE + 0xFFE)
    hart.expect_trap(1, PAGE + 0x1000, epc=PAGE + 0xFFE)
    sv32.back()
    sv32.table.map(PAGE, TARGET, FULL & ~X)
    sv32.run(word, S, at=PAGE + 0xFFE)
    hart.expect_trap(12, PAGE + 0xFFE, epc=PAGE + 0xFFE)
    sv32.back()
    hart.write(TARGET + 0xFFE, (0x0485).to_bytes(2, "little"))  # c.addi x9, 1 needs no second page
    sv32.table.map(PAGE, TARGET)
    sv32.run(word, S, at=PAGE + 0xFFE)
    assert (hart.x[9], hart.pc) == (0x124, PAGE + 0x1000)


def test_lr_and_sc_agree_on_the_physical_word(sv32):
    hart = sv32.hart
    sv32.table.map(PAGE, TARGET)
    sv32.table.map(0x7000_0000, TARGET)
    sv32.table.map(VCODE, CODE)
    hart.x[8] = 0x7000_0010
    words = [asm("lr.w", rd=6, rs1=5), asm("sc.w", rd=9, rs2=7, rs1=8)]
    hart.load(CODE, words)
    sv32.run(words[0], S)
    hart.step()
    assert (hart.x[9], hart.load_word(TARGET + 0x10)) == (0, 0x1111_1111)


def test_sc_checks_permission_before_the_reservation(sv32):
    sv32.table.map(PAGE, TARGET, FULL & ~W)
    sv32.run(asm("sc.w", rd=9, rs2=7, rs1=5), S)
    sv32.hart.expect_trap(15, PAGE + 0x10, epc=VCODE)
    sv32.back()
    sv32.run(asm("lr.w", rd=9, rs1=5), S)
    assert sv32.succeeded()
    sv32.back()
    sv32.table.map(PAGE, TARGET, V | X | A)
    sv32.run(asm("lr.w", rd=9, rs1=5), S)
    sv32.hart.expect_trap(13, PAGE + 0x10, epc=VCODE)


@pytest.mark.parametrize("name", ["sfence.vma", "sinval.vma"])
@pytest.mark.parametrize("kind", ["load", "store", "fetch"])
def test_a_fence_of_any_address_in_a_superpage_is_a_fence_of_all_of_it(sv32, name, kind):
    hart = sv32.hart
    shift = 0x8000  # a table of pages takes the superpage's place, and all its addresses move by so much
    pages = PageTable(hart, RAM + 0x2_0000)
    for offset in range(0, 0x4_0000, 0x1000):
        pages.map(PAGE + offset, RAM + shift + offset)
    sv32.table.map(PAGE, RAM, level=1)
    sv32.table.map(VCODE, CODE)
    slot = sv32.table.slot(PAGE, level=1)
    sv32.table.map(0x7000_0000, slot & ~0xFFF)
    place = DATA + 0x10
    before, after = asm("jalr", rd=0, rs1=1), asm("addi", rd=9, rs1=0, imm=77)
    hart.store_word(place, before)
    hart.store_word(place + shift, after)
    hart.x[5], hart.x[8] = PAGE + (place - RAM), PAGE + 0x3F_0000  # an address in use, and the one of the fence
    hart.x[10], hart.x[11] = 0x7000_0000 | slot & 0xFFF, hart.load_word(pages.slot(PAGE, level=1))
    use = {"load": LOAD, "store": STORE, "fetch": asm("jalr", rd=1, rs1=5)}[kind]
    words = [use, asm("sw", rs2=11, rs1=10), asm(name, rs1=8), use]
    hart.load(CODE + 4, words[1:])
    sv32.run(use, S)
    for _ in words if kind == "fetch" else words[1:]:  # a jump comes back by one instruction more
        hart.step()
    if kind == "load":
        assert hart.x[6] == after
    elif kind == "store":
        assert (hart.load_word(place), hart.load_word(place + shift)) == (0x1111_1111, 0x1111_1111)
    else:
        hart.step()
        assert hart.x[9] == 77
