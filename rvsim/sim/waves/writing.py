"""Value changes as text, in compiled code: one module for all designs, driven by the tables of :mod:`.context`.

``dump(state, context, force)`` writes what changed, or everything; ``begin(state, context)`` and ``observe(state,
context, slot)`` are called from the loop over cycles.
"""

from __future__ import annotations

from rvsim.native.ir import Function, Module, Value

from . import text
from .context import DIRTY, Clock, Context, Instant, Rows, Slot
from .fields import Fields, function


def write(module: Module) -> None:
    """All of it."""
    text.write(module)
    _sweep(module)
    _row(module)
    _rows(module)
    _stamp(module)
    _clocks(module)
    _dump(module)
    _instant(module)
    _observe(module)
    _begin(module)


def _sweep(module: Module) -> None:
    """``sweep(context, force)``: all signals that changed; four words are compared at once."""
    f, (raw, force) = function(module, "sweep", "void", ("ptr", "context"), ("i64", "force"))
    context, word = Fields(f, raw, Context), f.variable("i64", 0)
    new, old, words = context.pointer_to("new"), context.pointer_to("old"), context.get("words")
    with f.loop() as done:
        with f.if_(words.ule(word.get())):
            f.branch(done)
        step = f.variable("i64", 0)
        place = word.get() * 8

        def differs(*offsets: int, place: Value = place) -> Value:
            total = force
            for at in offsets:
                a, b = (f.load("i64", base.at(place).at(at)) for base in (new, old))
                total = total | (a ^ b)
            return total.ne(0)

        def four() -> None:
            step.set(differs(0, 8, 16, 24).select(f.value(0, "i64"), 4))

        f.if_else((word.get() & 3).eq(0), four, lambda: None)
        with f.if_(step.get().eq(0)):

            def changed() -> None:
                number = f.load("i32", context.pointer_to("word_group").at(word.get() * 4)).to("i64")
                word.set(f.call("i64", "group", raw, number, force))

            f.if_else(differs(0), changed, lambda: step.set(1))
        word.set(word.get() + step.get())
    f.ret()


def _row(module: Module) -> None:
    """``row(context, rows, index, force)``: one row of a memory, if it changed."""
    f, (raw, pointer, index, force) = function(
        module, "row", "void", ("ptr", "context"), ("ptr", "rows"), ("i64", "index"), ("i64", "force")
    )
    context, rows = Fields(f, raw, Context), Fields(f, pointer, Rows)
    size = rows.get("row_bytes")
    source = rows.pointer_to("start").at(index * size)
    place = (rows.get("first_word") + index * rows.get("words")) * 8
    new, old = context.pointer_to("new").at(place), context.pointer_to("old").at(place)
    different = f.variable("i64", force)

    def take(type: str) -> None:
        f.store(f.load(type, source).to("i64"), new)

    def wide() -> None:
        word = f.variable("i64", 0)
        with f.loop() as copied:
            f.store(f.load("i64", source.at(word.get())), new.at(word.get()))
            word.set(word.get() + 8)
            with f.if_(size.ule(word.get())):
                f.branch(copied)

    f.switch(size, {1: lambda: take("i8"), 2: lambda: take("i16"), 4: lambda: take("i32")}, wide)
    word = f.variable("i64", 0)
    with f.loop() as compared:
        at = word.get() * 8
        different.set(different.get() | (f.load("i64", new.at(at)) ^ f.load("i64", old.at(at))))
        word.set(word.get() + 1)
        with f.if_(rows.get("words").ule(word.get())):
            f.branch(compared)
    with f.if_(different.get().ne(0)):
        f.call("i64", "group", raw, rows.get("group") + index, force)
    f.ret()


