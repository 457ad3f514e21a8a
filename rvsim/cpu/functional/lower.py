"""Terms evaluated to LLVM values."""

from __future__ import annotations

from collections.abc import Mapping

from rvsim.isa.terms import Term
from rvsim.native.ir import Function, Value

_DIRECT = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_DIVIDE = ("udiv", "urem", "sdiv", "srem")
_SHIFT = ("shl", "lshr", "ashr")
_COMPARE = {"eq": "eq", "ne": "ne", "ult": "ult", "slt": "slt"}
_COUNT = {"clz": ("llvm.ctlz", "i1 false"), "ctz": ("llvm.cttz", "i1 false"), "cpop": ("llvm.ctpop", "")}


def lower(term: Term, f: Function, values: Mapping[str, Value]) -> Value:
    """The LLVM value of ``term``; ``values`` gives its variables.

    Raises
    ------
    KeyError
        A variable without a value.
    """
    done: dict[int, Value] = {}

    def walk(t: Term) -> Value:
        key = id(t)
        if key not in done:
            done[key] = _lower(t, f, values, walk)
        return done[key]

    return walk(term)


def _lower(t: Term, f: Function, values: Mapping[str, Value], walk) -> Value:  # noqa: ANN001
    op = t.op
    if op == "const":
        return f.value(t.value, f"i{t.width}")
    if op == "var":
        return values[t.value]
    a = walk(t.args[0])
    if op in _DIRECT:
        b = walk(t.args[1])
        if a.constant == 0 and op in ("add", "or", "xor"):
            return b
        return a.op(_DIRECT[op], b)
    if op in _SHIFT:
        amount = walk(t.args[1])
        if amount.constant is None:
            amount = amount & (t.width - 1)  # a shift by the width or more has no value in LLVM
        return a.op(op, f.value(amount.constant % t.width, a.type) if amount.constant is not None else amount)
    if op in _DIVIDE:
        return a.op(op, walk(t.args[1]))
    if op in _COMPARE:
        return getattr(a, _COMPARE[op])(walk(t.args[1]))
    if op == "mux":
        return a.select(walk(t.args[1]), walk(t.args[2]))
    if op in ("zext", "sext"):
        return a.to(f"i{t.width}", signed=op == "sext")
    if op == "extract":
        return (a >> t.value).to(f"i{t.width}")
    if op in _COUNT:
        name, flags = _COUNT[op]
        return f.intrinsic(name, a, flags=flags)
    if op == "bswap":
        return f.intrinsic("llvm.bswap", a)
    raise NotImplementedError(op)
