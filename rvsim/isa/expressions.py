"""Expressions of the assembler: numbers, symbols, operators with the precedence of GNU as.

From tight to loose: unary ``- ~ +``; ``* / % << >>``; ``| & ^``; ``+ -`` (so ``1 + 2 | 4`` is ``1 + (2 | 4)``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+(?![fb\w])|[0-9]+(?![\w.$]))
    | (?P<local>[0-9]+[fb](?![\w.$]))
    | (?P<char>'(?:\\.|[^\\'])'?)
    | (?P<relocation>%[a-z_]+)
    | (?P<name>[A-Za-z_.$][\w.$]*)
    | (?P<operator><<|>>|[-+*/%|&^~()])
    )""",
    re.VERBOSE,
)

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\\": "\\", '"': '"', "'": "'"}

_BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "*": (3, lambda a, b: a * b),
    "/": (3, lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)),
    "%": (3, lambda a, b: abs(a) % abs(b) * (-1 if a < 0 else 1)),
    "<<": (3, lambda a, b: a << b),
    ">>": (3, lambda a, b: (a & 0xFFFF_FFFF) >> b),
    "|": (2, lambda a, b: a | b),
    "&": (2, lambda a, b: a & b),
    "^": (2, lambda a, b: a ^ b),
    "+": (1, lambda a, b: a + b),
    "-": (1, lambda a, b: a - b),
}

_UNARY: dict[str, Callable[[int], int]] = {"-": lambda a: -a, "+": lambda a: a, "~": lambda a: ~a}


class UndefinedSymbol(ValueError):
    """An expression names a symbol that is defined nowhere."""


class Scope:
    """What an expression is evaluated in.

    Attributes
    ----------
    symbols
        Values of the symbols known so far.
    address
        Where the statement stands: the value of ``.``.
    guess
        Whether an unknown symbol counts as ``address``, as in all passes but the last.
    pcrel
        Address of an ``auipc`` with ``%pcrel_hi`` → what it refers to, for ``%pcrel_lo``.
    """

    __slots__ = ("address", "guess", "pcrel", "symbols")

    def __init__(self, symbols: dict[str, int]) -> None:
        self.symbols = symbols
        self.address = 0
        self.guess = True
        self.pcrel: dict[int, int] = {}

    def symbol(self, name: str) -> int:
        """Value of a symbol.

        Raises
        ------
        UndefinedSymbol
            In the last pass, if nothing defines it.
        """
        if name == ".":
            return self.address
        if name in self.symbols:
            return self.symbols[name]
        if self.guess:
            return self.address
        shown, mark, _ = name.partition("\0")
        raise UndefinedSymbol(f"no local label {shown}: on that side" if mark else f"undefined symbol {shown!r}")


Expression = Callable[[Scope], int]


def _high(value: int) -> int:
    return value + 0x800 >> 12 & 0xFFFFF


def _low(value: int) -> int:
    return (value + 0x800 & 0xFFF) - 0x800


def _pcrel_hi(scope: Scope, value: int) -> int:
    scope.pcrel[scope.address] = value
    return _high(value - scope.address)


def _pcrel_lo(scope: Scope, label: int) -> int:
    if label not in scope.pcrel:
        if scope.guess:
            return 0
        raise ValueError("%pcrel_lo names a label that has no %pcrel_hi at it")
    return _low(scope.pcrel[label] - label)


_RELOCATIONS: dict[str, Callable[[Scope, int], int]] = {
    "%hi": lambda scope, value: _high(value),
    "%lo": lambda scope, value: _low(value),
    "%pcrel_hi": _pcrel_hi,
    "%pcrel_lo": _pcrel_lo,
}


def unescape(text: str) -> str:
    """The string between the quotes of a literal, escapes (``\\n``, ``\\0``, ``\\x41``, ``\\101``) replaced."""

    def replace(match: re.Match) -> str:
        body = match.group(1)
        if body[0] == "x":
            return chr(int(body[1:], 16) & 0xFF)
        if body[0] in "01234567":
            return chr(int(body, 8) & 0xFF)
        if body not in ESCAPES:
            raise ValueError(f"unknown escape \\{body}")
        return ESCAPES[body]

    return re.sub(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", replace, text)


def _constant(value: int) -> Expression:
    return lambda scope: value


class _Parser:
    """Precedence climbing over the tokens of one expression."""

    def __init__(self, text: str, local: Callable[[str], str]) -> None:
        self.text, self.local, self.position = text, local, 0
        self.kind: str | None = None
        self.token = ""
        self.advance()

    def advance(self) -> None:
        if not self.text[self.position :].strip():
            self.kind, self.token = None, ""
            return
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise ValueError(f"cannot read {self.text[self.position :].strip()!r} in an expression")
        self.kind, self.token, self.position = match.lastgroup, match.group(match.lastgroup), match.end()

    def binary(self, level: int) -> Expression:
        left = self.unary()
        while self.kind == "operator" and self.token in _BINARY and _BINARY[self.token][0] >= level:
            precedence, operation = _BINARY[self.token]
            symbol = self.token
            self.advance()
            left = _apply(symbol, operation, left, self.binary(precedence + 1))
        return left

    def unary(self) -> Expression:
        kind, token = self.kind, self.token
        self.advance()
        if kind == "number":
            octal = len(token) > 1 and token.isdigit() and token[0] == "0"
            return _constant(int(token, 8 if octal else 0))
        if kind == "char":
            return _constant(ord(unescape(token[1:2] if token[1] != "\\" else token[1:3])))
        if kind == "local":
            name = self.local(token)
            return lambda scope: scope.symbol(name)
        if kind == "name":
            return lambda scope: scope.symbol(token)
        if kind == "relocation" and token in _RELOCATIONS and self.token == "(":
            function, inner = _RELOCATIONS[token], self.unary()
            return lambda scope: function(scope, inner(scope))
        if kind == "operator" and token in _UNARY:
            operation, inner = _UNARY[token], self.unary()
            return lambda scope: operation(inner(scope))
        if token == "(":
            inner = self.binary(1)
            if self.token != ")":
                raise ValueError("a closing parenthesis is missing")
            self.advance()
            return inner
        raise ValueError(f"an expression cannot have {token!r} here" if token else "an expression is missing")


def _apply(symbol: str, operation: Callable[[int, int], int], left: Expression, right: Expression) -> Expression:
    def evaluate(scope: Scope) -> int:
        first, second = left(scope), right(scope)
        if symbol in "/%" and second == 0:
            if scope.guess:
                return 0
            raise ValueError("division by zero")
        if symbol in ("<<", ">>") and not 0 <= second < 64:
            if scope.guess:
                return 0
            raise ValueError(f"shift by {second}")
        return operation(first, second)

    return evaluate


def parse_expression(text: str, local: Callable[[str], str] = str) -> Expression:
    """Parse an expression; the result is called with a :class:`Scope` and gives the value.

    Parameters
    ----------
    text
        The expression.
    local
        Name of the symbol that ``1f`` or ``1b`` stands for here.

    Raises
    ------
    ValueError
        What cannot be read.
    """
    parser = _Parser(text, local)
    expression = parser.binary(1)
    if parser.kind is not None:
        raise ValueError(f"{parser.token!r} follows an expression")
    return expression
