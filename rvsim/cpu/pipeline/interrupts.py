"""Which interrupts are pending, and which one is to be taken (privileged specification, section 3.1.9)."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rvsim.cpu.pipeline.csr_fields import INTERRUPTS
from rvsim.isa.traps import INTERRUPT_PRIORITY, Privilege

__all__ = ["InterruptRegisters", "Interrupts"]


class InterruptRegisters(wiring.Signature):
    """Registers that decide about interrupts.

    Members
    -------
    mip : ``Out(INTERRUPTS)``
        Only the bits that software wrote.
    mie, mideleg : ``Out(INTERRUPTS)``
        Enabled and delegated interrupts.
    stimecmp : ``Out(64)``
        What the time is compared with.
    """

    def __init__(self) -> None:
        super().__init__({**dict.fromkeys(("mip", "mie", "mideleg"), Out(INTERRUPTS)), "stimecmp": Out(64)})


class Interrupts(wiring.Component):
    """Combinational: ``mip`` from lines, software and the supervisor timer; then enables, delegation and priority.

    Members
    -------
    registers : ``In(InterruptRegisters())``
        What the decision depends on.
    msip, mtip, seip, meip : ``In(1)``
        Interrupt lines.
    timer : ``In(1)``
        ``menvcfg.STCE``: STI is pending while ``time`` ≥ ``stimecmp`` (Sstc 2.2), instead of being software's.
    time : ``In(64)``
        The time.
    privilege : ``In(Privilege)``
        Present mode.
    machine_enable, supervisor_enable : ``In(1)``
        ``mstatus.MIE`` and ``SIE``.
    pending : ``Out(INTERRUPTS)``
        ``mip`` as a read shows it.
    wake : ``Out(1)``
        One that is enabled is pending, whatever the mode: ``wfi`` ends.
    take : ``Out(1)``
        An interrupt is to be taken before the next instruction.
    cause : ``Out(4)``
        Which; zero if none is.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "registers": In(InterruptRegisters()),
                **{line: In(1) for line in ("msip", "mtip", "seip", "meip")},
                "timer": In(1),
                "time": In(64),
                "privilege": In(Privilege),
                "machine_enable": In(1),
                "supervisor_enable": In(1),
                "pending": Out(INTERRUPTS),
                "wake": Out(1),
                "take": Out(1),
                "cause": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Nothing behind ``ready`` is looked at while nothing is."""
        m = Module()
        pending, lines = self.pending, Signal(INTERRUPTS)
        m.d.comb += [
            lines.MSI.eq(self.msip),
            lines.MTI.eq(self.mtip),
            lines.SEI.eq(self.seip),
            lines.MEI.eq(self.meip),
            pending.eq(self.registers.mip.as_value() | lines.as_value()),
        ]
        with m.If(self.timer):
            m.d.comb += pending.STI.eq(self.time >= self.registers.stimecmp)

        ready = Signal(INTERRUPTS)
        m.d.comb += [ready.eq(pending.as_value() & self.registers.mie.as_value()), self.wake.eq(ready.as_value().any())]
        with m.If(self.wake):
            self._choose(m, ready.as_value())
        return m

    def _choose(self, m: Module, ready: Signal) -> None:
        """Those for M-mode come before those for S-mode; a mode's own count while it, or a lower one, runs."""
        machine, supervisor, chosen = Signal(32), Signal(32), Signal(32)
        with m.If((self.privilege < Privilege.M) | self.machine_enable):
            m.d.comb += machine.eq(ready & ~self.registers.mideleg.as_value())
        with m.If((self.privilege < Privilege.S) | ((self.privilege == Privilege.S) & self.supervisor_enable)):
            m.d.comb += supervisor.eq(ready & self.registers.mideleg.as_value())
        with m.If(machine.any()):
            m.d.comb += chosen.eq(machine)
        with m.Else():
            m.d.comb += chosen.eq(supervisor)
        m.d.comb += self.take.eq(chosen.any())
        for position, cause in enumerate(INTERRUPT_PRIORITY):
            with m.If(chosen[cause]) if position == 0 else m.Elif(chosen[cause]):
                m.d.comb += self.cause.eq(cause)
