"""The flight recorder in compiled code: formats, and what is recorded in the loop over cycles.

Three rings hold what was in a place before it changed:

- *rows*, one for each cycle. Which registers are in it is fixed, so that nothing but their contents is written: those
  that are stored in every cycle, and some more. Each phase's part begins with a position in the second ring;
- *shorts*, 8 bytes each: 32 bits of a place, 32 bits of contents. For registers that are stored now and then, and
  memories. The rows say to which phase they belong;
- *words*, 24 bytes each: instant, place, contents. For changes from outside, and all changes in designs that make
  clocks themselves, of which no row could be known before.

Of a cycle with ``k`` phases the instants are ``(k + 1) c`` (changes from outside, before the cycle), and
``(k + 1) c + 1`` and following, one for each phase.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from rvsim.native.ir import Function, Value

from ..code.layout import Layout, storage_bits
from ..code.step import Step, events, next_value
from ..graph.lowering import Design
from ..graph.paths import Bit, extend
from ..options import Options
from .context import I64
from .fields import Fields
from .hook import RECORD, chain

#: Bytes of the last two kinds of records.
SHORT, WORD = 8, 24

#: Bytes of a position in a row: its lower half.
POSITION = 4

#: A place in a short record has 30 bits.
REACH = 1 << 30

#: Registers that are not stored in every cycle are part of rows if that makes them no longer than so many bytes.
ROW_BYTES = 64


class Recording(ctypes.Structure):
    """The rings. Positions count records since the beginning, masks are sizes in records, less one.

    ``first``: the cycle that the first row belongs to. Rows are from ``row_start`` to ``row_end``. ``sections``: for
    each of ``phases`` one :class:`Section`. ``…_cursor``: where a walk through the records is; rows are counted phase
    by phase. ``registers``: bytes of the state before memories. ``shadow``: what was there when the last run ended.
    """

    _fields_ = [
        (name, I64)
        for name in (
            "now", "first", "phases", "registers", "shadow", "sections",
            "row_pos", "row_start", "row_end", "row_bytes", "row_cursor",
            "short_pos", "short_mask", "shorts", "short_cursor",
            "word_pos", "word_mask", "words", "word_cursor",
        )
    ]  # fmt: skip


class Section(ctypes.Structure):
    """A phase's part of a row: at ``offset`` the position, then ``count`` pieces, listed at ``pieces``."""

    _fields_ = [("offset", I64), ("pieces", I64), ("count", I64)]


class Piece(ctypes.Structure):
    """Up to 8 bytes of a register (coded): ``where`` in the state, ``at`` in the row."""

    _fields_ = [("where", I64), ("at", I64), ("size", I64)]


@dataclass
class RowSection:
    """The same while code is written: pieces are (where, at, size); ``nodes``: the registers."""

    offset: int
    nodes: frozenset[int]
    pieces: list[tuple[int, int, int]]


@dataclass
class RowFormat:
    """What rows are like: a section for each phase, and bytes of all of them."""

    sections: list[RowSection]
    size: int

    def structures(self) -> tuple[ctypes.Array, list[ctypes.Array]]:
        """Sections for :class:`Recording`, and what they point to."""
        coded = [[(where, at, size_code(size)) for where, at, size in s.pieces] for s in self.sections]
        pieces = [(Piece * max(1, len(p)))(*p) for p in coded]
        filled = [(s.offset, ctypes.addressof(p), len(s.pieces)) for s, p in zip(self.sections, pieces)]
        return (Section * len(filled))(*filled), pieces


def row_format(design: Design, layout: Layout, options: Options, phases: Sequence[dict[Bit, int]]) -> RowFormat:
    """What is recorded in every cycle, phase by phase."""
    sections, position = [], 0
    for edges in phases:
        start = position
        nodes = _chosen(design, options, edges)
        position += POSITION
        pieces = []
        # Neighbours are copied in descending order: what was stored separately must not be loaded at once.
        for node in sorted(nodes, key=lambda node: (-_size(design, node), -layout.states[node])):
            size = _size(design, node)
            for at in reversed(range(0, size, 8)):
                pieces.append((layout.states[node] + at, position, min(size, 8)))
                position += min(size, 8)
        sections.append(RowSection(start, frozenset(nodes), pieces))
    return RowFormat(sections, position)


def _size(design: Design, node: int) -> int:
    return storage_bits(design.graph.nodes[node].width) // 8


def _chosen(design: Design, options: Options, edges: dict[Bit, int]) -> list[int]:
    """Registers that are stored whenever these edges happen, and while there is room those under one condition."""
    always, maybe = [], []
    for register in design.registers:
        if not events(register, lambda trigger, edge: () if edges.get(trigger) == edge else None):
            continue
        default, arms = next_value(design.graph, options, register)
        paths = [path for path in (extend((), list(arm.path)) for arm in arms) if path is not None]
        if default is not None or () in paths:
            always.append(register.state.node)
        elif any(len(path) == 1 for path in paths):
            maybe.append(register.state.node)
    used = POSITION + sum(_size(design, node) for node in always)
    for node in maybe:
        if used + _size(design, node) <= ROW_BYTES:
            always.append(node)
            used += _size(design, node)
    return always


