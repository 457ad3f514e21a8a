"""Cells to nodes: decision trees recovered, wide values cut where they are used in parts, false loops cut to bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from . import netlist as nl
from .graph import Arm, Graph, State, constant
from .paths import Bit, Bits, Path, extend

WORD = 64

_BITWISE = ("&", "|", "^", "~", "m")


@dataclass
class Register:
    """A piece of state and what it becomes at its clock's edge.

    ``clock`` and ``reset`` are bits (constants for an input); ``data`` is the next value.
    """

    state: State
    clock: Bit
    edge: int
    reset: Bit
    reset_value: Bits
    data: Bits = ()


@dataclass
class Write:
    """A write of a memory row, bit by bit as ``enable`` says."""

    memory: int
    clock: Bit
    edge: int
    address: Bits
    data: Bits
    enable: Bits


@dataclass
class Message:
    """A ``Print`` or property: fires at its clock's edge (``clock`` 0: whenever it changes to true)."""

    cell: nl.Statement
    clock: Bit
    edge: int
    enable: Bit
    test: Bit
    values: tuple[Bits, ...]


@dataclass
class Design:
    """A lowered design."""

    graph: Graph
    netlist: nl.Netlist
    registers: list[Register] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    memories: dict[int, nl.Memory] = field(default_factory=dict)

    def value(self, nets: nl.Nets) -> Bits:
        """A netlist value as bits of nodes."""
        return self._lowering.value(nets)


def lower(netlist: nl.Netlist) -> Design:
    """Lower all of a netlist."""
    return _Lowering(netlist).run()


