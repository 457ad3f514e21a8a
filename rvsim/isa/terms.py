"""Terms: what an instruction computes, traced once and evaluated anywhere.

A :class:`Term` is an immutable expression over bit vectors of a fixed width, without signs: operations that
care about the sign say so in their name. A back end evaluates it on integers (:func:`evaluate`), as LLVM
text (:mod:`rvsim.cpu.functional.lower`) or on Amaranth values (:mod:`rvsim.cpu.pipeline.terms`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

_COMPARISONS = ("eq", "ne", "ult", "slt")


class Term:
    """A bit-vector expression.

    Attributes
    ----------
    op
        ``const``, ``var``; ``add sub mul and or xor shl lshr ashr udiv urem sdiv srem`` (both operands and
        the result have the same width; shift amounts count modulo the width; a division by zero and
        the overflowing signed division have no value, so the declaration keeps them out);
        ``eq ne ult slt`` (one bit); ``mux`` (condition, then, else); ``zext sext``; ``extract`` (``low`` bit);
        ``clz ctz cpop bswap`` (``clz`` and ``ctz`` of zero are the width).
    args
        Operand terms.
    width
        Width of the value in bits.
    value
        The constant, the variable's name, or the low bit of an ``extract``.
    """

    __slots__ = ("args", "op", "value", "width")

    def __init__(self, op: str, width: int, args: tuple[Term, ...] = (), value: int | str | None = None) -> None:
        self.op, self.width, self.args, self.value = op, width, args, value

    def __bool__(self) -> bool:
        raise TypeError(f"a term has no truth value while it is traced; use mux() instead of 'if': {self}")

    def __repr__(self) -> str:
        if self.op == "const":
            return f"{self.value:#x}"
        if self.op == "var":
            return str(self.value)
        shown = [repr(a) for a in self.args]
        if self.op in ("zext", "sext"):
            shown.append(str(self.width))
        if self.op == "extract":
            shown.append(f"{self.value}+{self.width}")
        return f"{self.op}({', '.join(shown)})"

    def _lift(self, other: Term | int) -> Term:
        if isinstance(other, Term):
            if other.width != self.width:
                raise TypeError(f"widths differ: {self!r} has {self.width} bits, {other!r} has {other.width}")
            return other
        return const(other, self.width)

    def _binary(self, op: str, other: Term | int) -> Term:
        other = self._lift(other)
        return Term(op, 1 if op in _COMPARISONS else self.width, (self, other))

    def __add__(self, other: Term | int) -> Term:
        return self._binary("add", other)

    def __sub__(self, other: Term | int) -> Term:
        return self._binary("sub", other)

    def __mul__(self, other: Term | int) -> Term:
        return self._binary("mul", other)

    def __and__(self, other: Term | int) -> Term:
        return self._binary("and", other)

    def __or__(self, other: Term | int) -> Term:
        return self._binary("or", other)

    def __xor__(self, other: Term | int) -> Term:
        return self._binary("xor", other)

    def __invert__(self) -> Term:
        return self._binary("xor", -1)

    def __lshift__(self, other: Term | int) -> Term:
        return self._binary("shl", other)

    def __rshift__(self, other: Term | int) -> Term:
        return self._binary("lshr", other)

    def sra(self, other: Term | int) -> Term:
        """Arithmetic shift right, the amount modulo the width."""
        return self._binary("ashr", other)

    def eq(self, other: Term | int) -> Term:
        """One bit: equal."""
        return self._binary("eq", other)

    def ne(self, other: Term | int) -> Term:
        """One bit: not equal."""
        return self._binary("ne", other)

    def lt(self, other: Term | int) -> Term:
        """One bit: less than, as signed numbers."""
        return self._binary("slt", other)

    def ltu(self, other: Term | int) -> Term:
        """One bit: less than, as unsigned numbers."""
        return self._binary("ult", other)

    def div(self, other: Term) -> Term:
        """Signed quotient, rounded towards zero; the divisor must not be zero, nor the quotient overflow."""
        return self._binary("sdiv", other)

    def rem(self, other: Term) -> Term:
        """Signed remainder with the dividend's sign; same conditions as :meth:`div`."""
        return self._binary("srem", other)

    def divu(self, other: Term) -> Term:
        """Unsigned quotient; the divisor must not be zero."""
        return self._binary("udiv", other)

    def remu(self, other: Term) -> Term:
        """Unsigned remainder; the divisor must not be zero."""
        return self._binary("urem", other)

    def zext(self, width: int) -> Term:
        """Zero-extended to ``width`` bits (itself if it has that width)."""
        return self if width == self.width else Term("zext", width, (self,))

    def sext(self, width: int) -> Term:
        """Sign-extended to ``width`` bits (itself if it has that width)."""
        return self if width == self.width else Term("sext", width, (self,))

    def bits(self, high: int, low: int) -> Term:
        """Bits ``high`` down to ``low``, both included, as a term of that width."""
        if not 0 <= low <= high < self.width:
            raise ValueError(f"bits {high}:{low} of a {self.width}-bit term")
        return self if high - low + 1 == self.width else Term("extract", high - low + 1, (self,), low)

    def clz(self) -> Term:
        """Number of leading zeros."""
        return Term("clz", self.width, (self,))

    def ctz(self) -> Term:
        """Number of trailing zeros."""
        return Term("ctz", self.width, (self,))

    def cpop(self) -> Term:
        """Number of ones."""
        return Term("cpop", self.width, (self,))

    def bswap(self) -> Term:
        """Bytes in reverse order."""
        return Term("bswap", self.width, (self,))


