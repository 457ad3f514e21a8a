"""What a design is looked through for before it is translated: loops among cells, and values that are too wide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..private import ast as _ast
from ..private import nir as _nir

#: Amaranth's own simulator refuses wider values, and its netlist cannot number more bits of one cell.
WIDEST = 1 << 16


def components(count: int, edges: Callable[[int], Iterable[int]]) -> Iterator[list[int]]:
    """Nodes that lie on loops, those of each strongly connected component together (Tarjan's algorithm)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    for root in range(count):
        if root in index:
            continue
        index[root] = low[root] = len(index)
        work = [(root, iter(edges(root)))]
        stack.append(root)
        on_stack.add(root)
        itself: set[int] = set()
        while work:
            number, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(edges(other))))
                    break
                if other in on_stack:
                    low[number] = min(low[number], index[other])
                    if other == number:
                        itself.add(number)
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
                    if len(component) > 1 or number in itself:
                        yield component


def _resolver(netlist: _nir.Netlist) -> Callable[[int], int]:
    """A function that follows connections to the driven net; -1: they go round."""
    known: dict[int, int] = {}

    def resolve(net: int) -> int:
        path = []
        while net < 0 and net not in known:
            if net in path[-64:] or len(path) > len(netlist.connections):
                return -1
            path.append(net)
            net = netlist.connections[net]
        found = known[net] if net < 0 else int(net)
        for passed in path:
            known[passed] = found
        return found

    return resolve


def connections_loop(netlist: _nir.Netlist) -> bool:
    """Whether signals are connected in a circle, without a cell between them."""
    resolve = _resolver(netlist)
    return any(resolve(net) < 0 for net in netlist.connections)


def may_loop(netlist: _nir.Netlist) -> bool:
    """Whether cells or connections form a loop; whether it is one of bits, too, is left to a closer look."""
    resolve = _resolver(netlist)
    if any(resolve(net) < 0 for net in netlist.connections):
        return True

    def edges(number: int) -> Iterator[int]:
        cell, seen = netlist.cells[number], set()
        if isinstance(cell, _nir.FlipFlop):
            nets: Iterable[int] = (cell.clk, cell.arst)
        elif isinstance(cell, _COMBINATIONAL):
            nets = cell.input_nets()
        else:
            return
        for net in nets:
            other = resolve(net) >> 16
            if other and other not in seen:
                seen.add(other)
                yield other

    return next(components(len(netlist.cells), edges), None) is not None


_COMBINATIONAL = (
    _nir.Operator, _nir.Part, _nir.Matches, _nir.PriorityMatch, _nir.AssignmentList, _nir.AsyncReadPort, _nir.IOBuffer
)  # fmt: skip


def too_wide(fragments: Iterable[object]) -> object | None:
    """A value, somewhere in the statements of fragments, that has more bits than :data:`WIDEST`."""
    seen: set[int] = set()
    open_nodes = [s for f in fragments for statements in f.statements.values() for s in statements]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, _ast.Operator):
            # Only these grow fast; a sum is one bit wider at each step.
            if node.operator in ("<<", "*") and len(node) > WIDEST:
                return node
            open_nodes += node.operands
        elif isinstance(node, _ast.Signal | _ast.Const | _ast.Concat):
            if len(node) > WIDEST:
                return node
            open_nodes += getattr(node, "parts", ())
        elif isinstance(node, _ast.Slice):
            open_nodes.append(node.value)
        elif isinstance(node, _ast.Part):
            open_nodes += (node.value, node.offset)
        elif isinstance(node, _ast.SwitchValue):
            open_nodes += (node.test, *(value for _, value in node.cases))
        elif isinstance(node, _ast.Assign):
            open_nodes += (node.lhs, node.rhs)
        elif isinstance(node, _ast.Switch):
            open_nodes.append(node.test)
            for case in node.cases:
                open_nodes += case[1]
        elif isinstance(node, _ast.Print | _ast.Property):
            open_nodes += [chunk[0] for chunk in getattr(node.message, "_chunks", ()) if not isinstance(chunk, str)]
            open_nodes += [node.test] if isinstance(node, _ast.Property) else []
    return None