class _Lowering:
    def __init__(self, netlist: nl.Netlist) -> None:
        self.netlist, self.cells = netlist, netlist.cells
        self.graph = Graph()
        self.pieces = _Pieces(self.cells).find()
        self.out: dict[int, list[Bit | None]] = {}
        self.paths: dict[nl.Net, Path | None] = {}

    def run(self) -> Design:
        design = Design(self.graph, self.netlist)
        design._lowering = self
        registers: dict[int, list[Register]] = defaultdict(list)
        for number, cell in enumerate(self.cells):
            if isinstance(cell, nl.FlipFlop | nl.SyncRead):
                self._make_state(number, cell, registers[number])
            elif isinstance(cell, nl.Memory):
                design.memories[number] = cell
            elif isinstance(cell, nl.Outside):
                self._make_ports(cell)
        for unit in self._order():
            self._lower_unit(*unit)
        writes: dict[int, Write] = {}
        for number, cell in enumerate(self.cells):
            self.graph.module = cell.module
            if isinstance(cell, nl.WritePort):
                writes[number] = write = Write(
                    cell.memory, self.bit(cell.clock), cell.edge, self.value(cell.address), self.value(cell.data),
                    self.value(cell.enable),
                )  # fmt: skip
                design.writes.append(write)
            elif isinstance(cell, nl.Statement):
                values = tuple(self.value(c.value) for c in cell.message if isinstance(c, nl.Chunk))
                design.messages.append(
                    Message(cell, self.bit(cell.clock), cell.edge, self.bit(cell.enable), self.bit(cell.test), values)
                )
        for number, pieces in registers.items():
            cell = self.cells[number]
            for register in pieces:
                register.clock = self.bit(cell.clock)
                start, width = register.state.start, register.state.width
                if isinstance(cell, nl.FlipFlop):
                    register.reset = self.bit(cell.reset)
                    register.data = self.value(cell.data)[start : start + width]
                else:
                    register.data = self._read(cell, register.state, [writes[w] for w in cell.transparent])
                design.registers.append(register)
        return design

    def _read(self, cell: nl.SyncRead, state: State, transparent: list[Write]) -> Bits:
        """What a synchronous read port's output becomes: the row, with what transparent ports write into it now."""
        graph = self.graph
        graph.module = cell.module
        address = self.value(cell.address)
        row = graph.make("read", cell.width, (address,), cell.memory)
        for write in transparent:
            size = max(len(address), len(write.address))
            mine, other = (a + (0,) * (size - len(a)) for a in (address, write.address))
            same = graph.operator("==", (mine, other), 1)[0] if size else 1
            row = tuple(
                graph.choose(graph.both(same, enable), (new,), (old,))[0]
                for old, new, enable in zip(row, write.data, write.enable)
            )
        old = tuple((state.node << 16) + bit for bit in range(state.width))
        path = graph.path(self.bit(cell.enable))
        if path is None:
            return old
        return graph.overwrite(old, [Arm(path, 0, row[state.start : state.start + state.width])])

    def _make_state(self, number: int, cell: nl.FlipFlop | nl.SyncRead, registers: list[Register]) -> None:
        bits: list[Bit] = []
        self.graph.module = cell.module
        for start, width in self._cuts(number):
            init = (getattr(cell, "init", 0) >> start) & ((1 << width) - 1)
            piece = self.graph.fresh("state", width, ())
            state = State(piece[0] >> 16, number, start, width, init)
            self.graph.nodes[state.node].extra = state
            reset_value = tuple((init >> n) & 1 for n in range(width))
            registers.append(Register(state, 0, cell.edge, 0, reset_value))
            bits += piece
        self.out[number] = bits

    def _make_ports(self, cell: nl.Outside) -> None:
        """Ports are state that only the test bench changes."""
        bits: list[Bit] = [0, 1]
        for first, width, init in cell.ports:
            bits += [0] * (first + width - len(bits))
            for start in range(0, width, WORD):
                size = min(WORD, width - start)
                piece = self.graph.fresh("state", size, ())
                state = State(piece[0] >> 16, 0, first + start, size, (init >> start) & ((1 << size) - 1))
                self.graph.nodes[state.node].extra = state
                bits[first + start : first + start + size] = piece
        self.out[0] = bits

    def _cuts(self, number: int) -> list[tuple[int, int]]:
        width = self.cells[number].width
        return self.pieces.get(number, [(0, width)] if width else [])

    # -- values

    def bit(self, net: nl.Net) -> Bit:
        """A net as a bit of a node."""
        if net < 2:
            return net
        found = self.out[nl.cell_of(net)][nl.bit_of(net)]
        assert found is not None, f"net {nl.cell_of(net)}.{nl.bit_of(net)} is used before it is lowered"
        return found

    def value(self, nets: nl.Nets) -> Bits:
        """A netlist value as bits of nodes."""
        return tuple(self.bit(net) for net in nets)

    # -- order

    def _needs(self, number: int, start: int, width: int) -> Iterator[nl.Net]:
        """Nets that some output bits of a combinational cell depend on."""
        cell = self.cells[number]
        end = start + width
        if isinstance(cell, nl.Operator) and cell.operator in _BITWISE:
            if cell.operator == "m":
                yield cell.operands[0][0]
                yield from cell.operands[1][start:end]
                yield from cell.operands[2][start:end]
            else:
                for operand in cell.operands:
                    yield from operand[start:end]
        elif isinstance(cell, nl.AssignmentList):
            yield from cell.default[start:end]
            for a in cell.assignments:
                low, high = max(start, a.start), min(end, a.start + len(a.value))
                if low < high:
                    yield a.condition
                    yield from a.value[low - a.start : high - a.start]
        elif isinstance(cell, nl.PriorityMatch):
            yield cell.enable
            yield from cell.candidates[:end]
        else:
            for value in cell.inputs():
                yield from value

    def _order(self) -> Iterator[tuple[int, int, int]]:
        """Pieces (cell, start, width) of combinational cells, each after what it needs."""
        owner: dict[tuple[int, int], tuple[int, int, int]] = {}
        units = []
        for number, cell in enumerate(self.cells):
            if _combinational(cell):
                self.out[number] = [None] * cell.width
                for start, width in self._cuts(number):
                    unit = (number, start, width)
                    units.append(unit)
                    for position in range(start, start + width):
                        owner[number, position] = unit
        done: set[tuple[int, int, int]] = set()
        for root in units:
            if root in done:
                continue
            stack = [(root, iter(list(self._needs(*root))))]
            open_units = {root}
            while stack:
                unit, needs = stack[-1]
                for net in needs:
                    if net < 2:
                        continue
                    needed = owner.get((nl.cell_of(net), nl.bit_of(net)))
                    if needed is None or needed in done:
                        continue
                    if needed in open_units:
                        cell = self.cells[needed[0]]
                        raise nl.UnsupportedDesign(f"{cell.location}: combinational loop through {type(cell).__name__}")
                    open_units.add(needed)
                    stack.append((needed, iter(list(self._needs(*needed)))))
                    break
                else:
                    stack.pop()
                    open_units.discard(unit)
                    done.add(unit)
                    yield unit

    # -- cells

    def _lower_unit(self, number: int, start: int, width: int) -> None:
        cell = self.cells[number]
        self.graph.module = cell.module
        self.out[number][start : start + width] = self._lower(cell, start, width)

    def _lower(self, cell: nl.Cell, start: int, width: int) -> Bits:
        graph, end = self.graph, start + width
        if isinstance(cell, nl.Operator):
            if cell.operator == "m":
                condition, then, otherwise = cell.operands
                args = ((condition[0],), then[start:end], otherwise[start:end])
            elif cell.operator in _BITWISE:
                args = tuple(v[start:end] for v in cell.operands)
            else:
                args = cell.operands
            return graph.operator(cell.operator, tuple(self.value(v) for v in args), width)
        if isinstance(cell, nl.AssignmentList):
            arms = []
            for a in cell.assignments:
                low, high = max(start, a.start), min(end, a.start + len(a.value))
                path = self.path(a.condition) if low < high else None
                if path is not None:
                    arms.append(Arm(path, low - start, self.value(a.value[low - a.start : high - a.start])))
            return graph.overwrite(self.value(cell.default[start:end]), arms)
        if isinstance(cell, nl.PriorityMatch):
            enable, bits = self.bit(cell.enable), []
            for index, net in enumerate(cell.candidates[:end]):
                candidate = self.bit(net)
                if index >= start:
                    bits.append(graph.both(enable, candidate))
                enable = graph.both(enable, graph.invert(candidate))
            return tuple(bits)
        if isinstance(cell, nl.Matches):
            return (self._matches(self.value(cell.value), cell.patterns),)
        if isinstance(cell, nl.Part):
            value, offset = self.value(cell.value), self.value(cell.offset)
            return graph.make("part", width, (value, offset), (cell.stride, cell.signed))
        if isinstance(cell, nl.AsyncRead):
            return graph.make("read", width, (self.value(cell.address),), cell.memory)
        raise NotImplementedError(type(cell).__name__)

    def _matches(self, value: Bits, patterns: tuple[str, ...]) -> Bit:
        """One bit: the value matches one of the patterns."""
        graph = self.graph
        left = []
        for pattern in patterns:
            pairs = [(bit, c) for bit, c in zip(reversed(value), pattern) if c != "-"]
            if any(bit < 2 and str(bit) != c for bit, c in pairs):
                continue
            if all(bit < 2 for bit, _ in pairs):
                return 1
            left.append(pattern)
        if not left:
            return 0
        if len(left) == 1:
            pairs = [(bit, int(c)) for bit, c in zip(value, reversed(left[0])) if c != "-" and bit >= 2]
            bits, wanted = tuple(b for b, _ in pairs), tuple(w for _, w in pairs)
            return graph.operator("==", (bits, wanted), 1)[0]
        if len(value) <= 16 and not any("-" in p for p in left) and not any(b < 2 for b in value):
            return graph.make("in", 1, (value,), frozenset(int(p, 2) for p in left))[0]
        return graph.make("like", 1, (value,), tuple(left))[0]

    def path(self, net: nl.Net) -> Path | None:
        """A condition of the decision tree as a path; ``None``: never."""
        if net < 2:
            return () if net else None
        if net not in self.paths:
            cell = self.cells[nl.cell_of(net)]
            if isinstance(cell, nl.PriorityMatch):
                path = self.path(cell.enable)
                for earlier in cell.candidates[: nl.bit_of(net)]:
                    path = extend(path, self.graph.literals(self.bit(earlier), False))
                path = extend(path, self.graph.literals(self.bit(cell.candidates[nl.bit_of(net)]), True))
            else:
                path = self.graph.path(self.bit(net))
            self.paths[net] = path
        return self.paths[net]


