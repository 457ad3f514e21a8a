"""The tables that compiled code writes waveforms by, made from variables."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Sequence

from ..clocks import Moment
from ..graph.graph import MASK, SHIFT
from ..graph.paths import Bits
from ..model import Model
from .context import PYTHON, SCALAR, TABLE, VECTOR, Clock, Context, Entry, Group, Instant, Rows, Slot
from .variables import Field, Variables

#: Texts of values up to so many bits are put into a table in advance.
TABLE_BITS = 8

#: Bytes of text that a buffer has beyond what one cycle may need.
ROOM = 4 << 20

#: Values whose texts are remembered, for each variable that only Python can write.
REMEMBERED = 1 << 12

#: What compiled code leaves for Python to replace: a variable's number, digits, and the identifier.
_FOR_PYTHON = re.compile(rb"\x01(\d+) b([01]+) (\S+)\n")


class Tables:
    """A context for compiled code, with everything that it points to.

    Attributes
    ----------
    values
        What the design's ``look`` has to put into consecutive words.
    worst
        Bytes of text that one cycle may give.
    """

    def __init__(
        self, model: Model, variables: Variables, moments: Sequence[Sequence[Moment]], period: int, base: int
    ) -> None:
        self.context = Context()
        self._model, self._layout = model, model.layout
        self._keep: list[object] = []
        self._entries: list[Entry] = []
        self._groups: list[Group] = []
        self._lengths: list[int] = []
        self._python: list[Field] = []
        self._last: dict[bytes, bytes] = {}
        self._tables: dict[tuple, tuple[int, int, int]] = {}
        self.values: dict[Bits, tuple[int, int]] = {}
        words = self._signals(variables)
        total = self._memories(variables, -(-words // 4) * 4, base)
        context = self.context
        context.words = words
        context.new, context.old = (self._array(ctypes.c_uint64, [], total + 8) for _ in range(2))
        context.groups, context.entries = self._array(Group, self._groups), self._array(Entry, self._entries)
        self._moments(moments, period)
        self._off(variables)
        times = sum(len(slot) for slot in moments)
        stamp, everything = 24, sum(self._lengths)
        self.worst = (times + 2) * (stamp + everything) + 64 + context.off_length
        size = ROOM + self.worst
        self._text = ctypes.create_string_buffer(size + 64)
        self.start = ctypes.addressof(self._text)
        context.pos, context.limit = self.start, self.start + ROOM
        context.stamped, context.on = -1, 1

    def _array(self, kind: type, items: Sequence, size: int = 0) -> int:
        made = (kind * max(1, size, len(items)))(*items)
        self._keep.append(made)
        return ctypes.addressof(made)

    # -- values

    def _signals(self, variables: Variables) -> int:
        """Groups of all signals; how many words they take."""
        by_value: dict[Bits, list[Field]] = {}
        for signal, fields in variables.signals.items():
            nets = self._model.netlist.signals.get(signal)
            if nets is None:  # nothing drives or uses it
                bits = tuple(signal.init >> n & 1 for n in range(len(signal)))
            else:
                bits = self._model.design.value(nets)
            by_value.setdefault(bits, []).extend(fields)
        owner, word = [], 0
        for bits, fields in by_value.items():
            size = max(1, -(-len(bits) // 64))
            self.values[bits] = (word * 8, size)
            owner += [len(self._groups)] * size
            self._add_group(word, size, fields)
            word += size
        self.context.word_group = self._array(ctypes.c_int32, owner)
        return word

    def _memories(self, variables: Variables, word: int, base: int) -> int:
        """Groups of all memory rows; where their words end."""
        made = []
        for number, rows in variables.memories.items():
            place = self._layout.memories[number]
            size = max(1, -(-place.width // 64))
            start = base + place.offset
            made.append(
                Rows(start, start + place.row_bytes * len(rows), place.row_bytes, word, size, len(self._groups))
            )
            for fields in rows:
                self._add_group(word, size, fields)
                word += size
        self.context.memories, self.context.memory_count = self._array(Rows, made), len(made)
        return word

    def _add_group(self, word: int, size: int, fields: Sequence[Field]) -> None:
        self._groups.append(Group(word, size, len(self._entries), len(fields)))
        for shown in fields:
            self._entries.append(self._entry(word, shown))

    def _entry(self, word: int, shown: Field) -> Entry:
        kind = SCALAR if shown.size == 1 else VECTOR
        lead = texts = extra = 0
        if shown.render is not None and shown.width <= TABLE_BITS:
            kind = TABLE
            lead, texts, extra = self._table(shown)
        elif shown.render is not None:
            kind, prefix = PYTHON, self._prefix(shown)
            lead, texts, extra = int.from_bytes(prefix, "little"), len(prefix), len(prefix) + shown.width
        suffix = f"{shown.ident}\n" if kind == SCALAR else f" {shown.ident}\n"
        top = shown.width % 64
        mask = (1 << top) - 1 if top else (0 if shown.width == 0 else (1 << 64) - 1)
        self._lengths.append(shown.width + extra + 12)
        return Entry(
            (word + shown.start // 64) * 8, shown.start % 64, shown.width, kind, len(suffix),
            int.from_bytes(suffix.encode(), "little"), mask, lead, texts,
        )  # fmt: skip

    def _prefix(self, shown: Field) -> bytes:
        self._python.append(shown)
        return b"\x01%d " % (len(self._python) - 1)

    def _table(self, shown: Field) -> tuple[int, int, int]:
        """Addresses of a table and its texts, and the longest; fields that are written alike share one."""
        known = self._tables.get(id(shown.render))
        if known is None:
            prefix, texts = None, []
            for value in range(1 << shown.width):
                try:
                    texts.append(shown.render(value).encode())
                except Exception:
                    # Perhaps this value never occurs. If it does, whoever runs the design is to know.
                    prefix = prefix or self._prefix(shown)
                    texts.append(prefix + b"b%s" % format(value, "b").encode())
            # Equal texts share their place, by which compiled code sees that nothing changed.
            places, data = {}, b""
            for text in dict.fromkeys(texts):
                places[text] = len(data)
                data += text.ljust(-(-len(text) // 8) * 8)
            offsets = [number for text in texts for number in (places[text], len(text))]
            table = self._array(ctypes.c_int32, offsets)
            known = (table, self._array(ctypes.c_char, [bytes([b]) for b in data]), max(map(len, texts)) + 8)
            self._tables[id(shown.render)] = known
        return known

    # -- moments

    def _moments(self, moments: Sequence[Sequence[Moment]], period: int) -> None:
        slots, instants, clocks = [], [], []
        for number, slot in enumerate(moments):
            slots.append(Slot(len(instants), len(slot), 0))
            for moment in slot:
                instants.append(Instant(moment.time, len(clocks), len(moment.levels)))
                for bit, level in moment.levels.items():
                    place = self._layout.states[bit >> SHIFT] * 8 + (bit & MASK)
                    mask = 1 << (place & 7)
                    clocks.append(Clock(place >> 3, mask, mask if level else 0, 0))
            if number == len(moments) - 1:
                slots[-1].advance = period
        self.context.slots, self.context.instants = self._array(Slot, slots), self._array(Instant, instants)
        self.context.clocks = self._array(Clock, clocks)
        self.context.rest = self.context.instants + max(0, len(instants) - 1) * ctypes.sizeof(Instant)

    def _off(self, variables: Variables) -> None:
        """What is written while a condition does not hold: unknown values."""
        lines = ["$dumpoff"]
        for shown in variables.all():
            if shown.kind == "wire":
                lines.append(f"x{shown.ident}" if shown.size == 1 else f"bx {shown.ident}")
        text = "\n".join((*lines, "$end", "")).encode()
        self._off_text = ctypes.create_string_buffer(text)
        self.context.off_text, self.context.off_length = ctypes.addressof(self._off_text), len(text)

    # -- text

    def text(self) -> bytes:
        """What has been written since the last time, complete with what only Python can write."""
        length = self.context.pos - self.start
        data = ctypes.string_at(self.start, length)
        return _FOR_PYTHON.sub(self._replace, data) if self._python else data

    def clear(self) -> None:
        """Make room: the text has been taken."""
        self.context.pos = self.start

    def _replace(self, match: re.Match) -> bytes:
        number, digits, ident = match.groups()
        text = self._rendered(int(number), digits)
        if self._last.get(ident) == text:
            return b""
        self._last[ident] = text
        return text + b" " + ident + b"\n"

    @functools.lru_cache(REMEMBERED)  # noqa: B019 - goes with the tables
    def _rendered(self, number: int, digits: bytes) -> bytes:
        return self._python[number].render(int(digits, 2)).encode()
