"""The value of every operation of a graph, as LLVM text."""

from __future__ import annotations

from rvsim.native.ir import Function, Value

from ..graph.graph import Node, constant, number
from ..graph.paths import Bits
from .layout import Layout

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
#: Division and remainder → whether they are signed.
_DIVISION = {"u//": False, "u%": False, "s//": True, "s%": True}
_COMPARISON = {
    "==": "eq", "!=": "ne", "u<": "ult", "u>": "ugt", "u<=": "ule", "u>=": "uge",
    "s<": "slt", "s>": "sgt", "s<=": "sle", "s>=": "sge",
}  # fmt: skip
_SHIFTS = {"<<": "shl", "u>>": "lshr", "s>>": "ashr"}


class Operations:
    """Evaluates nodes; the class that derives from it says where operands come from."""

    f: Function
    state: Value
    layout: Layout

    def get(self, bits: Bits) -> Value:
        """The value of some bits."""
        raise NotImplementedError

    def member(self, value: Value, numbers: frozenset[int], negated: bool) -> Value:
        """One bit: the value is (not) one of the numbers."""
        f, width = self.f, value.width
        if len(numbers) == 1:
            (only,) = numbers
            return value.ne(only) if negated else value.eq(only)
        if width <= 6:
            size = max(8, 1 << width)
            table = sum(1 << n for n in numbers)
            if negated:
                table ^= (1 << (1 << width)) - 1
            return (f.value(table, f"i{size}") >> value.to(f"i{size}")).to("i1")
        found = None
        for n in sorted(numbers):
            hit = value.eq(n)
            found = hit if found is None else found | hit
        return ~found if negated else found

    def evaluate(self, node: Node) -> Value:
        """The value of any node but decisions and states."""
        op, args = node.op, node.args
        if op == "in":
            return self.member(self.get(args[0]), node.extra, False)
        if op == "like":
            return self._like(self.get(args[0]), node.extra)
        if op == "part":
            return self._part(node)
        if op == "read":
            return self.read_row(node.extra, args[0])
        if len(args) == 1:
            return self._unary(op, args[0])
        a = self.get(args[0])
        if op in _SHIFTS:
            return self._shift(op, a, args[1])
        b = self.get(args[1])
        if op in _ARITHMETIC:
            return a.op(_ARITHMETIC[op], b)
        if op in _COMPARISON:
            return a._compare(_COMPARISON[op], b)
        return self._divide(op, a, b)

    def _unary(self, op: str, bits: Bits) -> Value:
        f, a = self.f, self.get(bits)
        if op == "~":
            return ~a
        if op == "-":
            return f.value(0, a.type).op("sub", a) if a.constant != 0 else a
        if op in ("b", "r|"):
            return a.ne(0)
        if op == "r&":
            return a.eq(-1)
        if op == "r^":
            total = None
            for low in range(0, len(bits), 64):  # population counts are known for words
                word = self.get(bits[low : low + 64]).to("i64")
                total = word if total is None else total ^ word
            return f.intrinsic("llvm.ctpop", total).to("i1")
        raise NotImplementedError(op)

    def _divide(self, op: str, a: Value, b: Value) -> Value:
        """Amaranth: by zero the quotient and remainder are zero; signed division rounds down."""
        f, kind = self.f, a.type
        signed = _DIVISION[op]
        zero = b.eq(0)
        # Division by -1 is a negation; the smallest number divided by it would overflow.
        negates = b.eq(-1) if signed else f.value(0, "i1")
        safe = (zero | negates).select(f.value(1, kind), b)
        if not signed:
            quotient, rest = self._divide_unsigned(a, safe)
            return zero.select(f.value(0, kind), quotient if op == "u//" else rest)
        if a.width <= 64:
            quotient, rest = a.op("sdiv", safe), a.op("srem", safe)
        else:
            quotient, rest = self._divide_magnitudes(a, safe)
        adjust = rest.ne(0) & (rest ^ safe).slt(0)
        if op == "s//":
            opposite = f.emit(kind, f"sub {kind} 0, {a.text}")
            result = negates.select(opposite, adjust.select(quotient - 1, quotient))
        else:
            result = negates.select(f.value(0, kind), adjust.select(rest + safe, rest))
        return zero.select(f.value(0, kind), result)

    def _divide_magnitudes(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Signed division of wide values, rounded towards zero."""
        f, kind = self.f, a.type

        def negate_if(condition: Value, value: Value) -> Value:
            return condition.select(f.emit(kind, f"sub {kind} 0, {value.text}"), value)

        minus_a, minus_b = a.slt(0), b.slt(0)
        quotient, rest = self._divide_unsigned(negate_if(minus_a, a), negate_if(minus_b, b))
        return negate_if(minus_a ^ minus_b, quotient), negate_if(minus_a, rest)

    def _divide_unsigned(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Quotient and remainder; bit by bit where the processor has no division of that width."""
        f, kind = self.f, a.type
        if a.width <= 64:
            return a.op("udiv", b), a.op("urem", b)
        wide = f"i{a.width + 1}"
        quotient, rest = f.variable(kind, 0), f.variable(wide, 0)
        position = f.variable("i64", a.width)
        with f.loop() as done:
            place = position.get()
            with f.if_(place.eq(0)):
                f.branch(done)
            index = (place - 1).to(kind)
            position.set(place - 1)
            grown = rest.get() << 1 | (a.op("lshr", index) & 1).to(wide)
            fits = b.to(wide).ule(grown)
            rest.set(fits.select(grown - b.to(wide), grown))
            quotient.set(quotient.get() << 1 | fits.to(kind))
        return quotient.get(), rest.get().to(kind)

    def _shift(self, op: str, a: Value, amount: Bits) -> Value:
        f, width = self.f, a.width
        if constant(amount):
            by = number(amount)
            if by >= width:
                return a.op("ashr", width - 1) if op == "s>>" else f.value(0, a.type)
            return a.op(_SHIFTS[op], by)
        by = self.get(amount)
        if (1 << len(amount)) <= width:
            return a.op(_SHIFTS[op], by.to(a.type))
        size = max(width, len(amount)) + 1
        wide = by.to(f"i{size}")
        over = f.value(width, wide.type).ule(wide)
        last = f.value(width - 1, a.type)
        safe = over.select(last, wide.to(a.type))
        shifted = a.op(_SHIFTS[op], safe)
        return shifted if op == "s>>" else over.select(f.value(0, a.type), shifted)

    def _like(self, value: Value, patterns: tuple[str, ...]) -> Value:
        found = None
        for pattern in patterns:
            mask = int("".join("0" if c == "-" else "1" for c in pattern), 2)
            hit = (value & mask).eq(int(pattern.replace("-", "0"), 2))
            found = hit if found is None else found | hit
        return found

    def _part(self, node: Node) -> Value:
        f = self.f
        value, offset = node.args
        stride, signed = node.extra
        width = len(value)
        last = ((1 << len(offset)) - 1) * stride
        size = max(width, node.width, last.bit_length() + 1)
        a = self.get(value).to(f"i{size}", signed=signed) if value else f.value(0, f"i{size}")
        by = self.get(offset).to(f"i{size}") * stride if offset else f.value(0, f"i{size}")
        if last >= size:
            inside = by.ult(size)
            by = inside.select(by, f.value(size - 1, by.type))
            shifted = a.op("ashr" if signed else "lshr", by)
            shifted = shifted if signed else inside.select(shifted, f.value(0, a.type))
        else:
            shifted = a.op("ashr" if signed else "lshr", by)
        return shifted.to(f"i{node.width}")

    # -- memories

    def _row(self, memory: int, address: Bits) -> tuple[Value, Value | None]:
        """Pointer to a row, and whether the address is inside (``None``: it always is)."""
        f, place = self.f, self.layout.memories[memory]
        if not address:
            return self.state.at(place.offset), None
        index = self.get(address)
        inside = None
        if (1 << len(address)) > place.depth:
            inside = index.ult(place.depth) if place.depth else f.value(0, "i1")
        if len(address) > 63:
            index = index.to("i64")
        return self.state.at(place.offset).at(index.to("i64") * place.row_bytes), inside

    def read_row(self, memory: int, address: Bits) -> Value:
        """A row; 0 beyond the end."""
        f, place = self.f, self.layout.memories[memory]
        kind, width = f"i{place.row_bytes * 8}", f"i{place.width}"
        if place.depth == 0:
            return f.value(0, width)
        row, inside = self._row(memory, address)
        if inside is not None:
            row = inside.select(row, self.state.at(place.offset))
        value = f.load(kind, row, align=min(place.row_bytes, 8)).to(width)
        return value if inside is None else inside.select(value, f.value(0, width))