def _combinational(cell: nl.Cell) -> bool:
    return isinstance(cell, nl.Operator | nl.Part | nl.Matches | nl.PriorityMatch | nl.AssignmentList | nl.AsyncRead)


def _sliceable(cell: nl.Cell) -> bool:
    """Output bits depend on the same bits of the inputs."""
    return isinstance(cell, nl.FlipFlop | nl.AssignmentList | nl.PriorityMatch) or (
        isinstance(cell, nl.Operator) and cell.operator in _BITWISE
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


class _Pieces:
    """Where cells are cut: wide ones at the runs in which they are used, those on a false loop into bits."""

    def __init__(self, cells: list[nl.Cell]) -> None:
        self.cells = cells

    def find(self) -> dict[int, list[tuple[int, int]]]:
        """Cell → its pieces (start, width), for the cells that are cut."""
        pieces = {number: self._cut_wide(number, used) for number, used in self._uses().items()}
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
        """Combinational cells on a loop that exists between words only (Tarjan's algorithm, iteratively)."""
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        on_stack: set[int] = set()
        stack: list[int] = []

        def edges(number: int) -> Iterator[int]:
            seen = set()
            for value in self.cells[number].inputs():
                for net in value:
                    if net >= 2:
                        other = nl.cell_of(net)
                        if other and other not in seen and _combinational(self.cells[other]):
                            seen.add(other)
                            yield other

        for root, cell in enumerate(self.cells):
            if root in index or not _combinational(cell):
                continue
            index[root] = low[root] = len(index)
            work = [(root, edges(root))]
            stack.append(root)
            on_stack.add(root)
            while work:
                number, rest = work[-1]
                for other in rest:
                    if other not in index:
                        index[other] = low[other] = len(index)
                        stack.append(other)
                        on_stack.add(other)
                        work.append((other, edges(other)))
                        break
                    if other in on_stack:
                        low[number] = min(low[number], index[other])
                        if other == number:
                            yield number
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[number])
                    if low[number] == index[number]:
                        component = []
                        while True:
                            member = stack.pop()
                            on_stack.discard(member)
                            component.append(member)
                            if member == number:
                                break
                        if len(component) > 1:
                            yield from component


def _pieces_of_inputs(cell: nl.Cell) -> Iterator[tuple[nl.Nets, int | None]]:
    """Inputs with the output bit that their first bit goes to (``None``: to no particular one)."""
    if isinstance(cell, nl.AssignmentList):
        yield cell.default, 0
        for a in cell.assignments:
            yield a.value, a.start
            yield (a.condition,), None
    elif isinstance(cell, nl.Operator):
        bitwise = cell.operator in _BITWISE
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


__all__ = ["Design", "Message", "Register", "Write", "constant", "lower", "runs"]
