"""The native decoder, generated from the encoding patterns: an instruction word to a record.

Record (16 bytes): handler address (64), rd (8), rs1 (8), rs2 (8), unused (8), immediate (32). ``x0`` as ``rd`` is the
sink register; a jump inside its page has its offset in bytes of records.
"""

from __future__ import annotations

from collections.abc import Callable

from rvsim.isa.instruction import FIELDS, Bits, Instruction
from rvsim.native.ir import Function, Module, Value

from .emit import Chain, Cpu, plain
from .handlers import SPECIAL_ZERO, Spec
from .state import PAGE, PAGE_RECORDS, PAGE_STORED, RECORD_PAGE, SINK

#: Forwarding variants of a fused pair, in table order.
FORWARDS = ("", "rs1", "rs2")


def gather(f: Function, word: Value, field: Bits) -> Value:
    """The value of a field of a 32-bit word (32 bits, extended as declared)."""
    if len(field.parts) == 1 and field.parts[0][0] == 31 and field.signed:
        return word.op("ashr", field.parts[0][1])
    position, result = field.width, f.value(0, "i32")
    for high, low in field.parts:
        width = high - low + 1 if low >= 0 else -low
        position -= width
        if low < 0:
            continue
        part = (word >> (low - position)) if low >= position else (word << (position - low))
        part = part & (((1 << width) - 1) << position)
        result = part if result.constant == 0 else result | part
    if field.signed:
        result = (result << (32 - field.width)).op("ashr", 32 - field.width)
    return result + field.offset


