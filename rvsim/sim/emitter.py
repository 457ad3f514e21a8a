"""A schedule as LLVM text: values, decisions, stores.

Within one visit of a region, and in the visits inside it, values stay in registers. What another visit needs
goes through a stack slot, which the compiler turns back into registers where it can.
"""

from __future__ import annotations

from rvsim.native.ir import Function, Value

from .graph import MASK, SHIFT, Graph, Node, constant, number
from .layout import Layout, storage_bits
from .paths import Bit, Bits, In, Literal, exclusive
from .regions import Region
from .schedule import Action, Branch, Visit

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
#: Division and remainder → whether they are signed.
_DIVISION = {"u//": False, "u%": False, "s//": True, "s%": True}
_COMPARISON = {
    "==": "eq", "!=": "ne", "u<": "ult", "u>": "ugt", "u<=": "ule", "u>=": "uge",
    "s<": "slt", "s>": "sgt", "s<=": "sle", "s>=": "sge",
}  # fmt: skip
_SHIFTS = {"<<": "shl", "u>>": "lshr", "s>>": "ashr"}


class Emitter:
    """Emits values of a graph into one function."""

    def __init__(self, graph: Graph, layout: Layout, f: Function, state: Value, poison: bool = False) -> None:
        self.graph, self.layout, self.f, self.state, self.poison = graph, layout, f, state, poison
        self.slots: dict[int, Value] = {}
        self._scopes: list[dict] = [{}]
        self.region: Region | None = None
        self._stored: dict[int, list[tuple]] = {}
        self.preloads: dict[int, Value] = {}
        self._visit_of: dict[int, Visit] = {}

    # -- the tree of visits

    def plan(self, visit: Visit) -> None:
        """Find which values need slots and which states must be loaded before they are overwritten."""
        self._defined: dict[int, list[Visit]] = {}
        self._needs_slot: set[int] = set()
        stored: dict[int, list[tuple]] = {}
        early: set[int] = set()

        def note(nodes: set[int], states: set[int], stack: list[Visit], region: Region) -> None:
            for node in nodes:
                where = self._defined.get(node)
                if where is not None and where[-1] not in stack:
                    self._needs_slot.add(node)
            for state in states:
                if any(not exclusive(path, region.path) for path in stored.get(state, ())):
                    early.add(state)

        def walk(current: Visit, stack: list[Visit]) -> None:
            stack = [*stack, current]
            for item in current.items:
                if isinstance(item, Action):
                    note(item.uses, item.reads, stack, current.region)
                    if item.defines is not None:
                        self._defined[item.defines] = [current]
                    if item.stores is not None:
                        stored.setdefault(item.stores, []).append(current.region.path)
                else:
                    for inner in item.visits:
                        nodes, states = self.sources(inner.region.literal.bits)
                        note(nodes, states, stack, current.region)
                    for inner in item.visits:
                        walk(inner, stack)

        walk(visit, [])
        for state in sorted(early):
            self.preloads[state] = self._load_state(state)

    def sources(self, bits: Bits) -> tuple[set[int], set[int]]:
        """Nodes and states that a value is taken from."""
        nodes, states = set(), set()
        for bit in bits:
            if bit >= 2:
                number_ = bit >> SHIFT
                (states if self.graph.nodes[number_].op == "state" else nodes).add(number_)
        return nodes, states

    def emit(self, visit: Visit) -> None:
        """Emit a visit and all visits in it."""
        outer, self.region = self.region, visit.region
        for item in visit.items:
            if isinstance(item, Action):
                item.run()
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
        return self._member(self.get(literal.value), literal.numbers, literal.negated)

    def _member(self, value: Value, numbers: frozenset[int], negated: bool) -> Value:
        f, width = self.f, value.width
        if len(numbers) == 1:
            (only,) = numbers
            return value.ne(only) if negated else value.eq(only)
        if width <= 6:
            size = max(8, 1 << width)
            table = sum(1 << n for n in numbers)
            if negated:
                table ^= (1 << (1 << width)) - 1
            return (f.value(table, f"i{size}") >> value.to(f"i{size}")).to("i1")
        found = None
        for n in sorted(numbers):
            hit = value.eq(n)
            found = hit if found is None else found | hit
        return ~found if negated else found

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
            self.f.store(value, self.slot(node))

    def slot(self, node: int) -> Value:
        """Stack slot of a node."""
        if node not in self.slots:
            width = self.graph.nodes[node].width
            self.slots[node] = self.f.variable(f"i{width}", 0).pointer if self.poison else self._alloca(width)
        return self.slots[node]

    def _alloca(self, width: int) -> Value:
        name = self.f.new_label("%s")
        self.f._allocas.append(f"  {name} = alloca i{width}")
        return Value(self.f, "ptr", name)

    def _node(self, node: int) -> Value:
        if self.graph.nodes[node].op == "state":
            return self._read_state(node)
        known = self._lookup(("node", node))
        if known is None:
            known = self.f.load(f"i{self.graph.nodes[node].width}", self.slot(node))
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
                return self.preloads[node]
            known = self._load_state(node)
            self._scopes[-1]["node", node] = known
        return known

    def current_state(self, node: int) -> Value:
        """What a state holds at this moment, stores of this step included."""
        return self._load_state(node)

    def store_state(self, node: int, value: Value) -> None:
        """Change a state."""
        width = storage_bits(self.graph.nodes[node].width)
        self.f.store(value.to(f"i{width}"), self.state.at(self.layout.states[node]))
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

    # -- operations

    def evaluate(self, node: Node) -> Value:
        """The value of any node but decisions and states."""
        op, args = node.op, node.args
        if op == "in":
            return self._member(self.get(args[0]), node.extra, False)
        if op == "like":
            return self._like(self.get(args[0]), node.extra)
        if op == "part":
            return self._part(node)
        if op == "read":
            return self.read_row(node.extra, args[0])
        if len(args) == 1:
            return self._unary(op, args[0])
        a = self.get(args[0])
        if op in _SHIFTS:
            return self._shift(op, a, args[1])
        b = self.get(args[1])
        if op in _ARITHMETIC:
            return a.op(_ARITHMETIC[op], b)
        if op in _COMPARISON:
            return a._compare(_COMPARISON[op], b)
        return self._divide(op, a, b)

    def _unary(self, op: str, bits: Bits) -> Value:
        f, a = self.f, self.get(bits)
        if op == "~":
            return ~a
        if op == "-":
            return f.value(0, a.type).op("sub", a) if a.constant != 0 else a
        if op in ("b", "r|"):
            return a.ne(0)
        if op == "r&":
            return a.eq(-1)
        if op == "r^":
            total = None
            for low in range(0, len(bits), 64):  # population counts are known for words
                word = self.get(bits[low : low + 64]).to("i64")
                total = word if total is None else total ^ word
            return f.intrinsic("llvm.ctpop", total).to("i1")
        raise NotImplementedError(op)

    def _divide(self, op: str, a: Value, b: Value) -> Value:
        """Amaranth: by zero the quotient and remainder are zero; signed division rounds down."""
        f, kind = self.f, a.type
        signed = _DIVISION[op]
        zero = b.eq(0)
        # Division by -1 is a negation; the smallest number divided by it would overflow.
        negates = b.eq(-1) if signed else f.value(0, "i1")
        safe = (zero | negates).select(f.value(1, kind), b)
        if not signed:
            quotient, rest = self._divide_unsigned(a, safe)
            return zero.select(f.value(0, kind), quotient if op == "u//" else rest)
        if a.width <= 64:
            quotient, rest = a.op("sdiv", safe), a.op("srem", safe)
        else:
            quotient, rest = self._divide_magnitudes(a, safe)
        adjust = rest.ne(0) & (rest ^ safe).slt(0)
        if op == "s//":
            opposite = f.emit(kind, f"sub {kind} 0, {a.text}")
            result = negates.select(opposite, adjust.select(quotient - 1, quotient))
        else:
            result = negates.select(f.value(0, kind), adjust.select(rest + safe, rest))
        return zero.select(f.value(0, kind), result)

    def _divide_magnitudes(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Signed division of wide values, rounded towards zero."""
        f, kind = self.f, a.type

        def negate_if(condition: Value, value: Value) -> Value:
            return condition.select(f.emit(kind, f"sub {kind} 0, {value.text}"), value)

        minus_a, minus_b = a.slt(0), b.slt(0)
        quotient, rest = self._divide_unsigned(negate_if(minus_a, a), negate_if(minus_b, b))
        return negate_if(minus_a ^ minus_b, quotient), negate_if(minus_a, rest)

    def _divide_unsigned(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Quotient and remainder; bit by bit where the processor has no division of that width."""
        f, kind = self.f, a.type
        if a.width <= 64:
            return a.op("udiv", b), a.op("urem", b)
        wide = f"i{a.width + 1}"
        quotient, rest = f.variable(kind, 0), f.variable(wide, 0)
        position = f.variable("i64", a.width)
        with f.loop() as done:
            place = position.get()
            with f.if_(place.eq(0)):
                f.branch(done)
            index = (place - 1).to(kind)
            position.set(place - 1)
            grown = rest.get() << 1 | (a.op("lshr", index) & 1).to(wide)
            fits = b.to(wide).ule(grown)
            rest.set(fits.select(grown - b.to(wide), grown))
            quotient.set(quotient.get() << 1 | fits.to(kind))
        return quotient.get(), rest.get().to(kind)

    def _shift(self, op: str, a: Value, amount: Bits) -> Value:
        f, width = self.f, a.width
        if constant(amount):
            by = number(amount)
            if by >= width:
                return a.op("ashr", width - 1) if op == "s>>" else f.value(0, a.type)
            return a.op(_SHIFTS[op], by)
        by = self.get(amount)
        if (1 << len(amount)) <= width:
            return a.op(_SHIFTS[op], by.to(a.type))
        size = max(width, len(amount)) + 1
        wide = by.to(f"i{size}")
        over = f.value(width, wide.type).ule(wide)
        last = f.value(width - 1, a.type)
        safe = over.select(last, wide.to(a.type))
        shifted = a.op(_SHIFTS[op], safe)
        return shifted if op == "s>>" else over.select(f.value(0, a.type), shifted)

    def _like(self, value: Value, patterns: tuple[str, ...]) -> Value:
        found = None
        for pattern in patterns:
            mask = int("".join("0" if c == "-" else "1" for c in pattern), 2)
            hit = (value & mask).eq(int(pattern.replace("-", "0"), 2))
            found = hit if found is None else found | hit
        return found

    def _part(self, node: Node) -> Value:
        f = self.f
        value, offset = node.args
        stride, signed = node.extra
        width = len(value)
        last = ((1 << len(offset)) - 1) * stride
        size = max(width, node.width, last.bit_length() + 1)
        a = self.get(value).to(f"i{size}", signed=signed) if value else f.value(0, f"i{size}")
        by = self.get(offset).to(f"i{size}") * stride if offset else f.value(0, f"i{size}")
        if last >= size:
            inside = by.ult(size)
            by = inside.select(by, f.value(size - 1, by.type))
            shifted = a.op("ashr" if signed else "lshr", by)
            shifted = shifted if signed else inside.select(shifted, f.value(0, a.type))
        else:
            shifted = a.op("ashr" if signed else "lshr", by)
        return shifted.to(f"i{node.width}")

    # -- memories

    def _row(self, memory: int, address: Bits) -> tuple[Value, Value | None]:
        """Pointer to a row, and whether the address is inside (``None``: it always is)."""
        f, place = self.f, self.layout.memories[memory]
        if not address:
            return self.state.at(place.offset), None
        index = self.get(address)
        inside = None
        if (1 << len(address)) > place.depth:
            inside = index.ult(place.depth) if place.depth else f.value(0, "i1")
        if len(address) > 63:
            index = index.to("i64")
        return self.state.at(place.offset).at(index.to("i64") * place.row_bytes), inside

    def read_row(self, memory: int, address: Bits) -> Value:
        """A row; 0 beyond the end."""
        f, place = self.f, self.layout.memories[memory]
        kind, width = f"i{place.row_bytes * 8}", f"i{place.width}"
        if place.depth == 0:
            return f.value(0, width)
        row, inside = self._row(memory, address)
        if inside is not None:
            row = inside.select(row, self.state.at(place.offset))
        value = f.load(kind, row).to(width)
        return value if inside is None else inside.select(value, f.value(0, width))

    def write_row(self, memory: int, address: Bits, data: Bits, enable: Bits) -> None:
        """Change the enabled bits of a row; nothing beyond the end."""
        f, place = self.f, self.layout.memories[memory]
        if place.depth == 0 or not data:
            return
        row, inside = self._row(memory, address)

        def write() -> None:
            value = self.get(data)
            if set(enable) != {1} and len(set(enable)) > 1:
                mask = self.get(enable)
                old = f.load(f"i{place.row_bytes * 8}", row).to(value.type)
                value = (old & ~mask) | (value & mask)
            f.store(value.to(f"i{place.row_bytes * 8}"), row)

        if inside is None:
            write()
        else:
            self._scopes.append({})
            with f.if_(inside):
                write()
            self._scopes.pop()
