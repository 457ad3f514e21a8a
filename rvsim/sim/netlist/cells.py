"""Cells of a netlist as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


class UnsupportedDesign(Exception):
    """The design has something that cannot be simulated here; the message names it and its source line."""


#: The ``edge`` of statements that have no clock.
COMBINATIONAL = 2


class TooWide(UnsupportedDesign, OverflowError):
    """A value has more bits than can be simulated in reasonable time; the message has its source line."""


#: A net: 0 and 1 are constants, else cell number << 16 | bit.
Net = int
Nets = tuple[Net, ...]


def cell_of(net: Net) -> int:
    """Number of the cell that drives a net."""
    return net >> 16


def bit_of(net: Net) -> int:
    """Which output bit of that cell it is."""
    return net & 0xFFFF


@dataclass
class Cell:
    """Any cell: where it comes from, and its hierarchy."""

    module: tuple[str, ...]
    location: str
    width: int = 0

    def inputs(self) -> Iterator[Nets]:
        """Values that its output depends on within the same instant."""
        return iter(())


@dataclass
class Outside(Cell):
    """Cell 0: what comes in through the design's ports, as (first bit, width, initial value)."""

    ports: tuple[tuple[int, int, int], ...] = ()


@dataclass
class Operator(Cell):
    """``operator`` as Amaranth's netlist names them: ``+``, ``u<``, ``s>>``, ``m``, ``r|`` …"""

    operator: str = ""
    operands: tuple[Nets, ...] = ()

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        return iter(self.operands)


@dataclass
class Part(Cell):
    """``width`` bits of ``value`` at ``offset * stride``; beyond its end its sign, or zeros."""

    value: Nets = ()
    offset: Nets = ()
    stride: int = 1
    signed: bool = False

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        return iter((self.value, self.offset))


@dataclass
class Matches(Cell):
    """One bit: whether ``value`` matches one of the patterns of ``0``, ``1``, ``-``."""

    value: Nets = ()
    patterns: tuple[str, ...] = ()

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        return iter((self.value,))


@dataclass
class PriorityMatch(Cell):
    """The lowest bit of ``candidates`` that is set, if ``enable`` is."""

    enable: Net = 0
    candidates: Nets = ()

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        return iter(((self.enable,), self.candidates))


@dataclass
class Assignment:
    """If ``condition``, the bits from ``start`` on become ``value``."""

    condition: Net
    start: int
    value: Nets
    location: str = ""


@dataclass
class AssignmentList(Cell):
    """``default`` overwritten by the assignments in order."""

    default: Nets = ()
    assignments: tuple[Assignment, ...] = ()

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        yield self.default
        for assignment in self.assignments:
            yield (assignment.condition,)
            yield assignment.value


@dataclass
class Clocked(Cell):
    """Something that happens at an edge of ``clock`` (``edge`` is 1 for a rising one), and when ``also`` rises."""

    clock: Net = 0
    edge: int = 1
    also: Net = 0


@dataclass
class FlipFlop(Clocked):
    """A register; ``reset`` is its asynchronous reset (0: none). With a constant clock it is an input."""

    data: Nets = ()
    init: int = 0
    reset: Net = 0

    @property
    def is_input(self) -> bool:
        """Nothing in the design drives it: the test bench does."""
        return self.clock in (0, 1) and self.reset in (0, 1)


@dataclass
class Memory(Cell):
    """``depth`` rows of ``width`` bits."""

    name: str = ""
    depth: int = 0
    init: tuple[int, ...] = ()
    signed: bool = False


@dataclass
class WritePort(Clocked):
    """Writes the bits of ``data`` whose ``enable`` bit is set."""

    memory: int = 0
    address: Nets = ()
    data: Nets = ()
    enable: Nets = ()


@dataclass
class AsyncRead(Cell):
    """The row at ``address``; 0 beyond the end."""

    memory: int = 0
    address: Nets = ()

    def inputs(self) -> Iterator[Nets]:
        """See :class:`Cell`."""
        return iter((self.address,))


@dataclass
class SyncRead(Clocked):
    """A registered read; sees what the ``transparent`` write ports (cell numbers) write at the same edge.

    ``reset``: synchronous, makes the output ``init`` unless ``enable`` is set.
    """

    memory: int = 0
    address: Nets = ()
    enable: Net = 0
    transparent: tuple[int, ...] = ()
    init: int = 0
    reset: Net = 0


@dataclass
class Chunk:
    """A value in a message, with Python's format specification."""

    value: Nets
    specification: str
    signed: bool


@dataclass
class Statement(Clocked):
    """``Print`` (kind ``print``) or a property (``assert``, ``assume``, ``cover``) that is checked when enabled.

    ``edge`` is :data:`COMBINATIONAL` for those without a clock; ``message`` is empty if there is none.
    """

    kind: str = "print"
    enable: Net = 0
    test: Net = 1
    message: tuple[str | Chunk, ...] = ()


@dataclass
class Netlist:
    """A design as cells; cell 0 is the outside.

    Attributes
    ----------
    cells
        By number.
    signals
        Every signal of the design → its nets, by Amaranth's own signal objects.
    names
        Hierarchical names of each signal, in the same keying.
    memories
        Amaranth's memory data object → cell number.
    combinational
        Signals that the design drives in the ``comb`` domain, in the same keying.
    passed_on
        Nets of clocks and resets that are driven combinationally.
    loop
        A combinational loop, if Amaranth sees one, in its words; a closer look may find that it is none.
    """

    cells: list[Cell]
    signals: object
    names: object
    memories: dict[object, int] = field(default_factory=dict)
    design: object = None
    combinational: object = None
    passed_on: set[Net] = field(default_factory=set)
    loop: str | None = None
