"""Causes of traps, their priorities, privilege modes (privileged specification 1.12, section 3.1.15)."""

from __future__ import annotations

from enum import IntEnum

from . import interrupts


class Privilege(IntEnum):
    """Privilege modes by their encoding (section 1.2)."""

    U = 0
    S = 1
    M = 3


class Cause(IntEnum):
    """Synchronous exception codes of ``mcause`` and ``scause``."""

    INSTRUCTION_ADDRESS_MISALIGNED = 0
    INSTRUCTION_ACCESS_FAULT = 1
    ILLEGAL_INSTRUCTION = 2
    BREAKPOINT = 3
    LOAD_ADDRESS_MISALIGNED = 4
    LOAD_ACCESS_FAULT = 5
    STORE_ADDRESS_MISALIGNED = 6
    STORE_ACCESS_FAULT = 7
    ECALL_FROM_U = 8
    ECALL_FROM_S = 9
    ECALL_FROM_M = 11
    INSTRUCTION_PAGE_FAULT = 12
    LOAD_PAGE_FAULT = 13
    STORE_PAGE_FAULT = 15


class Interrupt(IntEnum):
    """Interrupt codes: bit numbers of ``mip``, ``mie``, ``mideleg``."""

    SSI = interrupts.SSI
    MSI = interrupts.MSI
    STI = interrupts.STI
    MTI = interrupts.MTI
    SEI = interrupts.SEI
    MEI = interrupts.MEI


#: Interrupts by decreasing priority among those that go to the same privilege mode (section 3.1.9).
INTERRUPT_PRIORITY = (
    Interrupt.MEI,
    Interrupt.MSI,
    Interrupt.MTI,
    Interrupt.SEI,
    Interrupt.SSI,
    Interrupt.STI,
)

#: Bit XLEN-1 of ``mcause``: the trap is an interrupt.
INTERRUPT_BIT = 1 << 31

NAMES = {
    Cause.INSTRUCTION_ADDRESS_MISALIGNED: "instruction address misaligned",
    Cause.INSTRUCTION_ACCESS_FAULT: "instruction access fault",
    Cause.ILLEGAL_INSTRUCTION: "illegal instruction",
    Cause.BREAKPOINT: "breakpoint",
    Cause.LOAD_ADDRESS_MISALIGNED: "load address misaligned",
    Cause.LOAD_ACCESS_FAULT: "load access fault",
    Cause.STORE_ADDRESS_MISALIGNED: "store/AMO address misaligned",
    Cause.STORE_ACCESS_FAULT: "store/AMO access fault",
    Cause.ECALL_FROM_U: "environment call from U-mode",
    Cause.ECALL_FROM_S: "environment call from S-mode",
    Cause.ECALL_FROM_M: "environment call from M-mode",
    Cause.INSTRUCTION_PAGE_FAULT: "instruction page fault",
    Cause.LOAD_PAGE_FAULT: "load page fault",
    Cause.STORE_PAGE_FAULT: "store/AMO page fault",
}
