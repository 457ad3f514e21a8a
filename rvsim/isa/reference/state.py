"""The architectural state of a hart, and what follows from it alone."""

from __future__ import annotations

from ..config import IsaConfig
from ..csr import DELEGABLE_INTERRUPTS, MENVCFGH, MSTATUS, Register, registers
from ..traps import INTERRUPT_PRIORITY, Interrupt, Privilege

#: CSRs of 64 bits whose upper half is a CSR of its own, with an ``h`` appended (section 3.1.10, Sstc 2.1.1).
WIDE = ("mcycle", "minstret", "stimecmp")

#: ``mstatus`` bits (section 3.1.6).
SIE, MIE, SPIE, MPIE, SPP, MPP, MPRV, SUM, MXR, TVM, TW, TSR = (
    MSTATUS[name].mask
    for name in ("SIE", "MIE", "SPIE", "MPIE", "SPP", "MPP", "MPRV", "SUM", "MXR", "TVM", "TW", "TSR")
)
MPP_LOW = MSTATUS["MPP"].low

ALL64 = (1 << 64) - 1
_LINES = (Interrupt.MSI, Interrupt.SEI, Interrupt.MEI)


class State:
    """Registers of a hart, as plain attributes.

    Attributes
    ----------
    x
        Integer registers, 32 unsigned numbers; ``x[0]`` stays 0.
    pc, privilege
        Program counter and privilege mode (0, 1, 3).
    mstatus, mie, mip, …
        One attribute for each CSR storage that :mod:`rvsim.isa.csr` declares. ``mip`` holds only the bits that
        software wrote; :attr:`pending` is what a read shows. ``mcycle``, ``minstret`` and ``stimecmp`` have 64 bits.
    lines
        Levels of the interrupt lines, at their bits of ``mip``.
    reservation
        Physical address of the reserved word, or ``None``.
    mtime, mtimecmp
        The timer that the hart is wired to, 64 bits.
    waiting
        The hart is in WFI.
    """

    def __init__(self, config: IsaConfig) -> None:
        self.config = config
        self.registers: dict[int, Register] = registers(config)
        self.reset(0)

    def reset(self, pc: int) -> None:
        """M-mode at ``pc``, every register as after power-on (section 3.4); the timer keeps its time."""
        self.x = [0] * 32
        self.pc = pc
        self.privilege: int = Privilege.M
        for register in self.registers.values():
            if register.storage and register.storage[:-1] not in WIDE:
                setattr(self, register.storage, 0)
        self.stimecmp = ALL64
        self.mtimecmp = ALL64
        self.mtime: int = getattr(self, "mtime", 0)
        self.lines = 0
        self.reservation: int | None = None
        self.waiting = False

    def set_line(self, bit: int, level: bool) -> None:
        """Drive an interrupt line: ``bit`` of ``mip`` is 3 (MSIP), 9 (SEIP) or 11 (MEIP).

        Raises
        ------
        ValueError
            A bit that no line drives.
        """
        if bit not in _LINES:
            raise ValueError(f"mip bit {bit}: lines drive {', '.join(str(int(b)) for b in _LINES)}")
        self.lines = self.lines & ~(1 << bit) | bool(level) << bit

    @property
    def supervisor_timer(self) -> bool:
        """``menvcfg.STCE``: ``stimecmp`` drives ``mip.STIP`` (Sstc 2.2)."""
        return bool(self.menvcfgh & MENVCFGH["STCE"].mask)

    @property
    def pending(self) -> int:
        """``mip`` as a read shows it (section 3.1.9)."""
        value = self.mip | self.lines
        if self.mtime >= self.mtimecmp:
            value |= 1 << Interrupt.MTI
        if self.supervisor_timer:
            value &= ~(1 << Interrupt.STI)
            if self.mtime >= self.stimecmp:
                value |= 1 << Interrupt.STI
        return value

    @property
    def data_privilege(self) -> int:
        """Privilege mode of loads and stores: MPP under MPRV (section 3.1.6.3)."""
        return (self.mstatus & MPP) >> MPP_LOW if self.mstatus & MPRV else self.privilege

    def interrupt_to_take(self) -> int | None:
        """The interrupt that is taken before the next instruction, if any (section 3.1.9)."""
        ready = self.pending & self.mie
        if not ready:
            return None
        machine = ready & ~self.mideleg
        if not (self.privilege < Privilege.M or self.mstatus & MIE):
            machine = 0
        supervisor = ready & self.mideleg & DELEGABLE_INTERRUPTS
        if not (self.privilege < Privilege.S or (self.privilege == Privilege.S and self.mstatus & SIE)):
            supervisor = 0
        chosen = machine or supervisor
        return next((int(cause) for cause in INTERRUPT_PRIORITY if chosen >> cause & 1), None)
