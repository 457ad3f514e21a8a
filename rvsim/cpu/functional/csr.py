"""CSR access in compiled code: the plain part from the declarations, side effects by hand."""

from __future__ import annotations

from collections.abc import Callable

from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import COUNTERS, MENVCFGH, MSTATUS, Register, registers
from rvsim.isa.protection import PMP_A, PMP_L, PMP_R, PMP_TOR, PMP_W
from rvsim.isa.traps import Interrupt, Privilege
from rvsim.native.ir import Function, Module, Value

from .control import effective_mip
from .emit import Chain, Cpu, plain

_OK, _ILLEGAL, _LEAVE = 0, 1, 2

_STCE = MENVCFGH["STCE"].mask
_STIP, _MTIP = 1 << Interrupt.STI, 1 << Interrupt.MTI
_TVM, _MXR = MSTATUS["TVM"].mask, MSTATUS["MXR"].mask
_CY, _TM, _IR = (COUNTERS[name].mask for name in ("CY", "TM", "IR"))


def emit(module: Module, config: IsaConfig) -> None:
    """Write all functions of this file."""
    _time(module)
    _timers(module, config)
    _counters(module)
    _Access(module, config).emit()
    _chain(module)


def retired(cpu: Cpu, r: Value) -> Value:
    """Instructions retired so far, given the countdown."""
    return cpu.retire_end - r


def host_clock(f: Function, cpu: Cpu) -> Value:
    """CLOCK_MONOTONIC in nanoseconds."""
    buffer = f.buffer(16)
    f.call("i32", cpu.clock.to("ptr"), 1, buffer)
    return f.load("i64", buffer) * 1_000_000_000 + f.load("i64", buffer.at(8))


def _time(module: Module) -> None:
    """``read_time(retired)``: ``mtime`` in ticks, from the instruction count or the host's clock."""
    f, cpu, (count,) = plain(module, "read_time", "i64", ("i64", "retired"))
    with f.if_(cpu.icount.ne(0)):
        f.ret(count.op("udiv", cpu.instructions_per_tick) + cpu.time_offset)
    f.ret((host_clock(f, cpu) - cpu.clock_origin).op("udiv", 100) + cpu.time_offset)


def _timers(module: Module, config: IsaConfig) -> None:
    """``compare_time(time)``: MTIP, and STIP where Sstc drives it (Sstc, section 2.1)."""
    f, cpu, (time,) = plain(module, "compare_time", "void", ("i64", "time"))
    timers = cpu.mtimecmp.ule(time).select(f.value(_MTIP, "i32"), 0)
    if config.has("sstc"):
        compare = f.load("i64", cpu.pointer("stimecmp"), align=4)
        fires = (cpu.menvcfgh & _STCE).ne(0) & compare.ule(time)
        timers = timers | fires.select(f.value(_STIP, "i32"), 0)
    cpu.timers = timers
    f.ret()


def _counters(module: Module) -> None:
    """``read_counter(which, retired)``: ``mcycle`` (0) or ``minstret`` (2), 64 bits."""
    f, cpu, (which, count) = plain(module, "read_counter", "i64", ("i32", "which"), ("i64", "retired"))
    for index, name, inhibit in ((0, "mcycle", _CY), (2, "minstret", _IR)):
        with f.if_(which.eq(index)):
            with f.if_((cpu.mcountinhibit & inhibit).ne(0)):
                f.ret(getattr(cpu, f"{name}_frozen"))
            f.ret(count + getattr(cpu, f"{name}_offset"))
    f.ret(0)

    # The value set is what the *next* instruction reads, so the count that holds then is one further.
    f, cpu, (which, count, value) = plain(
        module, "write_counter", "void", ("i32", "which"), ("i64", "retired"), ("i64", "value")
    )
    for index, name in ((0, "mcycle"), (2, "minstret")):
        with f.if_(which.eq(index)):
            setattr(cpu, f"{name}_frozen", value)
            setattr(cpu, f"{name}_offset", value - count - 1)
    f.ret()


