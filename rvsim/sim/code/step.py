"""What one instant of a design does, as functions: all registers of some clocks at once, values to be looked at."""

from __future__ import annotations

from collections.abc import Callable

from rvsim.native.ir import Function, Value

from .. import netlist as nl
from ..graph.graph import SHIFT, Arm, Graph, State
from ..graph.lowering import Design, Message, Register, Write
from ..graph.paths import Bit, Bits, Path, exclusive, extend
from ..options import DEFAULT, Options
from .emitter import Emitter
from .layout import LOST, VIOLATED, Layout, storage_bits
from .regions import PlacedArm, Placement, Region
from .schedule import Action, Scheduler, split

#: Says for a trigger (bit, edge) under which path it fires in this step; ``None``: not at all.
Fires = Callable[[Bit, int], Path | None]


def events(thing: Register | Write | Message, fires: Fires) -> list[Path]:
    """The paths under which something clocked happens in a step."""
    paths = (fires(thing.clock, thing.edge), fires(thing.also, 1) if thing.also >= 2 else None)
    return [path for path in paths if path is not None]


def next_value(graph: Graph, options: Options, register: Register) -> tuple[Bits | None, list[Arm]]:
    """What a register takes at every edge (``None``: it keeps its value), and what instead under conditions."""
    node, data = register.state.node, register.data
    made = graph.nodes[data[0] >> SHIFT] if data[0] >= 2 else None
    in_place = made is not None and made.op == "list" and data == _all_of(graph, data[0] >> SHIFT)
    if not in_place or not options.chosen("in_place", node):
        return (None if data == _all_of(graph, node) else data), []
    default = made.args[0]
    return (None if default == _all_of(graph, node) else default), list(made.arms)


def _all_of(graph: Graph, number: int) -> Bits:
    return tuple((number << SHIFT) + bit for bit in range(graph.nodes[number].width))


