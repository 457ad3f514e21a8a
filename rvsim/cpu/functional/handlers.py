"""Handlers of instructions, and of pairs of them fused into one, generated from the declared effects."""

from __future__ import annotations

from collections.abc import Callable

from rvsim.frozen import Frozen
from rvsim.isa.instruction import Amo, Csr, Instruction, Jump, Load, Rd, Store, System
from rvsim.isa.tables import BY_NAME
from rvsim.native.ir import UNLIKELY, Module, Value

from .emit import Chain, tlb_entry
from .lower import lower
from .state import RECORD, WATCH

#: Operands that are often x0, for which a shorter handler pays: (instruction, operand).
SPECIAL_ZERO = (("jal", "rd"), ("jalr", "rd"), ("addi", "rs1"), ("add", "rs1"))

#: Actions of CSR instructions as numbers.
CSR_ACTIONS = {"write": 0, "set": 1, "clear": 2}


class Spec(Frozen):
    """One handler of a single instruction.

    Attributes
    ----------
    name
        The (expanded) instruction.
    length
        2 or 4 bytes: how far the next record is.
    far
        The jump's target lies in another page.
    zero
        Operand known to be ``x0``.
    """

    name: str
    length: int = 4
    far: bool = False
    zero: str = ""

    @property
    def instruction(self) -> Instruction:
        """Its declaration."""
        return BY_NAME[self.name]

    @property
    def label(self) -> str:
        """Name for symbols and profiles: ``addi.2``, ``jal.4.far``, ``jalr.2.rd``."""
        return f"{self.name}.{self.length}" + (".far" if self.far else "") + (f".{self.zero}" if self.zero else "")

    @property
    def symbol(self) -> str:
        """Name of the function."""
        return "h_" + self.label.replace(".", "_")

    @property
    def jumps_relative(self) -> bool:
        """Whether the decoder chooses between near and far."""
        jump = self.instruction.effect(Jump)
        return jump is not None and "rs1" not in _variables_of_target(jump)

    @property
    def fuses_first(self) -> bool:
        """Whether another instruction can follow in one handler: no control flow, no side effects but memory."""
        if self.far:
            return False
        return all(
            isinstance(e, Rd) or (isinstance(e, Load) and not e.reserve) or (isinstance(e, Store) and not e.conditional)
            for e in self.instruction.effects
        )

    @property
    def fuses_second(self) -> bool:
        """Whether it can be the second half of a fused handler."""
        return self.fuses_first or (self.instruction.unit == "branch" and not self.far)


def _variables_of_target(jump: Jump) -> frozenset[str]:
    from rvsim.isa.terms import variables

    return variables(jump.target)


def specs(instructions: tuple[Instruction, ...]) -> list[Spec]:
    """All single handlers that a decoder over these instructions needs."""
    found: dict[str, Spec] = {}
    for insn in instructions:
        name = insn.expansion or insn.name
        base = Spec(name=name, length=insn.length)
        variants = [base]
        if base.jumps_relative:
            variants.append(base.replace(far=True))
        for special, operand in SPECIAL_ZERO:
            if special == name:
                variants += [v.replace(zero=operand) for v in tuple(variants)]
        for variant in variants:
            found.setdefault(variant.label, variant)
    return list(found.values())


