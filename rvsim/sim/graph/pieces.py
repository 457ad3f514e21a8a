"""Where cells are cut into pieces: wide values at the runs in which they are used, false loops into bits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from .. import netlist as nl
from ..netlist.loops import components
from ..options import DEFAULT, Options

#: The widest piece: what one machine word holds, in bits.
WORD = 64

#: Operators whose output bits depend on the same bits of the inputs.
BITWISE = ("&", "|", "^", "~", "m")


def combinational(cell: nl.Cell) -> bool:
    """Whether a cell's output follows its inputs within the same instant."""
    return isinstance(cell, nl.Operator | nl.Part | nl.Matches | nl.PriorityMatch | nl.AssignmentList | nl.AsyncRead)


def _sliceable(cell: nl.Cell) -> bool:
    """Output bits depend on the same bits of the inputs."""
    return isinstance(cell, nl.FlipFlop | nl.AssignmentList | nl.PriorityMatch) or (
        isinstance(cell, nl.Operator) and cell.operator in BITWISE
    )


def runs(nets: nl.Nets) -> Iterator[tuple[int, int, int, int]]:
    """Maximal runs of consecutive bits of one cell: (cell, bit, length, position)."""
    position, count = 0, len(nets)
    while position < count:
        net = nets[position]
        if net < 2:
            position += 1
            continue
        end = position + 1
        while end < count and nets[end] == net + end - position:
            end += 1
        yield nl.cell_of(net), nl.bit_of(net), end - position, position
        position = end


class Pieces:
    """Where cells are cut: wide ones at the runs in which they are used, those on a false loop into bits."""

    def __init__(self, cells: list[nl.Cell], options: Options = DEFAULT) -> None:
        self.cells, self.options = cells, options

    def find(self) -> dict[int, list[tuple[int, int]]]:
        """Cell → its pieces (start, width), for the cells that are cut."""
        pieces = {}
        for number, used in self._uses().items():
            if self.options.chosen("cut", number):
                pieces[number] = self._cut_wide(number, used)
            elif not combinational(self.cells[number]):  # state is kept in words
                pieces[number] = self._cut_wide(number, set())
        for number in self._looped():
            if _sliceable(self.cells[number]):
                pieces[number] = [(bit, 1) for bit in range(self.cells[number].width)]
        return pieces

    def _uses(self) -> dict[int, set[tuple[int, int]]]:
        """Runs in which wide cells are used, carried through wide cells that are made of each other."""
        wide = {n for n, c in enumerate(self.cells) if c.width > WORD and _sliceable(c)}
        wide |= {n for n, c in enumerate(self.cells) if isinstance(c, nl.SyncRead) and c.width > WORD}
        used: dict[int, set[tuple[int, int]]] = {n: set() for n in wide}
        if not wide:
            return used
        links: list[tuple[int, int, int, int, int]] = []
        for number, cell in enumerate(self.cells):
            for nets, start in _pieces_of_inputs(cell):
                for other, bit, length, position in runs(nets):
                    if number in wide and start is not None:
                        if length <= WORD:
                            used[number].add((start + position, length))
                        if other in wide:
                            links.append((other, bit, number, start + position, length))
                    if other in wide and length <= WORD:
                        used[other].add((bit, length))
        for _ in range(8):
            changed = False
            for other, bit, number, position, length in links:
                for source, target, a, b in ((number, other, position, bit), (other, number, bit, position)):
                    for start, size in tuple(used[source]):
                        if a <= start and start + size <= a + length and (start - a + b, size) not in used[target]:
                            used[target].add((start - a + b, size))
                            changed = True
            if not changed:
                break
        return used

    def _cut_wide(self, number: int, used: set[tuple[int, int]]) -> list[tuple[int, int]]:
        width = self.cells[number].width
        taken = [False] * width
        cuts = {0, width}
        for start, size in sorted(used, key=lambda run: (-run[1], run[0])):
            if not any(taken[start : start + size]):
                taken[start : start + size] = [True] * size
                cuts |= {start, start + size}
        places = sorted(cuts)
        result = []
        for low, high in pairwise(places):
            while high - low > WORD:
                result.append((low, WORD))
                low += WORD
            result.append((low, high - low))
        return result

    def _looped(self) -> Iterator[int]:
        """Combinational cells on a loop that exists between words only."""

        def edges(number: int) -> Iterator[int]:
            if combinational(self.cells[number]):
                others = {nl.cell_of(net) for value in self.cells[number].inputs() for net in value if net >= 2}
                yield from (other for other in others if other and combinational(self.cells[other]))

        for component in components(len(self.cells), edges):
            yield from component


def _pieces_of_inputs(cell: nl.Cell) -> Iterator[tuple[nl.Nets, int | None]]:
    """Inputs with the output bit that their first bit goes to (``None``: to no particular one)."""
    if isinstance(cell, nl.AssignmentList):
        yield cell.default, 0
        for a in cell.assignments:
            yield a.value, a.start
            yield (a.condition,), None
    elif isinstance(cell, nl.Operator):
        bitwise = cell.operator in BITWISE
        for operand in cell.operands:
            yield operand, 0 if bitwise and len(operand) == cell.width else None
    elif isinstance(cell, nl.FlipFlop):
        yield cell.data, 0
    elif isinstance(cell, nl.WritePort):
        yield cell.address, None
        yield cell.data, None
        yield cell.enable, None
    elif isinstance(cell, nl.SyncRead):
        yield cell.address, None
    else:
        for value in cell.inputs():
            yield value, None
