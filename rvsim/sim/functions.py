"""The functions that are compiled for a design: cycles, instants with edge detection, looking at values."""

from __future__ import annotations

from dataclasses import dataclass, field

from rvsim.native.ir import Module, Value

from .graph import SHIFT
from .layout import Layout, lay_out, storage_bits
from .lowering import Design
from .netlist import UnsupportedDesign
from .paths import Bit, Bits, Is, Path
from .step import Step, store_at


@dataclass
class Program:
    """A design with its layout, ready to be compiled into several functions."""

    design: Design
    layout: Layout
    module: Module = field(default_factory=Module)

    @classmethod
    def of(cls, design: Design) -> Program:
        """Lay out a design.

        Raises
        ------
        UnsupportedDesign
            It has ``Print``, ``Assert``, ``Assume`` or ``Cover``: what they say does not reach the host yet, and
            to run on without a word would be a wrong simulation.
        """
        for message in design.messages:
            cell = message.cell
            raise UnsupportedDesign(f"{cell.location}: {cell.kind.capitalize()} cannot be simulated here yet")
        return cls(design, lay_out(design))

    # -- fast: whole cycles of clocks that are inputs

    def cycles(self, name: str, phases: list[dict[Bit, int]], stop: Bits = ()) -> None:
        """``name(state, n) -> executed``: ``n`` periods, each the given instants in order.

        Parameters
        ----------
        phases
            For each instant the clocks that have an edge, with their new value.
        stop
            Bits that end the run before the period in which one of them is set.
        """
        f = self.module.function(name, "i64", (("ptr", "state"), ("i64", "n")), exported=True)
        state, count = f.parameters
        index = f.variable("i64", 0)
        preamble = f.new_label("loop")
        f.branch(preamble)
        f.label(preamble)
        with f.if_(count.ule(index.get())):
            f.ret(index.get())
        if stop:
            step = Step(self.design, self.layout, f, state)
            hits: list[Value] = []
            for bit in stop:
                step.observe((bit,), hits.append)
            step.emit()
            for hit in hits:
                with f.if_(hit):
                    f.ret(index.get())
        for phase in phases:
            self._phase(f, state, phase)
        index.set(index.get() + 1)
        if self.design.messages:
            with f.if_(f.load("i64", state.at(self.layout.fired)).ne(0)):
                f.ret(index.get())
        f.branch(preamble)
        f.ended = True

    def _phase(self, f, state: Value, edges: dict[Bit, int]) -> None:  # noqa: ANN001
        clocks_in_use = self._clocks_as_data()
        for clock, value in edges.items():
            if clock in clocks_in_use:
                f.store(f.value(value, "i8"), state.at(self.layout.states[clock >> SHIFT]))

        def fires(trigger: Bit, edge: int) -> Path | None:
            return () if edges.get(trigger) == edge else None

        step = Step(self.design, self.layout, f, state)
        self._all(step, fires)
        step.emit()

    def _clocks_as_data(self) -> set[Bit]:
        """Clocks that something reads, or that are more than one bit of their input."""
        clocks = {r.clock for r in self.design.registers} | {w.clock for w in self.design.writes}
        used: set[Bit] = set()
        for node in self.design.graph.nodes:
            for value in node.args:
                used.update(b for b in value if b in clocks)
            for arm in node.arms:
                used.update(b for b in arm.value if b in clocks)
                for literal in arm.path:
                    used.update(b for b in literal.bits if b in clocks)
        for register in self.design.registers:
            if register.clock >= 2:
                used.update(b for b in register.data if b in clocks)
        return used

    def _all(self, step: Step, fires) -> None:  # noqa: ANN001
        for register in self.design.registers:
            if register.clock >= 2 or register.reset >= 2:
                step.register(register, fires)
        for write in self.design.writes:
            step.write(write, fires)
        for index, message in enumerate(self.design.messages):
            if message.clock >= 2:
                step.message(index, message, fires)

    # -- general: one instant, with edges found by comparing clocks and resets with what they were

    def instant(self, name: str) -> None:
        """``name(state) -> fired``: everything that the edges since the last call trigger, all at once.

        The result is 0 if there was no edge.
        """
        graph, layout = self.design.graph, self.layout
        f = self.module.function(name, "i64", (("ptr", "state"),), exported=True)
        (state,) = f.parameters
        triggers: dict[Bit, Bits] = {}
        for bit in layout.edges:
            triggers[bit] = graph.fresh("edge", 2, ((bit,),), bit)
        step = Step(self.design, layout, f, state)
        any_edge = f.variable("i64", 0)
        plain = step.emitter.evaluate

        def evaluate(node) -> Value:  # noqa: ANN001
            if node.op != "edge":
                return plain(node)
            new = step.emitter.get(node.args[0]).to("i8")
            where = state.at(layout.edges[node.extra])
            old = f.load("i8", where)
            f.store(new, where)
            any_edge.set(any_edge.get() | (new ^ old).to("i64"))
            return ((new & ~old) | ((old & ~new) << 1)).to("i2")

        step.emitter.evaluate = evaluate

        def fires(trigger: Bit, edge: int) -> Path | None:
            found = triggers.get(trigger)
            return None if found is None else (Is(found[0 if edge else 1], True),)

        for value in triggers.values():
            step.pin(value)
        self._all(step, fires)
        step.emit()
        f.ret(any_edge.get())

    # -- looking

    def look(self, name: str, values: list[Bits]) -> list[tuple[int, int]]:
        """``name(state, out)``: values to a buffer; returns offset and size of each."""
        f = self.module.function(name, "void", (("ptr", "state"), ("ptr", "out")), exported=True)
        state, out = f.parameters
        step = Step(self.design, self.layout, f, state)
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