def keep_word(f: Function, recording: Fields, where: Value, old: Value, instant: Value) -> None:
    """Keep ``old``, of 8 to 64 bits, which is at ``where`` in the state."""
    position = recording.get("word_pos")
    place = recording.pointer_to("words").at((position & recording.get("word_mask")) * WORD)
    f.store(instant, place)
    f.store((where << 2) | size_code(old.width // 8), place.at(8))
    f.store(old.to("i64"), place.at(16))
    recording.set("word_pos", position + 1)


def size_code(size: int) -> int:
    """1, 2, 4 or 8 bytes in two bits."""
    return size.bit_length() - 1


class RecordHook:
    """Records what a cycle changes, before it does.

    Parameters
    ----------
    rows
        How a row is made up; ``None``: there are none, and the other records have their instants with them.
    inside
        Registers, too; else only memories: registers are compared with what they were.
    """

    def __init__(self, layout: Layout, rows: RowFormat | None, *, inside: bool = True) -> None:
        self._layout, self._rows, self._inside = layout, rows, inside
        self.key = "record words" if rows is None else "record"
        self._phase = 0
        self._frame: dict[str, int] = {}

    @staticmethod
    def _recording(f: Function, context: Value) -> Fields:
        return Fields(f, f.load("ptr", context.at(8 * RECORD)), Recording)

    # What the loop needs is in its function's frame. What changes stays there: registers are for the design.

    def _get(self, f: Function, name: str) -> Value:
        changes = "volatile " if name in ("row", "short_pos") else ""
        return f.emit("i64", f"load {changes}i64, ptr {f.frame(self._frame[name]).text}")

    def _set(self, f: Function, name: str, value: Value) -> None:
        changes = "volatile " if name in ("row", "short_pos") else ""
        f.line(f"store {changes}i64 {value.text}, ptr {f.frame(self._frame[name]).text}")

    def begin(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        if self._rows is None:
            return
        recording = self._recording(f, context)
        for name in ("short_pos", "short_mask", "shorts", "row_start", "row_end", "row"):
            self._frame[name] = f.in_frame(8)
            if name != "row":
                self._set(f, name, recording.get(name))
        start, size = self._get(f, "row_start"), self._rows.size
        count = (self._get(f, "row_end") - start).op("udiv", size)
        cycle = f.load("i64", state.at(self._layout.cycle)) - recording.get("first")
        self._set(f, "row", start + cycle.op("urem", count) * size)

    def end(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        if self._rows is not None:
            self._recording(f, context).set("short_pos", self._get(f, "short_pos"))

    def full(self, f: Function, state: Value, context: Value) -> Value:
        """See :class:`rvsim.sim.code.functions.Hook`: never, the oldest records go."""
        return f.value(0, "i1")

    def before(self, f: Function, state: Value, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        self._phase = 0
        if self._rows is None:
            self._count(f, context)

    def after(self, f: Function, state: Value, context: Value, phase: int) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        self._phase = phase + 1
        if self._rows is None:
            self._count(f, context)
        elif self._phase == len(self._rows.sections):
            row = self._get(f, "row") + self._rows.size
            self._set(f, "row", row.eq(self._get(f, "row_end")).select(self._get(f, "row_start"), row))

    def _count(self, f: Function, context: Value) -> None:
        recording = self._recording(f, context)
        recording.set("now", recording.get("now") + 1)

    def watch(self, step: Step, context: Value) -> None:
        """See :class:`rvsim.sim.code.functions.Hook`."""
        f, state, layout = step.f, step.state, self._layout
        known = frozenset() if self._rows is None else self._rows.sections[self._phase].nodes
        largest = 8 if self._rows is None else 4

        def keep(where: Value, pointer: Value, size: int) -> None:
            for at in range(0, size, largest):
                old = f.load(f"i{8 * min(size, largest)}", pointer.at(at))
                if self._rows is None:
                    recording = self._recording(f, context)
                    keep_word(f, recording, where + at, old, recording.get("now"))
                else:
                    self._keep_short(f, where + at, old)

        def register(node: int, value: Value) -> None:
            if node not in known:
                where = layout.states[node]
                keep(f.value(where, "i64"), state.at(where), value.width // 8)

        def row(memory: int, pointer: Value) -> None:
            keep(pointer.to("i64") - state.to("i64"), pointer, layout.memories[memory].row_bytes)

        chain(step, row)
        if self._inside:
            step.emitter.before_store = register
        if self._rows is not None:
            self._keep_row(f, state, self._rows.sections[self._phase])

    def _keep_row(self, f: Function, state: Value, section: RowSection) -> None:
        row = self._get(f, "row").to("ptr")
        f.store(self._get(f, "short_pos").to("i32"), row.at(section.offset), align=1)
        for where, at, size in section.pieces:
            f.store(f.load(f"i{8 * size}", state.at(where)), row.at(at), align=1)

    def _keep_short(self, f: Function, where: Value, old: Value) -> None:
        position = self._get(f, "short_pos")
        place = self._get(f, "shorts").to("ptr").at((position & self._get(f, "short_mask")) * SHORT)
        f.store(((where << 2) | size_code(old.width // 8)).to("i32"), place)
        f.store(old.to("i32"), place.at(4))
        self._set(f, "short_pos", position + 1)
