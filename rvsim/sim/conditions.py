"""Conditions on signals as text: ``cpu.fetch.pc == 0x80000100 and not bus.stall``.

Names are hierarchical signal names, or fields of structured ones as waveforms name them (``bus.header.kind``,
``counts[1]``); ``name[3]`` and ``name[7:4]`` (both ends included) are bits of any other. Comparisons are unsigned and
may be chained; ``and``, ``or``, ``not`` combine conditions, ``&``, ``|``, ``^`` values; a value that is not zero holds.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable

from .graph.graph import Graph
from .graph.paths import Bit, Bits

_COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "u<", ast.LtE: "u<=", ast.Gt: "u>", ast.GtE: "u>=",
}  # fmt: skip
_BITWISE = {ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^"}


class ConditionError(ValueError):
    """A condition that cannot be understood; the message quotes it and says what is wrong."""


def compile_condition(text: str, graph: Graph, signal: Callable[[str], Bits]) -> Bit:
    """The bit of ``graph`` that a condition stands for.

    Parameters
    ----------
    signal
        Gives the value of a hierarchical name; raises ``KeyError`` with a message for one that does not exist.

    Raises
    ------
    ConditionError
        It does not parse, or has something that conditions cannot have.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConditionError(f"condition {text!r} does not parse: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise ConditionError(f"condition of {len(text)} characters is nested too deeply") from None
    try:
        return _Compiler(text, graph, signal).truth(tree)
    except RecursionError:
        raise ConditionError(f"condition of {len(text)} characters is nested too deeply") from None


class _Compiler:
    def __init__(self, text: str, graph: Graph, signal: Callable[[str], Bits]) -> None:
        self.text, self.graph, self.signal = text, graph, signal

    def _refuse(self, node: ast.AST) -> ConditionError:
        part = ast.unparse(node)
        return ConditionError(f"condition {self.text!r}: {part!r} is neither a signal, a number, nor a comparison")

    def truth(self, node: ast.AST) -> Bit:
        """Whether an expression holds: not zero."""
        graph = self.graph
        if isinstance(node, ast.BoolOp):
            bits = [self.truth(value) for value in node.values]
            combine = graph.both if isinstance(node.op, ast.And) else graph.either
            result = bits[0]
            for bit in bits[1:]:
                result = combine(result, bit)
            return result
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return graph.invert(self.truth(node.operand))
        if isinstance(node, ast.Compare):
            result, left = 1, node.left
            for operator, right in zip(node.ops, node.comparators):
                if type(operator) not in _COMPARISONS:
                    raise self._refuse(node)
                a, b = self._same_width(self.value(left), self.value(right))
                result = graph.both(result, graph.operator(_COMPARISONS[type(operator)], (a, b), 1)[0])
                left = right
            return result
        return graph.operator("b", (self.value(node),), 1)[0]

    def _same_width(self, a: Bits, b: Bits) -> tuple[Bits, Bits]:
        width = max(len(a), len(b))
        return a + (0,) * (width - len(a)), b + (0,) * (width - len(b))

    def value(self, node: ast.AST) -> Bits:
        """The value of a signal, a number, or a bitwise operation on them."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value >= 0:
            return tuple(node.value >> bit & 1 for bit in range(max(1, node.value.bit_length())))
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(ast.unparse(node))
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.BinOp) and type(node.op) in _BITWISE:
            a, b = self._same_width(self.value(node.left), self.value(node.right))
            return self.graph.operator(_BITWISE[type(node.op)], (a, b), len(a))
        raise self._refuse(node)

    def _named(self, name: str) -> Bits:
        try:
            return self.signal(name)
        except KeyError as error:
            raise ConditionError(f"condition {self.text!r}: {error.args[0]}") from None

    def _subscript(self, node: ast.Subscript) -> Bits:
        with contextlib.suppress(KeyError):  # an element of an array, as waveforms name it
            return self.signal(ast.unparse(node).replace(" ", ""))
        value, index = self.value(node.value), node.slice
        ends = (index.lower, index.upper) if isinstance(index, ast.Slice) else (index, index)
        if getattr(index, "step", None) or not all(
            isinstance(end, ast.Constant) and type(end.value) is int for end in ends
        ):
            raise self._refuse(node)
        high, low = (end.value for end in ends)
        if not 0 <= low <= high < len(value):
            raise ConditionError(f"condition {self.text!r}: {ast.unparse(node)!r} is outside the {len(value)} bits")
        return value[low : high + 1]