class Decoder:
    """Writes ``decode_fields`` and the functions that use it."""

    def __init__(
        self, module: Module, instructions: tuple[Instruction, ...], handlers: dict[str, int],
        pairs: dict[tuple[str, str, str], int], split: int, illegal: int,
    ) -> None:  # fmt: skip
        self.module, self.instructions, self.handlers, self.pairs = module, instructions, handlers, pairs
        self.split, self.illegal = split, illegal

    def emit(self) -> None:
        """Write all functions and tables."""
        self._tables()
        self._fields()
        self._decode_at()
        self._decode_single()
        _undecoded(self.module)

    # -- tables

    def _tables(self) -> None:
        first = sorted({a for a, _, _ in self.pairs})
        second = sorted({b for _, b, _ in self.pairs})
        size = self.illegal + 1  # the largest number that ``decode_fields`` returns
        by_first, by_second = [0] * size, [0] * size
        for rank, label in enumerate(first, 1):
            by_first[self.handlers[label]] = rank
        for rank, label in enumerate(second, 1):
            by_second[self.handlers[label]] = rank
        self.seconds = len(second) + 1
        matrix = [0] * ((len(first) + 1) * self.seconds * len(FORWARDS))
        for (a, b, forward), handler in self.pairs.items():
            row = ((first.index(a) + 1) * self.seconds + second.index(b) + 1) * len(FORWARDS)
            if forward:
                matrix[row + FORWARDS.index(forward)] = handler
            else:
                for column in range(len(FORWARDS)):
                    matrix[row + column] = matrix[row + column] or handler
        self.module.table("t_first", "i8", by_first)
        self.module.table("t_second", "i8", by_second)
        self.module.table("t_pairs", "i16", matrix)

    # -- fields of one instruction

    def _fields(self) -> None:
        """``decode_fields(rec, word, offset in page, far)``: fills the operand half, returns the handler's number."""
        f = self.module.function(
            "decode_fields", "i32", (("ptr", "rec"), ("i32", "word"), ("i32", "offset"), ("i32", "far"))
        )
        rec, word, offset, far = f.parameters
        self.f, self.rec, self.word, self.offset, self.far = f, rec, word, offset, far
        with f.if_((word & 3).ne(3)):
            self._tree([i for i in self.instructions if i.length == 2], low=2, minor=13)
        for place, name in enumerate(("rd", "rs1", "rs2")):
            self._register(place, gather(f, word, FIELDS[name]))
        self._tree([i for i in self.instructions if i.length == 4], low=7, minor=12)

    def _register(self, place: int, number: Value | int) -> None:
        if isinstance(number, int):
            number = self.f.value(number or (SINK if place == 0 else 0), "i32")
        elif place == 0:
            number = number.eq(0).select(self.f.value(SINK, "i32"), number)
        self.f.store(number.to("i8"), self.rec.at(8 + place))

    def _tree(self, candidates: list[Instruction], low: int, minor: int) -> None:
        """Switch on the low opcode bits, then on three minor bits where they are fixed, then compare."""
        f = self.f
        groups: dict[int, list[Instruction]] = {}
        for insn in candidates:
            groups.setdefault(insn.match & ((1 << low) - 1), []).append(insn)

        def group(members: list[Instruction]) -> Callable[[], None]:
            def body() -> None:
                cases: dict[int, list[Instruction]] = {}
                for insn in members:
                    for value in range(8):
                        if (value << minor ^ insn.match) & insn.mask & (7 << minor) == 0:
                            cases.setdefault(value, []).append(insn)
                if all(insn.mask >> minor & 7 == 0 for insn in members):
                    self._chain(members)
                    return
                f.switch(
                    (self.word >> minor) & 7,
                    {value: (lambda m=m: self._chain(m)) for value, m in cases.items()},
                    self._bad,
                )

            return body

        f.switch(self.word & ((1 << low) - 1), {k: group(m) for k, m in groups.items()}, self._bad)
        if not f.ended:
            self._bad()

    def _bad(self) -> None:
        wide = (self.word & 3).eq(3)
        self.f.store(wide.select(self.word, self.word & 0xFFFF), self.rec.at(12))
        self.f.ret(self.illegal)

    def _chain(self, members: list[Instruction]) -> None:
        f, word = self.f, self.word
        for insn in sorted(members, key=lambda i: -i.mask.bit_count()):
            matched = (word & insn.mask).eq(insn.match)
            for operand, value in insn.unless:
                matched = matched & gather(f, word, insn.fields[operand]).ne(value)
            with f.if_(matched):
                self._leaf(insn)
        self._bad()

    def _leaf(self, insn: Instruction) -> None:
        f, word = self.f, self.word
        if insn.length == 2:
            for place, name in enumerate(("rd", "rs1", "rs2")):
                where = insn.fields.get(name)
                if where is not None:
                    self._register(place, gather(f, word, where) if isinstance(where, Bits) else where)
        immediate = next((insn.fields[n] for n in ("imm", "shamt", "csr") if n in insn.fields), None)
        spec = Spec(name=insn.expansion or insn.name, length=insn.length)
        if immediate is None:
            self._give(insn, spec)
            return
        value = gather(f, word, immediate) if isinstance(immediate, Bits) else f.value(immediate, "i32")
        if spec.jumps_relative:
            target = self.offset + value
            near = (target & ~(PAGE - 1)).eq(0) & self.far.eq(0)
            with f.if_(near):
                f.store(value << 3, self.rec.at(12))
                self._give(insn, spec)
            f.store(value, self.rec.at(12))
            self._give(insn, spec.replace(far=True))
            return
        f.store(value, self.rec.at(12))
        self._give(insn, spec)

    def _give(self, insn: Instruction, spec: Spec) -> None:
        """Return the handler's number; shorter handlers where an operand is ``x0``."""
        for name, operand in SPECIAL_ZERO:
            if name != spec.name:
                continue
            where, special = insn.fields[operand], self.handlers[spec.replace(zero=operand).label]
            if where == 0:
                self.f.ret(special)
                return
            if isinstance(where, Bits) and not where.offset:
                with self.f.if_(gather(self.f, self.word, where).eq(0)):
                    self.f.ret(special)
        self.f.ret(self.handlers[spec.label])

    # -- records

    def _handler(self, f: Function, number: Value) -> Value:
        table = f.symbol("t_handlers")
        return table.at(f.load("i32", table.at(number.to("i64") << 2)).to("i64", signed=True))

    def _decode_at(self) -> None:
        """``decode_at(rec, code, offset)``: decode the instruction at a place of a page, fused with the next."""
        f, cpu, (rec, code, offset) = plain(
            self.module, "decode_at", "void", ("ptr", "rec"), ("ptr", "code"), ("i32", "offset")
        )
        cpu.count("decoded")

        def word_at(where: Value, place: Value, crossing: Callable[[], None]) -> tuple[Value, Value]:
            """Word and length; ``crossing`` where the instruction continues in the next page."""
            word = f.variable("i32", f.load("i16", where).to("i32"))
            length = f.variable("i32", 2)
            with f.if_((word.get() & 3).eq(3)):
                with f.if_(place.eq(PAGE - 2)):
                    crossing()
                word.set(word.get() | f.load("i16", where.at(2)).to("i32") << 16)
                length.set(4)
            return word.get(), length.get()

        def split() -> None:
            f.store(self._handler(f, f.value(self.split, "i32")), rec)
            f.ret()

        word, length = word_at(code, offset, split)
        number = f.call("i32", "decode_fields", rec, word, offset, 0)
        handler = f.variable("i32", number)

        def finish() -> None:
            f.store(self._handler(f, handler.get()), rec)
            f.ret()

        a = f.load("i8", f.symbol("t_first").at(number.to("i64")))
        following = offset + length
        with f.if_(a.eq(0) | f.value(PAGE - 2, "i32").ult(following)):
            finish()
        second_word, _ = word_at(code.at(length.to("i64")), following, finish)
        second = f.buffer(16)
        number2 = f.call("i32", "decode_fields", second, second_word, following, 0)
        b = f.load("i8", f.symbol("t_second").at(number2.to("i64")))
        with f.if_(b.eq(0)):
            finish()
        rd = f.load("i8", rec.at(8))
        is_rs1, is_rs2 = f.load("i8", second.at(9)).eq(rd), f.load("i8", second.at(10)).eq(rd)
        forward = is_rs1.select(f.value(1, "i32"), is_rs2.select(f.value(2, "i32"), 0))
        row = (a.to("i32") * self.seconds + b.to("i32")) * len(FORWARDS) + forward
        pair = f.load("i16", f.symbol("t_pairs").at(row.to("i64") << 1)).to("i32")
        with f.if_(pair.ne(0)):
            f.store(f.load("i64", second.at(8)), rec.at((length << 3).to("i64") + 8))
            handler.set(pair)
        finish()

    def _decode_single(self) -> None:
        """``decode_single(rec, word)``: an instruction on its own, its jumps through the code TLB."""
        f, cpu, (rec, word) = plain(self.module, "decode_single", "void", ("ptr", "rec"), ("i32", "word"))
        number = f.call("i32", "decode_fields", rec, word, 0, 1)
        _profile(f, cpu, rec, number)
        f.store(self._handler(f, number), rec)
        f.ret()