class Part:
    """One instruction inside a handler: its operands as values, and where its record is."""

    def __init__(self, c: Chain, spec: Spec, offset: int, before: int, forwarded: dict[str, Value]) -> None:
        self.c, self.spec, self.offset, self.before = c, spec, offset, before
        self.rec = c.rec.at(offset)
        self._packed: Value | None = None
        self._cache: dict[str, Value] = dict(forwarded)
        if spec.zero in ("rs1", "rs2"):
            self._cache[spec.zero] = c.f.value(0, "i32")

    @property
    def packed(self) -> Value:
        """The operand half of the record: rd, rs1, rs2 as bytes, immediate in the upper 32 bits."""
        if self._packed is None:
            self._packed = self.c.f.load("i64", self.rec.at(8))
        return self._packed

    def index(self, name: str) -> Value:
        """Register number of an operand (64 bits)."""
        shift = {"rd": 0, "rs1": 8, "rs2": 16}[name]
        return (self.packed >> shift) & 0xFF

    def __getitem__(self, name: str) -> Value:
        if name not in self._cache:
            self._cache[name] = self._make(name)
        return self._cache[name]

    def _make(self, name: str) -> Value:
        c = self.c
        if name in ("rs1", "rs2"):
            return c.f.load("i32", c.cpu.pointer("x", self.index(name)))
        if name in ("imm", "shamt"):
            return (self.packed >> 32).to("i32")
        if name == "uimm":
            return self.index("rs1").to("i32")
        if name == "pc":
            return c.pc(self.rec)
        if name == "length":
            return c.f.value(self.spec.length, "i32")
        raise KeyError(name)

    def evaluate(self, term) -> Value:  # noqa: ANN001
        """A term over this instruction's operands."""
        return lower(term, self.c.f, self)

    def write_rd(self, value: Value) -> None:
        """Store to register ``rd``."""
        if self.spec.zero != "rd":
            self.c.f.store(value, self.c.cpu.pointer("x", self.index("rd")))

    @property
    def next(self) -> Value:
        """Record of the following instruction."""
        return self.rec.at(self.spec.length // 2 * RECORD)

    @property
    def r(self) -> Value:
        """Countdown after this instruction has retired."""
        return self.c.r - (self.before + 1)


def emit(module: Module, name: str, parts: tuple[Spec, ...], forward: str, misaligned_jumps: bool) -> None:
    """Write the handler of one instruction, or of two of which the second may receive the first's result.

    Parameters
    ----------
    forward
        Operand of the second (``rs1``, ``rs2``) that is the first's ``rd``, or empty.
    misaligned_jumps
        Without C: a jump to an address that is not a multiple of 4 traps.
    """
    c = Chain(module, name)
    offset, result = 0, None
    for number, spec in enumerate(parts):
        forwarded = {forward: result} if forward and number else {}
        part = Part(c, spec, offset, number, forwarded)
        result = _Emitter(part, last=number == len(parts) - 1, misaligned_jumps=misaligned_jumps).run()
        offset += spec.length // 2 * RECORD


class _Emitter:
    def __init__(self, part: Part, last: bool, misaligned_jumps: bool) -> None:
        self.p, self.c, self.f, self.last = part, part.c, part.c.f, last
        self.misaligned_jumps = misaligned_jumps

    def run(self) -> Value | None:
        insn = self.p.spec.instruction
        result, finished = None, False
        jump = insn.effect(Jump)
        for effect in insn.effects:
            if isinstance(effect, Rd):
                if jump is None:
                    result = self.p.evaluate(effect.value)
                    self.p.write_rd(result)
            elif isinstance(effect, Load):
                result = self._reserve(effect) if effect.reserve else self._load(effect)
                finished = effect.reserve
            elif isinstance(effect, Store):
                if effect.conditional:
                    self._conditional(effect)
                    finished = True
                else:
                    self._store(effect)
            elif isinstance(effect, Amo):
                self._amo(effect)
                finished = True
            elif isinstance(effect, Jump):
                self._jump(effect, insn.effect(Rd))
                finished = True
            elif isinstance(effect, Csr):
                self._csr(effect)
                finished = True
            elif isinstance(effect, System):
                finished = self._system(effect)
        if self.last and not finished:
            self.c.dispatch(self.p.next, self.p.r)
        return result

    # -- memory

    def _hit(self, address: Value, size: int, write: bool, miss: Callable[[], None]) -> Value:
        """Host pointer through the TLB; anything unusual goes to ``miss``, which ends its block."""
        f = self.f
        entry = tlb_entry(self.c.tlb, address)
        tag = f.load("i32", entry.at(4) if write else entry)
        with f.if_(tag.ne(address & (0xFFFF_F000 | (size - 1))), UNLIKELY):
            miss()
        return f.load("ptr", entry.at(8)).at(address.to("i64"))

    def _slow(self, address: Value, kind: int, callee: str, value: Value | None = None) -> Callable[[], None]:
        def miss() -> None:
            if self.p.before:  # the first half has retired: let the second one run alone
                self.c.dispatch(self.p.rec, self.c.r - self.p.before)
                return
            self.c.cpu.slow_address = address
            self.c.cpu.slow_kind = kind
            if value is not None:
                self.c.cpu.slow_value = value
            self.c.tail(callee)

        return miss

    def _kind(self, size: int, signed: bool) -> int:
        return size | signed << 3 | self.p.spec.length << 4

    def _load(self, e: Load) -> Value:
        address = self.p.evaluate(e.address)
        where = self._hit(address, e.size, False, self._slow(address, self._kind(e.size, e.signed), "h_load_slow"))
        value = self.f.load(f"i{8 * e.size}", where).to("i32", signed=e.signed)
        self.p.write_rd(value)
        return value

    def _store(self, e: Store) -> None:
        address, value = self.p.evaluate(e.address), self.p.evaluate(e.value)
        where = self._hit(address, e.size, True, self._slow(address, self._kind(e.size, False), "h_store_slow", value))
        self.f.store(value.to(f"i{8 * e.size}"), where)

    def _after_atomic(self) -> None:
        cpu = self.c.cpu
        with self.f.if_(cpu.watch_hit.ne(0), UNLIKELY):
            cpu.reason = WATCH
            self.c.leave(self.c.pc(self.p.next), self.p.r)
        # It may have run through the scratch TLB: take up the current one again.
        self.c.dispatch(self.p.next, self.p.r, tlb=cpu.tlb.to("ptr"))

    def _reserve(self, e: Load) -> Value:
        address = self.p.evaluate(e.address)
        slow = self._slow(address, 0, "h_atomic_slow")
        where = self._hit(address, e.size, False, slow)
        # A plain load may have cached a page of ROM, which takes no reservations.
        with self.f.if_(self.c.cpu.ram_size.ule(where.to("i64") - self.c.cpu.ram), UNLIKELY):
            slow()
        value = self.f.load("i32", where)
        self.p.write_rd(value)
        self.c.cpu.reservation = where.to("i64")
        self._after_atomic()
        return value

    def _conditional(self, e: Store) -> None:
        address, value = self.p.evaluate(e.address), self.p.evaluate(e.value)
        where = self._hit(address, e.size, True, self._slow(address, 1, "h_atomic_slow"))
        holds = self.c.cpu.reservation.eq(where.to("i64"))
        self.c.cpu.reservation = 0
        with self.f.if_(holds):
            self.f.store(value, where)
        self.p.write_rd((~holds).to("i32"))
        self._after_atomic()

    def _amo(self, e: Amo) -> None:
        address = self.p.evaluate(e.address)
        where = self._hit(address, e.size, True, self._slow(address, 1, "h_atomic_slow"))
        old = self.f.load("i32", where)
        self.p._cache["memory"] = old
        self.f.store(self.p.evaluate(e.value), where)
        self.p.write_rd(old)
        self._after_atomic()

    # -- control flow

    def _jump(self, e: Jump, link: Rd | None) -> None:
        p, c, f = self.p, self.c, self.f
        if e.when is not None:
            with f.if_(p.evaluate(e.when)):
                self._jump_taken(e, None)
            c.dispatch(p.next, p.r)
        else:
            self._jump_taken(e, link)

    def _jump_taken(self, e: Jump, link: Rd | None) -> None:
        p, c, f = self.p, self.c, self.f
        near = p.spec.jumps_relative and not p.spec.far
        if near and not self.misaligned_jumps:
            if link is not None:
                p.write_rd(p.evaluate(link.value))
            c.go_near(p.rec.at(p["imm"].to("i64", signed=True)), p.r)  # the immediate counts record bytes
            return
        if near:
            target = c.pc(p.rec.at(p["imm"].to("i64", signed=True)))
        else:
            target = p.evaluate(e.target)
        if self.misaligned_jumps:
            with f.if_((target & 2).ne(0), UNLIKELY):
                if p.before:
                    c.dispatch(p.rec, c.r - p.before)
                else:
                    c.trap(0, target)
        if link is not None:
            p.write_rd(p.evaluate(link.value))
        c.go(target, p.r)

    # -- the rest is written by hand in :mod:`.control`

    def _csr(self, e: Csr) -> None:
        p, c = self.p, self.c
        operand = p.evaluate(e.operand)
        writes = c.f.value(1, "i1") if e.action == "write" else p.index("rs1").ne(0)
        c.cpu.slow_value = operand
        c.cpu.slow_kind = (writes.to("i32") << 8) | CSR_ACTIONS[e.action]
        # The instruction's own bits, should it be illegal: what the record does not hold is constant.
        word = p["imm"] << 20 | p.index("rs1").to("i32") << 15 | (p.index("rd").to("i32") & 31) << 7
        c.cpu.trap_tval = word | p.spec.instruction.match
        c.tail("h_csr")

    def _system(self, e: System) -> bool:
        if e.action in ("fence", "fence.i"):
            return False  # memory is always in order, and stores reset predecoded code at once
        c, p = self.c, self.p
        word = c.f.value(p.spec.instruction.match, "i32")
        if e.first is not None:
            word = word | p.index("rs1").to("i32") << 15 | p.index("rs2").to("i32") << 20
            c.cpu.slow_address = p.evaluate(e.first)
            c.cpu.slow_kind = p.index("rs1").to("i32")
        if e.action == "ebreak" and p.spec.length == 2:
            c.tail("h_ebreak")
            return True
        c.cpu.trap_tval = word
        c.tail("h_" + e.action.replace(".", "_"))
        return True
