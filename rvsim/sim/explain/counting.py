"""A build of a design in which every visit of a place in its decision tree counts itself.

What each action costs is known when it is emitted, and how often it was done is the count of its visit: so the
product says where the work is, exactly and without a sampling profiler.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rvsim.errors import UserError
from rvsim.native import cache, compiler, link
from rvsim.native.ir import Function, Value

from ..code.emitter import Emitter
from ..code.functions import Program
from ..code.layout import address_of
from ..code.regions import Region
from ..code.schedule import Action, Branch, Visit
from ..code.step import Step
from ..runner import Runner
from .weights import operations

#: Values that are kept from one visit for others before the stack is needed.
REGISTERS = 12

#: Counters that there are at most.
MOST = 1 << 24


@dataclass
class Work:
    """What is done in one visit for one reason.

    Attributes
    ----------
    counter
        Of its visit.
    region
        Where in the decision tree.
    action
        What is done; ``None``: a decision is made, or old values are kept.
    module, location
        Where it comes from.
    operations
        Machine instructions, about, each time (:mod:`.weights`).
    """

    counter: int
    region: Region | None
    action: Action | None = None
    module: tuple[str, ...] = ()
    location: str = ""
    operations: int = 0


@dataclass
class Store:
    """A store of a state: the counters of its visit, and of how often it changed something."""

    state: int
    region: Region
    visits: int
    changes: int


@dataclass(eq=False)
class Part:
    """One step of the program (a phase of the cycle, or an instant) as it was emitted."""

    step: Step
    root: int = -1
    work: list[Work] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    visits: dict[Region, list[int]] = field(default_factory=dict)

    def actions(self) -> Iterator[tuple[Work, Action]]:
        """Work that is an action."""
        return ((work, work.action) for work in self.work if work.action is not None)


class Counters:
    """The counters of all programs that are compiled while a design is counted."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 * MOST)  # what is not touched takes no memory
        self._numbers = memoryview(self._memory).cast("Q")
        self.address = address_of(self._memory)
        self.parts: list[Part] = []
        self.count, self.cycles = 0, 0

    def new(self) -> int:
        """One more."""
        if self.count == MOST:
            raise UserError(f"the design has more than {MOST:,} places to count")
        self.count += 1
        return self.count - 1

    def rate(self, counter: int) -> float:
        """How often a counter counted in a cycle."""
        return self._numbers[counter] / max(1, self.cycles)


