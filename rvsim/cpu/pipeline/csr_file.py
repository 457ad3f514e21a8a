"""The control and status registers, derived from their declarations, and what reads and writes of them do besides."""

from __future__ import annotations

from collections import defaultdict

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.cpu.pipeline.counters import Counter
from rvsim.cpu.pipeline.csr_fields import SATP, STATUS, layout, legalize, legalize_pmpcfg
from rvsim.cpu.pipeline.interrupts import Interrupts
from rvsim.cpu.pipeline.trap import SystemPort, TrapPort, Traps
from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import COUNTERS, MENVCFGH, Register, registers
from rvsim.isa.protection import PMP_A, PMP_L, PMP_TOR
from rvsim.isa.traps import Interrupt, Privilege

__all__ = ["EFFECTS", "Action", "CsrFile", "CsrPort"]

_STIP = 1 << Interrupt.STI
#: S-mode's views of ``mip`` and ``mie``: delegated bits only (section 4.1.3).
_DELEGATED = ("sip", "sie")


class Action(enum.Enum, shape=2):
    """What an access makes of the register; named as the action of :class:`rvsim.isa.instruction.Csr`."""

    WRITE = 0
    SET = 1
    CLEAR = 2


#: What an access changes that instructions behind it depend on, other than by accessing CSRs themselves:
#: ``translation`` (``satp``) and ``protection`` (PMP) concern fetches, loads and stores; ``status`` (``mstatus``)
#: concerns loads, stores and interrupts; ``interrupts`` says which of these are pending, enabled or delegated.
EFFECTS = data.StructLayout({"translation": 1, "protection": 1, "status": 1, "interrupts": 1})


def effect_of(storage: str) -> str | None:
    """The member of :data:`EFFECTS` that a write of this storage sets, if any."""
    members = {"satp": "translation", "mstatus": "status"}
    members |= dict.fromkeys(("mip", "mie", "mideleg", "stimecmp", "stimecmph", "menvcfgh"), "interrupts")
    return "protection" if storage.startswith("pmp") else members.get(storage)