class _Access:
    """``csr_access(number, action, operand, writes, retired)``: 0 done (``csr_value``), 1 illegal, 2 done, then leave.

    Leaving means that fetch, translation or interrupts may have changed: the run loop takes up afresh.
    """

    def __init__(self, module: Module, config: IsaConfig) -> None:
        self.config = config
        self.f, self.cpu, parameters = plain(
            module, "csr_access", "i32",
            ("i32", "number"), ("i32", "action"), ("i32", "operand"), ("i32", "writes"), ("i64", "retired"),
        )  # fmt: skip
        self.number, self.action, self.operand, self.writes, self.retired = parameters

    def emit(self) -> None:
        """Write the function."""
        f, number = self.f, self.number
        with f.if_(self.cpu.privilege.ult((number >> 8) & 3)):
            f.ret(_ILLEGAL)
        with f.if_(self.writes.ne(0) & (number >> 10).eq(3)):
            f.ret(_ILLEGAL)
        cases: dict[int, Callable[[], None]] = {}
        for register in registers(self.config).values():
            cases[register.number] = lambda r=register: self._register(r)
        f.switch(number, cases, lambda: f.ret(_ILLEGAL))
        f.ret(_OK)

    def _register(self, register: Register) -> None:
        special = getattr(self, f"_{_family(register.name)}", None)
        if special is not None:
            special(register)
        elif register.storage is None:
            self._give(self.f.value(register.constant, "i32"))
        else:
            self._plain(register)

    # -- building blocks

    def _give(self, value: Value) -> None:
        self.cpu.csr_value = value
        self.f.ret(_OK)

    def _new(self, old: Value) -> Value:
        """What the instruction writes, given the value that it read."""
        changed = self.action.eq(1).select(old | self.operand, old & ~self.operand)
        return self.action.eq(0).select(self.operand, changed)

    def _legal(self, register: Register, old: Value, new: Value) -> Value:
        """WARL, field by field."""
        free, result = 0, old
        for field in register.fields:
            if field.legal is None:
                free |= field.mask
        if free:
            result = (result & ~free) | (new & free)
        for field in register.fields:
            if field.legal is not None:
                value = (new & field.mask) >> field.low
                legal = self.f.value(0, "i1")
                for allowed in field.legal:
                    legal = value.eq(allowed) if legal.constant == 0 else legal | value.eq(allowed)
                result = legal.select((result & ~field.mask) | (new & field.mask), result)
        return result

    def _plain(self, register: Register, after: Callable[[Value, Value], None] | None = None) -> None:
        """Read and write storage; ``after(old, new)`` has the side effects of a write and may return."""
        f, cpu = self.f, self.cpu
        stored = getattr(cpu, register.storage)
        shown = stored & register.visible
        cpu.csr_value = shown
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        new = self._legal(register, stored, self._new(shown))
        setattr(cpu, register.storage, new)
        if after is not None:
            after(stored, new)
        if not f.ended:
            f.ret(_OK)

    def _leave(self, *_: Value) -> None:
        self.f.ret(_LEAVE)

    def _leave_if_pending(self) -> None:
        """Kernels switch interrupts off and on all the time: go on at once unless one is now to be taken."""
        self.f.ret(self.f.call("i32", "pending", self.cpu.address).ne(0).select(self.f.value(_LEAVE, "i32"), _OK))

    # -- registers with side effects

    def _status(self, register: Register) -> None:
        def after(old: Value, new: Value) -> None:
            f, cpu = self.f, self.cpu
            f.call("void", "update_context", cpu.address)
            with f.if_(((old ^ new) & _MXR).ne(0)):
                f.call("void", "flush", cpu.address)
            self._leave_if_pending()

        self._plain(register, after)

    def _satp(self, register: Register) -> None:
        f, cpu = self.f, self.cpu
        with f.if_(cpu.privilege.eq(Privilege.S) & (cpu.mstatus & _TVM).ne(0)):
            f.ret(_ILLEGAL)

        def after(old: Value, new: Value) -> None:
            with f.if_(old.ne(new)):
                f.call("void", "flush", cpu.address)
            f.ret(_LEAVE)

        self._plain(register, after)

    def _interrupt_enable(self, register: Register) -> None:
        if register.name == "mie":
            self._plain(register, self._leave)
            return
        # sie shows and changes only delegated bits (section 4.1.3)
        f, cpu = self.f, self.cpu
        mask = cpu.mideleg
        shown = cpu.mie & mask
        cpu.csr_value = shown
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        cpu.mie = (cpu.mie & ~mask) | (self._new(shown) & mask)
        self._leave_if_pending()

    def _mip(self, register: Register) -> None:
        """External lines show, but read-modify-write works on the software bits (section 3.1.9)."""
        f, cpu = self.f, self.cpu
        shown = effective_mip(cpu)
        cpu.csr_value = shown
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        writable = f.value(register.writable, "i32")
        if self.config.has("sstc"):
            writable = (cpu.menvcfgh & _STCE).ne(0).select(writable & ~_STIP, writable)
        cpu.mip = (cpu.mip & ~writable) | (self._new(cpu.mip) & writable)
        f.ret(_LEAVE)

    def _sip(self, register: Register) -> None:
        f, cpu = self.f, self.cpu
        mask = cpu.mideleg
        cpu.csr_value = effective_mip(cpu) & mask
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        writable = mask & register.writable
        cpu.mip = (cpu.mip & ~writable) | (self._new(cpu.mip) & writable)
        f.ret(_LEAVE)

    def _mideleg(self, register: Register) -> None:
        self._plain(register, self._leave)

    def _menvcfgh(self, register: Register) -> None:
        def after(old: Value, new: Value) -> None:
            f, cpu = self.f, self.cpu
            # With STCE set, STIP is the comparator's alone; the software bit is gone.
            cpu.mip = (new & _STCE).ne(0).select(cpu.mip & ~_STIP, cpu.mip)
            f.call("void", "compare_time", cpu.address, self._now())
            f.ret(_LEAVE)

        self._plain(register, after)

    def _now(self) -> Value:
        return self.f.call("i64", "read_time", self.cpu.address, self.retired)

    def _stimecmp(self, register: Register) -> None:
        f, cpu = self.f, self.cpu
        allowed = (cpu.menvcfgh & _STCE).ne(0) & (cpu.mcounteren & _TM).ne(0)
        with f.if_(cpu.privilege.ne(Privilege.M) & ~allowed):
            f.ret(_ILLEGAL)

        def after(old: Value, new: Value) -> None:
            f.call("void", "compare_time", cpu.address, self._now())
            # In virtual time the slice may now have to end at another instruction.
            with f.if_(cpu.icount.ne(0)):
                f.ret(_LEAVE)
            self._leave_if_pending()

        self._plain(register, after)

    def _pmp(self, register: Register) -> None:
        """Locked entries keep their bytes; W without R is reserved and loses W (section 3.7.1)."""
        f, cpu = self.f, self.cpu
        old = getattr(cpu, register.storage)
        cpu.csr_value = old
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        new = self._new(old) & register.writable
        if register.name.startswith("pmpcfg"):
            result = f.value(0, "i32")
            for byte in range(4):
                mask = 0xFF << 8 * byte
                mine, wanted = old & mask, new & mask
                read, write, lock = (bit << 8 * byte for bit in (PMP_R, PMP_W, PMP_L))
                wanted = (wanted & read).eq(0).select(wanted & ~write, wanted)
                chosen = (mine & lock).ne(0).select(mine, wanted)
                result = chosen if result.constant == 0 else result | chosen
            setattr(cpu, register.storage, result)
        else:
            entry = int(register.name[7:])
            locked = (self._cfg(entry) & PMP_L).ne(0)
            if entry + 1 < self.config.pmp_entries:
                above = self._cfg(entry + 1)
                locked = locked | (above & (PMP_L | PMP_A)).eq(PMP_L | PMP_TOR)  # locked TOR: this is its lower bound
            setattr(cpu, register.storage, locked.select(old, new))
        f.call("void", "pmp_update", cpu.address)
        f.ret(_LEAVE)

    def _cfg(self, entry: int) -> Value:
        return self.f.load("i8", self.cpu.pointer("pmpcfg0").at(entry)).to("i32")

    # -- counters

    def _shadow(self, register: Register) -> None:
        """cycle, time, instret and hpmcounters: enabled mode by mode (sections 3.1.11 and 4.1.5)."""
        f, cpu = self.f, self.cpu
        bit = 1 << (register.number & 31)
        privilege = cpu.privilege
        with f.if_(privilege.ne(Privilege.M) & (cpu.mcounteren & bit).eq(0)):
            f.ret(_ILLEGAL)
        with f.if_(privilege.eq(Privilege.U) & (cpu.scounteren & bit).eq(0)):
            f.ret(_ILLEGAL)
        index = register.number & 31
        if index == 1:
            value = self._now()
        else:
            value = f.call("i64", "read_counter", cpu.address, index, self.retired)
        self._give((value >> 32 if register.number & 0x80 else value).to("i32"))

    def _counter(self, register: Register) -> None:
        f, cpu = self.f, self.cpu
        index, high = register.number & 31, bool(register.number & 0x80)
        value = f.call("i64", "read_counter", cpu.address, index, self.retired)
        old = (value >> 32 if high else value).to("i32")
        cpu.csr_value = old
        with f.if_(self.writes.eq(0)):
            f.ret(_OK)
        new = self._new(old).to("i64")
        # The write takes the place of the increment (Zicsr): the other half keeps what it had.
        merged = (new << 32) | (value & 0xFFFFFFFF) if high else (value & ~0xFFFFFFFF) | new
        f.call("void", "write_counter", cpu.address, index, self.retired, merged)
        f.ret(_OK)

    def _mcountinhibit(self, register: Register) -> None:
        def after(old: Value, new: Value) -> None:
            f, cpu = self.f, self.cpu
            for name, bit in (("mcycle", _CY), ("minstret", _IR)):
                with f.if_((~old & new & bit).ne(0)):
                    setattr(cpu, f"{name}_frozen", self.retired + getattr(cpu, f"{name}_offset") + 1)
                with f.if_((old & ~new & bit).ne(0)):
                    setattr(cpu, f"{name}_offset", getattr(cpu, f"{name}_frozen") - self.retired - 1)

        self._plain(register, after)


