"""What reads and writes of CSRs do beyond holding bits (privileged specification, chapters 2 to 4)."""

from __future__ import annotations

from ..csr import COUNTERS, DELEGABLE_INTERRUPTS, Register
from ..traps import Interrupt, Privilege
from .pmp import Pmp
from .state import ALL64, TVM, WIDE, State
from .traps import illegal

_TIME_ENABLE = COUNTERS["TM"].mask
_STIP = 1 << Interrupt.STI
_LOW = 0xFFFF_FFFF

# The read-only shadow counters and what they show.
_SHADOWS = {"cycle": "mcycle", "time": "mtime", "instret": "minstret"}


class CsrFile:
    """The CSRs over a hart's state.

    Attributes
    ----------
    written
        Name of the 64-bit counter that the running instruction wrote; it does not count that instruction.
    """

    def __init__(self, state: State, pmp: Pmp) -> None:
        self.state, self.pmp = state, pmp
        self.written: str | None = None

    def check(self, number: int, *, write: bool) -> Register:
        """The register ``number``, if the hart may access it now.

        Raises
        ------
        Trap
            Illegal instruction: no such register, privilege, a write to a read-only one, or a trap bit is set.
        """
        state = self.state
        register = state.registers.get(number)
        if register is None or state.privilege < register.privilege or (write and register.read_only):
            raise illegal()
        if register.name == "satp" and state.privilege == Privilege.S and state.mstatus & TVM:
            raise illegal()
        if register.extension == "sstc" and state.privilege < Privilege.M:
            enabled = state.supervisor_timer and state.mcounteren & _TIME_ENABLE
            if not enabled:
                raise illegal()
        if register.extension == "zicntr":
            bit = 1 << (number & 0x1F)
            machine_allows = state.privilege == Privilege.M or state.mcounteren & bit
            supervisor_allows = state.privilege > Privilege.U or state.scounteren & bit
            if not (machine_allows and supervisor_allows):
                raise illegal()
        return register

    def read(self, register: Register) -> int:
        """What a read of ``register`` shows."""
        state, name = self.state, register.name
        if name in ("mip", "sip"):
            return state.pending & register.visible & (state.mideleg if name == "sip" else _LOW)
        if name == "sie":
            return state.mie & state.mideleg & DELEGABLE_INTERRUPTS
        low_name, shift = (name[:-1], 32) if name.endswith("h") else (name, 0)
        wide = _SHADOWS.get(low_name, low_name)
        if wide in WIDE or wide == "mtime":
            return getattr(state, wide) >> shift & _LOW
        stored = getattr(state, register.storage) if register.storage else 0
        return stored & register.visible | register.constant

    def write(self, register: Register, value: int) -> None:
        """Write ``value`` by the register's WARL rules."""
        state, name = self.state, register.name
        if name in ("sip", "sie"):
            mask = register.writable & state.mideleg
            setattr(state, register.storage, getattr(state, register.storage) & ~mask | value & mask)
            return
        wide = name[:-1] if name.endswith("h") else name
        if wide in WIDE:
            old = getattr(state, wide)
            new = old & _LOW | value << 32 if name.endswith("h") else old & ~_LOW & ALL64 | value
            setattr(state, wide, new)
            self.written = wide
            return
        if register.storage is None:
            return
        old = getattr(state, register.storage)
        if name.startswith("pmpcfg"):
            new = self.pmp.legalize_configuration(int(name[6:]), old, value) if register.fields else old
        elif name.startswith("pmpaddr") and self.pmp.address_is_locked(int(name[7:])):
            new = old
        elif name == "mip" and state.supervisor_timer:
            new = register.legalize(old, value & ~_STIP)
        else:
            new = register.legalize(old, value)
        setattr(state, register.storage, new)
        if name == "menvcfgh" and state.supervisor_timer:
            state.mip &= ~_STIP  # from now on the bit is the comparator's

    def modify(self, register: Register, action: str, operand: int) -> None:
        """Write as CSRRW, CSRRS, CSRRC do: ``action`` is ``write``, ``set`` or ``clear``."""
        if action == "write":
            self.write(register, operand)
            return
        # Of the interrupt-pending bits only those that software wrote take part (section 3.1.9).
        old = self.state.mip if register.storage == "mip" else self.read(register)
        self.write(register, old | operand if action == "set" else old & ~operand)
