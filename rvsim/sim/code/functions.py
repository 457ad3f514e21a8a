"""The functions that are compiled for a design: cycles, instants with edge detection, looking at values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rvsim.native.ir import Function, Module, Value

from .. import netlist as nl
from ..graph.graph import MASK, SHIFT
from ..graph.lowering import Design, clocks_as_data
from ..graph.paths import Bit, Bits, Is, Path
from ..options import DEFAULT, Options
from .layout import Layout, storage_bits
from .step import Step, store_at


class Reason:
    """Why a run ended."""

    DONE, STOP, MESSAGE, HOOK = range(4)


class Hook(Protocol):
    """An observer whose code is compiled into the loop over cycles."""

    def begin(self, f: Function, state: Value, context: Value) -> None:
        """Before the loop."""

    def end(self, f: Function, state: Value, context: Value) -> None:
        """Behind it, wherever it is left."""

    def full(self, f: Function, state: Value, context: Value) -> Value:
        """One bit: the host has to make room before another cycle."""

    def before(self, f: Function, state: Value, context: Value) -> None:
        """At the beginning of a cycle."""

    def watch(self, step: Step, context: Value) -> None:
        """Before a step's roots are added: what to see of it from inside."""

    def after(self, f: Function, state: Value, context: Value, phase: int) -> None:
        """After each phase (instant) of a cycle."""


