"""Traps and returns from them (privileged specification, sections 3.1.6.1, 3.1.8 and 3.3.2)."""

from __future__ import annotations

from ..traps import INTERRUPT_BIT, Cause, Privilege
from .state import MIE, MPIE, MPP, MPP_LOW, MPRV, SIE, SPIE, SPP, State


class Trap(Exception):
    """An instruction raises a synchronous exception.

    Attributes
    ----------
    cause
        Exception code.
    tval
        Value for ``mtval``/``stval``; ``None``: the instruction bits.
    """

    def __init__(self, cause: Cause, tval: int | None = 0) -> None:
        super().__init__(cause, tval)
        self.cause, self.tval = cause, tval


def illegal() -> Trap:
    """An illegal-instruction exception; its ``tval`` is the instruction."""
    return Trap(Cause.ILLEGAL_INSTRUCTION, None)


def enter(state: State, cause: int, tval: int) -> None:
    """Take the trap ``cause`` (with :data:`INTERRUPT_BIT` if it is an interrupt) before the instruction at ``pc``."""
    code = cause & ~INTERRUPT_BIT
    delegated = (state.mideleg if cause & INTERRUPT_BIT else state.medeleg) >> code & 1
    status = state.mstatus
    if delegated and state.privilege <= Privilege.S:
        state.sepc, state.scause, state.stval = state.pc, cause, tval
        status = status & ~(SPIE | SPP) | (SPIE if status & SIE else 0) | (SPP if state.privilege else 0)
        state.mstatus = status & ~SIE
        vector, state.privilege = state.stvec, Privilege.S
    else:
        state.mepc, state.mcause, state.mtval = state.pc, cause, tval
        status = status & ~(MPIE | MPP) | (MPIE if status & MIE else 0) | state.privilege << MPP_LOW
        state.mstatus = status & ~MIE
        vector, state.privilege = state.mtvec, Privilege.M
    vectored = vector & 3 == 1 and cause & INTERRUPT_BIT
    state.pc = (vector & ~3) + (4 * code if vectored else 0) & 0xFFFF_FFFF


def mret(state: State) -> int:
    """Leave a machine-mode trap handler; returns the next ``pc``."""
    status = state.mstatus
    state.privilege = (status & MPP) >> MPP_LOW
    status = status & ~(MIE | MPP) | (MIE if status & MPIE else 0) | MPIE
    state.mstatus = status if state.privilege == Privilege.M else status & ~MPRV
    return state.mepc


def sret(state: State) -> int:
    """Leave a supervisor trap handler; returns the next ``pc``."""
    status = state.mstatus
    state.privilege = Privilege.S if status & SPP else Privilege.U
    status = status & ~(SIE | SPP) | (SIE if status & SPIE else 0) | SPIE
    state.mstatus = status & ~MPRV
    return state.sepc
