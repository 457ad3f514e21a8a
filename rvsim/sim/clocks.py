"""What happens in a cycle of free running, and whether the design makes clocks itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from .graph.graph import SHIFT
from .graph.lowering import Design, clocks_as_data
from .graph.paths import Bit, Bits
from .model import Model
from .netlist import FlipFlop, Outside

#: The most periods that a clock may have in a cycle: each is code of its own.
MOST = 64


def triggers(design: Design) -> dict[Bit, set[int]]:
    """Every clock of the design, and which of its edges (1: rising) something happens at."""
    edges: dict[Bit, set[int]] = {}
    for trigger in (*design.registers, *design.writes, *design.messages):
        if trigger.clock >= 2:
            edges.setdefault(trigger.clock, set()).add(trigger.edge)
    return edges


def follows_registers(design: Design) -> bool:
    """Whether a clock or an asynchronous reset depends on registers or memories, or a clock is not simply an input."""
    clocks = set(triggers(design))
    return not all(is_input(design, clock) for clock in clocks) or not _from_inputs(design, watched(design))


def watched(design: Design) -> set[Bit]:
    """All clocks and asynchronous resets."""
    resets = {r.reset for r in design.registers}
    resets |= {thing.also for thing in (*design.registers, *design.writes, *design.messages)}
    return {*triggers(design), *(bit for bit in resets if bit >= 2)}


def follows_inputs(design: Design) -> bool:
    """Whether a clock or an asynchronous reset is computed, if only from inputs."""
    return any(design.graph.node(bit).op != "state" for bit in watched(design))


def is_input(design: Design, bit: Bit) -> bool:
    """Whether a bit is kept for the test bench alone to change."""
    node = design.graph.node(bit)
    if node.op != "state":
        return False
    cell = design.netlist.cells[node.extra.cell]
    return isinstance(cell, Outside) or (isinstance(cell, FlipFlop) and cell.is_input)


def _from_inputs(design: Design, bits: set[Bit]) -> bool:
    """Whether bits are computed from inputs alone."""
    open_bits, seen = list(bits), set()
    while open_bits:
        bit = open_bits.pop()
        if bit < 2 or bit >> SHIFT in seen:
            continue
        seen.add(bit >> SHIFT)
        node = design.graph.node(bit)
        if node.op == "read" or (node.op == "state" and not is_input(design, bit)):
            return False
        values: list[Bits] = [*node.args, *(a.value for a in node.arms)]
        values += [literal.bits for a in node.arms for literal in a.path]
        open_bits += [b for value in values for b in value]
    return True


def phases(model: Model, clocks: Mapping[str, int] | None) -> list[dict[Bit, int]]:
    """The instants of one cycle: for each the clocks with an edge that matters, with their new value.

    Parameters
    ----------
    clocks
        Clock domain, or name of a clock signal → periods in a cycle; one for those that are not named.

    Raises
    ------
    KeyError
        There is no such domain.
    ValueError
        A number of periods that is none, or too large.
    """
    return [phase for _, phase, _ in _moments(model, clocks) if phase]


@dataclass(frozen=True)
class Moment:
    """A moment of a cycle at which a clock changes: femtoseconds since its beginning, and the levels from then on."""

    time: int
    levels: Mapping[Bit, int]


def moments(model: Model, clocks: Mapping[str, int] | None, period: int) -> list[list[Moment]]:
    """All moments of a cycle: first those before any of :func:`phases`, then for each phase its own and what follows.

    Parameters
    ----------
    period
        Of a cycle, in femtoseconds. As with Amaranth's ``add_clock``, a clock rises in the middle of its period.
    """
    made: list[list[Moment]] = [[]]
    for when, phase, levels in _moments(model, clocks):
        if phase:
            made.append([])
        made[-1].append(Moment(int(when * period), levels))
    return made


def _moments(
    model: Model, clocks: Mapping[str, int] | None
) -> Iterator[tuple[Fraction, dict[Bit, int], dict[Bit, int]]]:
    """For each moment at which a clock changes: part of the cycle that has passed, edges that matter, levels of all."""
    edges = {bit: used for bit, used in triggers(model.design).items() if is_input(model.design, bit)}
    # Where edges are found by comparison, a clock has to fall before it can rise again.
    for bit in edges if follows_registers(model.design) else clocks_as_data(model.design):
        if bit in edges:
            edges[bit] = {0, 1}
    counts = dict.fromkeys(edges, 1)
    for name, count in (clocks or {}).items():
        bit = _clock_of(model, name)
        if bit not in edges:
            raise KeyError(f"nothing in this design happens at an edge of {name!r}")
        if not isinstance(count, int) or not 1 <= count <= MOST:
            raise ValueError(f"clocks: {name} has {count!r} periods in a cycle, which must be 1 to {MOST}")
        counts[bit] = count
    changes: dict[Fraction, dict[Bit, int]] = {}
    for bit, count in counts.items():
        for half in range(1, 2 * count + 1):  # it rises in the middle of its periods
            changes.setdefault(Fraction(half, 2 * count), {})[bit] = half % 2
    levels = dict.fromkeys(edges, 0)
    for when in sorted(changes):
        levels = levels | changes[when]
        yield when, {bit: value for bit, value in changes[when].items() if value in edges[bit]}, levels


def _clock_of(model: Model, name: str) -> Bit:
    table = model.names.table
    for known in (name, "clk" if name == "sync" else f"{name}_clk"):
        if known in table and len(model.bits(known)) == 1:
            return model.bits(known)[0]
    inner = [n for n in table if n.rsplit(".", 1)[-1] == f"{name}_clk"]
    raise KeyError(f"no clock domain is named {name!r}" + (f"; near: {', '.join(inner[:3])}" if inner else ""))