class Step:
    """One function body: roots are added, then :meth:`emit` writes everything they need."""

    def __init__(self, design: Design, layout: Layout, f: Function, state: Value, options: Options = DEFAULT) -> None:
        self.design, self.layout, self.f, self.state, self.options = design, layout, f, state, options
        self.graph: Graph = design.graph
        self.placement = Placement(self.graph, options=options)
        self.emitter = Emitter(self.graph, layout, f, state, options.poison)
        self._roots: list[Callable[[], None]] = []
        self.actions: list[Action] = []
        self._made: dict[int, list[Action]] = {}
        self._memory_reads: dict[int, list[Action]] = {}
        self._writes: dict[int, Action] = {}

    # -- roots

    def observe(self, value: Bits, store: Callable[[Value], None]) -> None:
        """Compute a value and hand it over."""
        root = self.placement.root
        self.placement.use(value, root)
        self._roots.append(lambda: self._sink(root, lambda: store(self.emitter.get(value)), value))

    def register(self, register: Register, fires: Fires) -> None:
        """A register takes its next value."""
        state = register.state
        default, arms = next_value(self.graph, self.options, register)
        changes: list[Arm] = []
        for event in events(register, fires):
            if default is not None:
                changes.append(Arm(event, 0, default, self._cell(state).location))
            for arm in arms:
                path = extend(event, list(arm.path))
                if path is not None:
                    changes.append(Arm(path, arm.start, arm.value, arm.location))
        if register.reset != 0:
            level = self.graph.literals(register.reset, True)
            for event in (fires(register.reset, 1), fires(register.clock, register.edge)):
                path = extend(event, level)
                if path is not None:
                    changes.append(Arm(path, 0, register.reset_value))
        placed = self._place(changes)
        if placed:
            self._roots.append(lambda: self._store_register(state.node, state.width, placed))

    def _cell(self, state: State) -> nl.Cell:
        return self.design.netlist.cells[state.cell]

    def _place(self, arms: list[Arm]) -> list[PlacedArm]:
        placed = []
        for arm in arms:
            region = self.placement.place(arm.path, self.placement.root)
            if region is not None:
                self.placement.use(arm.value, region)
                placed.append(PlacedArm(region, arm.path, arm.start, arm.value, arm.location))
        return placed

    def write(self, write: Write, fires: Fires) -> None:
        """A memory row is written."""
        if write.data:
            for path in events(write, fires):
                self._write(write, path)

    def _write(self, write: Write, path: Path) -> None:
        enable = write.enable
        distinct = tuple(dict.fromkeys(enable))
        any_bit = self.graph.operator("r|", (distinct,), 1)[0] if len(distinct) > 1 else distinct[0]
        path = extend(path, self.graph.literals(any_bit, True))
        if path is None:
            return
        region = self.placement.place(path, self.placement.root)
        if region is None:
            return
        for value in (write.address, write.data, enable):
            self.placement.use(value, region)
        if len(distinct) == 1:
            enable = (1,) * len(write.data)
        self._roots.append(lambda: self._store_row(write, enable, region))

    def message(self, index: int, message: Message, fires: Fires) -> bool:
        """A ``Print`` or property leaves its values for the host; whether it can in this step."""
        if message.cell.kind == "cover" and not message.cell.message:
            return False
        paths = [()] if message.edge == nl.COMBINATIONAL else events(message, fires)
        fired = [self._message(index, message, path) for path in paths]
        return any(fired)

    def _message(self, index: int, message: Message, event: Path) -> bool:
        path = extend(event, self.graph.literals(message.enable, True))
        if message.cell.kind != "print":
            path = extend(path, self.graph.literals(message.test, message.cell.kind == "cover"))
        region = None if path is None else self.placement.place(path, self.placement.root)
        if region is None:
            return False
        for value in message.values:
            self.placement.use(value, region)
        if message.edge == nl.COMBINATIONAL:
            test = message.test if message.cell.kind == "cover" else self.graph.invert(message.test)
            holds = message.enable if message.cell.kind == "print" else self.graph.both(message.enable, test)
            place = self.state.at(self.layout.messages[index].memory)
            self.observe((holds,), lambda held: self.f.store(self.f.load("i64", place) & held.to("i64"), place))
        self._roots.append(lambda: self._leave_message(index, message, region))
        return True

    def pin(self, value: Bits) -> None:
        """Make a value available at the outermost level even if only deeper ones use it."""
        self.placement.use(value, self.placement.root)

    # -- actions

    def emit(self, *, whole: bool = False) -> None:
        """Place, schedule and write everything; ``whole``: values are wanted outside, so that it is not cut."""
        self.placement.finish()
        self.emitter.inline = self.placement.inline
        for number in range(1, len(self.graph.nodes)):
            if number in self.placement.region and number not in self.placement.inline:
                self._define(number)
        for root in self._roots:
            root()
        # A value may wait for a condition that was made later than itself, so dependences come last.
        for action in self.actions:
            for node in action.waits:
                action.after.update(self._made[node])
        two_phases = self.options.chosen("two_phases", len(self.actions))
        visit = Scheduler(self.placement.root, self.actions, two_phases=two_phases).run()
        if not whole and self.emitter.may_split and len(self.actions) > 4 * self.options.part:
            split(visit, self.options.part)
        self.emitter.plan(visit)
        self.emitter.emit(visit)

    def _action(self, region: Region, run: Callable[[], None], *values: Bits, inside: Region | None = None) -> Action:
        """An action that needs values, and the conditions of its region (inside another, whose own are met)."""
        action = Action(region, run)
        for value in values:
            self._needs(action, value)
        for outer in region.up_to(inside):
            if outer.literal is not None:
                action.waits |= self.emitter.sources(outer.literal.bits)[0]
        self.actions.append(action)
        return action

    def _needs(self, action: Action, value: Bits) -> None:
        nodes, states = self.emitter.sources(value)
        action.uses |= nodes
        action.waits |= nodes
        action.reads |= states

    def _sink(self, region: Region, run: Callable[[], None], *values: Bits) -> Action:
        action = self._action(region, run, *values)
        action.is_sink = True
        return action

    def _define(self, number: int) -> None:
        """Actions that make a node's value."""
        node, region, emitter = self.graph.nodes[number], self.placement.region[number], self.emitter
        arms = self.placement.arms.get(number)
        if arms is None:
            action = self._action(region, lambda: emitter.remember(number, emitter.evaluate(node)), *node.args)
            action.defines, action.module, action.location = number, node.module, node.location
            self._made[number] = [action]
            if node.op == "read":
                self._memory_reads.setdefault(node.extra, []).append(action)
            return
        made: list[tuple[Path | None, Action]] = []
        if node.op == "list":
            default = node.args[0]
            action = self._action(region, lambda: self._put(number, None, 0, default), default)
            action.fills, action.module, action.location = number, node.module, node.location
            made.append((None, action))
        for arm in arms:
            run = self._arm(number, arm, node.op == "mux")
            action = self._action(arm.region, run, arm.value)
            action.fills, action.module, action.location = number, node.module, arm.location or node.location
            for path, earlier in made:
                if node.op == "list" and (path is None or not exclusive(path, arm.path)):
                    action.after.add(earlier)
            made.append((arm.path, action))
        self._made[number] = [action for _, action in made]

    def _arm(self, number: int, arm: PlacedArm, whole: bool) -> Callable[[], None]:
        return lambda: self._put(number, arm, arm.start, arm.value)

    def _put(self, number: int, arm: PlacedArm | None, start: int, value: Bits) -> None:
        emitter = self.emitter
        whole = len(value) == self.graph.nodes[number].width
        emitter.put_slot(
            number, emitter.get(value) if whole else emitter.insert(emitter.get_slot(number), start, value)
        )

    def _store_register(self, state: int, width: int, arms: list[PlacedArm]) -> None:
        emitter, cell = self.emitter, self._cell(self.graph.nodes[state].extra)
        made: list[tuple[Path, Action]] = []
        for arm in arms:

            def run(arm: PlacedArm = arm) -> None:
                if len(arm.value) == width:
                    value = emitter.get(arm.value)
                else:
                    value = emitter.insert(emitter.current_state(state), arm.start, arm.value)
                emitter.store_state(state, value)

            action = self._sink(arm.region, run, arm.value)
            action.stores, action.module, action.location = state, cell.module, arm.location or cell.location
            for path, earlier in made:
                if not exclusive(path, arm.path):
                    action.after.add(earlier)
            made.append((arm.path, action))

    def _store_row(self, write: Write, enable: Bits, region: Region) -> None:
        emitter = self.emitter
        action = self._sink(
            region, lambda: emitter.write_row(write.memory, write.address, write.data, enable),
            write.address, write.data, enable,
        )  # fmt: skip
        memory = self.design.memories[write.memory]
        action.module, action.location = memory.module, memory.location
        action.after.update(self._memory_reads.get(write.memory, ()))
        if write.memory in self._writes:
            action.after.add(self._writes[write.memory])
        self._writes[write.memory] = action

    def _leave_message(self, index: int, message: Message, region: Region) -> None:
        place = self.layout.messages[index]
        signs = [chunk.signed for chunk in message.cell.message if isinstance(chunk, nl.Chunk)]

        def run() -> None:
            values = [
                (self.emitter.get(value).to(f"i{size * 8}", signed=signed), offset)
                for value, signed, (offset, size) in zip(message.values, signs, place.values)
                if value
            ]
            if message.edge != nl.COMBINATIONAL:
                self._log(index, message, values)
                return
            memory = self.state.at(place.memory)
            changed = self.f.load("i64", memory).eq(0)
            for value, offset in values:
                changed = changed | self.f.load(value.type, memory.at(offset - 8), align=8).ne(value)
            with self.f.if_(changed):
                self.f.store(self.f.value(1, "i64"), memory)
                for value, offset in values:
                    self.f.store(value, memory.at(offset - 8), align=8)
                self._log(index, message, values)

        self._sink(region, run, *message.values)

    def _log(self, index: int, message: Message, values: list[tuple[Value, int]]) -> None:
        f, state, layout, size = self.f, self.state, self.layout, self.layout.messages[index].size
        fired = f.load("i64", state.at(layout.fired))
        used = fired & (LOST - 1)

        def add() -> None:
            entry = state.at(layout.log).at(used)
            f.store(f.value(index, "i64"), entry)
            f.store(f.load("i64", state.at(layout.instant)), entry.at(8))
            for value, offset in values:
                f.store(value, entry.at(offset), align=8)
            violated = VIOLATED if message.cell.kind in ("assert", "assume") else 0
            f.store(fired + size | violated, state.at(layout.fired))

        def lose() -> None:
            f.store(fired | LOST, state.at(layout.fired))

        f.if_else(used.ule(layout.log_bytes - size), add, lose)


def store_at(f: Function, base: Value, offset: int) -> Callable[[Value], None]:
    """A receiver for :meth:`Step.observe` that stores to memory in the usual size."""

    def store(value: Value) -> None:
        size = storage_bits(value.width)
        f.store(value.to(f"i{size}"), base.at(offset), align=min(size // 8, 8))

    return store
