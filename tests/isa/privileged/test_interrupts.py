"""Interrupts: enables, delegation, priorities, vectors, lines, timers, WFI (sections 3.1.6.1, 3.1.9, 3.3.3; Sstc)."""

import itertools

import pytest

from tests.isa.engines import CODE, M_HANDLER, S_HANDLER, M, S, U, asm, csr_asm

SSI, MSI, STI, MTI, SEI, MEI = 1, 3, 5, 7, 9, 11
PRIORITY = (MEI, MSI, MTI, SEI, SSI, STI)
INTERRUPT = 1 << 31
NOP = asm("addi")
FAR = 1 << 62


def raise_interrupt(hart, bit):
    """Make ``mip`` bit ``bit`` pending by what drives it."""
    if bit in (MSI, MEI):
        hart.set_line(bit, True)
    elif bit == MTI:
        hart.mtimecmp = 0
    else:
        hart.set_csr("mip", hart.csr("mip") | 1 << bit)


def enter(hart, mode, *, mie=0, sie=0, words=(NOP,)):
    """Enter ``mode`` at CODE with the global enables as given (MIE through MPIE)."""
    hart.load(CODE, list(words))
    hart.set_csr("mstatus", mie << 7 | sie << 1 | mode << 11)
    hart.set_csr("mepc", CODE)
    hart.execute(asm("mret"))
    assert hart.pc == CODE


@pytest.mark.parametrize("bit", PRIORITY)
@pytest.mark.parametrize("mode", [U, S, M])
@pytest.mark.parametrize("mie", [0, 1])
@pytest.mark.parametrize("enabled", [0, 1])
def test_an_interrupt_to_machine_mode(hart, bit, mode, mie, enabled):
    raise_interrupt(hart, bit)
    hart.set_csr("mie", 1 << bit if enabled else 0xAAA & ~(1 << bit))
    enter(hart, mode, mie=mie)
    hart.step()
    if enabled and (mode < M or mie):
        hart.expect_trap(INTERRUPT | bit)
        assert hart.csr("mstatus") == mode << 11 | mie << 7
    else:
        hart.expect_no_trap()


@pytest.mark.parametrize("bit", [SSI, STI, SEI])
@pytest.mark.parametrize("mode", [U, S, M])
@pytest.mark.parametrize("sie", [0, 1])
def test_a_delegated_interrupt_goes_to_supervisor_mode_and_never_interrupts_machine_mode(hart, bit, mode, sie):
    hart.set_csr("mideleg", 1 << bit)
    raise_interrupt(hart, bit)
    hart.set_csr("mie", 1 << bit)
    enter(hart, mode, mie=1, sie=sie)
    hart.step()
    if mode == U or (mode == S and sie):
        hart.expect_trap(INTERRUPT | bit, mode=S)
        status = hart.csr("mstatus")
        assert (status >> 1 & 1, status >> 5 & 1, status >> 8 & 1) == (0, sie, mode)
    else:
        hart.expect_no_trap()


@pytest.mark.parametrize("bit", [MSI, MTI, MEI])
def test_machine_interrupts_cannot_be_delegated(hart, bit):
    hart.set_csr("mideleg", 0xFFFF_FFFF)
    raise_interrupt(hart, bit)
    hart.set_csr("mie", 1 << bit)
    enter(hart, S, sie=1)
    hart.step()
    hart.expect_trap(INTERRUPT | bit)


@pytest.mark.parametrize("pair", list(itertools.combinations(PRIORITY, 2)))
def test_priority_of_two(hart, pair):
    for bit in pair:
        raise_interrupt(hart, bit)
    hart.set_csr("mie", 0xAAA)
    enter(hart, M, mie=1)
    hart.step()
    hart.expect_trap(INTERRUPT | pair[0])


@pytest.mark.parametrize("pair", list(itertools.combinations((SEI, SSI, STI), 2)))
def test_priority_of_two_delegated(hart, pair):
    hart.set_csr("mideleg", 0x222)
    for bit in pair:
        raise_interrupt(hart, bit)
    hart.set_csr("mie", 0xAAA)
    enter(hart, S, sie=1)
    hart.step()
    hart.expect_trap(INTERRUPT | pair[0], mode=S)


