"""Cells to nodes: decision trees recovered, wide values cut where they are used in parts, false loops cut to bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import netlist as nl
from ..options import DEFAULT, Options
from .graph import Arm, Graph, State
from .paths import Bit, Bits, Path, extend
from .pieces import BITWISE, WORD, Pieces, combinational


@dataclass
class Register:
    """A piece of state and what it becomes at its clock's edge.

    ``clock`` and ``reset`` are bits (constants for an input); ``data`` is the next value. It takes that when ``also``
    rises, too.
    """

    state: State
    clock: Bit
    edge: int
    reset: Bit
    reset_value: Bits
    data: Bits = ()
    also: Bit = 0


@dataclass
class Write:
    """A write of a memory row, bit by bit as ``enable`` says."""

    memory: int
    clock: Bit
    edge: int
    address: Bits
    data: Bits
    enable: Bits
    also: Bit = 0


@dataclass
class Message:
    """A ``Print`` or property: fires at its clock's edge; a combinational one when its condition or a value changes."""

    cell: nl.Statement
    clock: Bit
    edge: int
    enable: Bit
    test: Bit
    values: tuple[Bits, ...]
    also: Bit = 0


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


def lower(netlist: nl.Netlist, options: Options = DEFAULT) -> Design:
    """Lower all of a netlist."""
    return _Lowering(netlist, options).run()


def _looked_at(cell: nl.Matches) -> Iterator[tuple[nl.Net, bool]]:
    """Each bit of the value, and whether a pattern depends on it."""
    for position, net in enumerate(cell.value):
        yield net, any(pattern[-1 - position] != "-" for pattern in cell.patterns)


def clocks_as_data(design: Design) -> set[Bit]:
    """Clocks that something reads as a value."""
    clocks = {thing.clock for thing in (*design.registers, *design.writes, *design.messages) if thing.clock >= 2}
    used: set[Bit] = set()
    for node in design.graph.nodes:
        if node.op == "edge":
            continue
        for value in node.args:
            used.update(b for b in value if b in clocks)
        for arm in node.arms:
            used.update(b for b in arm.value if b in clocks)
            for literal in arm.path:
                used.update(b for b in literal.bits if b in clocks)
    for register in design.registers:
        if register.clock >= 2:
            used.update(b for b in register.data if b in clocks)
    for write in design.writes:
        used.update(b for value in (write.address, write.data, write.enable) for b in value if b in clocks)
    for message in design.messages:
        used.update(b for value in (*message.values, (message.enable, message.test)) for b in value if b in clocks)
    return used


class _Lowering:
    def __init__(self, netlist: nl.Netlist, options: Options) -> None:
        self.netlist, self.cells = netlist, netlist.cells
        self.graph = Graph(options=options)
        self.pieces = Pieces(self.cells, options).find()
        self.out: dict[int, list[Bit | None]] = {}
        self.paths: dict[nl.Net, Path | None] = {}
        #: Cell of a chain of conditions → the path on which none of the first so many holds.
        self.chains: dict[int, list[Path | None]] = {}

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
            self.graph.module, self.graph.location = cell.module, cell.location
            if isinstance(cell, nl.WritePort):
                writes[number] = write = Write(
                    cell.memory, self.bit(cell.clock), cell.edge, self.value(cell.address), self.value(cell.data),
                    self.value(cell.enable), self.bit(cell.also),
                )  # fmt: skip
                design.writes.append(write)
            elif isinstance(cell, nl.Statement):
                values = tuple(self.value(c.value) for c in cell.message if isinstance(c, nl.Chunk))
                design.messages.append(
                    Message(
                        cell,
                        self.bit(cell.clock),
                        cell.edge,
                        self.bit(cell.enable),
                        self.bit(cell.test),
                        values,
                        self.bit(cell.also),
                    )
                )
        for number, pieces in registers.items():
            cell = self.cells[number]
            for register in pieces:
                register.clock, register.also = self.bit(cell.clock), self.bit(cell.also)
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
        graph.module, graph.location = cell.module, cell.location
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
        init = tuple((state.init >> bit) & 1 for bit in range(state.width))
        changes = ((cell.reset, init), (cell.enable, row[state.start : state.start + state.width]))
        paths = ((graph.path(self.bit(net)), value) for net, value in changes)
        return graph.overwrite(old, [Arm(path, 0, value) for path, value in paths if path is not None])

    def _make_state(self, number: int, cell: nl.FlipFlop | nl.SyncRead, registers: list[Register]) -> None:
        bits: list[Bit] = []
        self.graph.module, self.graph.location = cell.module, cell.location
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
        if isinstance(cell, nl.Operator) and cell.operator in BITWISE:
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
        elif isinstance(cell, nl.Matches):
            yield from (net for net, matters in _looked_at(cell) if matters)
        else:
            for value in cell.inputs():
                yield from value

    def _order(self) -> Iterator[tuple[int, int, int]]:
        """Pieces (cell, start, width) of combinational cells, each after what it needs."""
        owner: dict[tuple[int, int], tuple[int, int, int]] = {}
        units = []
        for number, cell in enumerate(self.cells):
            if combinational(cell):
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
                        told = f"{cell.location}: combinational loop through {type(cell).__name__}"
                        raise nl.UnsupportedDesign(self.netlist.loop or told)
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
        self.graph.module, self.graph.location = cell.module, cell.location
        self.out[number][start : start + width] = self._lower(cell, start, width)

    def _lower(self, cell: nl.Cell, start: int, width: int) -> Bits:
        graph, end = self.graph, start + width
        if isinstance(cell, nl.Operator):
            if cell.operator == "m":
                condition, then, otherwise = cell.operands
                args = ((condition[0],), then[start:end], otherwise[start:end])
            elif cell.operator in BITWISE:
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
                    value = self.value(a.value[low - a.start : high - a.start])
                    arms.append(Arm(path, low - start, value, a.location))
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
            # What no pattern looks at may not be there yet.
            return (
                self._matches(tuple(self.bit(net) if used else 0 for net, used in _looked_at(cell)), cell.patterns),
            )
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
        if len(value) <= 64 and not any("-" in p for p in left) and not any(b < 2 for b in value):
            return graph.make("in", 1, (value,), frozenset(int(p, 2) for p in left))[0]
        return graph.make("like", 1, (value,), tuple(left))[0]

    def path(self, net: nl.Net) -> Path | None:
        """A condition of the decision tree as a path; ``None``: never."""
        if net < 2:
            return () if net else None
        if net not in self.paths:
            cell = self.cells[nl.cell_of(net)]
            if isinstance(cell, nl.PriorityMatch):
                # A chain's beginning is the same for all that follow.
                begun = self.chains.setdefault(nl.cell_of(net), [self.path(cell.enable)])
                for earlier in cell.candidates[len(begun) - 1 : nl.bit_of(net)]:
                    begun.append(extend(begun[-1], self.graph.literals(self.bit(earlier), False)))
                path = begun[nl.bit_of(net)]
                taken = self.graph.literals(self.bit(cell.candidates[nl.bit_of(net)]), True)
                for literal in taken or ():
                    self.graph.decided.setdefault(literal.key, (cell.module, cell.location))
                path = extend(path, taken)
            else:
                path = self.graph.path(self.bit(net))
            self.paths[net] = path
        return self.paths[net]
