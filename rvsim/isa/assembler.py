"""A small assembler for the GNU syntax, derived from the same templates and aliases as the disassembler.

Statements end at the line's end or ``;``; comments are ``#``, ``//`` and ``/* */``. Labels, also numeric ones
(``1:``, ``1b``, ``1f``); expressions as in :mod:`rvsim.isa.expressions`; pseudo-instructions as in
:mod:`rvsim.isa.pseudo`; directives: :data:`rvsim.isa.directives.DIRECTIVES`. Nothing is compressed unless
``.option rvc`` asks for it, in which case every instruction takes its 16-bit form where it has one; explicit
``c.`` instructions are always taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from .directives import Assign, Item, Label, State, read_directive
from .encoder import Encoding, read_instruction
from .expressions import Scope, parse_expression
from .pseudo import Expansion, read_pseudo
from .source import Statement, read_source

_PASSES = 64


class AssemblyError(ValueError):
    """A mistake in the source; the message names line and text."""

    def __init__(self, line: int, text: str, message: str) -> None:
        self.line, self.text = line, text
        super().__init__(f"line {line}: {text.strip()!r}: {message}")


class Program:
    """What :func:`assemble` makes.

    Attributes
    ----------
    bytes
        The image.
    symbols
        Address of each label and value of each ``.equ`` by name.
    origin
        Address of the first byte.
    """

    __slots__ = ("bytes", "origin", "symbols")

    def __init__(self, data: bytes, symbols: dict[str, int], origin: int) -> None:
        self.bytes, self.symbols, self.origin = data, symbols, origin

    def __bytes__(self) -> bytes:
        return self.bytes

    def __len__(self) -> int:
        return len(self.bytes)

    def __repr__(self) -> str:
        return f"<{len(self.bytes)} bytes at {self.origin:#x}, {len(self.symbols)} symbols>"

    @property
    def words(self) -> list[int]:
        """The image as little-endian 32-bit words, zeros appended to the last one."""
        data = self.bytes + bytes(-len(self.bytes) % 4)
        return [int.from_bytes(data[n : n + 4], "little") for n in range(0, len(data), 4)]

    @property
    def entry(self) -> int:
        """Address of ``_start`` if it is there, else of the first byte."""
        return self.symbols.get("_start", self.origin)


class _Instruction(Item):
    """An instruction or pseudo-instruction."""

    def __init__(self, encoding: Encoding | Expansion | bytes) -> None:
        super().__init__()
        self.encoding = encoding

    def emit(self, scope: Scope, size: int) -> bytes:
        """See :class:`Item`."""
        if isinstance(self.encoding, bytes):
            return self.encoding
        return self.encoding.bytes(scope, size)


def _read_statement(statement: Statement, state: State) -> Item | None:
    """The item that a statement makes; ``None``: it makes none (a directive that only changes the state)."""

    def expression(text: str) -> object:
        return parse_expression(text, statement.local)

    if statement.mnemonic.startswith("."):
        return read_directive(statement, state, expression)
    groups = statement.operands
    encoding = read_pseudo(statement.mnemonic, groups, expression, rvc=state.rvc)
    if encoding is None:
        encoding = read_instruction(statement.mnemonic, groups, expression, rvc=state.rvc)
    return _Instruction(encoding)


def assemble(text: str, origin: int = 0x8000_0000, symbols: Mapping[str, int] | None = None) -> Program:
    """Assemble source text.

    Parameters
    ----------
    text
        The source.
    origin
        Address of the first byte; 32 bits.
    symbols
        Values of symbols that the source uses and does not define.

    Raises
    ------
    AssemblyError
        A mistake in the source (a ``ValueError``); names line and text.
    """
    state = State()
    for statement in read_source(text):
        for label in statement.labels:
            state.add(Label(label), statement)
        try:
            item = _read_statement(statement, state) if statement.mnemonic else None
        except ValueError as error:
            raise AssemblyError(statement.line, statement.text, str(error)) from None
        if item is not None:
            state.add(item, statement)
    return _layout(state, origin, dict(symbols or {}))


def _layout(state: State, origin: int, given: dict[str, int]) -> Program:
    """Passes over the items until addresses settle, then one that must find every symbol."""
    items = state.items()
    _check_definitions(items)
    scope = Scope(given)
    for _ in range(_PASSES):
        before = (dict(scope.symbols), [item.size for item in items])
        _run(items, scope, origin, final=False)
        if before == (scope.symbols, [item.size for item in items]):
            break
    else:
        raise AssemblyError(items[0].line, items[0].text, "the program does not settle: sizes depend on themselves")
    scope.guess = False
    data = _run(items, scope, origin, final=True)
    defined = {item.name for item in items if isinstance(item, Label | Assign)}
    named = {name: scope.symbols[name] for name in scope.symbols if name in defined and "\0" not in name}
    return Program(data, named, origin)


def _run(items: list[Item], scope: Scope, origin: int, *, final: bool) -> bytes:
    image = bytearray()
    for item in items:
        scope.address = origin + len(image)
        try:
            item.place(scope, origin)
            data = item.emit(scope, item.size)
        except ValueError as error:
            if final:
                raise AssemblyError(item.line, item.text, str(error)) from None
            data = bytes(item.size)  # a guess that did not fit; the last pass tells
        # Sizes only grow, so that the passes end.
        item.size = max(item.size, len(data)) if item.grows else len(data)
        image += data.ljust(item.size, b"\0")
    return bytes(image)


def _check_definitions(items: list[Item]) -> None:
    seen: dict[str, Item] = {}
    for item in items:
        if not isinstance(item, Label | Assign):
            continue
        other = seen.setdefault(item.name, item)
        if other is not item and not (isinstance(other, Assign) and isinstance(item, Assign)):
            raise AssemblyError(item.line, item.text, f"{item.name!r} is defined already on line {other.line}")
