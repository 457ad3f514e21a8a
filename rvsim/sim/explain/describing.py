"""Values and decisions in the designer's words: names of signals, expressions of them, source lines."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterator
from pathlib import Path as File

from amaranth.hdl import Format, Value

from ..code.regions import Region
from ..graph.graph import MASK, SHIFT, constant, number
from ..graph.paths import Bit, Bits, In, Literal
from ..model import Model
from ..netlist import SyncRead

#: Operators as Python writes them.
_SHOWN = {"u//": "//", "s//": "//", "u%": "%", "s%": "%", "u>>": ">>", "s>>": ">>"}
_SHOWN |= {f"{sign}{op}": op for sign in "us" for op in ("<", ">", "<=", ">=")}
_REDUCTIONS = {"r|": "any", "b": "any", "r&": "all", "r^": "xor"}

LONGEST = 60


def shorten(text: str, length: int = LONGEST) -> str:
    """At most so many characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def short_location(location: str) -> str:
    """A source line, relative to the current directory, or as the file's last two names."""
    path, _, line = location.rpartition(":")
    if not path:
        return location
    if f"{os.sep}amaranth{os.sep}" in path:
        return "(Amaranth)"
    relative = os.path.relpath(path)
    if relative.startswith(".."):
        relative = os.path.join(*File(path).parts[-2:])
    return f"{relative}:{line}"


def base(location: str) -> str:
    """A source line without the file's folders."""
    return os.path.basename(location)


def _fields(name: str, shown: object) -> Iterator[tuple[str, Value]]:
    """Innermost fields of a signal with a structure, with their names."""
    if not isinstance(shown, Format.Struct | Format.Array):
        return
    items = shown._fields.items() if isinstance(shown, Format.Struct) else enumerate(shown._fields)
    for key, inner in items:
        path = f"{name}.{key}" if isinstance(key, str) else f"{name}[{key}]"
        if isinstance(inner, Format.Struct | Format.Array):
            yield from _fields(path, inner)
        elif isinstance(inner, Format.Enum):
            yield path, inner._value
        elif len(inner._chunks) == 1:
            yield path, inner._chunks[0][0]