def _rows(module: Module) -> None:
    """``rows(context, all, force)``: the rows that were written since, or all of them."""
    f, (raw, everything, force) = function(module, "rows", "void", ("ptr", "context"), ("i64", "all"), ("i64", "force"))
    context = Fields(f, raw, Context)
    count = context.get("dirty_count")
    memory = f.variable("i64", 0)
    whole = everything | f.value(DIRTY, "i64").ult(count).to("i64")
    with f.loop() as done:
        with f.if_(context.get("memory_count").ule(memory.get())):
            f.branch(done)
        rows = context.element("memories", memory.get(), Rows)
        start, end, index = rows.get("start"), rows.get("end"), f.variable("i64", 0)

        def all_rows(rows: Fields = rows, index=index, start: Value = start, end: Value = end) -> None:  # noqa: ANN001
            index.set(0)
            depth = (end - start).op("udiv", rows.get("row_bytes"))
            with f.loop() as passed:
                with f.if_(depth.ule(index.get())):
                    f.branch(passed)
                f.call("void", "row", raw, rows.pointer, index.get(), force)
                index.set(index.get() + 1)

        def written(rows: Fields = rows, index=index, start: Value = start, end: Value = end) -> None:  # noqa: ANN001
            index.set(0)
            with f.loop() as passed:
                with f.if_(count.ule(index.get())):
                    f.branch(passed)
                address = f.load("i64", context.at("dirty").at(index.get() * 8))
                with f.if_(start.ule(address) & address.ult(end)):
                    number = (address - start).op("udiv", rows.get("row_bytes"))
                    f.call("void", "row", raw, rows.pointer, number, force)
                index.set(index.get() + 1)

        f.if_else(whole.ne(0), all_rows, written)
        memory.set(memory.get() + 1)
    context.set("dirty_count", 0)
    f.ret()


def _stamp(module: Module) -> None:
    """``stamp(context, time)``: a line with the time, unless it has one already."""
    f, (raw, time) = function(module, "stamp", "void", ("ptr", "context"), ("i64", "time"))
    context = Fields(f, raw, Context)
    with f.if_(context.get("stamped").eq(time)):
        f.ret()
    context.set("stamped", time)
    p = context.pointer_to("pos")
    f.store(f.value(ord("#"), "i8"), p)
    end = f.call("ptr", "number", p.at(1), time)
    f.store(f.value(ord("\n"), "i8"), end)
    context.set("pos", end.at(1).to("i64"))
    f.ret()


def _clocks(module: Module) -> None:
    """``show``/``hide(state, context, instant)``: clocks take their level in the state, and lose it again."""
    for name in ("show", "hide"):
        f, (state, raw, pointer) = function(
            module, name, "void", ("ptr", "state"), ("ptr", "context"), ("ptr", "instant")
        )
        context, instant = Fields(f, raw, Context), Fields(f, pointer, Instant)
        index = f.variable("i64", 0)
        with f.loop() as done:
            with f.if_(instant.get("clocks").ule(index.get())):
                f.branch(done)
            # In one order on the way in and in the other on the way out: several may share a byte.
            number = index.get() if name == "show" else instant.get("clocks") - 1 - index.get()
            clock = context.element("clocks", instant.get("first_clock") + number, Clock)
            place = state.at(clock.get("offset"))
            if name == "show":
                old = f.load("i8", place)
                clock.set("saved", old.to("i64"))
                f.store((old & ~clock.get("mask").to("i8")) | clock.get("level").to("i8"), place)
            else:
                f.store(clock.get("saved").to("i8"), place)
            index.set(index.get() + 1)
        f.ret()


def _look(f: Function, context: Fields, state: Value) -> None:
    f.call("void", context.pointer_to("look"), state, context.pointer_to("new"))


def _dump(module: Module) -> None:
    """``dump(state, context, force)``: between cycles, everything that changed; or all there is."""
    f, (state, raw, force) = function(
        module, "dump", "void", ("ptr", "state"), ("ptr", "context"), ("i64", "force"), exported=True
    )
    context = Fields(f, raw, Context)
    f.call("void", "show", state, raw, context.pointer_to("rest"))
    _look(f, context, state)
    f.call("void", "hide", state, raw, context.pointer_to("rest"))
    before, stamped = context.get("pos"), context.get("stamped")
    f.call("void", "stamp", raw, context.get("time"))
    start = context.get("pos")
    f.call("void", "sweep", raw, force)
    f.call("void", "rows", raw, f.value(1, "i64"), force)
    with f.if_(context.get("pos").eq(start)):
        context.set("pos", before)
        context.set("stamped", stamped)
    f.ret()


