"""The flight recorder in compiled code: what is recorded in the loop, and walking through it in both directions.

A record holds what was in a place before it changed. Walking back *exchanges* it with what is there now, so that the
same records lead forward again, and the state is in the end what it was.

Every record carries the number of its instant. Of a cycle with ``k`` phases the instants are ``(k + 1) c`` (changes
from outside, before the cycle), and ``(k + 1) c + 1`` and following, one for each phase.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from rvsim.native.ir import Function, Module, Value

from ..code.layout import Layout
from ..code.step import Step
from .context import I64, Context
from .fields import Fields, function
from .hook import RECORD, chain, note

#: Bytes of state that are compared and recorded together.
CHUNK = 32

#: Bits of a chunk record's tag that number the chunk; the others number the instant.
CHUNK_BITS = 20

#: A change of a word in a memory: instant, byte offset in the state, old contents.
WORD_RECORD = 24


class Recording(ctypes.Structure):
    """The rings: positions count records since the beginning, masks are sizes less one.

    Chunks have their contents and their tags apart. ``cursor``: where a walk through the records is.
    """

    _fields_ = [
        (name, I64)
        for name in (
            "now", "shadow", "chunk_pos", "chunk_mask", "chunks", "tags", "word_pos", "word_mask", "words",
            "chunk_cursor", "word_cursor",
        )
    ]  # fmt: skip


_HALF = "<2 x i64>"


def _halves(f: Function, pointer: Value) -> list[Value]:
    return [f.emit(_HALF, f"load {_HALF}, ptr {pointer.at(at).text}, align 16") for at in (0, 16)]


def _store_halves(f: Function, halves: Sequence[Value], pointer: Value) -> None:
    for value, at in zip(halves, (0, 16)):
        f.line(f"store {_HALF} {value.text}, ptr {pointer.at(at).text}, align 16")


def _differ(f: Function, a: Sequence[Value], b: Sequence[Value]) -> Value:
    low, high = (f.emit(_HALF, f"xor {_HALF} {x.text}, {y.text}") for x, y in zip(a, b))
    both = f.emit(_HALF, f"or {_HALF} {low.text}, {high.text}")
    return f.emit("i128", f"bitcast {_HALF} {both.text} to i128").ne(0)


def _keep_chunk(f: Function, recording: Fields, content: Sequence[Value], chunk: Value, instant: Value) -> None:
    position = recording.get("chunk_pos")
    index = position & recording.get("chunk_mask")
    _store_halves(f, content, recording.pointer_to("chunks").at(index << 5))
    f.store((instant << CHUNK_BITS) | chunk, recording.pointer_to("tags").at(index << 3))
    recording.set("chunk_pos", position + 1)


def _keep_word(f: Function, recording: Fields, where: Value, old: Value, instant: Value) -> None:
    """Keep ``old``, of 8 to 64 bits, which is at ``where`` in the state."""
    position = recording.get("word_pos")
    place = recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD_RECORD)
    f.store(instant, place)
    f.store((where << 2) | ((old.width // 8).bit_length() - 1), place.at(8))
    f.store(old.to("i64"), place.at(16))
    recording.set("word_pos", position + 1)


class RecordHook:
    """Records what a cycle changes, before it does: whole chunks where something is stored in every cycle, else words.

    What has just been stored can be loaded again fast only in the same size, so chunks are kept where it is some time
    ago: between what a step computes and what it stores.

    Parameters
    ----------
    phases
        How many there are in a cycle.
    general
        They consist of any number of instants that are functions of their own.
    rows_only
        Only rows of memories: registers are compared with what they were.
    """

    def __init__(self, layout: Layout, phases: int, general: bool, *, rows_only: bool = False) -> None:
        self._layout, self._phases, self._general, self._rows_only = layout, phases, general, rows_only
        self.key = "record"
        self._phase = 0

    @staticmethod
    def _recording(f: Function, context: Value) -> Fields:
        return Fields(f, f.load("ptr", context.at(8 * RECORD)), Recording)

    def _now(self, recording: Fields, phase: int) -> Value:
        return recording.get("now") + (0 if self._general else phase + 1)

    def full(self, f: Function, state: Value, context: Value) -> Value:
        """See :class:`rvsim.sim.code.functions.Hook`: never, the oldest records go."""
        return f.value(0, "i1")

    def before(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        self._phase = 0
        if self._general:
            recording = self._recording(f, context)
            recording.set("now", recording.get("now") + 1)

    def watch(self, step: Step, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        f, state, layout, phase = step.f, step.state, self._layout, self._phase
        whole: set[int] = set()

        def chunks() -> None:
            whole.update(layout.states[node] // CHUNK for node in step.always)
            recording = self._recording(f, context)
            for chunk in sorted(whole):
                content = _halves(f, state.at(chunk * CHUNK))
                _keep_chunk(f, recording, content, f.value(chunk, "i64"), self._now(recording, phase))

        def register(node: int, value: Value) -> None:
            where = layout.states[node]
            if where // CHUNK in whole:
                return
            recording, place = self._recording(f, context), state.at(where)
            old = f.load(value.type, place)
            _keep_word(f, recording, f.value(where, "i64"), old, self._now(recording, phase))

        def row(memory: int, pointer: Value) -> None:
            recording, size = self._recording(f, context), layout.memories[memory].row_bytes
            for at in range(0, size, 8):
                word = pointer.at(at)
                old = f.load(f"i{8 * min(size, 8)}", word)
                _keep_word(f, recording, word.to("i64") - state.to("i64"), old, self._now(recording, phase))

        chain(step, row)
        if not self._rows_only:
            step.emitter.before_store = register
            step.between = chunks

    def after(self, f: Function, state: Value, context: Value, phase: int) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        self._phase = phase + 1
        if self._general or self._phase == self._phases:
            recording = self._recording(f, context)
            recording.set("now", recording.get("now") + (1 if self._general else self._phases + 1))


# -- walking


def write(module: Module) -> None:
    """Functions on a recording that belong to no design."""
    _sync(module)
    _swap(module)
    _back(module)
    _forward(module)
    _replay(module)


def _sync(module: Module) -> None:
    """``sync(state, recording, first, end)``: record what was changed from outside, in some chunks."""
    f, (state, raw, first, end) = function(
        module, "sync", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "first"), ("i64", "end"), exported=True
    )
    recording, chunk = Fields(f, raw, Recording), f.variable("i64", first)
    with f.loop() as done:
        with f.if_(end.ule(chunk.get())):
            f.branch(done)
        place = chunk.get() * CHUNK
        shadow = recording.pointer_to("shadow").at(place)
        new, old = _halves(f, state.at(place)), _halves(f, shadow)
        with f.if_(_differ(f, new, old)):
            _keep_chunk(f, recording, old, chunk.get(), recording.get("now"))
            _store_halves(f, new, shadow)
        chunk.set(chunk.get() + 1)
    f.ret()


def _swap(module: Module) -> None:
    """``swap_chunk`` and ``swap_word(state, recording, position)``: exchange one record with what is there."""
    f, (state, raw, position) = function(
        module, "swap_chunk", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "position")
    )
    recording = Fields(f, raw, Recording)
    index = position & recording.get("chunk_mask")
    tag = f.load("i64", recording.pointer_to("tags").at(index << 3))
    kept, place = recording.pointer_to("chunks").at(index << 5), state.at((tag & ((1 << CHUNK_BITS) - 1)) << 5)
    old, new = _halves(f, kept), _halves(f, place)
    _store_halves(f, old, place)
    _store_halves(f, new, kept)
    f.ret()

    f, (state, raw, position) = function(
        module, "swap_word", "ptr", ("ptr", "state"), ("ptr", "recording"), ("i64", "position")
    )
    recording = Fields(f, raw, Recording)
    kept = recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD_RECORD)
    where = f.load("i64", kept.at(8))
    place = state.at(where >> 2)

    def swap(type: str) -> None:
        old, new = f.load(type, kept.at(16)), f.load(type, place)
        f.store(old, place)
        f.store(new.to("i64"), kept.at(16))

    sizes = {number: lambda type=f"i{8 << number}": swap(type) for number in range(3)}
    f.switch(where & 3, sizes, lambda: swap("i64"))
    f.ret(place)


def _instant(f: Function, recording: Fields, kind: str, position: Value) -> Value:
    """The instant of a record."""
    if kind == "chunk":
        index = position & recording.get("chunk_mask")
        return f.load("i64", recording.pointer_to("tags").at(index << 3)) >> CHUNK_BITS
    return f.load("i64", recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD_RECORD))


def _back(module: Module) -> None:
    """``back(state, recording, instant)``: undo everything from an instant on, the latest first."""
    f, (state, raw, target) = function(
        module, "back", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "instant"), exported=True
    )
    recording = Fields(f, raw, Recording)

    def oldest(kind: str) -> Value:
        position = recording.get(f"{kind}_pos") - (recording.get(f"{kind}_mask") + 1)
        return f.value(0, "i64").slt(position).select(position, 0)

    def latest(kind: str) -> Value:
        """The instant of the last record that is not undone yet, and 0 if there is none."""
        at, found = recording.get(f"{kind}_cursor"), f.variable("i64", 0)
        with f.if_(oldest(kind).ult(at)):
            found.set(_instant(f, recording, kind, at - 1) + 1)
        return found.get()

    def undo(kind: str, result: str) -> None:
        at = recording.get(f"{kind}_cursor") - 1
        f.call(result, f"swap_{kind}", state, raw, at)
        recording.set(f"{kind}_cursor", at)

    with f.loop() as done:
        chunk, word = latest("chunk"), latest("word")
        with f.if_(chunk.ule(target) & word.ule(target)):
            f.branch(done)
        f.if_else(word.ult(chunk), lambda: undo("chunk", "void"), lambda: undo("word", "ptr"))
    f.ret()


def _forward(module: Module) -> None:
    """``forward(state, recording, instant, context) -> records``: redo what was before an instant, the earliest first.

    ``context`` is told which memory rows change (it may be null).
    """
    f, (state, raw, target, tracing) = function(
        module, "forward", "i64", ("ptr", "state"), ("ptr", "recording"), ("i64", "instant"), ("ptr", "context"),
        exported=True,
    )  # fmt: skip
    recording, context = Fields(f, raw, Recording), Fields(f, tracing, Context)
    count = f.variable("i64", 0)

    def next_of(kind: str) -> Value:
        at, found = recording.get(f"{kind}_cursor"), f.variable("i64", -1)
        with f.if_(at.ult(recording.get(f"{kind}_pos"))):
            found.set(_instant(f, recording, kind, at))
        return found.get()

    def chunk() -> None:
        at = recording.get("chunk_cursor")
        f.call("void", "swap_chunk", state, raw, at)
        recording.set("chunk_cursor", at + 1)

    def word() -> None:
        at = recording.get("word_cursor")
        row = f.call("ptr", "swap_word", state, raw, at)
        with f.if_(tracing.to("i64").ne(0)):
            note(f, context, row)
        recording.set("word_cursor", at + 1)

    with f.loop() as done:
        first, second = next_of("chunk"), next_of("word")
        with f.if_(target.ule(first) & target.ule(second)):
            f.branch(done)
        f.if_else(second.ult(first), word, chunk)
        count.set(count.get() + 1)
    f.ret(count.get())


def _replay(module: Module) -> None:
    """``replay(state, recording, context, cycle, end, phases) -> cycle``: go forward and write what is seen.

    It ends early when the context has too little room for another cycle.
    """
    f, (state, raw, tracing, first, end, phases) = function(
        module, "replay", "i64", ("ptr", "state"), ("ptr", "recording"), ("ptr", "context"), ("i64", "cycle"),
        ("i64", "end"), ("i64", "phases"), exported=True,
    )  # fmt: skip
    context, cycle = Fields(f, tracing, Context), f.variable("i64", first)
    observe, begin, dump = (context.pointer_to(name) for name in ("observe", "begin", "dump"))
    with f.loop() as done:
        with f.if_(end.ule(cycle.get())):
            f.branch(done)
        with f.if_(context.get("limit").ult(context.get("pos"))):
            f.branch(done)
        base = cycle.get() * (phases + 1)
        with f.if_(f.call("i64", "forward", state, raw, base + 1, tracing).ne(0)):
            f.call("void", dump, state, tracing, f.value(0, "i64"))
        f.call("void", begin, state, tracing)
        phase = f.variable("i64", 0)
        with f.loop() as passed:
            with f.if_(phases.ule(phase.get())):
                f.branch(passed)
            f.call("i64", "forward", state, raw, base + phase.get() + 2, tracing)
            phase.set(phase.get() + 1)
            f.call("void", observe, state, tracing, phase.get())
        cycle.set(cycle.get() + 1)
    f.ret(cycle.get())