class CsrPort(wiring.Signature):
    """A CSR instruction to be executed.

    Members
    -------
    valid : ``Out(1)``
        Execute it: if it is legal, the register is written at the end of the cycle.
    number : ``Out(12)``
        Register.
    action : ``Out(Action)``
        What a write makes of it.
    writes : ``Out(1)``
        It writes: CSRRW always, the others unless their operand is ``x0`` or the immediate 0 (section 2.1).
    operand : ``Out(32)``
        ``rs1`` or the immediate.
    value : ``In(32)``
        What it reads.
    illegal : ``In(1)``
        It may not: nothing is written.
    effects : ``In(EFFECTS)``
        What it changes for instructions behind it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "number": Out(12),
                "action": Out(Action),
                "writes": Out(1),
                "operand": Out(32),
                "value": In(32),
                "illegal": In(1),
                "effects": In(EFFECTS),
            }
        )


class CsrFile(wiring.Component):
    """CSRs, privilege mode, traps and interrupts of a hart.

    All answers of the three ports are combinational; what they change, changes at the end of the cycle. At most one of
    ``access.valid`` and ``system.valid`` holds; ``trap`` comes before both, and ``trap.valid`` may depend on their
    ``illegal``, and on ``interrupt``.

    Parameters
    ----------
    config : :class:`IsaConfig`
        Registers, fields and privileged choices.

    Members
    -------
    access : ``In(CsrPort())``, trap : ``In(TrapPort())``, system : ``In(SystemPort())``
        What the instruction in write-back does.
    retire : ``In(1)``
        An instruction retires, for ``minstret``; of one that accesses a CSR in the cycle of its access.
    target, next_privilege : ``Out(32)``, ``Out(Privilege)``
        Where a trap or return goes to, and the mode there, in its cycle.
    msip, mtip, seip, meip : ``In(1)``, time : ``In(64)``
        Interrupt lines and the timer.
    interrupt, interrupt_cause : ``Out(1)``, ``Out(4)``
        An interrupt is to be taken before the next instruction, by ``trap``.
    wake : ``Out(1)``
        ``wfi`` ends.
    privilege, data_privilege : ``Out(Privilege)``
        Mode of fetches; of loads and stores (MPRV, section 3.1.6.3).
    mstatus : ``Out(STATUS)``, satp : ``Out(SATP)``
        The registers.
    pmpcfg, pmpaddr : ``Out(8).array(pmp_entries)``, ``Out(32).array(pmp_entries)``
        PMP entries.
    pmp_changed : ``Out(1)``
        They were written in the cycle before.

    Attributes
    ----------
    words : dict of str to Value
        Stored bits, by the ``storage`` of the declarations. In the hierarchy the signals have these names, except that
        PMP addresses are ``pmpaddr__0`` and so on, counters ``mcycle.value`` and ``minstret.value``, and ``stimecmp``
        has 64 bits.
    """

    def __init__(self, config: IsaConfig | None = None) -> None:
        config = config or IsaConfig()
        self._registers = registers(config)
        self._entries = config.pmp_entries
        super().__init__(
            {
                "access": In(CsrPort()),
                "trap": In(TrapPort()),
                "system": In(SystemPort()),
                "retire": In(1),
                "target": Out(32),
                "next_privilege": Out(Privilege),
                **{line: In(1) for line in ("msip", "mtip", "seip", "meip")},
                "time": In(64),
                "interrupt": Out(1),
                "interrupt_cause": Out(4),
                "wake": Out(1),
                "privilege": Out(Privilege, init=Privilege.M),
                "data_privilege": Out(Privilege),
                "mstatus": Out(STATUS),
                "satp": Out(SATP),
                "pmpcfg": Out(8).array(self._entries),
                "pmpaddr": Out(32).array(self._entries),
                "pmp_changed": Out(1),
            }
        )
        self._counters = {"mcycle": Counter(), "minstret": Counter()}
        self._stimecmp = Signal(64, init=-1, name="stimecmp")
        self._pending = Signal(32, name="pending")  # mip as it is read
        self._timer = Signal(name="timer")  # menvcfg.STCE
        self.words = self._store()

    def _store(self) -> dict[str, Value]:
        """A word for each storage that has writable bits; registers whose fields have names show them."""
        words: dict[str, Value] = {"mstatus": self.mstatus.as_value(), "satp": self.satp.as_value()}
        words |= {f"pmpaddr{n}": word for n, word in enumerate(self.pmpaddr)}
        wide = {"stimecmp": self._stimecmp} | {name: counter.value for name, counter in self._counters.items()}
        for name, value in wide.items():
            words |= {name: value[:32], f"{name}h": value[32:]}
        for register in self._registers.values():
            name, fields = register.storage, {field.name for field in register.fields}
            if name is not None and fields and name not in words:
                words[name] = Value.cast(Signal(layout(register) if fields != {name} else 32, name=name))
        return words

    def elaborate(self, platform: object) -> Module:
        """The registers, and around them the units that change them for other reasons than a write."""
        m = Module()
        words, access = self.words, self.access
        m.d.comb += self.data_privilege.eq(Mux(self.mstatus.MPRV, self.mstatus.MPP, self.privilege))
        if "menvcfgh" in words:
            m.d.comb += self._timer.eq((words["menvcfgh"] & MENVCFGH["STCE"].mask).any())
        self._elaborate_pmp(m)
        self._elaborate_interrupts(m)

        m.submodules.traps = traps = Traps()
        self._connect_traps(m, traps)
        old, new = Signal(32), Signal(32)  # what a set or clear begins with, and what it comes to
        self._elaborate_counters(m, new)
        with m.If(access.valid):
            self._read(m, old)
        # One decision when nothing is asked; ``illegal``, on which ``trap.valid`` may depend, stays outside.
        with m.If(self.trap.valid | self.system.valid | access.valid):
            self._execute(m, traps, old, new)
        return m

    def _execute(self, m: Module, traps: Traps, old: Value, new: Signal) -> None:
        """Change what the trap, the return or the CSR instruction changes."""
        access = self.access
        with m.If(self.trap.valid):
            self._follow(m, traps)
            with m.If(traps.supervisor):
                self._enter(m, "s")
            with m.Else():
                self._enter(m, "m")
        with m.Elif(traps.change):
            self._follow(m, traps)
        with m.Elif(access.valid & access.writes & ~access.illegal):
            with m.Switch(access.action):
                with m.Case(Action.WRITE):
                    m.d.comb += new.eq(access.operand)
                with m.Case(Action.SET):
                    m.d.comb += new.eq(old | access.operand)
                with m.Case(Action.CLEAR):
                    m.d.comb += new.eq(old & ~access.operand)
            self._write(m, new)

    # ---- the units around the registers -------------------------------------------------------------------------

    def _show(self, m: Module, registers: wiring.PureInterface) -> None:
        """Connect what a unit wants to see of the registers, by their names."""
        for name in registers.signature.members:
            stored = self._stimecmp if name == "stimecmp" else self.words[name]
            m.d.comb += Value.cast(getattr(registers, name)).eq(stored)

    def _connect_traps(self, m: Module, traps: Traps) -> None:
        connect(m, flipped(self.trap), traps.trap)
        connect(m, flipped(self.system), traps.system)
        self._show(m, traps.registers)
        m.d.comb += [
            traps.privilege.eq(self.privilege),
            self.target.eq(traps.target),
            self.next_privilege.eq(traps.next_privilege),
        ]

    def _follow(self, m: Module, traps: Traps) -> None:
        """Go where the trap or return leads."""
        m.d.sync += [self.privilege.eq(traps.next_privilege), self.mstatus.eq(traps.next_status)]

    def _enter(self, m: Module, mode: str) -> None:
        """Tell the handler in ``mode`` what has happened."""
        m.d.sync += [
            self.words[f"{mode}epc"].eq(self.trap.epc),
            self.words[f"{mode}cause"].eq(Cat(self.trap.cause, Const(0, 27), self.trap.interrupt)),
            self.words[f"{mode}tval"].eq(self.trap.tval),
        ]

    def _elaborate_interrupts(self, m: Module) -> None:
        m.submodules.interrupts = interrupts = Interrupts()
        self._show(m, interrupts.registers)
        for line in ("msip", "mtip", "seip", "meip", "time"):
            m.d.comb += getattr(interrupts, line).eq(getattr(self, line))
        m.d.comb += [
            interrupts.timer.eq(self._timer),
            interrupts.privilege.eq(self.privilege),
            interrupts.machine_enable.eq(self.mstatus.MIE),
            interrupts.supervisor_enable.eq(self.mstatus.SIE),
            self._pending.eq(interrupts.pending),
            self.interrupt.eq(interrupts.take),
            self.interrupt_cause.eq(interrupts.cause),
            self.wake.eq(interrupts.wake),
        ]

    def _elaborate_counters(self, m: Module, new: Value) -> None:
        """``mcycle`` counts cycles, ``minstret`` what retires."""
        for name, event, inhibit in (("mcycle", Const(1), "CY"), ("minstret", self.retire, "IR")):
            m.submodules[name] = counter = self._counters[name]
            inhibited = (self.words["mcountinhibit"] & COUNTERS[inhibit].mask).any()
            m.d.comb += [counter.event.eq(event), counter.inhibit.eq(inhibited), counter.data.eq(new)]

    def _elaborate_pmp(self, m: Module) -> None:
        configurations = [self.words[f"pmpcfg{n}"] for n in range(self._entries // 4)]
        for entry, byte in enumerate(self.pmpcfg):
            m.d.comb += byte.eq(configurations[entry // 4].word_select(entry % 4, 8))
        with m.If(self.access.effects.protection):
            m.d.sync += self.pmp_changed.eq(1)
        with m.Elif(self.pmp_changed):
            m.d.sync += self.pmp_changed.eq(0)

    # ---- reads --------------------------------------------------------------------------------------------------

    def _read(self, m: Module, old: Signal) -> None:
        """What the register shows, and whether the mode may access it; ``old`` is what a set or clear begins with."""
        access, allowed, gates = self.access, Signal(), self._gates()
        constants: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        with m.Switch(access.number):
            for number, register in self._registers.items():
                gate = "satp" if register.name == "satp" else register.extension
                shown = self._shown(register)
                if shown is None:
                    constants[register.constant, gate].append(number)
                    continue
                with m.Case(number):
                    # Of the interrupt-pending bits only those that software wrote take part (section 3.1.9).
                    begin = self.words["mip"] if register.storage == "mip" else shown
                    m.d.comb += [access.value.eq(shown), old.eq(begin), allowed.eq(gates[gate])]
            for (constant, gate), numbers in constants.items():
                with m.Case(*numbers):
                    m.d.comb += [access.value.eq(constant), allowed.eq(gates[gate])]
        too_low = self.privilege < access.number[8:10]
        read_only = access.number[10:12].all()
        m.d.comb += access.illegal.eq(~allowed | too_low | (access.writes & read_only))

    def _gates(self) -> dict[str, Value]:
        """What besides the number decides whether a register may be accessed; an extension's name or a register's."""
        machine, user = self.privilege == Privilege.M, self.privilege == Privilege.U
        enabled, enabled_for_user = (
            self.words[name].bit_select(self.access.number[:5], 1) for name in ("mcounteren", "scounteren")
        )
        time_enabled = (self.words["mcounteren"] & COUNTERS["TM"].mask).any()
        return {
            "zicsr": Const(1),
            "satp": machine | ~self.mstatus.TVM,
            "sstc": machine | (self._timer & time_enabled),
            "zicntr": (machine | enabled) & (~user | enabled_for_user),
        }

    def _shown(self, register: Register) -> Value | None:
        """What a read of the register shows; ``None``: its constant."""
        if register.extension == "zicntr":
            counter = self._registers.get(register.number - 0x100)  # the machine counter that it shadows
            if counter is None:
                return self.time[32:] if register.name.endswith("h") else self.time[:32]
            register = counter
        word = self._pending if register.storage == "mip" else self.words.get(register.storage)
        if word is None:
            return None
        shown = word & register.visible | register.constant
        return shown & self.words["mideleg"] if register.name in _DELEGATED else shown

    # ---- writes -------------------------------------------------------------------------------------------------

    def _write(self, m: Module, new: Value) -> None:
        """Store ``new`` by the register's rules."""
        with m.Switch(self.access.number):
            for number, register in self._registers.items():
                name = register.storage
                if not register.fields:
                    continue
                with m.Case(number):
                    if name.removesuffix("h") in self._counters:
                        m.d.comb += self._counters[name.removesuffix("h")].write.eq(2 if name.endswith("h") else 1)
                    else:
                        m.d.sync += self.words[name].eq(self._written(register, new))
                    effect = effect_of(name)
                    if effect is not None:
                        m.d.comb += self.access.effects[effect].eq(1)
                    if name == "menvcfgh":
                        with m.If((new & MENVCFGH["STCE"].mask).any()):  # from now on the bit is the comparator's
                            m.d.sync += self.words["mip"].eq(self.words["mip"] & ~_STIP)

    def _written(self, register: Register, new: Value) -> Value:
        """What the register's storage holds after a write of ``new``."""
        old = self.words[register.storage]
        if register.name.startswith("pmpcfg"):
            return legalize_pmpcfg(old, new)
        if register.name.startswith("pmpaddr"):
            return Mux(self._locked(int(register.name[7:])), old, new)
        if register.name == "mip":
            return legalize(register, old, Mux(self._timer, new & ~_STIP, new))
        if register.name in _DELEGATED:
            mask = self.words["mideleg"] & register.writable
            return old & ~mask | new & mask
        return legalize(register, old, new)

    def _locked(self, entry: int) -> Value:
        """Whether writes of ``pmpaddr<entry>`` are ignored (section 3.7.1, "Locking")."""
        locked = (self.pmpcfg[entry] & PMP_L).any()
        if entry + 1 < self._entries:
            locked |= (self.pmpcfg[entry + 1] & (PMP_L | PMP_A)) == PMP_L | PMP_TOR
        return locked
