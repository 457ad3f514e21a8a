"""Walking through the flight recorder's records in both directions.

Walking back *exchanges* what a record holds with what is there now, so that the same records lead forward again, and
the state is in the end what it was.
"""

from __future__ import annotations

from rvsim.native.ir import Function, Module, Value

from .context import Context
from .fields import Fields, function
from .hook import note
from .records import SHORT, WORD, Piece, Recording, Section, keep_word


def write(module: Module) -> None:
    """Functions on a recording that belong to no design."""
    _sync(module)
    _swap(module)
    _swap_row(module)
    _shorts_before(module)
    _oldest(module)
    _back(module)
    _forward(module)
    _replay(module)


def _sync(module: Module) -> None:
    """``sync(state, recording, first, end)``: record what was changed from outside, in some words of 8 bytes."""
    f, (state, raw, first, end) = function(
        module, "sync", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "first"), ("i64", "end"), exported=True
    )
    recording, word = Fields(f, raw, Recording), f.variable("i64", first)
    with f.loop() as done:
        with f.if_(end.ule(word.get())):
            f.branch(done)
        place = word.get() << 3
        shadow = recording.pointer_to("shadow").at(place)
        new, old = f.load("i64", state.at(place)), f.load("i64", shadow)
        with f.if_(new.ne(old)):
            keep_word(f, recording, place, old, recording.get("now"))
            f.store(new, shadow)
        word.set(word.get() + 1)
    f.ret()


def _swap(module: Module) -> None:
    """Exchange one record with what is there, by its position; the results are the place, and the phase's part."""
    for kind, size, tag, content, types in (
        ("short", SHORT, "i32", 4, ("i8", "i16", "i32")),
        ("word", WORD, "i64", 16, ("i8", "i16", "i32", "i64")),
    ):
        f, (state, raw, position) = function(
            module, f"swap_{kind}", "ptr", ("ptr", "state"), ("ptr", "recording"), ("i64", "position")
        )
        recording = Fields(f, raw, Recording)
        kept = recording.pointer_to(f"{kind}s").at((position & recording.get(f"{kind}_mask")) * size)
        where = f.load(tag, kept if kind == "short" else kept.at(8)).to("i64")
        place = state.at(where >> 2)
        _exchange(f, where & 3, place, kept.at(content), types)
        f.ret(place)


def _exchange(f: Function, size: Value, a: Value, b: Value, types: tuple[str, ...]) -> None:
    def swap(type: str) -> None:
        first, second = f.load(type, a, align=1), f.load(type, b, align=1)
        f.store(second, a, align=1)
        f.store(first, b, align=1)

    f.switch(size, {n: lambda type=type: swap(type) for n, type in enumerate(types[:-1])}, lambda: swap(types[-1]))


def _section(f: Function, recording: Fields, position: Value) -> tuple[Fields, Value]:
    """The section of a phase, and its part of the row."""
    cycle, phase = (position.op(op, recording.get("phases")) for op in ("udiv", "urem"))
    size, start = recording.get("row_bytes"), recording.get("row_start")
    section = recording.element("sections", phase, Section)
    count = (recording.get("row_end") - start).op("udiv", size)
    return section, (start + cycle.op("urem", count) * size).to("ptr")


def _swap_row(module: Module) -> None:
    """``swap_row(state, recording, position)``: exchange what one phase's part of a row holds."""
    f, (state, raw, position) = function(
        module, "swap_row", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "position")
    )
    recording, index = Fields(f, raw, Recording), f.variable("i64", 0)
    section, row = _section(f, recording, position)
    with f.loop() as done:
        with f.if_(section.get("count").ule(index.get())):
            f.branch(done)
        piece = section.element("pieces", index.get(), Piece)
        places = state.at(piece.get("where")), row.at(piece.get("at"))
        _exchange(f, piece.get("size"), *places, ("i8", "i16", "i32", "i64"))
        index.set(index.get() + 1)
    f.ret()


def _shorts_before(module: Module) -> None:
    """``shorts_before(recording, position, near)``: how many short records there were before a phase.

    Rows have the lower half of that; it differs from ``near`` by less than 2 ** 31.
    """
    f, (raw, position, near) = function(
        module, "shorts_before", "i64", ("ptr", "recording"), ("i64", "position"), ("i64", "near")
    )
    recording = Fields(f, raw, Recording)
    with f.if_(recording.get("row_pos").ule(position)):
        f.ret(recording.get("short_pos"))
    section, row = _section(f, recording, position)
    half = f.load("i32", row.at(section.get("offset")), align=1)
    f.ret(near + (half - near.to("i32")).to("i64", signed=True))


