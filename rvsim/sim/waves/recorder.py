"""The flight recorder: the last cycles are kept, and can be written as a waveform after something went wrong."""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from ..code.layout import MemoryPlace, address_of, storage_bits
from ..model import compile_alone
from ..options import FEW_PASSES
from . import undo
from .hook import RECORD
from .records import REACH, SHORT, WORD, RecordHook, Recording, row_format, size_code
from .trace import Writer
from .variables import select

if TYPE_CHECKING:
    from ..runner import Runner

#: Bytes that the rings may take.
MEMORY = 256 << 20

#: Cycles that are kept at most.
LAST = 1_000_000

#: Memories that the design does not write itself are compared before each run, up to so many bytes.
COMPARED = 1 << 16

_FOREVER = (1 << 63) - 1


@functools.cache
def _code() -> object:
    return compile_alone("undo", undo.write)


def _function(name: str, result: object, *others: object) -> Callable:
    return _code().function(name, result, ctypes.c_void_p, *others)


def _ring(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, max(size, mmap.PAGESIZE))
    # Private, since shared memory is seldom given in huge pages: with small ones a longer ring costs as much again.
    made = mmap.mmap(-1, max(size, mmap.PAGESIZE), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    made.madvise(mmap.MADV_HUGEPAGE)
    return made


class Recorder:
    """What is kept of the last cycles; see :meth:`rvsim.sim.Runner.record`.

    Attributes
    ----------
    last
        Cycles that are kept at most.
    """

    kind = RECORD

    def __init__(
        self,
        run: Runner,
        wanted: tuple,
        clocks: Mapping[str, int] | None,
        *,
        last: int = LAST,
        memory: int = MEMORY,
    ) -> None:
        if not isinstance(last, int) or last < 1:
            raise ValueError(f"last={last!r}: a flight recorder keeps at least one cycle")
        if not isinstance(memory, int) or memory < 1 << 12:
            raise ValueError(f"memory={memory!r}: the rings of a flight recorder take at least 4096 bytes")
        self._run, self._wanted, self._clocks, self.last = run, wanted, clocks, last
        model = run.model
        select(model, wanted, 1 << 62)
        layout = model.layout
        #: Bytes of registers and inputs, rounded up to words of 8.
        self._end = -(-layout.state_bytes // 8) * 8
        self._phases = len(run._phases)
        self._format = None
        if not run._general and layout.size < REACH:
            self._format = row_format(model.design, layout, model.options, run._phases)
        self.hook = RecordHook(layout, self._format)
        self._recording = Recording(phases=self._phases, registers=self._end)
        self.pointer = ctypes.addressof(self._recording)
        self._allocate(memory)
        written = {w.memory for w in model.design.writes}
        self._constant = {
            number: None
            for number, place in layout.memories.items()
            if number not in written and 0 < place.depth * place.row_bytes <= COMPARED
        }
        self._sync = _function("sync", None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._oldest = _function("oldest", ctypes.c_int64, ctypes.c_int64)
        self._back = _function("back", None, ctypes.c_void_p, ctypes.c_int64)
        self._forward = _function("forward", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        self._replay = _function("replay", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3)
        self._sealed: tuple | None = None
        self._begun = False

    def _allocate(self, memory: int) -> None:
        """Rings for all that there may be in the cycles to be kept, as far as the memory goes."""
        costs, sizes = {"row": 0, "short": SHORT, "word": WORD}, self._wanted_sizes()
        if self._format is not None:
            costs["row"] = self._format.size
        while sum(sizes[kind] * costs[kind] for kind in sizes) > memory:
            largest = max(sizes, key=lambda kind: sizes[kind] * costs[kind])
            if sizes[largest] <= 16:
                break
            sizes[largest] //= 2
        self._sizes, recording = sizes, self._recording
        self._rings = {kind: _ring(sizes[kind] * costs[kind]) for kind in sizes}
        recording.row_start, recording.shorts, recording.words = map(address_of, self._rings.values())
        recording.row_bytes, recording.row_end = costs["row"], recording.row_start + sizes["row"] * costs["row"]
        recording.short_mask, recording.word_mask = sizes["short"] - 1, sizes["word"] - 1
        self._shadow = _ring(self._end)
        recording.shadow = address_of(self._shadow)
        if self._format is not None:
            self._sections = self._format.structures()
            recording.sections = ctypes.addressof(self._sections[0])

    def _wanted_sizes(self) -> dict[str, int]:
        """Records in each ring if there were memory for all: powers of two, but for rows."""
        design, layout, kept = self._run.model.design, self._run.model.layout, frozenset()
        if self._format is not None:
            kept = kept.union(*(section.nodes for section in self._format.sections))
        largest = 8 if self._format is None else 4
        sizes = [layout.memories[write.memory].row_bytes for write in design.writes]
        sizes += [storage_bits(r.state.width) // 8 for r in design.registers if r.state.node not in kept]
        changes = self.last * self._phases * sum(-(-size // largest) for size in sizes)
        outside = self.last * (self._end // 8)
        records = {"short": changes, "word": outside} if self._format is not None else {"short": 1, "word": changes}
        return {"row": self.last} | {kind: 1 << max(4, (count - 1).bit_length()) for kind, count in records.items()}

    @functools.cached_property
    def instant(self) -> Callable | None:
        """``instant(state, context)`` that records memory rows, for what changes from outside may lead to."""
        model = self._run.model
        if not model.design.writes:
            return None
        hook = RecordHook(model.layout, None, inside=False)
        code = model.compile("instant recorded", lambda program: program.instant((hook,)), FEW_PASSES)
        return code.function("instant", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

    def restart(self) -> None:
        """Forget everything: the recording begins with the next cycle."""
        recording = self._recording
        recording.now = recording.row_pos = recording.short_pos = recording.word_pos = 0
        self._shadow[: self._end] = self._run._buffer[: self._end]
        recording.first = self._run.cycle
        self._to_end()
        for number in self._constant:
            self._constant[number] = self._rows(number).copy()

    def _rows(self, number: int) -> object:
        import numpy

        place = self._run.model.layout.memories[number]
        words = -(-place.depth * place.row_bytes // 8)
        return numpy.frombuffer(self._run._buffer, numpy.uint64, words, place.offset)

    def __enter__(self) -> Recorder:
        """Record from here on."""
        self._run._observers.add(self)
        self._run._recorder = self
        self._sealed = None
        self.restart()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Record no more; what was recorded can be written until the runner is used again."""
        self.enter()
        self._run._observers.remove(self)
        self._sealed = self._seal()

    def _seal(self) -> tuple:
        return self._run.cycle, bytes(self._run._buffer[self._run._layout.first_state : self._end])

    # -- for the runner

    def stretch(self, cycles: int) -> tuple[int, bool, object]:
        """See :class:`rvsim.sim.waves.observers.Observer`."""
        return cycles, True, None

    def begin(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def ran(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`: what is changed from here on, is from outside."""
        recording = self._recording
        ctypes.memmove(recording.shadow, self._run._address, self._end)
        if self._format is not None:
            cycles = self._run.cycle - recording.first
            recording.now, recording.row_pos = cycles * (self._phases + 1), cycles * self._phases

    def leave(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def flush(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def enter(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`: what was changed from outside."""
        self._complete()
        self._sync(self._run._address, self.pointer, self._run._layout.first_state // 8, self._end // 8)
        for number, before in self._constant.items():
            rows = self._rows(number)
            if (rows != before).any():
                self._keep_rows(number, before, rows)
                self._constant[number] = rows.copy()
        self._to_end()

    def _to_end(self) -> None:
        """A walk would begin behind the last records."""
        recording = self._recording
        for kind in self._sizes:
            setattr(recording, f"{kind}_cursor", getattr(recording, f"{kind}_pos"))

    def _keep_rows(self, number: int, before: object, rows: object) -> None:
        start = self._run.model.layout.memories[number].offset
        for word in (rows != before).nonzero()[0].tolist():
            self._keep(start + 8 * word, 8, int(before[word]))

    def keep_row(self, place: MemoryPlace, index: int) -> None:
        """A row will be changed from outside."""
        size, start = min(place.row_bytes, 8), place.offset + index * place.row_bytes
        for at in range(start, start + place.row_bytes, size):
            self._keep(at, size, int.from_bytes(self._run._buffer[at : at + size], "little"))

    def _keep(self, where: int, size: int, old: int) -> None:
        recording = self._recording
        place = recording.words + (recording.word_pos & recording.word_mask) * WORD
        record = (ctypes.c_uint64 * 3).from_address(place)
        record[:] = recording.now, where << 2 | size_code(size), old
        recording.word_pos += 1

    def _complete(self) -> None:
        """If a walk through the records was interrupted, go on to its end."""
        if not self._walking:
            return
        self._forward(self._run._address, self.pointer, _FOREVER, None)
        self._walking = False

    _walking = False

    # -- what was kept

    @property
    def cycles(self) -> int:
        """How many cycles can be written: the last ones."""
        recording, sizes, each = self._recording, self._sizes, self._phases + 1
        total, oldest = recording.now // each, 0
        lost = recording.word_pos - sizes["word"]
        if lost > 0:
            place = recording.words + (lost & recording.word_mask) * WORD
            oldest = ctypes.c_int64.from_address(place).value // each + 1
        if self._format is not None:
            oldest = max(oldest, total - sizes["row"])
            oldest = self._oldest(self.pointer, min(oldest, total))
        return max(0, min(self.last, total - oldest))

    def write_vcd(
        self, target: str | os.PathLike | TextIO, wanted: tuple, *, last: int | None, period: float, rows: int
    ) -> int:
        """See :meth:`rvsim.sim.Runner.write_vcd`."""
        if last is not None and (not isinstance(last, int) or last < 1):
            raise ValueError(f"last={last!r}: a waveform has at least one cycle")
        if self._sealed is not None and self._sealed != self._seal():
            raise ValueError(
                f"the recording ended in cycle {self._sealed[0]}, and the runner has been used since: write the "
                f"waveform before running or changing anything, or within the context of record()"
            )
        run = self._run
        if self._sealed is None:
            self.enter()
        cycles = self.cycles if last is None else min(last, self.cycles)
        each, total = self._phases + 1, self._recording.now // (self._phases + 1)
        first = self._recording.first
        writer = Writer(run, wanted or self._wanted, self._clocks, period, rows, run._address)
        writer.check_time(first + total)
        writer.open(target, first + total - cycles)
        failed = True
        try:
            self._to_end()
            self._walking = True
            at = total - cycles
            self._back(run._address, self.pointer, at * each + 1)
            writer.first(first + at)
            while at < total:
                stop = min(total, at + (1 << 14))
                at = self._replay(run._address, self.pointer, writer.pointer, at, stop, self._phases)
                writer.room()
            self._forward(run._address, self.pointer, _FOREVER, None)
            self._walking = False
            writer.changed()
            failed = False
        finally:
            self._complete()
            if failed:
                writer.abandon()
        writer.finish()
        return cycles
