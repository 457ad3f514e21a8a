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

from ..layout import Layout
from ..step import Step
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


def _record_chunk(f: Function, state: Value, recording: Fields, chunk: Value | int, instant: Value) -> None:
    """If a chunk differs from its shadow, keep the shadow and bring it up to date."""
    place = chunk * CHUNK
    shadow = recording.pointer_to("shadow").at(place)
    new, old = _halves(f, state.at(place)), _halves(f, shadow)
    with f.if_(_differ(f, new, old)):
        position = recording.get("chunk_pos")
        index = position & recording.get("chunk_mask")
        _store_halves(f, old, recording.pointer_to("chunks").at(index << 5))
        tag = (instant << CHUNK_BITS) + chunk
        f.store(tag, recording.pointer_to("tags").at(index << 3))
        recording.set("chunk_pos", position + 1)
        _store_halves(f, new, shadow)


def _record_word(f: Function, state: Value, recording: Fields, row: Value, aligned: bool, instant: Value) -> None:
    """Keep the word that a row is in, or begins with."""
    position = recording.get("word_pos")
    place = recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD_RECORD)
    word = row if aligned else (row.to("i64") & -8).to("ptr")
    f.store(instant, place)
    f.store(row.to("i64") - state.to("i64"), place.at(8))
    f.store(f.load("i64", word), place.at(16))
    recording.set("word_pos", position + 1)


class RecordHook:
    """Records what a cycle changes.

    Parameters
    ----------
    chunks
        For each phase, the chunks that it can change.
    general
        Instants within a phase are functions of their own.
    """

    def __init__(self, layout: Layout, chunks: Sequence[Sequence[int]], general: bool) -> None:
        self._layout, self._chunks, self._general = layout, chunks, general
        self.key = ("record", tuple(map(tuple, chunks)))
        self._phase = 0

    @staticmethod
    def _recording(f: Function, context: Value) -> Fields:
        return Fields(f, f.load("ptr", context.at(8 * RECORD)), Recording)

    def full(self, f: Function, state: Value, context: Value) -> Value:
        """See :class:`rvsim.sim.functions.Hook`: never, the oldest records go."""
        return f.value(0, "i1")

    def before(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.functions.Hook`: the first phase comes."""
        recording = self._recording(f, context)
        recording.set("now", recording.get("now") + 1)

    def watch(self, step: Step, context: Value) -> None:
        """See :class:`rvsim.sim.functions.Hook`: old rows of memories."""

        def keep(memory: int, row: Value) -> None:
            f, state = step.f, step.state
            recording = self._recording(f, context)
            size = self._layout.memories[memory].row_bytes
            now = recording.get("now")
            for at in range(0, size, 8):
                _record_word(f, state, recording, row.at(at), size >= 8, now)

        chain(step, keep)

    def after(self, f: Function, state: Value, context: Value, phase: int) -> None:
        """See :class:`rvsim.sim.functions.Hook`: chunks of the state."""
        recording = self._recording(f, context)
        now = recording.get("now")
        for chunk in self._chunks[phase]:
            _record_chunk(f, state, recording, f.value(chunk, "i64"), now)
        recording.set("now", now + 1)


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
        _record_chunk(f, state, recording, chunk.get(), recording.get("now"))
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
    row = f.load("i64", kept.at(8))
    place = state.at(row & -8)
    old, new = f.load("i64", kept.at(16)), f.load("i64", place)
    f.store(old, place)
    f.store(new, kept.at(16))
    f.ret(state.at(row))


def _instant(f: Function, recording: Fields, kind: str, position: Value) -> Value:
    """The instant of a record."""
    if kind == "chunk":
        index = position & recording.get("chunk_mask")
        return f.load("i64", recording.pointer_to("tags").at(index << 3)) >> CHUNK_BITS
    return f.load("i64", recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD_RECORD))


def _back(module: Module) -> None:
    """``back(state, recording, instant)``: undo everything from an instant on."""
    f, (state, raw, target) = function(
        module, "back", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "instant"), exported=True
    )
    recording = Fields(f, raw, Recording)
    for kind, result in (("chunk", "void"), ("word", "ptr")):
        size = recording.get(f"{kind}_mask") + 1
        oldest = recording.get(f"{kind}_pos") - size
        oldest = f.value(0, "i64").slt(oldest).select(oldest, 0)
        with f.loop() as done:
            at = recording.get(f"{kind}_cursor")
            with f.if_(at.ule(oldest)):
                f.branch(done)
            with f.if_(_instant(f, recording, kind, at - 1).ult(target)):
                f.branch(done)
            f.call(result, f"swap_{kind}", state, raw, at - 1)
            recording.set(f"{kind}_cursor", at - 1)
    f.ret()


def _forward(module: Module) -> None:
    """``forward(state, recording, instant, context) -> records``: redo everything before an instant.

    ``context`` is told which memory rows change (it may be null).
    """
    f, (state, raw, target, tracing) = function(
        module, "forward", "i64", ("ptr", "state"), ("ptr", "recording"), ("i64", "instant"), ("ptr", "context"),
        exported=True,
    )  # fmt: skip
    recording, context = Fields(f, raw, Recording), Fields(f, tracing, Context)
    count = f.variable("i64", 0)
    for kind in ("chunk", "word"):
        with f.loop() as done:
            at = recording.get(f"{kind}_cursor")
            with f.if_(recording.get(f"{kind}_pos").ule(at)):
                f.branch(done)
            with f.if_(target.ule(_instant(f, recording, kind, at))):
                f.branch(done)
            if kind == "chunk":
                f.call("void", "swap_chunk", state, raw, at)
            else:
                row = f.call("ptr", "swap_word", state, raw, at)
                with f.if_(tracing.to("i64").ne(0)):
                    note(f, context, row)
            recording.set(f"{kind}_cursor", at + 1)
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