class Describer:
    """Names of a model's values."""

    def __init__(self, model: Model) -> None:
        self.model, self.graph = model, model.design.graph
        self.whole: dict[Bits, str] = {}
        self.single: dict[Bit, tuple[str, int, int]] = {}
        # Outer names first: they are the ones that a designer of the whole knows; of those the shorter.
        for name, signal in sorted(model.names.table.items(), key=lambda item: (item[0].count("."), len(item[0]))):
            if name.rsplit(".", 1)[-1].startswith("$"):  # Amaranth made it up
                continue
            for field, value in _fields(name, signal._format):
                self._name(field, model.bits(value))
            self._name(name, model.bits(signal))

    def _name(self, name: str, bits: Bits) -> None:
        self.whole.setdefault(bits, name)
        for index, bit in enumerate(bits):
            if bit >= 2:
                self.single.setdefault(bit, (name, index, len(bits)))

    def value(self, bits: Bits, depth: int = 2) -> str:
        """Some bits as a name, a number or an expression."""
        if constant(bits):
            return str(number(bits)) if number(bits) < 10 else hex(number(bits))
        if bits in self.whole:
            return self.whole[bits]
        parts, position = [], 0
        while position < len(bits):
            end = position + 1
            if bits[position] < 2:
                while end < len(bits) and bits[end] < 2:
                    end += 1
                parts.append(self.value(bits[position:end]))
            else:
                end = self._run(bits, position)
                parts.append(self._part(bits[position:end], depth))
            position = end
        if len(parts) > 1 and parts[-1] == "0":  # leading zeros
            parts.pop()
        if len(parts) > 3:
            return "Cat(…)" if depth < 1 else f"Cat({parts[0]}, …, {parts[-1]})"
        return parts[0] if len(parts) == 1 else f"Cat({', '.join(parts)})"

    def _run(self, bits: Bits, position: int) -> int:
        """The end of the longest run from here that is of one signal, or of one node."""
        known = self.single.get(bits[position])
        end = position + 1
        while end < len(bits) and bits[end] == bits[position] + end - position:
            other = self.single.get(bits[end])
            if (known and known[0]) != (other and other[0]):
                break
            end += 1
        return end

    def _part(self, bits: Bits, depth: int) -> str:
        if bits in self.whole:
            return self.whole[bits]
        known = self.single.get(bits[0])
        if known is not None:
            name, index, width = known
            if width == 1:
                return name
            return f"{name}[{index}]" if len(bits) == 1 else f"{name}[{index}:{index + len(bits)}]"
        return self._expression(bits, depth)

    def node(self, node: int) -> str:
        """A whole node; of one with more bits than its signal the signal."""
        width = self.graph.nodes[node].width
        known = self.single.get(node << SHIFT)
        if known is not None and known[1] == 0 and known[2] <= width:
            return known[0]
        return self.value(tuple((node << SHIFT) + bit for bit in range(width)))

    def _expression(self, bits: Bits, depth: int) -> str:
        node = self.graph.node(bits[0])
        low = bits[0] & MASK
        text = self._operation(node, depth)
        if len(bits) == node.width:
            return text
        text = text if text.startswith("(") or text.isidentifier() else f"({text})"
        return f"{text}[{low}]" if len(bits) == 1 else f"{text}[{low}:{low + len(bits)}]"

    def _operation(self, node: object, depth: int) -> str:
        op, args = node.op, node.args
        if op == "read":
            memory = self.model.design.memories[node.extra].name
            return f"{memory}[{self.value(args[0], depth - 1)}]" if depth > 0 else f"{memory}[…]"
        if op == "list":
            return f"value@{base(node.location)}"
        if op == "state":
            cell = self.model.netlist.cells[node.extra.cell]
            if isinstance(cell, SyncRead):
                return f"{self.model.netlist.cells[cell.memory].name}'s output"
            return f"register@{base(cell.location)}"
        if depth <= 0 or not args:
            return "…"
        if op in ("in", "like"):
            return f"{self.value(args[0], depth - 1)} in {{…}}"
        if op == "mux":
            return f"Mux({', '.join(self.value(a, depth - 1) for a in args)})"
        if op == "part":
            return f"{self._operand(args[0], depth)}[{self.value(args[1], depth - 1)}…]"
        if op in _REDUCTIONS:
            return f"{self._operand(args[0], depth)}.{_REDUCTIONS[op]}()"
        if len(args) == 1:
            return f"{op}{self._operand(args[0], depth)}"
        return f"{self._operand(args[0], depth)} {_SHOWN.get(op, op)} {self._operand(args[1], depth)}"

    def _operand(self, bits: Bits, depth: int) -> str:
        text = self.value(bits, depth - 1)
        return f"({text})" if " " in text and not text.startswith(("(", "Cat(", "Mux(")) else text

    def literal(self, literal: Literal) -> str:
        """A decision as a condition."""
        if not isinstance(literal, In):
            text = self.value((literal.bit,))
            if not literal.wanted:
                text = f"not ({text})" if " " in text else f"not {text}"
            return shorten(text)
        value = self._operand(literal.value, 3)
        numbers = sorted(literal.numbers)
        if len(numbers) == 1:
            return shorten(f"{value} {'!=' if literal.negated else '=='} {_number(numbers[0])}")
        listed = ", ".join(_number(n) for n in numbers[:4]) + (", …" if len(numbers) > 4 else "")
        return shorten(f"{value} {'not in' if literal.negated else 'in'} {{{listed}}}")

    def decided(self, literal: Literal) -> str:
        """The source line of the statement that decides it."""
        known = self.graph.decided.get(literal.key)
        return known[1] if known else self.graph.node(max(literal.bits)).location

    @staticmethod
    def choice(literal: Literal) -> tuple:
        """What of several possibilities a decision is for, in plain data."""
        return (literal.negated, tuple(sorted(literal.numbers))) if isinstance(literal, In) else (literal.wanted,)

    def path(self, regions: list[Region]) -> str:
        """The decisions that lead to the first of some regions (inner to outer); at most the last two of them."""
        literals = [self.literal(region.literal) for region in regions[:2] if region.literal is not None]
        more = ["…"] if sum(region.literal is not None for region in regions) > 2 else []
        return " and ".join([*more, *reversed(literals)])


def _number(value: int) -> str:
    return str(value) if value < 10 else hex(value)


def source_line(location: str) -> str:
    """The text of a source line, or nothing."""
    path, _, line = location.rpartition(":")
    return linecache.getline(path, int(line)).strip() if path and line.isdigit() else ""
