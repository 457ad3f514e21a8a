"""A design as a graph of word-level nodes, hash-consed and folded, in an order in which they can be evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..options import DEFAULT, Options
from .paths import Bit, Bits, In, Is, Literal, Path, extend

SHIFT = 16
MASK = (1 << SHIFT) - 1


@dataclass
class Arm:
    """If ``path`` is taken, the bits from ``start`` on become ``value``; ``location``: the statement that says so."""

    path: Path
    start: int
    value: Bits
    location: str = ""


@dataclass
class Node:
    """One value.

    Attributes
    ----------
    op
        ``state``; Amaranth's operators (``+``, ``u<``, ``s>>``, ``r|`` …); ``mux`` (condition, then, else); ``list``
        (default, overwritten by ``arms``); ``in`` (value in ``extra``, a set); ``like`` (value matches patterns);
        ``part`` (value, offset; ``extra``: stride, signed); ``read`` (address; ``extra``: memory); ``external``.
    width
        In bits.
    args
        Operand values.
    extra
        What else the operation needs; for ``state`` its :class:`State`.
    module, location
        Where in the hierarchy, and in the source, it comes from; of values made twice the first.
    """

    op: str
    width: int
    args: tuple[Bits, ...]
    extra: object = None
    module: tuple[str, ...] = ()
    arms: tuple[Arm, ...] = ()
    location: str = ""


@dataclass
class State:
    """A piece of a register that is kept in one word (at most 64 bits), or an input.

    ``cell`` and ``start``: which bits of which cell it holds.
    """

    node: int
    cell: int
    start: int
    width: int
    init: int


@dataclass
class Graph:
    """All nodes by number (0 is unused) and how to make more."""

    nodes: list[Node] = field(default_factory=lambda: [Node("none", 0, ())])
    _known: dict[tuple, Bits] = field(default_factory=dict)
    module: tuple[str, ...] = ()
    location: str = ""
    options: Options = DEFAULT
    #: What is decided (a literal's key) → module and source line of the statement that decides it first.
    decided: dict[tuple, tuple[tuple[str, ...], str]] = field(default_factory=dict)

    def make(self, op: str, width: int, args: tuple[Bits, ...], extra: object = None, *, arms: tuple = ()) -> Bits:
        """The value of an operation; the same one if it was made before."""
        key = (op, width, args, extra, tuple((a.path, a.start, a.value) for a in arms))
        known = self._known.get(key)
        if known is None or not self.options.chosen("sharing", len(self.nodes)):
            known = self._known[key] = self.fresh(op, width, args, extra, arms=arms)
        return known

    def fresh(self, op: str, width: int, args: tuple[Bits, ...], extra: object = None, *, arms: tuple = ()) -> Bits:
        """A value of its own."""
        number = len(self.nodes)
        self.nodes.append(Node(op, width, args, extra, self.module, arms, self.location))
        return tuple((number << SHIFT) + bit for bit in range(width))

    def node(self, bit: Bit) -> Node:
        """The node a bit belongs to."""
        return self.nodes[bit >> SHIFT]

    # -- folding constructors

    def invert(self, bit: Bit) -> Bit:
        """NOT of one bit."""
        if bit < 2:
            return 1 - bit
        node = self.node(bit)
        if node.op == "~" and node.width == 1:
            return node.args[0][0]
        return self.make("~", 1, ((bit,),))[0]

    def both(self, a: Bit, b: Bit) -> Bit:
        """AND of two bits."""
        if a == 0 or b == 0:
            return 0
        if a == 1 or a == b:
            return b
        if b == 1:
            return a
        return self.make("&", 1, ((min(a, b),), (max(a, b),)))[0]

    def either(self, a: Bit, b: Bit) -> Bit:
        """OR of two bits."""
        if a == 1 or b == 1:
            return 1
        if a == 0 or a == b:
            return b
        if b == 0:
            return a
        return self.make("|", 1, ((min(a, b),), (max(a, b),)))[0]

    def choose(self, condition: Bit, then: Bits, otherwise: Bits) -> Bits:
        """A multiplexer."""
        if condition < 2:
            return then if condition else otherwise
        if then == otherwise:
            return then
        node = self.node(condition)
        if node.op == "~" and node.width == 1:
            condition, then, otherwise = node.args[0][0], otherwise, then
        if len(then) == 1 and then == (1,) and otherwise == (0,):
            return (condition,)
        return self.make("mux", len(then), ((condition,), then, otherwise))

    def overwrite(self, default: Bits, arms: list[Arm]) -> Bits:
        """``default`` overwritten by arms in order."""
        width = len(default)
        for index in range(len(arms) - 1, -1, -1):
            if arms[index].path == () and len(arms[index].value) == width:
                default, arms = arms[index].value, arms[index + 1 :]
                break
        while arms and arms[0].path == ():
            first, arms = arms[0], arms[1:]
            default = (*default[: first.start], *first.value, *default[first.start + len(first.value) :])
        if len(arms) == 1 and default[arms[0].start : arms[0].start + len(arms[0].value)] == arms[0].value:
            return default
        if not arms:
            return default
        return self.make("list", width, (default,), None, arms=tuple(arms))

    def operator(self, op: str, args: tuple[Bits, ...], width: int) -> Bits:
        """One of Amaranth's operators."""
        if op == "m":
            return self.choose(args[0][0], args[1], args[2])
        if len(args) == 1:
            (a,) = args
            if not a and width == 1:
                return (int(op == "r&"),)
            if len(a) == 1 and op in ("b", "r|", "r&", "r^"):
                return a
            if len(a) == 1 and op == "~":
                return (self.invert(a[0]),)
            if op in ("b", "r|"):
                a = tuple(dict.fromkeys(b for b in a if b != 0))
                if not a or 1 in a:
                    return (1 if a else 0,)
                if len(a) == 1:
                    return a
                return self.make("r|", 1, (a,))
            return self.make(op, width, args)
        a, b = args
        if not a and width == 1:  # comparisons of values without bits: zero with zero
            return (int(op in ("==", "u<=", "u>=", "s<=", "s>=")),)
        if width == 1 and len(a) == 1 and op in ("&", "|"):
            return (self.both(a[0], b[0]) if op == "&" else self.either(a[0], b[0]),)
        if op in ("==", "!=", "&", "|", "^", "+", "*") and constant(a) and not constant(b):
            a, b = b, a
        if op in ("==", "!=") and constant(b):
            # Bits that are known narrow the comparison.
            pairs = [(x, y) for x, y in zip(a, b) if x >= 2]
            if any(x != y for x, y in zip(a, b) if x < 2):
                return (int(op == "!="),)
            a, b = tuple(x for x, _ in pairs), tuple(y for _, y in pairs)
            if not a:
                return (int(op == "=="),)
            if len(a) == 1:
                return (a[0] if b[0] == (op == "==") else self.invert(a[0]),)
        if op in ("&", "|") and constant(b):
            absorbing = int(op == "|")
            if all(x == absorbing for x in b):
                return b
            if all(x != absorbing for x in b):
                return a
        if op in ("+", "-", "|", "^", "<<", "u>>", "s>>") and constant(b) and number(b) == 0:
            return a
        return self.make(op, width, (a, b))

    # -- conditions

    def literals(self, bit: Bit, wanted: bool) -> list[Literal] | None:
        """The literals that make ``bit`` have that value; ``None``: it never has it."""
        if bit < 2:
            return [] if bit == int(wanted) else None
        node = self.node(bit)
        if node.op == "~" and node.width == 1:
            return self.literals(node.args[0][0], not wanted)
        if not self.options.chosen("switches", bit):
            return [Is(bit, wanted)]
        if node.op in ("==", "!=") and constant(node.args[1]) and len(node.args[0]) <= 64:
            equal = wanted == (node.op == "==")
            return [In(node.args[0], not equal, frozenset((number(node.args[1]),)))]
        if node.op == "in":
            return [In(node.args[0], not wanted, node.extra)]
        return [Is(bit, wanted)]

    def path(self, bit: Bit) -> Path | None:
        """The path of one bit being set."""
        return extend((), self.literals(bit, True))


def constant(value: Bits) -> bool:
    """Whether all bits are known."""
    return all(bit < 2 for bit in value)


def number(value: Bits) -> int:
    """The number that constant bits stand for."""
    return sum(bit << position for position, bit in enumerate(value))
