"""What is compiled into the loop over cycles for a waveform, and functions that waveforms need of a design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache as cached

from rvsim.native.ir import Function, Value

from ..code.functions import Program
from ..code.step import Step
from ..graph.paths import Bit, Bits
from ..model import Model, compile_alone
from ..options import FEW_PASSES
from . import writing
from .context import DIRTY, Context, offset
from .fields import Fields

#: Places in the loop's context: one pointer for each kind of observer.
RECORD, TRACE = 0, 1
HOOKS = 2


def chain(step: Step, before_write: Callable[[int, Value], None]) -> None:
    """Have something done before a memory row changes, beside what is done already."""
    earlier = step.emitter.before_write

    def both(memory: int, row: Value) -> None:
        if earlier is not None:
            earlier(memory, row)
        before_write(memory, row)

    step.emitter.before_write = both


def note(f: Function, context: Fields, row: Value) -> None:
    """Put a memory row into the list of those that may have changed; when it is full, all of them will be looked at."""
    count = context.get("dirty_count")
    place = count.ult(DIRTY).select(count, DIRTY - 1)
    f.store(row.to("i64"), context.at("dirty").at(place * 8))
    context.set("dirty_count", count.ult(DIRTY + 1).select(count + 1, count))


class TraceHook:
    """Calls the writer after each phase, and tells it which memory rows are written."""

    key = "trace"

    @staticmethod
    def _context(f: Function, context: Value) -> Value:
        return f.load("ptr", context.at(8 * TRACE))

    def begin(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""

    end = begin

    def full(self, f: Function, state: Value, context: Value) -> Value:
        """See :class:`rvsim.sim.code.functions.Hook`: too little room for another cycle."""
        mine = self._context(f, context)
        limit, pos = (f.load("i64", mine.at(offset(Context, name))) for name in ("limit", "pos"))
        return limit.ult(pos)

    def before(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        mine = self._context(f, context)
        f.call("void", f.load("ptr", mine.at(offset(Context, "begin"))), state, mine)

    def watch(self, step: Step, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`: a list of rows; if it is full, all are looked through."""

        def listed(memory: int, row: Value) -> None:
            note(step.f, Fields(step.f, self._context(step.f, context), Context), row)

        chain(step, listed)

    def after(self, f: Function, state: Value, context: Value, phase: int) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        mine = self._context(f, context)
        function = f.load("ptr", mine.at(offset(Context, "observe")))
        f.call("void", function, state, mine, f.value(phase + 1, "i64"))


@cached
def writer() -> object:
    """The compiled writer: the same for all designs."""
    return compile_alone("waves", writing.write)


def look_at(model: Model, values: Mapping[Bits, tuple[int, int]]) -> object:
    """``look(state, out)`` for values at (byte offset, words)."""
    key = ("words", tuple(values.items()))

    def write(program: Program) -> None:
        f, step = program.begin_look()
        out = f.parameters[1]
        for bits, (place, words) in values.items():
            if bits:
                step.observe(bits, lambda v, at=place, n=words: f.store(v.to(f"i{64 * n}"), out.at(at), align=8))
        step.emit()
        f.ret()

    return model.compile(key, write, FEW_PASSES)


def condition(model: Model, bit: Bit, key: object) -> object:
    """``look(state, out)`` for one bit."""
    return model.compile(("condition", key), lambda program: program.look([(bit,)]), FEW_PASSES)