def _oldest(module: Module) -> None:
    """``oldest(recording, cycle) -> cycle``: the first one from there on whose short records are all there."""
    f, (raw, least) = function(module, "oldest", "i64", ("ptr", "recording"), ("i64", "cycle"), exported=True)
    recording = Fields(f, raw, Recording)
    cycle = f.variable("i64", recording.get("row_pos").op("udiv", recording.get("phases")))
    needed, near = f.variable("i64", 0), f.variable("i64", recording.get("short_pos"))
    needed.set(near.get() - (recording.get("short_mask") + 1))
    with f.loop() as done:
        with f.if_(cycle.get().ule(least)):
            f.branch(done)
        near.set(f.call("i64", "shorts_before", raw, (cycle.get() - 1) * recording.get("phases"), near.get()))
        with f.if_(near.get().slt(needed.get())):
            f.branch(done)
        cycle.set(cycle.get() - 1)
    f.ret(cycle.get())


def _instant(f: Function, recording: Fields, kind: str, position: Value) -> Value:
    """The instant of a record."""
    if kind == "row":
        phases = recording.get("phases")
        return position + position.op("udiv", phases) + 1
    return f.load("i64", recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD))


def _back(module: Module) -> None:
    """``back(state, recording, instant)``: undo everything from an instant on, the latest first."""
    f, (state, raw, target) = function(
        module, "back", "void", ("ptr", "state"), ("ptr", "recording"), ("i64", "instant"), exported=True
    )
    recording = Fields(f, raw, Recording)

    def oldest(kind: str) -> Value:
        if kind == "row":  # never so far back
            return f.value(0, "i64")
        position = recording.get("word_pos") - (recording.get("word_mask") + 1)
        return f.value(0, "i64").slt(position).select(position, 0)

    def latest(kind: str) -> Value:
        """The number after the instant of the last record that is not undone yet, and 0 if there is none."""
        at, found = recording.get(f"{kind}_cursor"), f.variable("i64", 0)
        with f.if_(oldest(kind).ult(at)):
            found.set(_instant(f, recording, kind, at - 1) + 1)
        return found.get()

    def row() -> None:
        at = recording.get("row_cursor") - 1
        begin = f.call("i64", "shorts_before", raw, at, recording.get("short_cursor"))
        with f.loop() as done:
            with f.if_(recording.get("short_cursor").eq(begin)):
                f.branch(done)
            short = recording.get("short_cursor") - 1
            f.call("ptr", "swap_short", state, raw, short)
            recording.set("short_cursor", short)
        f.call("void", "swap_row", state, raw, at)
        recording.set("row_cursor", at)

    def word() -> None:
        at = recording.get("word_cursor") - 1
        f.call("ptr", "swap_word", state, raw, at)
        recording.set("word_cursor", at)

    with f.loop() as done:
        rows, words = latest("row"), latest("word")
        with f.if_(rows.ule(target) & words.ule(target)):
            f.branch(done)
        f.if_else(words.ult(rows), row, word)
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

    def swap(kind: str) -> None:
        at = recording.get(f"{kind}_cursor")
        place = f.call("ptr", f"swap_{kind}", state, raw, at)
        in_memory = recording.get("registers").ule(place.to("i64") - state.to("i64"))
        with f.if_(in_memory & tracing.to("i64").ne(0)):
            note(f, context, place)
        recording.set(f"{kind}_cursor", at + 1)

    def row() -> None:
        at = recording.get("row_cursor")
        f.call("void", "swap_row", state, raw, at)
        end = f.call("i64", "shorts_before", raw, at + 1, recording.get("short_cursor"))
        with f.loop() as done:
            with f.if_(recording.get("short_cursor").eq(end)):
                f.branch(done)
            swap("short")
        recording.set("row_cursor", at + 1)

    with f.loop() as done:
        rows, words = next_of("row"), next_of("word")
        with f.if_(target.ule(rows) & target.ule(words)):
            f.branch(done)
        f.if_else(words.ult(rows), lambda: swap("word"), row)
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