def _family(name: str) -> str:
    """Name of the method that handles a register: families share one."""
    if name in ("mstatus", "sstatus"):
        return "status"
    if name in ("mie", "sie"):
        return "interrupt_enable"
    if name.startswith("stimecmp"):
        return "stimecmp"
    if name.startswith("pmp"):
        return "pmp"
    if name.rstrip("h") in ("cycle", "time", "instret") or name.startswith("hpmcounter"):
        return "shadow"
    if name.rstrip("h") in ("mcycle", "minstret"):
        return "counter"
    return name


def _chain(module: Module) -> None:
    c = Chain(module, "h_csr")
    f, cpu = c.f, c.cpu
    kind = cpu.slow_kind
    number = f.load("i32", c.rec.at(12)) & 0xFFF
    status = f.call("i32", "csr_access", cpu.address, number, kind & 0xFF, cpu.slow_value, kind >> 8, retired(cpu, c.r))
    with f.if_(status.eq(_ILLEGAL)):
        c.tail("h_refused")
    f.store(cpu.csr_value, cpu.pointer("x", f.load("i8", c.rec.at(8))))
    with f.if_(status.eq(_LEAVE)):
        c.leave(c.pc() + 4, c.r - 1)
    c.step(4, tlb=cpu.tlb.to("ptr"))  # mstatus may have chosen another one
