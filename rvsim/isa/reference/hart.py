"""The reference hart: declared effects evaluated on integers, control written out in plain Python."""

from __future__ import annotations

from collections.abc import Callable

from ..config import IsaConfig
from ..csr import NUMBERS
from ..instruction import Amo, Csr, Instruction, Jump, Load, Rd, Store, System
from ..tables import find
from ..terms import evaluate, signed
from ..traps import INTERRUPT_BIT, Cause, Privilege
from .csr_file import CsrFile
from .memory import PhysicalMemory
from .mmu import Mmu
from .pmp import Pmp
from .record import Retired
from .state import ALL64, TSR, TVM, TW, State
from .traps import Trap, enter, illegal, mret, sret

_LOW = 0xFFFF_FFFF


class ReferenceHart(State):
    """A hart that does one instruction at a time, for correctness; the state is the object's attributes.

    Parameters
    ----------
    config
        What it implements.
    memory
        Physical memory.
    pc
        Reset vector.
    """

    def __init__(self, config: IsaConfig, memory: PhysicalMemory, pc: int = 0x1000) -> None:
        super().__init__(config)
        self.reset(pc)
        self.memory = memory
        self.pmp = Pmp(self)
        self.mmu = Mmu(self, memory, self.pmp)
        self.csrs = CsrFile(self, self.pmp)
        self.instret = 0
        self._decoded: dict[int, tuple[Instruction, dict[str, int], Callable] | None] = {}

    # ---- one step -----------------------------------------------------------------------------------------------

    def step(self) -> Retired | None:
        """Do exactly one instruction, or take one trap or interrupt.

        Returns ``None`` if the hart waits in WFI and nothing ends the wait.
        """
        if self.waiting:
            if not self.pending & self.mie:
                return None
            self.waiting = False
        record = Retired(self.instret, int(self.privilege), self.pc)
        interrupt = self.interrupt_to_take()
        if interrupt is not None:
            return self._trap(record, interrupt | INTERRUPT_BIT, 0)
        self.csrs.written = None
        inhibited = self.mcountinhibit
        try:
            record.insn = word = self.mmu.fetch(self.pc)
            insn, operands, execute = self.decode(word)
            values = dict(operands)
            values["pc"], values["length"] = self.pc, insn.length
            for name in ("rs1", "rs2"):
                if name in operands:
                    values[name] = self.x[operands[name]]
            next_pc = execute(insn, operands, values, record)
        except Trap as trap:
            tval = record.insn if trap.tval is None else trap.tval
            return self._trap(record, trap.cause, tval)
        self.pc = record.pc_wdata = next_pc
        self._count(inhibited)
        return record

    def run(self, instructions: int) -> None:
        """Step until ``instructions`` more have retired, or the hart waits in WFI for ever."""
        end = self.instret + instructions
        while self.instret < end and self.step() is not None:
            pass

    def decode(self, word: int) -> tuple[Instruction, dict[str, int], Callable]:
        """The instruction, its operand fields and what executes it.

        Raises
        ------
        Trap
            The word is no instruction of this hart.
        """
        if word not in self._decoded:
            insn = find(word, self.config)
            self._decoded[word] = None if insn is None else (insn, insn.operands(word), self._executor(insn))
        decoded = self._decoded[word]
        if decoded is None:
            raise illegal()
        return decoded

    def _trap(self, record: Retired, cause: int, tval: int) -> Retired:
        enter(self, cause, tval)
        record.trap, record.cause, record.tval, record.pc_wdata = True, int(cause), tval, self.pc
        record.mem_addr = record.mem_rmask = record.mem_wmask = record.mem_rdata = record.mem_wdata = 0
        return record

    def _count(self, inhibited: int) -> None:
        """Count a retired instruction, by ``mcountinhibit`` as it was before it."""
        self.instret += 1
        for bit, counter in ((0, "mcycle"), (2, "minstret")):
            if not inhibited >> bit & 1 and self.csrs.written != counter:
                setattr(self, counter, getattr(self, counter) + 1 & ALL64)

    # ---- the effects --------------------------------------------------------------------------------------------
    # Each method does one kind of instruction and returns the next pc. Nothing is written before the last check.

    def _executor(self, insn: Instruction) -> Callable[[Instruction, dict, dict, Retired], int]:
        by_effect = (
            (Load, self._load),
            (Store, self._store),
            (Amo, self._amo),
            (Jump, self._jump),
            (Csr, self._csr),
            (System, self._system),
        )
        return next((method for kind, method in by_effect if insn.effect(kind)), self._compute)

    def _write_rd(self, operands: dict[str, int], value: int, record: Retired) -> None:
        rd = operands["rd"]
        if rd:
            self.x[rd] = record.rd_wdata = value & _LOW
            record.rd_addr = rd

    def _next(self, insn: Instruction) -> int:
        return self.pc + insn.length & _LOW

    def _compute(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        self._write_rd(operands, evaluate(insn.effects[0].value, values), record)
        return self._next(insn)

    def _jump(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        jump, link = insn.effect(Jump), insn.effect(Rd)
        if jump.when is not None and not evaluate(jump.when, values):
            return self._next(insn)
        target = evaluate(jump.target, values)
        if target & 3 and not self.config.has("c"):
            raise Trap(Cause.INSTRUCTION_ADDRESS_MISALIGNED, target)
        if link is not None:
            self._write_rd(operands, evaluate(link.value, values), record)
        return target

    def _load(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        effect = insn.effect(Load)
        address = evaluate(effect.address, values)
        located = self.mmu.locate(address, effect.size, "r", atomic=effect.reserve)
        value = self.mmu.load(address, located)
        if effect.reserve:
            self.reservation = located[0][0]
        record.mem_addr, record.mem_rmask, record.mem_rdata = address, (1 << effect.size) - 1, value
        self._write_rd(operands, signed(value, 8 * effect.size) if effect.signed else value, record)
        return self._next(insn)

    def _store(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        effect = insn.effect(Store)
        address = evaluate(effect.address, values)
        located = self.mmu.locate(address, effect.size, "w", atomic=effect.conditional)
        if effect.conditional:
            failed = self.reservation != located[0][0]
            self.reservation = None
            self._write_rd(operands, int(failed), record)
            if failed:
                return self._next(insn)
        value = evaluate(effect.value, values) & ((1 << 8 * effect.size) - 1)
        self.mmu.store(address, located, value)
        record.mem_addr, record.mem_wmask, record.mem_wdata = address, (1 << effect.size) - 1, value
        return self._next(insn)

    def _amo(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        effect = insn.effect(Amo)
        address = evaluate(effect.address, values)
        located = self.mmu.locate(address, effect.size, "w", atomic=True)
        old = values["memory"] = self.mmu.load(address, located)
        new = evaluate(effect.value, values)
        self.mmu.store(address, located, new)
        record.mem_addr, record.mem_rdata, record.mem_wdata = address, old, new
        record.mem_rmask = record.mem_wmask = (1 << effect.size) - 1
        self._write_rd(operands, old, record)
        return self._next(insn)

    def _csr(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        effect = insn.effect(Csr)
        source = "rs1" if "rs1" in operands else "uimm"
        writes = effect.action == "write" or operands[source] != 0  # by the field, not by its value
        register = self.csrs.check(operands["csr"], write=writes)
        old = self.csrs.read(register)
        if writes:
            self.csrs.modify(register, effect.action, evaluate(effect.operand, values))
            record.csr_addr, record.csr_wdata = register.number, self.csrs.read(register)
        self._write_rd(operands, old, record)
        return self._next(insn)

    def _system(self, insn: Instruction, operands: dict, values: dict, record: Retired) -> int:
        action = insn.effect(System).action
        privilege, status = self.privilege, self.mstatus
        if action == "ecall":
            raise Trap(Cause(Cause.ECALL_FROM_U + privilege))
        if action == "ebreak":
            raise Trap(Cause.BREAKPOINT, self.pc)
        if action == "mret":
            if privilege < Privilege.M:
                raise illegal()
            return mret(self)
        if action == "sret":
            if privilege == Privilege.U or (privilege == Privilege.S and status & TSR):
                raise illegal()
            return sret(self)
        if action == "wfi":
            if privilege == Privilege.U or (privilege == Privilege.S and status & TW):
                raise illegal()
            self.waiting = not self.pending & self.mie
        elif action in ("sfence.vma", "sinval.vma"):
            if privilege == Privilege.U or (privilege == Privilege.S and status & TVM):
                raise illegal()
        elif action in ("sfence.w.inval", "sfence.inval.ir"):
            if privilege == Privilege.U:
                raise illegal()
        elif action not in ("fence", "fence.i"):
            raise NotImplementedError(action)
        # Nothing is cached here, so that no fence has anything left to do.
        return self._next(insn)

    # ---- from outside -------------------------------------------------------------------------------------------

    def csr(self, which: str | int) -> int:
        """What a read of the CSR, by name or number, shows in M-mode.

        Raises
        ------
        KeyError
            The hart has no such CSR.
        """
        return self.csrs.read(self.registers[NUMBERS[which] if isinstance(which, str) else which])

    def set_csr(self, which: str | int, value: int) -> None:
        """Write a CSR, by name or number, as CSRRW in M-mode does; the counters count on from there."""
        self.csrs.write(self.registers[NUMBERS[which] if isinstance(which, str) else which], value & _LOW)

    def translate(self, address: int, access: str = "r") -> int | None:
        """The physical address of ``address`` as the hart would access it now, or ``None`` if that would trap."""
        privilege = self.privilege if access == "x" else self.data_privilege
        try:
            return self.mmu.translate(address, access, privilege)
        except Trap:
            return None

    def dma_write(self, address: int, data: bytes) -> None:
        """A bus master writes RAM at physical ``address``; a reservation of a word in it is lost."""
        for offset, byte in enumerate(data):
            self.memory.write(address + offset, 1, byte)
        if self.reservation is not None and address - 4 < self.reservation < address + len(data):
            self.reservation = None
