"""Vocabulary of the code generator: state fields by name, and functions of the chain.

The interpreter is threaded: every handler is a function of one type that ends in a tail call of the next one.
What runs hot lives in its five arguments.
"""

from __future__ import annotations

from rvsim.native.ir import UNLIKELY, Function, Module, Value

from .state import CODE_TLB_ENTRIES, LAYOUT, RECORD, TLB_ENTRIES

#: Arguments of every function of the chain: the record of the instruction, instructions left in this slice,
#: the hart, what to add to a record's address / 8 for its ``pc``, and the current data TLB.
CHAIN = (("ptr", "rec"), ("i64", "r"), ("ptr", "cpu"), ("i32", "pcd"), ("ptr", "tlb"))


class Cpu:
    """Fields of :class:`~rvsim.cpu.functional.state.HartState` by name, as values of a function under construction."""

    def __init__(self, f: Function, pointer: Value) -> None:
        object.__setattr__(self, "_f", f)
        object.__setattr__(self, "address", pointer)

    def pointer(self, name: str, index: Value | int = 0) -> Value:
        """Address of a field, or of an element of it."""
        type, offset = LAYOUT[name]
        base = self.address.at(offset)
        size = int(type[1:]) // 8
        if isinstance(index, int):
            return base.at(index * size)
        return base.at(index.to("i64") * size)

    def element(self, name: str, index: Value | int) -> Value:
        """An element of an array field."""
        return self._f.load(LAYOUT[name][0], self.pointer(name, index))

    def __getattr__(self, name: str) -> Value:
        return self._f.load(LAYOUT[name][0], self.pointer(name))

    def __setattr__(self, name: str, value: Value | int) -> None:
        self._f.store(self._f.value(value, LAYOUT[name][0]), self.pointer(name))

    def count(self, name: str, index: Value | int = 0) -> None:
        """Add one to a statistics counter."""
        where = self.pointer(name, index)
        self._f.store(self._f.load("i64", where) + 1, where)


def plain(module: Module, name: str, result: str, *parameters: tuple[str, str]) -> tuple[Function, Cpu, list[Value]]:
    """Begin an ordinary function whose first parameter is the hart."""
    f = module.function(name, result, (("ptr", "cpu"), *parameters))
    return f, Cpu(f, f.parameters[0]), f.parameters[1:]


class Chain:
    """A function of the chain under construction."""

    def __init__(self, module: Module, name: str) -> None:
        self.f = module.function(name, "void", CHAIN)
        self.rec, self.r, pointer, self.pcd, self.tlb = self.f.parameters
        self.cpu = Cpu(self.f, pointer)

    # -- where we are

    def pc(self, record: Value | None = None, pcd: Value | None = None) -> Value:
        """Program counter of a record (default: the current one)."""
        record = self.rec if record is None else record
        return (record.to("i64") >> 3).to("i32") + (self.pcd if pcd is None else pcd)

    # -- leaving: each of these ends the block

    def tail(
        self, callee: str | Value, rec: Value | None = None, r: Value | None = None, *,
        pcd: Value | None = None, tlb: Value | None = None,
    ) -> None:  # fmt: skip
        """Tail call with some of the arguments replaced."""
        self.f.tail(
            callee,
            self.rec if rec is None else rec,
            self.r if r is None else r,
            self.cpu.address,
            self.pcd if pcd is None else pcd,
            self.tlb if tlb is None else tlb,
        )

    def dispatch(self, rec: Value, r: Value | None = None, **changed: Value) -> None:
        """Go on with the handler of a record."""
        self.tail(self.f.load("ptr", rec), rec, r, **changed)

    def step(self, length: int, r: Value | None = None, **changed: Value) -> None:
        """Retire this instruction and go on with the next one."""
        self.dispatch(self.rec.at(length // 2 * RECORD), (self.r if r is None else r) - 1, **changed)

    def leave(self, pc: Value, r: Value) -> None:
        """Return to the run loop, which goes on at ``pc``."""
        self.cpu.pc = pc
        self.cpu.countdown = r
        self.f.ret()

    def trap(self, cause: Value | int, tval: Value | int) -> None:
        """Raise an exception at the current record."""
        self.cpu.trap_cause = cause
        self.cpu.trap_tval = tval
        self.tail("h_trap")

    def go_near(self, rec: Value, r: Value) -> None:
        """Go on at a record of the same page, unless the slice is over."""
        with self.f.if_(r.slt(1), UNLIKELY):
            self.tail("h_leave", rec, r)
        self.dispatch(rec, r)

    def go(self, target: Value, r: Value, tlb: Value | None = None) -> None:
        """Go on at any address: through the code TLB, unless the slice is over."""
        f, cpu = self.f, self.cpu
        index = ((target >> 8) & ((CODE_TLB_ENTRIES - 1) << 4)).to("i64")
        entry = cpu.code_tlb.to("ptr").at(index)
        miss = f.load("i32", entry).ne(target & 0xFFFF_F001)
        with f.if_(miss, UNLIKELY):
            cpu.pc = target
            self.tail("h_jump", r=r, tlb=tlb)
        pcd = f.load("i32", entry.at(4))
        rec = f.load("ptr", entry.at(8)).at((target & 0xFFE).to("i64") << 3)
        with f.if_(r.slt(1), UNLIKELY):
            self.tail("h_leave", rec, r, pcd=pcd)
        self.dispatch(rec, r, pcd=pcd, tlb=tlb)


def tlb_entry(tlb: Value, address: Value) -> Value:
    """The TLB entry that an address falls into: read tag (32), write tag (32), host minus guest address (64)."""
    return tlb.at(((address >> 8) & ((TLB_ENTRIES - 1) << 4)).to("i64"))