#: Side of the square of the profile matrix; its planes are the forwarding variants.
PROFILE_SIDE = 512


def _profile(f: Function, cpu: Cpu, rec: Value, number: Value) -> None:
    """Count pairs of instructions that follow each other, if a profile is wanted."""
    profile = cpu.profile
    with f.if_(profile.ne(0)):
        last = cpu.profile_last
        rd = last >> 16
        is_rs1 = f.load("i8", rec.at(9)).to("i32").eq(rd)
        is_rs2 = f.load("i8", rec.at(10)).to("i32").eq(rd)
        forward = is_rs1.select(f.value(1, "i32"), is_rs2.select(f.value(2, "i32"), 0))
        cell = ((forward * PROFILE_SIDE + (last & 0xFFFF)) * PROFILE_SIDE + number).to("i64") << 3
        where = profile.to("ptr").at(cell)
        f.store(f.load("i64", where) + 1, where)
        cpu.profile_last = number | f.load("i8", rec.at(8)).to("i32") << 16


def _undecoded(module: Module) -> None:
    """The handler of a record that has not been decoded: decode it, then run it."""
    c = Chain(module, "h_undecoded")
    f, cpu = c.f, c.cpu
    offset = c.rec.to("i64") - cpu.records
    page = offset.op("udiv", RECORD_PAGE)
    place = (offset - page * RECORD_PAGE) >> 3
    code = cpu.ram + (page << 12)
    flags_at = cpu.page_map.to("ptr").at(page)
    flags = f.load("i8", flags_at)
    with f.if_((flags & PAGE_RECORDS).eq(0)):
        cpu.count("pages_decoded")
        f.store((flags | PAGE_RECORDS) & ~PAGE_STORED, flags_at)
        with f.if_((flags & PAGE_STORED).ne(0)):
            f.call("void", "forget_stores", cpu.address, code)
    f.call("void", "decode_at", cpu.address, c.rec, (code + place).to("ptr"), place.to("i32"))
    c.dispatch(c.rec)
