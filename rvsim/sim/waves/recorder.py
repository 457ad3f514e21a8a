"""The flight recorder: the last cycles are kept, and can be written as a waveform after something went wrong."""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from ..code.layout import MemoryPlace, address_of
from ..model import compile_alone
from ..options import FEW_PASSES
from . import undo
from .hook import RECORD
from .trace import Writer
from .undo import CHUNK, CHUNK_BITS, WORD_RECORD, RecordHook, Recording
from .variables import select

if TYPE_CHECKING:
    from ..runner import Runner

#: Bytes that the rings may take.
MEMORY = 256 << 20

#: Cycles that are kept at most.
LAST = 1_000_000

#: Memories that the design does not write itself are compared before each run, up to so many bytes.
COMPARED = 1 << 16

#: Instants that a tag has room for; a recording starts afresh before.
_LAST_INSTANT = 1 << (62 - CHUNK_BITS)

_FOREVER = (1 << 63) - 1


@functools.cache
def _code() -> object:
    return compile_alone("undo", undo.write)


def _function(name: str, result: object, *others: object) -> Callable:
    return _code().function(name, result, ctypes.c_void_p, ctypes.c_void_p, *others)


def _ring(size: int) -> mmap.mmap:
    made = mmap.mmap(-1, max(size, mmap.PAGESIZE))
    if hasattr(mmap, "MADV_HUGEPAGE"):
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
        self._end = -(-layout.state_bytes // CHUNK)
        if self._end >= 1 << CHUNK_BITS:
            raise ValueError(f"{layout.state_bytes} bytes of registers are more than a flight recorder can keep")
        self._phases = len(run._phases)
        self.hook = RecordHook(layout, self._phases, run._general)
        self._recording = Recording()
        self.pointer = ctypes.addressof(self._recording)
        words = sum(-(-layout.memories[w.memory].row_bytes // 8) for w in model.design.writes)
        registers, times = self._end - layout.first_state // CHUNK, self._phases
        self._allocate(last * times * registers, last * times * (words + 2 * registers), memory)
        written = {w.memory for w in model.design.writes}
        self._constant = {
            number: None
            for number, place in layout.memories.items()
            if number not in written and 0 < place.depth * place.row_bytes <= COMPARED
        }
        self._sync = _function("sync", None, ctypes.c_int64, ctypes.c_int64)
        self._back = _function("back", None, ctypes.c_int64)
        self._forward = _function("forward", ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
        self._replay = _function("replay", ctypes.c_int64, ctypes.c_void_p, *[ctypes.c_int64] * 3)
        self._sealed: tuple | None = None
        self._begun = False

    def _allocate(self, chunks: int, words: int, memory: int) -> None:
        """Rings for so many records, in powers of two, as far as the memory goes."""
        sizes = {"chunk": 1 << max(4, (chunks - 1).bit_length()), "word": 1 << max(4, (max(words, 1) - 1).bit_length())}
        costs = {"chunk": CHUNK + 8, "word": WORD_RECORD}
        while sum(sizes[kind] * costs[kind] for kind in sizes) > memory:
            largest = max(sizes, key=lambda kind: sizes[kind] * costs[kind])
            if sizes[largest] == 16:
                break
            sizes[largest] //= 2
        self._sizes, recording = sizes, self._recording
        self._rings = [_ring(sizes["chunk"] * CHUNK), _ring(sizes["chunk"] * 8), _ring(sizes["word"] * WORD_RECORD)]
        recording.chunks, recording.tags, recording.words = map(address_of, self._rings)
        recording.chunk_mask, recording.word_mask = sizes["chunk"] - 1, sizes["word"] - 1
        self._shadow = _ring(self._end * CHUNK)
        recording.shadow = address_of(self._shadow)

    @functools.cached_property
    def instant(self) -> Callable | None:
        """``instant(state, context)`` that records memory rows, for what changes from outside may lead to."""
        model = self._run.model
        if not model.design.writes:
            return None
        hook = RecordHook(model.layout, self._phases, True, rows_only=True)
        code = model.compile("instant recorded", lambda program: program.instant((hook,)), FEW_PASSES)
        return code.function("instant", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

    def restart(self) -> None:
        """Forget everything: the recording begins with the next cycle."""
        recording = self._recording
        recording.now = recording.chunk_pos = recording.word_pos = 0
        recording.chunk_cursor = recording.word_cursor = 0
        size = self._end * CHUNK
        self._shadow[:size] = self._run._buffer[:size]
        self._first = self._run.cycle
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
        return self._run.cycle, bytes(self._run._buffer[self._run._layout.first_state : self._end * CHUNK])

    # -- for the runner

    def stretch(self, cycles: int) -> tuple[int, bool, object]:
        """See :class:`rvsim.sim.waves.observers.Observer`."""
        return cycles, True, None

    def begin(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def ran(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`: what is changed from here on, is from outside."""
        ctypes.memmove(self._recording.shadow, self._run._address, self._end * CHUNK)

    def leave(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def flush(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def enter(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`: what was changed from outside."""
        recording = self._recording
        if recording.now > _LAST_INSTANT:
            self.restart()
        self._complete()
        self._sync(self._run._address, self.pointer, self._run._layout.first_state // CHUNK, self._end)
        for number, before in self._constant.items():
            rows = self._rows(number)
            if (rows != before).any():
                self._keep_rows(number, before, rows)
                self._constant[number] = rows.copy()
        recording.chunk_cursor, recording.word_cursor = recording.chunk_pos, recording.word_pos

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
        place = recording.words + (recording.word_pos & recording.word_mask) * WORD_RECORD
        record = (ctypes.c_uint64 * 3).from_address(place)
        record[:] = recording.now, where << 2 | (size.bit_length() - 1), old
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
        each = self._phases + 1
        total, oldest = self._recording.now // each, 0
        for kind in ("chunk", "word"):
            position = getattr(self._recording, f"{kind}_pos")
            if position > self._sizes[kind]:
                oldest = max(oldest, self._instant(kind, position - self._sizes[kind]) // each + 1)
        return max(0, min(self.last, total - oldest))

    def _instant(self, kind: str, position: int) -> int:
        recording = self._recording
        if kind == "chunk":
            tag = ctypes.c_uint64.from_address(recording.tags + (position & recording.chunk_mask) * 8).value
            return tag >> CHUNK_BITS
        return ctypes.c_uint64.from_address(recording.words + (position & recording.word_mask) * WORD_RECORD).value

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
        writer = Writer(run, wanted or self._wanted, self._clocks, period, rows, run._address)
        writer.check_time(self._first + total)
        writer.open(target, self._first + total - cycles)
        failed = True
        try:
            self._recording.chunk_cursor, self._recording.word_cursor = (
                self._recording.chunk_pos, self._recording.word_pos,
            )  # fmt: skip
            self._walking = True
            at = total - cycles
            self._back(run._address, self.pointer, at * each + 1)
            writer.first(self._first + at)
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
