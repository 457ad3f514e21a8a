"""Traps, returns from them, and which system instructions the present mode may execute."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from rvsim.cpu.pipeline.csr_fields import STATUS, TVEC
from rvsim.isa.traps import Privilege

__all__ = ["SystemOperation", "SystemPort", "TrapPort", "TrapRegisters", "Traps"]


class SystemOperation(enum.Enum, shape=3):
    """System instructions of which the present mode decides whether they are legal."""

    MRET = 0
    SRET = 1
    WFI = 2
    FENCE_VMA = 3  # sfence.vma, sinval.vma
    FENCE_ORDER = 4  # sfence.w.inval, sfence.inval.ir

    @classmethod
    def of(cls, name: str) -> SystemOperation:
        """The operation of an instruction, by its mnemonic.

        Raises
        ------
        KeyError
            Every mode may execute it (``ecall``, ``ebreak``, ``fence``, ``fence.i``), or it is no system instruction.
        """
        fences = {"sfence.vma": "FENCE_VMA", "sinval.vma": "FENCE_VMA"}
        orders = dict.fromkeys(("sfence.w.inval", "sfence.inval.ir"), "FENCE_ORDER")
        return cls[(fences | orders).get(name, name.upper())]


class TrapPort(wiring.Signature):
    """A trap to be taken.

    Members
    -------
    valid : ``Out(1)``
        Take it: mode and registers change at the end of the cycle.
    interrupt : ``Out(1)``
        It is an interrupt.
    cause : ``Out(4)``
        Its code (:class:`rvsim.isa.traps.Cause`, :class:`rvsim.isa.traps.Interrupt`).
    epc, tval : ``Out(32)``
        What ``mepc`` and ``mtval``, or ``sepc`` and ``stval``, become.
    """

    def __init__(self) -> None:
        super().__init__({"valid": Out(1), "interrupt": Out(1), "cause": Out(4), "epc": Out(32), "tval": Out(32)})


class SystemPort(wiring.Signature):
    """A system instruction to be executed.

    Members
    -------
    valid : ``Out(1)``
        Execute it, if it is legal: a return changes mode and ``mstatus`` at the end of the cycle.
    operation : ``Out(SystemOperation)``
        Which.
    illegal : ``In(1)``
        The present mode may not: nothing happens.
    """

    def __init__(self) -> None:
        super().__init__({"valid": Out(1), "operation": Out(SystemOperation), "illegal": In(1)})


class TrapRegisters(wiring.Signature):
    """Registers that traps and returns look at.

    Members
    -------
    mstatus : ``Out(STATUS)``
    mtvec, stvec : ``Out(TVEC)``
    medeleg, mideleg, mepc, sepc : ``Out(32)``
    """

    def __init__(self) -> None:
        words = dict.fromkeys(("medeleg", "mideleg", "mepc", "sepc"), Out(32))
        super().__init__({"mstatus": Out(STATUS), "mtvec": Out(TVEC), "stvec": Out(TVEC), **words})


class Traps(wiring.Component):
    """Combinational: what becomes of mode, ``mstatus`` and ``pc``, from the registers as they are.

    Privileged specification, sections 3.1.6.1 (returns and the stack of enables), 3.1.6.5 (TVM, TW, TSR), 3.1.7
    (vectors), 3.1.8 (delegation).

    Members
    -------
    trap : ``In(TrapPort())``
        Comes before ``system``. ``trap.valid`` may depend on ``system.illegal``.
    system : ``In(SystemPort())``
        System instruction.
    privilege : ``In(Privilege)``
        Present mode.
    registers : ``In(TrapRegisters())``
        What else the outcome depends on.
    change : ``Out(1)``
        A trap or a return: the following outputs count, else they are zero.
    supervisor : ``Out(1)``
        The trap's handler is S-mode's.
    next_privilege, next_status, target : ``Out(Privilege)``, ``Out(STATUS)``, ``Out(32)``
        Mode, ``mstatus`` and ``pc`` after it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "trap": In(TrapPort()),
                "system": In(SystemPort()),
                "privilege": In(Privilege),
                "registers": In(TrapRegisters()),
                "change": Out(1),
                "supervisor": Out(1),
                "next_privilege": Out(Privilege),
                "next_status": Out(STATUS),
                "target": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Legality stands apart, because an illegal instruction is a trap in the same cycle."""
        m = Module()
        with m.If(self.system.valid):
            self._check(m)
        with m.If(self.trap.valid):
            self._enter(m)
        with m.Elif(self.system.valid & ~self.system.illegal):
            self._leave(m)
        return m

    def _check(self, m: Module) -> None:
        user, supervisor = self.privilege == Privilege.U, self.privilege == Privilege.S
        illegal, status, op = self.system.illegal, self.registers.mstatus, SystemOperation
        with m.Switch(self.system.operation):
            with m.Case(op.MRET):
                m.d.comb += illegal.eq(self.privilege != Privilege.M)
            with m.Case(op.FENCE_ORDER):
                m.d.comb += illegal.eq(user)
            for operation, trapped in ((op.SRET, status.TSR), (op.WFI, status.TW), (op.FENCE_VMA, status.TVM)):
                with m.Case(operation):
                    m.d.comb += illegal.eq(user | (supervisor & trapped))

    def _enter(self, m: Module) -> None:
        registers, status, after = self.registers, self.registers.mstatus, self.next_status
        delegated = Mux(self.trap.interrupt, registers.mideleg, registers.medeleg).bit_select(self.trap.cause, 1)
        vector = Signal(TVEC)
        m.d.comb += [self.change.eq(1), after.eq(status)]
        with m.If(delegated & (self.privilege != Privilege.M)):
            m.d.comb += [
                self.supervisor.eq(1),
                self.next_privilege.eq(Privilege.S),
                vector.eq(registers.stvec),
                after.SPP.eq(self.privilege),
                after.SPIE.eq(status.SIE),
                after.SIE.eq(0),
            ]
        with m.Else():
            m.d.comb += [
                self.next_privilege.eq(Privilege.M),
                vector.eq(registers.mtvec),
                after.MPP.eq(self.privilege),
                after.MPIE.eq(status.MIE),
                after.MIE.eq(0),
            ]
        vectored = self.trap.interrupt & (vector.MODE == 1)
        m.d.comb += self.target.eq(Cat(Const(0, 2), vector.BASE + Mux(vectored, self.trap.cause, 0)))

    def _leave(self, m: Module) -> None:
        status, after, op = self.registers.mstatus, self.next_status, SystemOperation
        with m.Switch(self.system.operation):
            with m.Case(op.MRET):
                m.d.comb += [
                    self.change.eq(1),
                    self.target.eq(self.registers.mepc),
                    self.next_privilege.eq(status.MPP),
                    after.eq(status),
                    after.MIE.eq(status.MPIE),
                    after.MPIE.eq(1),
                    after.MPP.eq(Privilege.U),
                    after.MPRV.eq(status.MPRV & (status.MPP == Privilege.M)),
                ]
            with m.Case(op.SRET):
                m.d.comb += [
                    self.change.eq(1),
                    self.target.eq(self.registers.sepc),
                    self.next_privilege.eq(Mux(status.SPP, Privilege.S, Privilege.U)),
                    after.eq(status),
                    after.SIE.eq(status.SPIE),
                    after.SPIE.eq(1),
                    after.SPP.eq(0),
                    after.MPRV.eq(0),
                ]