def test_interrupts_to_machine_mode_come_before_delegated_ones_of_higher_priority(hart):
    hart.set_csr("mideleg", 1 << SEI)
    raise_interrupt(hart, SEI)
    raise_interrupt(hart, STI)
    hart.set_csr("mie", 0xAAA)
    enter(hart, S, sie=1)
    hart.step()
    hart.expect_trap(INTERRUPT | STI)


@pytest.mark.parametrize("bit", PRIORITY)
def test_vectored_interrupts(hart, bit):
    hart.set_csr("mtvec", M_HANDLER | 1)
    raise_interrupt(hart, bit)
    hart.set_csr("mie", 1 << bit)
    enter(hart, M, mie=1)
    hart.step()
    hart.expect_trap(INTERRUPT | bit, vector=M_HANDLER + 4 * bit)


@pytest.mark.parametrize("bit", [SSI, STI, SEI])
def test_vectored_interrupts_of_supervisor_mode(hart, bit):
    hart.set_csr("stvec", S_HANDLER | 1)
    hart.set_csr("mideleg", 0x222)
    raise_interrupt(hart, bit)
    hart.set_csr("mie", 1 << bit)
    enter(hart, U)
    hart.step()
    hart.expect_trap(INTERRUPT | bit, mode=S, vector=S_HANDLER + 4 * bit)


def test_an_interrupt_comes_before_the_fault_of_the_instruction(hart):
    raise_interrupt(hart, MSI)
    hart.set_csr("mie", 1 << MSI)
    enter(hart, M, mie=1, words=(0xFFFF_FFFF,))
    hart.step()
    hart.expect_trap(INTERRUPT | MSI)


def test_enabling_takes_effect_before_the_next_instruction(hart):
    raise_interrupt(hart, MSI)
    hart.set_csr("mie", 1 << MSI)
    hart.run(csr_asm("csrrsi", 0, "mstatus", uimm=8), NOP)
    hart.expect_trap(INTERRUPT | MSI, epc=CODE + 4)
    hart.set_csr("mie", 0)
    hart.x[5] = 1 << MSI
    hart.set_csr("mstatus", 8)
    hart.run(csr_asm("csrrs", 0, "mie", rs1=5), NOP)
    hart.expect_trap(INTERRUPT | MSI, epc=CODE + 4)
    hart.set_csr("mie", 0)
    hart.set_csr("mstatus", 8)
    hart.set_line(MSI, False)
    hart.run(csr_asm("csrrs", 0, "mie", rs1=5), NOP)
    hart.expect_no_trap(CODE + 8)


def test_lines_show_in_mip_and_fall_again(hart):
    for bit in (MSI, SEI, MEI):
        hart.set_line(bit, True)
        assert hart.csr("mip") == 1 << bit
        hart.set_csr("mip", 0)
        assert hart.csr("mip") == 1 << bit  # software cannot clear a line
        hart.set_line(bit, False)
        assert hart.csr("mip") == 0


def test_the_external_line_does_not_stick_through_a_read_modify_write(hart):
    """Section 3.1.9: CSRRS and CSRRC modify the software bit; what rd receives includes the line."""
    hart.set_line(SEI, True)
    hart.run(csr_asm("csrrsi", 5, "mip", uimm=2))
    assert hart.x[5] == 1 << SEI
    hart.set_line(SEI, False)
    assert hart.csr("mip") == 2
    hart.x[6] = 1 << SEI
    hart.run(csr_asm("csrrs", 5, "mip", rs1=6))
    hart.set_line(SEI, True)
    hart.run(csr_asm("csrrc", 5, "mip", rs1=6))
    assert hart.x[5] == 1 << SEI | 2
    assert hart.csr("mip") == 1 << SEI | 2
    hart.set_line(SEI, False)
    assert hart.csr("mip") == 2


def test_supervisor_mode_clears_its_software_interrupt(hart):
    hart.set_csr("mideleg", 0x222)
    hart.set_csr("mip", 0x222)
    hart.x[6] = 0x222
    hart.run(csr_asm("csrrc", 5, "sip", rs1=6), mode=S)
    assert hart.x[5] == 0x222
    assert hart.csr("mip") == 0x220


# ---- timers -----------------------------------------------------------------------------------------------------


def test_the_machine_timer(hart):
    assert hart.csr("mip") == 0  # mtimecmp is all ones at reset
    now = hart.mtime
    hart.mtimecmp = now + FAR
    assert hart.csr("mip") == 0
    hart.mtimecmp = hart.mtime
    assert hart.csr("mip") == 1 << MTI
    hart.mtime = FAR
    hart.mtimecmp = FAR + FAR
    assert hart.csr("mip") == 0
    hart.mtime = FAR + FAR
    assert hart.csr("mip") == 1 << MTI
    hart.set_csr("mip", 0)
    assert hart.csr("mip") == 1 << MTI