@dataclass
class Program:
    """A design with its layout, ready to be compiled into several functions."""

    design: Design
    layout: Layout
    options: Options = DEFAULT
    module: Module = field(default_factory=Module)

    def _step(self, f: Function, state: Value) -> Step:
        return Step(self.design, self.layout, f, state, self.options)

    # -- running: whole cycles of clocks that are inputs

    def cycles(
        self, phases: list[dict[Bit, int]], stops: Bits = (), hooks: Sequence[Hook] = (), *, general: bool = False
    ) -> None:
        """``run(state, n, context) -> executed``: ``n`` cycles; why it ended is left in the layout's ``reason``.

        Parameters
        ----------
        phases
            What happens in a cycle: for each instant the clocks that have an edge, with their new value.
        stops
            Bits that end the run before the cycle in which one of them is set.
        hooks
            Observers whose code goes in between; ``context`` is theirs.
        general
            The design makes clocks or asynchronous resets itself: edges are looked for, until there are none.
        """
        if general:
            self.instant(hooks)
        if self.layout.watches:
            self.watch()
        f = self.module.function("run", "i64", (("ptr", "state"), ("i64", "n"), ("ptr", "context")), exported=True)
        state, count, context = f.parameters
        index = f.variable("i64", 0)
        loop = f.new_label("loop")

        def leave(reason: int) -> None:
            f.store(f.value(reason, "i64"), state.at(self.layout.reason))
            cycle = state.at(self.layout.cycle)
            f.store(f.load("i64", cycle) + index.get(), cycle)
            for hook in hooks:
                hook.end(f, state, context)
            f.ret(index.get())

        for hook in hooks:
            hook.begin(f, state, context)
        f.branch(loop)
        f.label(loop)
        with f.if_(count.ule(index.get())):
            leave(Reason.DONE)
        if stops:
            step = self._step(f, state)
            hits: list[Value] = []
            for bit in stops:
                step.observe((bit,), hits.append)
            step.emit(whole=True)
            for hit in hits:
                with f.if_(hit):
                    leave(Reason.STOP)
        for hook in hooks:
            with f.if_(hook.full(f, state, context)):
                leave(Reason.HOOK)
        for hook in hooks:
            hook.before(f, state, context)
        for number, phase in enumerate(phases):
            self._phase(f, state, phase, hooks, general)
            for hook in hooks:
                hook.after(f, state, context, number)
        index.set(index.get() + 1)
        if self.design.messages:
            # An assertion, or a log that should be emptied: other messages can wait.
            with f.if_(f.value(self.layout.log_bytes // 2, "i64").ule(f.load("i64", state.at(self.layout.fired)))):
                leave(Reason.MESSAGE)
        f.branch(loop)
        f.ended = True

    def _phase(self, f: Function, state: Value, edges: dict[Bit, int], hooks: Sequence[Hook], general: bool) -> None:
        clocks_in_use = self.layout.edges if general else clocks_as_data(self.design)
        for clock, value in edges.items():
            if clock in clocks_in_use:
                self._set_bit(f, state, clock, value)
        if general:
            with f.loop() as settled:
                with f.if_(f.call("i64", "instant", state, f.parameters[2]).eq(0)):
                    f.branch(settled)
                self._call_watch(f, state)
            return

        def fires(trigger: Bit, edge: int) -> Path | None:
            return () if edges.get(trigger) == edge else None

        step = self._step(f, state)
        for hook in hooks:
            hook.watch(step, f.parameters[2])
        talks = self._all(step, fires)
        step.emit()
        if talks:
            self._next_instant(f, state)
        self._call_watch(f, state)

    def _set_bit(self, f: Function, state: Value, bit: Bit, value: int) -> None:
        node = bit >> SHIFT
        kind = f"i{storage_bits(self.design.graph.nodes[node].width)}"
        place, mask = state.at(self.layout.states[node]), 1 << (bit & MASK)
        old = f.load(kind, place)
        f.store(old | mask if value else old & ~mask, place)

    def _all(self, step: Step, fires) -> bool:  # noqa: ANN001
        """Add everything that may happen; whether a message is among it."""
        for register in self.design.registers:
            if register.clock >= 2 or register.reset >= 2:
                step.register(register, fires)
        for write in self.design.writes:
            step.write(write, fires)
        talks = False
        for index, message in enumerate(self.design.messages):
            if message.edge != nl.COMBINATIONAL:
                talks |= step.message(index, message, fires)
        return talks

    # -- messages: instants are told apart, combinational ones looked at when everything has settled

    def _next_instant(self, f: Function, state: Value) -> None:
        count = state.at(self.layout.instant)
        f.store(f.load("i64", count) + 1, count)

    def watch(self) -> None:
        """``watch(state, context)``: combinational messages whose condition or values have changed."""
        f = self.module.function("watch", "void", (("ptr", "state"), ("ptr", "context")), exported=True)
        state = f.parameters[0]
        step = self._step(f, state)
        for index, message in enumerate(self.design.messages):
            if message.edge == nl.COMBINATIONAL:
                step.message(index, message, lambda trigger, edge: None)
        step.emit()
        self._next_instant(f, state)
        f.ret()

    def _call_watch(self, f: Function, state: Value) -> None:
        if self.layout.watches:
            f.call("void", "watch", state, f.value(0, "ptr"))

    # -- general: one instant, with edges found by comparing clocks and resets with what they were

    def instant(self, hooks: Sequence[Hook] = ()) -> None:
        """``instant(state, context) -> fired``: everything that the edges since the last call trigger, all at once.

        The result is 0 if there was no edge.
        """
        graph, layout = self.design.graph, self.layout
        f = self.module.function("instant", "i64", (("ptr", "state"), ("ptr", "context")), exported=True)
        state, context = f.parameters
        triggers: dict[Bit, Bits] = {}
        for bit in layout.edges:
            triggers[bit] = graph.fresh("edge", 2, ((bit,),), bit)
        step = self._step(f, state)
        for hook in hooks:
            hook.watch(step, context)
        any_edge = f.in_frame(8)
        f.store(f.value(0, "i64"), f.frame(any_edge))
        plain = step.emitter.evaluate

        def evaluate(node) -> Value:  # noqa: ANN001
            if node.op != "edge":
                return plain(node)
            new = step.emitter.get(node.args[0]).to("i8")
            where = state.at(layout.edges[node.extra])
            old = f.load("i8", where)
            f.store(new, where)
            f.store(f.load("i64", f.frame(any_edge)) | (new ^ old).to("i64"), f.frame(any_edge))
            return ((new & ~old) | ((old & ~new) << 1)).to("i2")

        step.emitter.evaluate = evaluate

        def fires(trigger: Bit, edge: int) -> Path | None:
            found = triggers.get(trigger)
            return None if found is None else (Is(found[0 if edge else 1], True),)

        for value in triggers.values():
            step.pin(value)
        talks = self._all(step, fires)
        step.emit()
        if talks:
            self._next_instant(f, state)
        f.ret(f.load("i64", f.frame(any_edge)))

    # -- looking

    def look(self, values: Sequence[Bits]) -> list[tuple[int, int]]:
        """``look(state, out)``: values to a buffer; returns offset and size of each, in bytes."""
        f, step = self.begin_look()
        out = f.parameters[1]
        places, position = [], 0
        for value in values:
            size = storage_bits(max(1, len(value))) // 8
            position = -(-position // min(size, 8)) * min(size, 8)
            places.append((position, size))
            if value:
                step.observe(value, store_at(f, out, position))
            position += size
        step.emit()
        f.ret()
        return places

    def begin_look(self) -> tuple[Function, Step]:
        """``look(state, out)``, to be filled with values to observe; the step has to be emitted, and return added."""
        f = self.module.function("look", "void", (("ptr", "state"), ("ptr", "out")), exported=True)
        return f, self._step(f, f.parameters[0])
