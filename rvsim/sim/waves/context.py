"""What compiled code and Python share while a waveform is written: plain structures with fixed offsets."""

from __future__ import annotations

import ctypes

I32, I64, U64 = ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64

#: Memory rows that may change within an instant before all rows are looked through instead.
DIRTY = 64

#: How an entry is written: one digit, digits, a text from a table, digits that Python replaces.
SCALAR, VECTOR, TABLE, PYTHON = range(4)


class Entry(ctypes.Structure):
    """A variable of the file: where its bits are, and what is written around them.

    ``first``: byte offset of its lowest word among the values. ``mask``: of a value within one word.
    ``lead``: a table of (offset, length), or eight bytes in front of the digits; ``texts``: what the table's offsets
    are relative to, or how many of the eight bytes count.
    """

    _fields_ = [
        ("first", I64), ("shift", I32), ("width", I32), ("kind", I32), ("suffix_length", I32), ("suffix", U64),
        ("mask", U64), ("lead", U64), ("texts", U64),
    ]  # fmt: skip


class Group(ctypes.Structure):
    """Words that belong together, and the variables in them."""

    _fields_ = [("first", I32), ("words", I32), ("first_entry", I32), ("entries", I32)]


class Rows(ctypes.Structure):
    """A memory: where its rows are, and which group of values the first of them belongs to."""

    _fields_ = [("start", U64), ("end", U64), ("row_bytes", I64), ("first_word", I64), ("words", I64), ("group", I64)]


class Clock(ctypes.Structure):
    """A bit of the state that shows a clock while values are looked at."""

    _fields_ = [("offset", I64), ("mask", I64), ("level", I64), ("saved", I64)]


class Instant(ctypes.Structure):
    """A moment of a cycle: time since its beginning, and the level of each clock."""

    _fields_ = [("time", I64), ("first_clock", I32), ("clocks", I32)]


class Slot(ctypes.Structure):
    """The moments to be looked at after one phase of a cycle; after the last one time goes on by a period."""

    _fields_ = [("first", I32), ("count", I32), ("advance", I64)]


class Context(ctypes.Structure):
    """Everything else; pointers are addresses. Times are femtoseconds.

    ``pos``, ``limit``: where text goes to, and from where on there may be too little room for a cycle. ``new``,
    ``old``: values by word, ``words`` of them belong to signals. ``stamped``: time of the last stamp. ``on``: whether
    values are written (``when`` holds); ``off_text``: what is written when it no longer does. ``rest``: the instant
    with the levels of clocks between cycles.
    """

    _fields_ = [
        (name, I64)
        for name in (
            "look", "when", "time", "pos", "limit", "new", "old", "words", "word_group", "groups", "entries", "slots",
            "instants", "clocks", "memories", "memory_count", "stamped", "on", "off_text", "off_length", "observe",
            "begin", "dump", "rest", "held", "dirty_count",
        )
    ] + [("dirty", I64 * DIRTY)]  # fmt: skip


def offset(structure: type, name: str) -> int:
    """Byte offset of a field."""
    return getattr(structure, name).offset