def set_stimecmp(hart, value):
    hart.set_csr("stimecmp", value & 0xFFFF_FFFF)
    hart.set_csr("stimecmph", value >> 32)


def test_the_supervisor_timer_compares_only_when_enabled(hart):
    hart.mtime = 1000
    set_stimecmp(hart, 0)
    assert hart.csr("mip") == 0
    hart.set_csr("menvcfgh", 1 << 31)
    assert hart.csr("mip") == 1 << STI
    set_stimecmp(hart, FAR)
    assert hart.csr("mip") == 0
    hart.set_csr("mip", 0x222)  # STIP is read-only now
    assert hart.csr("mip") == 0x202
    hart.mtime = FAR
    assert hart.csr("mip") == 0x222
    hart.set_csr("mip", 0)
    assert hart.csr("mip") == 1 << STI
    hart.set_csr("menvcfgh", 0)
    assert hart.csr("mip") == 0


def test_enabling_the_comparator_forgets_the_bit_that_software_wrote(hart):
    hart.set_csr("mip", 1 << STI)
    assert hart.csr("mip") == 1 << STI
    hart.set_csr("menvcfgh", 1 << 31)
    assert hart.csr("mip") == 0
    hart.set_csr("menvcfgh", 0)
    assert hart.csr("mip") == 0


def test_the_supervisor_timer_interrupts(hart):
    hart.set_csr("mideleg", 0x222)
    hart.set_csr("menvcfgh", 1 << 31)
    hart.set_csr("mie", 1 << STI)
    hart.mtime = 1000
    set_stimecmp(hart, 500)
    enter(hart, U)
    hart.step()
    hart.expect_trap(INTERRUPT | STI, mode=S)


def test_time_reads_the_timer(hart):
    hart.set_csr("mcounteren", 2)
    hart.mtime = 5 << 32 | 1 << 20
    hart.run(csr_asm("csrrs", 5, "timeh", rs1=0), csr_asm("csrrs", 6, "time", rs1=0), mode=S)
    assert hart.x[5] == 5
    assert 1 << 20 <= hart.x[6] < 1 << 31


# ---- WFI --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [S, M])
@pytest.mark.parametrize("enabled", [0, 1])
def test_wfi_waits_for_a_locally_enabled_interrupt(hart, mode, enabled):
    hart.set_csr("mie", 1 << MSI)
    enter(hart, mode, mie=enabled, words=(asm("wfi"), NOP))
    hart.step()
    for _ in range(3):
        hart.step()
        assert hart.pc == CODE + 4
    hart.set_line(MEI, True)  # pending but not enabled
    hart.step()
    assert hart.pc == CODE + 4
    hart.set_line(MSI, True)
    hart.step()
    if mode == M and not enabled:  # wakes although interrupts are globally disabled
        hart.expect_no_trap(CODE + 8)
    else:
        hart.expect_trap(INTERRUPT | MSI, epc=CODE + 4)


def test_wfi_goes_on_at_once_if_one_is_pending(hart):
    hart.set_csr("mie", 1 << MSI)
    hart.set_line(MSI, True)
    enter(hart, M, words=(asm("wfi"), NOP))
    hart.step()
    hart.step()
    hart.expect_no_trap(CODE + 8)


def test_wfi_wakes_for_a_delegated_interrupt_that_supervisor_mode_has_disabled(hart):
    hart.set_csr("mie", 1 << SEI)
    hart.set_csr("mideleg", 1 << SEI)
    enter(hart, S, sie=0, words=(asm("wfi"), NOP))
    hart.step()
    hart.set_line(SEI, True)
    hart.step()
    hart.expect_no_trap(CODE + 8)


def test_wfi_ends_by_the_timer(hart):
    hart.set_csr("mie", 1 << MTI)
    hart.mtimecmp = hart.mtime + FAR
    enter(hart, M, mie=1, words=(asm("wfi"), NOP))
    hart.step()
    hart.step()
    assert hart.pc == CODE + 4
    hart.mtime = hart.mtimecmp
    hart.step()
    hart.expect_trap(INTERRUPT | MTI, epc=CODE + 4)