class CountingEmitter(Emitter):
    """Emits what :class:`Emitter` does and counters, and writes down what everything costs."""

    may_split = False

    def __init__(self, step: Step, counters: Counters) -> None:
        super().__init__(step.graph, step.layout, step.f, step.state, step.options.poison)
        self.part, self.counters = Part(step), counters
        self._table = Value(step.f, "ptr", f"inttoptr (i64 {counters.address} to ptr)")
        counters.parts.append(self.part)
        self._mark = len(self.f._lines)
        self._current: Work | None = Work(-1, None)  # before the first visit: old values are kept
        self._visit_counter = -1
        self._homes: dict[int, tuple[int, Region]] = {}
        self._kept: dict[str, bool] = {}

    def _charge(self) -> None:
        """What was written since the last call is the current work's."""
        lines = self.f._lines
        if self._current is not None:
            self._current.operations += sum(operations(line) for line in lines[self._mark :])
        self._mark = len(lines)

    def _count(self, counter: int, amount: Value | int) -> None:
        place = self._table.at(counter * 8)
        self.f.store(self.f.load("i64", place) + amount, place)

    def emit(self, visit: Visit) -> None:
        """See :class:`Emitter`."""
        self._charge()
        outer = (self.region, self._current, self._visit_counter)
        counter = self._visit_counter = self.counters.new()
        if self.part.root < 0:
            self.part.root = counter
            self._current.counter, self._current.region = counter, visit.region
            self.part.work.append(self._current)
        self.region = visit.region
        self.part.visits.setdefault(visit.region, []).append(counter)
        self._homes[len(self._scopes)] = (counter, visit.region)
        self._count(counter, 1)
        self._mark = len(self.f._lines)
        for item in visit.items:
            self._current = self._work(item, counter, visit.region)
            self.part.work.append(self._current)
            if isinstance(item, Action):
                item.run()
            else:
                self._branch(item)
            self._charge()
        self.region, self._current, self._visit_counter = outer

    def _lookup(self, key: object) -> Value | None:
        """See :class:`Emitter`; a value of an outer visit was kept for this one, on the stack if there are many."""
        for depth in range(len(self._scopes), 0, -1):
            value = self._scopes[depth - 1].get(key)
            if value is None:
                continue
            if depth < len(self._scopes) and value.constant is None and depth in self._homes:
                self._keep(value, *self._homes[depth])
                self._scopes[-1][key] = value
            return value
        return None

    def _keep(self, value: Value, counter: int, region: Region) -> None:
        work = self._current
        if value.text not in self._kept:
            self._kept[value.text] = len(self._kept) >= REGISTERS
            if self._kept[value.text]:
                self.part.work.append(Work(counter, region, None, work.module, work.location, 1))
        if self._kept[value.text]:
            work.operations += 1

    def _node(self, node: int) -> Value:
        """See :class:`Emitter`; a cheap value is computed where it is needed, but is its own line's work."""
        if node not in self.inline or self._lookup(("node", node)) is not None:
            return super()._node(node)
        self._charge()
        outer, made = self._current, self.graph.nodes[node]
        self._current = Work(outer.counter, outer.region, outer.action, made.module, made.location)
        self.part.work.append(self._current)
        value = super()._node(node)
        self._charge()
        self._current = outer
        return value

    def _work(self, item: Action | Branch, counter: int, region: Region) -> Work:
        if isinstance(item, Action):
            return Work(counter, region, item, item.module, item.location)
        nodes, states = self.sources(item.visits[0].region.literal.bits)
        node = self.graph.nodes[max(nodes | states)]
        where = self.graph.decided.get(item.visits[0].region.literal.key, (node.module, node.location))
        return Work(counter, region, None, *where)

    def store_state(self, node: int, value: Value) -> None:
        """See :class:`Emitter`; counts whether the store changes anything."""
        self._charge()
        old = self.current_state(node)
        changes = self.counters.new()
        self._count(changes, old.ne(value).to("i64"))
        self._mark = len(self.f._lines)
        self.part.stores.append(Store(node, self.region, self._visit_counter, changes))
        super().store_state(node, value)


@dataclass
class CountingProgram(Program):
    """A program whose steps count."""

    counters: Counters = field(default_factory=Counters)

    def _step(self, f: Function, state: Value) -> Step:
        step = super()._step(f, state)
        step.emitter = CountingEmitter(step, self.counters)
        return step


def count(run: Runner, cycles: int) -> Counters:
    """Run some cycles and count what is done in them.

    The loop over cycles is compiled anew, with counters; everything else is as ever: observers, host streams,
    messages.
    """
    model, loops, counters = run.model, run._loops, Counters()
    compile_ = model.compile

    def compile_counting(key: tuple, write: Callable[[Program], object], passes: tuple[str, ...] = ()) -> cache.Code:
        if key[0] != "run":
            return compile_(key, write, passes)
        program = CountingProgram(model.design, model.layout, model.options, counters=counters)
        return _compile(program, write(program))

    run._loops, model.compile = {}, compile_counting
    first = run.cycle
    try:
        run(cycles)
    finally:
        run._loops = loops
        del model.compile
        counters.cycles = run.cycle - first
    return counters


def _compile(program: Program, extra: object) -> cache.Code:
    """Machine code in a hurry: it counts, it is not timed, and this is linear in the design's size."""
    data = compiler.compile_object(program.module.text(), (), 0)
    names = tuple(program.module.exported())
    try:
        blob, symbols = link.link(data)
        return cache.Code(cache.map_code(blob), {name: symbols[name] for name in names}, extra, None, len(blob))
    except (link.CannotLink, OSError):
        addresses, keep = compiler.load_object(data, names)
        return cache.Code(0, addresses, extra, keep)
