"""Instruction terms as Amaranth values: what hardware is checked against, or made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from amaranth.hdl import Cat, Const, Mux, Value

from rvsim.isa.terms import Term

__all__ = ["lower"]


def lower(term: Term, values: Mapping[str, Value]) -> Value:
    """The value of ``term``, unsigned and exactly ``term.width`` bits wide.

    Parameters
    ----------
    term
        A term of an instruction's effects.
    values
        Its variables, each with the variable's width.

    Raises
    ------
    KeyError
        A variable without a value.
    ValueError
        A value of another width than its variable.
    """
    if term.op == "const":
        return Const(term.value, term.width)
    if term.op == "var":
        value = Value.cast(values[term.value])
        if len(value) != term.width:
            raise ValueError(f"{term.value} has {term.width} bits, its value {len(value)}")
        return value.as_unsigned()
    operands = [lower(argument, values) for argument in term.args]
    return _OPERATIONS[term.op](term, *operands)[: term.width].as_unsigned()


def _amount(b: Value) -> Value:
    """A shift amount modulo the width, which is a power of two."""
    return b[: (len(b) - 1).bit_length()]


def _magnitude(a: Value) -> Value:
    return Mux(a[-1], -a.as_signed(), a)[: len(a)]


def _divide_signed(a: Value, b: Value) -> Value:
    """Rounded towards zero, where Amaranth's signed division rounds down."""
    quotient = _magnitude(a) // _magnitude(b)
    return Mux(a[-1] ^ b[-1], -quotient, quotient)


def _remainder_signed(a: Value, b: Value) -> Value:
    remainder = _magnitude(a) % _magnitude(b)
    return Mux(a[-1], -remainder, remainder)


def _leading_zeros(bits: Value) -> Value:
    """Number of zeros before the first one, from bit 0 upwards; the width if there is none."""
    count = Const(len(bits), len(bits))
    for position in reversed(range(len(bits))):
        count = Mux(bits[position], position, count)
    return count


def _ones(bits: Value) -> Value:
    return sum(bits[position] for position in range(len(bits)))


#: By operation: the term and its operands, to a value of at least the term's width.
_OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": lambda term, a, b: a + b,
    "sub": lambda term, a, b: a - b,
    "mul": lambda term, a, b: a * b,
    "and": lambda term, a, b: a & b,
    "or": lambda term, a, b: a | b,
    "xor": lambda term, a, b: a ^ b,
    "shl": lambda term, a, b: a << _amount(b),
    "lshr": lambda term, a, b: a >> _amount(b),
    "ashr": lambda term, a, b: a.as_signed() >> _amount(b),
    "udiv": lambda term, a, b: a // b,
    "urem": lambda term, a, b: a % b,
    "sdiv": lambda term, a, b: _divide_signed(a, b),
    "srem": lambda term, a, b: _remainder_signed(a, b),
    "eq": lambda term, a, b: a == b,
    "ne": lambda term, a, b: a != b,
    "ult": lambda term, a, b: a < b,
    "slt": lambda term, a, b: a.as_signed() < b.as_signed(),
    "mux": lambda term, condition, a, b: Mux(condition, a, b),
    "zext": lambda term, a: Cat(a, Const(0, term.width - len(a))),
    "sext": lambda term, a: Cat(a, a[-1].replicate(term.width - len(a))),
    "extract": lambda term, a: a[term.value : term.value + term.width],
    "clz": lambda term, a: _leading_zeros(a[::-1]),
    "ctz": lambda term, a: _leading_zeros(a),
    "cpop": lambda term, a: Cat(_ones(a), Const(0, term.width)),
    "bswap": lambda term, a: Cat(*(a[low : low + 8] for low in reversed(range(0, len(a), 8)))),
}
