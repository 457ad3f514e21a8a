"""Directives of the assembler: data, alignment, symbols, sections, options."""

from __future__ import annotations

from collections.abc import Callable

from .expressions import Expression, Scope, unescape
from .source import Statement

#: Directives that have no meaning without a linker.
_IGNORED = frozenset(
    (".globl", ".global", ".local", ".weak", ".type", ".size", ".file", ".ident", ".attribute", ".hidden")
)
_DATA = {
    ".byte": 1, ".2byte": 2, ".half": 2, ".short": 2, ".hword": 2, ".4byte": 4, ".word": 4, ".long": 4, ".int": 4,
    ".8byte": 8, ".dword": 8, ".quad": 8,
}  # fmt: skip
_NOP, _C_NOP = (0x13).to_bytes(4, "little"), (0x0001).to_bytes(2, "little")

#: What the assembler understands; ``.set`` is also written ``name = value``.
DIRECTIVES = (
    *_DATA, ".ascii", ".asciz", ".string", ".zero", ".space", ".skip", ".fill", ".insn", ".align", ".p2align",
    ".balign", ".org", ".equ", ".set", ".text", ".data", ".rodata", ".bss", ".section", ".option", *sorted(_IGNORED),
)  # fmt: skip


class Item:
    """Something that takes a place in the image.

    Attributes
    ----------
    size
        Bytes it took in the last pass.
    line, text
        The statement it comes from.
    grows
        Whether its size may only grow from pass to pass.
    """

    grows = True

    def __init__(self) -> None:
        self.size = 0
        self.line = 0
        self.text = ""

    def place(self, scope: Scope, origin: int) -> None:
        """Note what depends on the address alone."""

    def emit(self, scope: Scope, size: int) -> bytes:
        """The bytes at ``scope.address``; ``size``: what it took before."""
        return b""


class Label(Item):
    """Gives an address a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def place(self, scope: Scope, origin: int) -> None:
        """See :class:`Item`."""
        scope.symbols[self.name] = scope.address


class Assign(Item):
    """Gives a value a name."""

    def __init__(self, name: str, value: Expression) -> None:
        super().__init__()
        self.name, self.value = name, value

    def place(self, scope: Scope, origin: int) -> None:
        """See :class:`Item`."""
        scope.symbols[self.name] = self.value(scope)


class Data(Item):
    """Numbers of one size."""

    def __init__(self, width: int, values: list[Expression]) -> None:
        super().__init__()
        self.width, self.values = width, values
        self.size = width * len(values)

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        return b"".join(_pack(value(scope), self.width) for value in self.values)


class Raw(Item):
    """Bytes known from the start."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        return self.data


class Fill(Item):
    """``count`` times a value of ``width`` bytes."""

    grows = False

    def __init__(self, count: Expression, value: Expression | None, width: Expression | int = 1) -> None:
        super().__init__()
        self.count, self.value, self.width = count, value, width

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        count = self.count(scope)
        width = self.width if isinstance(self.width, int) else self.width(scope)
        if not 0 <= count * width <= 1 << 28:
            if scope.guess:
                return bytes(size)
            raise ValueError(f"a size of {count * width} bytes")
        return _pack(self.value(scope) if self.value else 0, width) * count


