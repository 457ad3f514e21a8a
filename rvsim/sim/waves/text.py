"""Values as text, in compiled code: numbers, texts from tables, and what is left for Python to replace."""

from __future__ import annotations

from rvsim.native.ir import Function, Module, Value

from .context import PYTHON, SCALAR, TABLE, Context, Entry, Group
from .fields import Fields, function


def write(module: Module) -> None:
    """``group(context, number, force)`` and what it needs."""
    _digits(module)
    _number(module)
    _entry(module)
    _group(module)


def _digits(module: Module) -> None:
    """``digits(p, value, n) -> p + n``: the lowest ``n`` (1 to 64) bits as characters; up to 8 more are overwritten."""
    f, (p, value, n) = function(module, "digits", "ptr", ("ptr", "p"), ("i64", "value"), ("i64", "n"))
    rest, at = f.variable("i64", value << (f.value(64, "i64") - n)), f.variable("i64", 0)
    with f.loop() as done:
        byte = rest.get() >> 56
        # Each byte of the product keeps another bit, which the addition carries to the top of its byte.
        spread = (byte * 0x0101010101010101) & 0x0102040810204080
        ones = ((spread + 0x7F7E7C7870604000) >> 7) & 0x0101010101010101
        f.store(ones + 0x3030303030303030, p.at(at.get()), align=1)
        rest.set(rest.get() << 8)
        at.set(at.get() + 8)
        with f.if_(n.ule(at.get())):
            f.branch(done)
    f.ret(p.at(n))


def _number(module: Module) -> None:
    """``number(p, value) -> end``: a decimal number."""
    f, (p, value) = function(module, "number", "ptr", ("ptr", "p"), ("i64", "value"))
    digits = f.buffer(64)  # half of it, so that eight bytes can be read from anywhere in there
    rest, at = f.variable("i64", value), f.variable("i64", 32)
    with f.loop() as done:
        quotient = rest.get().op("udiv", 10)
        at.set(at.get() - 1)
        f.store((rest.get() - quotient * 10).to("i8") + 48, digits.at(at.get()))
        rest.set(quotient)
        with f.if_(quotient.eq(0)):
            f.branch(done)
    length = f.value(32, "i64") - at.get()
    for step in (0, 8, 16):
        f.store(f.load("i64", digits.at(at.get() + step), align=1), p.at(step), align=1)
    f.ret(p.at(length))


def _word(f: Function, base: Value, entry: Fields, index: Value, last: Value) -> Value:
    """A word of an entry's value: bits may begin in the middle of one, and end in the middle of another."""
    at = base.at(entry.get("first")).at(index * 8)
    word = f.intrinsic("llvm.fshr", f.load("i64", at.at(8)), f.load("i64", at), entry.get("shift"))
    return word & last.select(entry.get("mask"), f.value(-1, "i64"))


def _entry(module: Module) -> None:
    """``entry(context, entry, force)``: write one variable if it changed."""
    f, (raw, pointer, force) = function(module, "entry", "void", ("ptr", "context"), ("ptr", "entry"), ("i64", "force"))
    context, entry = Fields(f, raw, Context), Fields(f, pointer, Entry)
    new, old = context.pointer_to("new"), context.pointer_to("old")
    width = entry.get("width")
    top = f.variable("i64", width.eq(0).select(f.value(0, "i64"), ((width + 63) >> 6) - 1))
    last, changed = top.get(), f.variable("i64", force)
    index = f.variable("i64", 0)
    with f.loop() as compared:
        here = index.get()
        difference = _word(f, new, entry, here, here.eq(last)) ^ _word(f, old, entry, here, here.eq(last))
        changed.set(changed.get() | difference)
        index.set(here + 1)
        with f.if_(last.ult(index.get())):
            f.branch(compared)
    with f.if_(changed.get().eq(0)):
        f.ret()
    text = f.variable("ptr", context.pointer_to("pos"))
    value = f.variable("i64", 0)

    def fetch() -> None:
        value.set(_word(f, new, entry, top.get(), top.get().eq(last)))

    def scalar() -> None:
        f.store(value.get().to("i8") + 48, text.get())
        text.set(text.get().at(1))

    def vector() -> None:
        f.store(f.value(ord("b"), "i8"), text.get())
        text.set(text.get().at(1))
        with f.loop() as found:  # leading words of zeros are left out
            with f.if_(value.get().ne(0)):
                f.branch(found)
            with f.if_(top.get().eq(0)):
                f.branch(found)
            top.set(top.get() - 1)
            fetch()
        width = f.value(64, "i64") - f.intrinsic("llvm.ctlz", value.get() | 1, flags="i1 0")
        text.set(f.call("ptr", "digits", text.get(), value.get(), width))
        with f.loop() as written:
            with f.if_(top.get().eq(0)):
                f.branch(written)
            top.set(top.get() - 1)
            fetch()
            text.set(f.call("ptr", "digits", text.get(), value.get(), f.value(64, "i64")))

    def table() -> None:
        place = entry.pointer_to("lead").at(value.get() * 8)
        before = entry.pointer_to("lead").at(_word(f, old, entry, last, f.value(1, "i1")) * 8)
        with f.if_(f.load("i32", place).eq(f.load("i32", before)) & force.eq(0)):
            f.ret()
        start, length = (f.load("i32", place.at(n)).to("i64") for n in (0, 4))
        source, at = entry.pointer_to("texts").at(start), f.variable("i64", 0)
        with f.loop() as copied:
            with f.if_(length.ule(at.get())):
                f.branch(copied)
            f.store(f.load("i64", source.at(at.get()), align=1), text.get().at(at.get()), align=1)
            at.set(at.get() + 8)
        text.set(text.get().at(length))

    def python() -> None:
        f.store(entry.get("lead"), text.get(), align=1)
        text.set(text.get().at(entry.get("texts")))
        vector()

    fetch()
    f.switch(entry.get("kind"), {SCALAR: scalar, TABLE: table, PYTHON: python}, vector)
    f.store(entry.get("suffix"), text.get(), align=1)
    context.set("pos", text.get().at(entry.get("suffix_length")).to("i64"))
    f.ret()


def _group(module: Module) -> None:
    """``group(context, number, force) -> first word behind it``: write a group's variables, and keep the new values."""
    f, (raw, number, force) = function(module, "group", "i64", ("ptr", "context"), ("i64", "number"), ("i64", "force"))
    context = Fields(f, raw, Context)
    group = context.element("groups", number, Group)
    index = f.variable("i64", 0)
    with f.loop() as written:
        with f.if_(group.get("entries").ule(index.get())):
            f.branch(written)
        entry = context.element("entries", group.get("first_entry") + index.get(), Entry)
        f.call("void", "entry", raw, entry.pointer, force)
        index.set(index.get() + 1)
    start = group.get("first") * 8
    new, old = context.pointer_to("new").at(start), context.pointer_to("old").at(start)
    word = f.variable("i64", 0)
    with f.loop() as copied:
        with f.if_(group.get("words").ule(word.get())):
            f.branch(copied)
        place = word.get() * 8
        f.store(f.load("i64", new.at(place)), old.at(place))
        word.set(word.get() + 1)
    f.ret(group.get("first") + group.get("words"))