def const(value: int, width: int) -> Term:
    """The constant ``value`` modulo 2**width."""
    return Term("const", width, (), value & ((1 << width) - 1))


def var(name: str, width: int) -> Term:
    """A free variable."""
    return Term("var", width, (), name)


def mux(condition: Term, then: Term, otherwise: Term | int) -> Term:
    """``then`` if the one-bit ``condition`` is set, else ``otherwise``; both are evaluated."""
    if condition.width != 1:
        raise TypeError(f"a condition has one bit, {condition!r} has {condition.width}")
    otherwise = then._lift(otherwise)
    return Term("mux", then.width, (condition, then, otherwise))


def variables(term: Term) -> frozenset[str]:
    """Names of the variables that occur in ``term``."""
    if term.op == "var":
        return frozenset((term.value,))
    return frozenset().union(*(variables(a) for a in term.args))


def signed(value: int, width: int) -> int:
    """The two's-complement number that the ``width``-bit pattern ``value`` stands for."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


def _divide(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_INTEGER: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, w: a + b,
    "sub": lambda a, b, w: a - b,
    "mul": lambda a, b, w: a * b,
    "and": lambda a, b, w: a & b,
    "or": lambda a, b, w: a | b,
    "xor": lambda a, b, w: a ^ b,
    "shl": lambda a, b, w: a << (b % w),
    "lshr": lambda a, b, w: a >> (b % w),
    "ashr": lambda a, b, w: signed(a, w) >> (b % w),
    "udiv": lambda a, b, w: a // b,
    "urem": lambda a, b, w: a % b,
    "sdiv": lambda a, b, w: _divide(signed(a, w), signed(b, w)),
    "srem": lambda a, b, w: signed(a, w) - signed(b, w) * _divide(signed(a, w), signed(b, w)),
    "eq": lambda a, b, w: int(a == b),
    "ne": lambda a, b, w: int(a != b),
    "ult": lambda a, b, w: int(a < b),
    "slt": lambda a, b, w: int(signed(a, w) < signed(b, w)),
}


def evaluate(term: Term, values: Mapping[str, int]) -> int:
    """The value of ``term`` as an unsigned integer below 2**width.

    Raises
    ------
    KeyError
        A variable without a value.
    ZeroDivisionError
        A division by zero that the declaration did not keep out.
    """
    op, width = term.op, term.width
    mask = (1 << width) - 1
    if op == "const":
        return term.value
    if op == "var":
        return values[term.value] & mask
    if op == "mux":
        return evaluate(term.args[1 if evaluate(term.args[0], values) else 2], values)
    first = term.args[0]
    a = evaluate(first, values)
    if op in _INTEGER:
        return _INTEGER[op](a, evaluate(term.args[1], values), first.width) & mask
    if op == "zext":
        return a
    if op == "sext":
        return signed(a, first.width) & mask
    if op == "extract":
        return a >> term.value & mask
    if op == "clz":
        return width - a.bit_length()
    if op == "ctz":
        return (a & -a).bit_length() - 1 if a else width
    if op == "cpop":
        return a.bit_count()
    if op == "bswap":
        return int.from_bytes(a.to_bytes(width // 8, "little"), "big")
    raise NotImplementedError(op)