def _instant(module: Module) -> None:
    """``instant(state, context, instant)``: what changed at one moment."""
    f, (state, raw, pointer) = function(
        module, "moment", "void", ("ptr", "state"), ("ptr", "context"), ("ptr", "instant")
    )
    context, instant = Fields(f, raw, Context), Fields(f, pointer, Instant)
    f.call("void", "show", state, raw, pointer)
    _look(f, context, state)
    f.call("void", "hide", state, raw, pointer)
    before, stamped = context.get("pos"), context.get("stamped")
    f.call("void", "stamp", raw, context.get("time") + instant.get("time"))
    start = context.get("pos")
    f.call("void", "sweep", raw, f.value(0, "i64"))
    f.call("void", "rows", raw, f.value(0, "i64"), f.value(0, "i64"))
    with f.if_(context.get("pos").eq(start)):
        context.set("pos", before)
        context.set("stamped", stamped)
    f.ret()


def _observe(module: Module) -> None:
    """``observe(state, context, slot)``: the moments of one slot."""
    f, (state, raw, number) = function(
        module, "observe", "void", ("ptr", "state"), ("ptr", "context"), ("i64", "slot"), exported=True
    )
    context = Fields(f, raw, Context)
    slot = context.element("slots", number, Slot)

    def moments() -> None:
        index = f.variable("i64", 0)
        with f.loop() as done:
            with f.if_(slot.get("count").ule(index.get())):
                f.branch(done)
            instant = context.element("instants", slot.get("first") + index.get(), Instant)
            f.call("void", "moment", state, raw, instant.pointer)
            index.set(index.get() + 1)

    f.if_else(context.get("on").ne(0), moments, lambda: context.set("dirty_count", DIRTY + 1))
    context.set("time", context.get("time") + slot.get("advance"))
    f.ret()


def _begin(module: Module) -> None:
    """``begin(state, context)``: a cycle begins: is it one of those that are wanted? Then moments before any phase."""
    f, (state, raw) = function(module, "begin", "void", ("ptr", "state"), ("ptr", "context"), exported=True)
    context = Fields(f, raw, Context)

    def literal(shown: bytes) -> None:
        p = context.pointer_to("pos")
        for index, byte in enumerate(shown):
            f.store(f.value(byte, "i8"), p.at(index))
        context.set("pos", p.at(len(shown)).to("i64"))

    def switch_on() -> None:
        context.set("on", 1)
        f.call("void", "stamp", raw, context.get("time"))
        literal(b"$dumpon\n")
        f.call("void", "dump", state, raw, f.value(1, "i64"))
        literal(b"$end\n")

    def switch_off() -> None:
        context.set("on", 0)
        f.call("void", "stamp", raw, context.get("time"))
        p, source, index = context.pointer_to("pos"), context.pointer_to("off_text"), f.variable("i64", 0)
        with f.loop() as copied:
            with f.if_(context.get("off_length").ule(index.get())):
                f.branch(copied)
            f.store(f.load("i8", source.at(index.get())), p.at(index.get()))
            index.set(index.get() + 1)
        context.set("pos", p.at(index.get()).to("i64"))

    with f.if_(context.get("when").ne(0)):
        f.call("void", context.pointer_to("when"), state, context.at("held"))
        held = (context.get("held") & 1).ne(0)
        on = context.get("on").ne(0)
        with f.if_(held & ~on):
            switch_on()
        with f.if_(on & ~held):
            switch_off()
    f.call("void", "observe", state, raw, f.value(0, "i64"))
    f.ret()
