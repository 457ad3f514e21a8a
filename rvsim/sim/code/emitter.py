"""A schedule as LLVM text: values, decisions, stores.

Within one visit of a region, and in the visits inside it, values stay in registers. What another visit needs
goes through a stack slot, which the compiler turns back into registers where it can.
"""

from __future__ import annotations

from collections.abc import Callable

from rvsim.native.ir import Function, Value

from ..graph.graph import MASK, SHIFT, Graph
from ..graph.paths import Bit, Bits, In, Literal, exclusive
from .layout import Layout, storage_bits
from .operations import Operations
from .regions import Region
from .schedule import Action, Branch, Part, Visit

#: A pattern that is noticed wherever its bits are taken for a value.
POISON = int("a5c396" * 4000, 16)


class Emitter(Operations):
    """Emits values of a graph into one function and its parts."""

    #: What is emitted may be cut into parts.
    may_split = True

    def __init__(self, graph: Graph, layout: Layout, f: Function, state: Value, poison: bool = False) -> None:
        self.graph, self.layout, self.f, self.state, self.poison = graph, layout, f, state, poison
        #: A node's slot: on the stack of the one part that uses it, or (an offset) in the frame that all parts share.
        self.slots: dict[int, Value | int] = {}
        self._scopes: list[dict] = [{}]
        self.region: Region | None = None
        self._stored: dict[int, list[tuple]] = {}
        self.preloads: dict[int, Value | int] = {}
        #: Nodes that are computed where they are needed.
        self.inline: set[int] = set()
        self._inline_sources: dict[int, tuple[set[int], set[int]]] = {}
        #: Called with memory and pointer before a row changes.
        self.before_write: Callable[[int, Value], None] | None = None
        #: Called with a state's node and what will be stored, before it changes.
        self.before_store: Callable[[int, Value], None] | None = None

    # -- the tree of visits

    def plan(self, visit: Visit) -> None:
        """Find which values need slots and which states must be loaded before they are overwritten."""
        defined: dict[int, Visit] = {}
        self._needs_slot: set[int] = set()
        #: Visits, each the outermost of a part (or of the whole), in which a node is made or used.
        self._used_in: dict[int, set[int]] = {}
        stored: dict[int, list[tuple]] = {}
        early: set[int] = set()
        parts = 0

        def note(nodes: set[int], states: set[int], stack: list[Visit], region: Region) -> None:
            for node in nodes:
                self._used_in.setdefault(node, set()).add(id(stack[0]))
                where = defined.get(node)
                if where is not None and where not in stack:
                    self._needs_slot.add(node)
            for state in states:
                if any(not exclusive(path, region.path) for path in stored.get(state, ())):
                    early.add(state)

        def walk(current: Visit, stack: list[Visit]) -> None:
            nonlocal parts
            stack = [*stack, current]
            for item in current.items:
                if isinstance(item, Action):
                    note(item.uses, item.reads, stack, current.region)
                    if item.defines is not None:
                        defined[item.defines] = current
                        note({item.defines}, set(), stack, current.region)
                    if item.fills is not None:
                        self._needs_slot.add(item.fills)
                        note({item.fills}, set(), stack, current.region)
                    if item.stores is not None:
                        stored.setdefault(item.stores, []).append(current.region.path)
                elif isinstance(item, Part):
                    parts += 1
                    walk(item.visit, [])
                else:
                    for inner in item.visits:
                        nodes, states = self.sources(inner.region.literal.bits)
                        note(nodes, states, stack, current.region)
                    for inner in item.visits:
                        walk(inner, stack)

        walk(visit, [])
        self._begin_part(visit)
        for state in sorted(early):
            value = self._load_state(state)
            if parts:
                self.preloads[state] = self.f.in_frame(storage_bits(value.width) // 8)
                self.f.store(value.to(f"i{storage_bits(value.width)}"), self.f.frame(self.preloads[state]))
            else:
                self.preloads[state] = value

    def _begin_part(self, visit: Visit) -> None:
        """Poison slots before anything is in them."""
        if self.poison:
            for node in sorted(self._needs_slot):
                if id(visit) in self._used_in[node] and node not in self.slots:
                    width = self.graph.nodes[node].width
                    self.put_slot(node, self.f.value(POISON >> (POISON.bit_length() - width), f"i{width}"))

    def sources(self, bits: Bits) -> tuple[set[int], set[int]]:
        """Nodes and states that a value is taken from."""
        nodes, states = set(), set()
        for bit in bits:
            if bit >= 2:
                number_ = bit >> SHIFT
                if number_ in self.inline:
                    inner = self._sources_of(number_)
                    nodes |= inner[0]
                    states |= inner[1]
                else:
                    (states if self.graph.nodes[number_].op == "state" else nodes).add(number_)
        return nodes, states

    def _sources_of(self, node: int) -> tuple[set[int], set[int]]:
        """What a node that is computed in place is taken from."""
        known = self._inline_sources.get(node)
        if known is None:
            found = [self.sources(value) for value in self.graph.nodes[node].args]
            known = set().union(*(nodes for nodes, _ in found)), set().union(*(states for _, states in found))
            self._inline_sources[node] = known
        return known

    def emit(self, visit: Visit) -> None:
        """Emit a visit and all visits in it."""
        outer, self.region = self.region, visit.region
        for item in visit.items:
            if isinstance(item, Action):
                item.run()
            elif isinstance(item, Part):
                scopes, self._scopes = self._scopes, [{}]
                with self.f.part():
                    self._begin_part(item.visit)
                    self.emit(item.visit)
                self._scopes = scopes
            else:
                self._branch(item)
        self.region = outer

    def _inside(self, visit: Visit) -> None:
        self._scopes.append({})
        self.emit(visit)
        self._scopes.pop()

    def _branch(self, branch: Branch) -> None:
        f, merge = self.f, self.f.new_label("m")
        visits = branch.visits
        literal = visits[0].region.literal
        if not isinstance(literal, In):
            condition = self.get((literal.bit,))
            targets = {v.region.literal.wanted: (v, f.new_label("b")) for v in visits}
            yes, no = (targets[w][1] if w in targets else merge for w in (True, False))
            f.branch_if(condition, yes, no)
            for inner, label in targets.values():
                f.label(label)
                self._inside(inner)
                f.branch(merge)
            f.label(merge)
            return
        if self._is_switch(visits):
            self._switch(visits, merge)
            return
        for inner in visits:
            label, following = f.new_label("b"), f.new_label("n")
            f.branch_if(self._holds(inner.region.literal), label, following)
            f.label(label)
            self._inside(inner)
            f.branch(following)
            f.label(following)

    @staticmethod
    def _is_switch(visits: list[Visit]) -> bool:
        """Whether the literals exclude each other: sets that do not meet, and at most one 'none of these'."""
        seen: set[int] = set()
        negated = [v.region.literal for v in visits if v.region.literal.negated]
        for visit in visits:
            literal = visit.region.literal
            if not literal.negated:
                if seen & literal.numbers:
                    return False
                seen |= literal.numbers
        return len(negated) <= 1 and all(seen <= literal.numbers for literal in negated)

    def _switch(self, visits: list[Visit], merge: str) -> None:
        f = self.f
        value = self.get(visits[0].region.literal.value)
        default, cases, bodies = merge, [], []
        negated = next((v for v in visits if v.region.literal.negated), None)
        for inner in visits:
            label = f.new_label("b")
            bodies.append((inner, label))
            if inner is negated:
                default = label
            else:
                cases += [(n, label) for n in sorted(inner.region.literal.numbers)]
        if negated is not None:
            taken = {n for n, _ in cases}
            cases += [(n, merge) for n in sorted(negated.region.literal.numbers) if n not in taken]
        listed = " ".join(f"{value.type} {n}, label %{label}" for n, label in cases)
        f.line(f"switch {value.type} {value.text}, label %{default} [{listed}]")
        f.ended = True
        for inner, label in bodies:
            f.label(label)
            self._inside(inner)
            f.branch(merge)
        f.label(merge)

    def _holds(self, literal: Literal) -> Value:
        if not isinstance(literal, In):
            condition = self.get((literal.bit,))
            return condition if literal.wanted else ~condition
        return self.member(self.get(literal.value), literal.numbers, literal.negated)

    # -- values

    def _lookup(self, key: object) -> Value | None:
        for scope in reversed(self._scopes):
            if key in scope:
                return scope[key]
        return None

    def remember(self, node: int, value: Value) -> None:
        """A node's value is known from here on; it goes to its slot if other visits need it."""
        self._scopes[-1]["node", node] = value
        if node in self._needs_slot:
            self.put_slot(node, value)

    def slot(self, node: int) -> Value:
        """Stack slot of a node, of the size in which states are stored.

        LLVM keeps slots in registers only if their type fills its bytes. One of 33 or 44 bits stays in memory, is
        written in pieces and read as a whole: the processor then waits.
        """
        if node not in self.slots:
            size = storage_bits(self.graph.nodes[node].width)
            shared = len(self._used_in[node]) > 1
            self.slots[node] = self.f.in_frame(size // 8) if shared else self._alloca(size)
        place = self.slots[node]
        return self.f.frame(place) if isinstance(place, int) else place

    def put_slot(self, node: int, value: Value) -> None:
        """Store to a node's slot."""
        self.f.store(value.to(f"i{storage_bits(value.width)}"), self.slot(node), align=self._align(node))

    def get_slot(self, node: int) -> Value:
        """What a node's slot holds."""
        width = self.graph.nodes[node].width
        return self.f.load(f"i{storage_bits(width)}", self.slot(node), align=self._align(node)).to(f"i{width}")

    def _align(self, node: int) -> int:
        return min(storage_bits(self.graph.nodes[node].width) // 8, 8)

    def _alloca(self, width: int) -> Value:
        name = self.f.new_label("%s")
        self.f._allocas.append(f"  {name} = alloca i{width}")
        return Value(self.f, "ptr", name)

    def _node(self, node: int) -> Value:
        if self.graph.nodes[node].op == "state":
            return self._read_state(node)
        known = self._lookup(("node", node))
        if known is None:
            known = self.evaluate(self.graph.nodes[node]) if node in self.inline else self.get_slot(node)
            self._scopes[-1]["node", node] = known
        return known

    def _load_state(self, node: int) -> Value:
        width = self.graph.nodes[node].width
        raw = self.f.load(f"i{storage_bits(width)}", self.state.at(self.layout.states[node]))
        return raw.to(f"i{width}")

    def _read_state(self, node: int) -> Value:
        known = self._lookup(("node", node))
        if known is None:
            changed = self._stored.get(node, ())
            if any(not exclusive(path, self.region.path) for path in changed):
                return self._preloaded(node)
            known = self._load_state(node)
            self._scopes[-1]["node", node] = known
        return known

    def _preloaded(self, node: int) -> Value:
        known = self.preloads[node]
        if isinstance(known, int):
            width = self.graph.nodes[node].width
            known = self.f.load(f"i{storage_bits(width)}", self.f.frame(known)).to(f"i{width}")
            self._scopes[-1]["node", node] = known
        return known

    def current_state(self, node: int) -> Value:
        """What a state holds at this moment, stores of this step included."""
        return self._load_state(node)

    def store_state(self, node: int, value: Value) -> None:
        """Change a state."""
        value = value.to(f"i{storage_bits(self.graph.nodes[node].width)}")
        if self.before_store is not None:
            self.before_store(node, value)
        self.f.store(value, self.state.at(self.layout.states[node]))
        self._stored.setdefault(node, []).append(self.region.path if self.region else ())

    def get(self, bits: Bits) -> Value:
        """The value of some bits, put together from runs of nodes."""
        known = self._lookup(bits)
        if known is not None:
            return known
        f, width = self.f, len(bits)
        total, fixed, position = None, 0, 0
        while position < width:
            bit = bits[position]
            if bit < 2:
                fixed |= bit << position
                position += 1
                continue
            end = position + 1
            while end < width and bits[end] == bit:
                end += 1
            if end - position > 2:  # one bit repeated: a sign
                part = self._slice(bit, 1).to(f"i{end - position}", signed=True)
            else:
                end = position + 1
                while end < width and bits[end] == bit + end - position and bits[end] >> SHIFT == bit >> SHIFT:
                    end += 1
                part = self._slice(bit, end - position)
            part = part.to(f"i{width}")
            if position:
                part = part << position
            total = part if total is None else total | part
            position = end
        if total is None:
            return f.value(fixed, f"i{width}")
        if fixed:
            total = total | fixed
        self._scopes[-1][bits] = total
        return total

    def _slice(self, bit: Bit, width: int) -> Value:
        key = ("slice", bit, width)
        known = self._lookup(key)
        if known is None:
            known = self._node(bit >> SHIFT)
            low = bit & MASK
            if low:
                known = known >> low
            known = known.to(f"i{width}")
            self._scopes[-1][key] = known
        return known

    def insert(self, old: Value, start: int, bits: Bits) -> Value:
        """``old`` with some bits replaced."""
        value, width = self.get(bits), old.width
        if len(bits) == width:
            return value
        mask = ((1 << len(bits)) - 1) << start
        value = value.to(old.type)
        if start:
            value = value << start
        return (old & ~mask) | value

    # -- memories

    def write_row(self, memory: int, address: Bits, data: Bits, enable: Bits) -> None:
        """Change the enabled bits of a row; nothing beyond the end."""
        f, place = self.f, self.layout.memories[memory]
        if place.depth == 0 or not data:
            return
        row, inside = self._row(memory, address)

        align = min(place.row_bytes, 8)

        def write() -> None:
            if self.before_write is not None:
                self.before_write(memory, row)
            value = self.get(data)
            if set(enable) != {1} and len(set(enable)) > 1:
                mask = self.get(enable)
                old = f.load(f"i{place.row_bytes * 8}", row, align=align).to(value.type)
                value = (old & ~mask) | (value & mask)
            f.store(value.to(f"i{place.row_bytes * 8}"), row, align=align)

        if inside is None:
            write()
        else:
            self._scopes.append({})
            with f.if_(inside):
                write()
            self._scopes.pop()
