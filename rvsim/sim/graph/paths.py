"""Conditions as paths: conjunctions of literals, so that what a decision tree excludes stays visible.

A literal says that a bit has a value, or that a value is (or is not) in a set of numbers. A path is a tuple of
literals in the order in which they were decided, outermost first; it is the name of a place in the decision tree.
"""

from __future__ import annotations

from typing import NamedTuple

#: A bit of a node (node number << 16 | bit), or the constants 0 and 1.
Bit = int
Bits = tuple[Bit, ...]


class Is(NamedTuple):
    """``bit`` is ``wanted``."""

    bit: Bit
    wanted: bool

    @property
    def key(self) -> tuple:
        """What is decided, apart from how."""
        return ("bit", self.bit)

    @property
    def bits(self) -> Bits:
        """Bits that the literal looks at."""
        return (self.bit,)


class In(NamedTuple):
    """``value`` is one of ``numbers``; or, if ``negated``, none of them."""

    value: Bits
    negated: bool
    numbers: frozenset[int]

    @property
    def key(self) -> tuple:
        """What is decided, apart from how."""
        return ("value", self.value)

    @property
    def bits(self) -> Bits:
        """Bits that the literal looks at."""
        return self.value


Literal = Is | In
Path = tuple[Literal, ...]


def _both(a: In, b: In) -> In | None:
    """The conjunction of two literals about one value; ``None``: impossible."""
    if not a.negated and not b.negated:
        left = In(a.value, False, a.numbers & b.numbers)
    elif not a.negated:
        left = In(a.value, False, a.numbers - b.numbers)
    elif not b.negated:
        left = In(a.value, False, b.numbers - a.numbers)
    else:
        return In(a.value, True, a.numbers | b.numbers)
    return left if left.numbers else None


def extend(path: Path | None, literals: list[Literal] | None) -> Path | None:
    """The path with further literals; ``None``: it can never be taken."""
    if path is None or literals is None:
        return None
    for literal in literals:
        what = literal[0]  # a bit, or the bits of a value: as good as the key, and at hand
        for index, old in enumerate(path):
            if old[0] != what:
                continue
            if old == literal:
                break
            if isinstance(old, Is):
                return None
            merged = _both(old, literal)
            if merged is None:
                return None
            if merged != old:
                path = (*path[:index], merged, *path[index + 1 :])
            break
        else:
            path = (*path, literal)
    return path


def exclusive(a: Path, b: Path) -> bool:
    """Whether the two can never both be taken."""
    for literal, other in zip(a, b):
        if literal != other:  # where two branches of one tree part
            if literal[0] == other[0] and (isinstance(literal, Is) or _both(other, literal) is None):
                return True
            break
    known = {literal.key: literal for literal in a}
    for literal in b:
        other = known.get(literal.key)
        if other is None or other == literal:
            continue
        if isinstance(literal, Is) or _both(other, literal) is None:
            return True
    return False