class Align(Item):
    """Fills up to a multiple of ``boundary`` bytes."""

    grows = False

    def __init__(self, boundary: Expression, *, power: bool, code: bool, fill: Expression | None = None) -> None:
        super().__init__()
        self.boundary, self.power, self.code, self.fill = boundary, power, code, fill

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        value = self.boundary(scope)
        if not 0 <= value <= (28 if self.power else 1 << 28):
            raise ValueError(f"cannot align to {value}")
        boundary = 1 << value if self.power else max(value, 1)
        if boundary & boundary - 1:
            raise ValueError(f"alignment {boundary} is not a power of two")
        count = -scope.address % boundary
        if self.fill is not None:
            return _pack(self.fill(scope), 1) * count
        if not self.code:
            return bytes(count)
        return bytes(count % 2) + _C_NOP * (count % 4 // 2) + _NOP * (count // 4)


class Origin(Item):
    """Moves on to an address, or to an offset from the program's start (values below it)."""

    grows = False

    def __init__(self, target: Expression) -> None:
        super().__init__()
        self.target, self.start = target, 0

    def place(self, scope: Scope, origin: int) -> None:
        """See :class:`Item`."""
        self.start = origin

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        target = self.target(scope)
        if target < self.start:
            target += self.start
        if not 0 <= target - scope.address <= 1 << 28:
            raise ValueError(f".org to {target:#x} from {scope.address:#x}")
        return bytes(target - scope.address)


def _pack(value: int, width: int) -> bytes:
    bits = 8 * width
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise ValueError(f"{value:#x} does not fit {width} byte{'s' if width > 1 else ''}")
    return (value & (1 << bits) - 1).to_bytes(width, "little")


class State:
    """What directives change, and the items of each section in the order of their first appearance."""

    def __init__(self) -> None:
        self.rvc = False
        self._saved: list[bool] = []
        self.section = ".text"
        self._sections: dict[str, list[Item]] = {".text": []}

    def add(self, item: Item, statement: Statement) -> None:
        """Append an item to the current section."""
        item.line, item.text = statement.line, statement.text
        self._sections.setdefault(self.section, []).append(item)

    @property
    def code(self) -> bool:
        """Whether the current section holds instructions."""
        return self.section.startswith(".text")

    def items(self) -> list[Item]:
        """All items, one section behind the other, each at a multiple of 16."""
        items: list[Item] = []
        for section in self._sections.values():
            if items and section:
                items.append(Align(lambda scope: 4, power=True, code=False))
            items += section
        return items

    def option(self, name: str) -> None:
        """``.option rvc``, ``norvc``, ``push``, ``pop``; ``relax`` and ``norelax`` are the linker's."""
        if name == "push":
            self._saved.append(self.rvc)
        elif name == "pop":
            if not self._saved:
                raise ValueError(".option pop without push")
            self.rvc = self._saved.pop()
        elif name in ("rvc", "norvc"):
            self.rvc = name == "rvc"
        elif name not in ("relax", "norelax", "pic", "nopic"):
            raise ValueError(f"unknown option {name!r} (rvc, norvc, push, pop, relax, norelax)")


def _string(text: str) -> bytes:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"a string in quotes is expected, not {text}")
    return unescape(text[1:-1]).encode("latin-1" if text.isascii() else "utf-8")


def read_directive(statement: Statement, state: State, expression: Callable[[str], Expression]) -> Item | None:
    """The item that a directive makes, or ``None``; sections and options change ``state``.

    Raises
    ------
    ValueError
        An unknown directive or operands that it does not take.
    """
    name, operands = statement.mnemonic, statement.operands
    if name in _IGNORED or name.startswith(".cfi_"):
        return None
    if name in (".text", ".data", ".rodata", ".bss", ".section"):
        if name == ".section":
            _need(statement, 1, 9)
        state.section = operands[0] if name == ".section" else name
        return None
    if name == ".option":
        _need(statement, 1, 1)
        state.option(operands[0])
        return None
    if name in _DATA:
        return Data(_DATA[name], [expression(text) for text in operands])
    if name in (".ascii", ".asciz", ".string"):
        zero = b"" if name == ".ascii" else b"\0"
        return Raw(b"".join(_string(text) + zero for text in operands))
    if name in (".zero", ".space", ".skip"):
        _need(statement, 1, 2)
        return Fill(expression(operands[0]), expression(operands[1]) if len(operands) > 1 else None)
    if name == ".fill":
        _need(statement, 1, 3)
        count, width, value = (*map(expression, operands), *(None, None))[:3]
        return Fill(count, value, width or 1)
    if name in (".align", ".p2align", ".balign"):
        _need(statement, 1, 3)
        fill = expression(operands[1]) if len(operands) > 1 and operands[1] else None
        return Align(expression(operands[0]), power=name != ".balign", code=state.code, fill=fill)
    if name == ".org":
        _need(statement, 1, 1)
        return Origin(expression(operands[0]))
    if name in (".equ", ".set", ".equiv"):
        _need(statement, 2, 2)
        return Assign(operands[0], expression(operands[1]))
    if name == ".insn":
        _need(statement, 1, 2)
        word = expression(operands[-1])
        width = int(operands[0], 0) if len(operands) == 2 else 4
        return Data(width, [word])
    raise ValueError(f"unknown directive {name}")


def _need(statement: Statement, least: int, most: int) -> None:
    if not least <= len(statement.operands) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"{statement.mnemonic} takes {count} operand{'s' if most > 1 else ''}")
