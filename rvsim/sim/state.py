"""What a test bench sees of a compiled design: signals and memories with current and next values."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from amaranth.hdl import Shape

from . import private
from .functions import Program
from .graph import Graph
from .layout import address_of, initial
from .model import Model
from .options import FEW_PASSES
from .paths import Bits
from .timeline import Timeline, run_wakers


class Compiled:
    """The design: its buffer and functions."""

    def __init__(self, design: object) -> None:
        self.model = Model(design)
        self.netlist, self.design, self.layout = self.model.netlist, self.model.design, self.model.layout
        self.values = {index: self.design.value(nets) for index, nets in enumerate(self.netlist.signals.values())}
        self.index = private.SignalDict()
        for index, signal in enumerate(self.netlist.signals):
            self.index[signal] = index
        code = self.model.compile(("engine", self.model.signals_digest), self._write, FEW_PASSES)
        self.places = [tuple(place) for place in code.extra]
        self._instant = code.function("instant", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self._look = code.function("look", None, ctypes.c_void_p, ctypes.c_void_p)
        self.buffer = initial(self.design, self.layout)
        self._reset_image = self.buffer[:]
        self._address = address_of(self.buffer)
        size = max((offset + length for offset, length in self.places), default=8)
        self.seen = bytearray(size)
        self._seen_address = address_of(self.seen)
        self.reset()

    def _write(self, program: Program) -> list[tuple[int, int]]:
        program.instant()
        return program.look(list(self.values.values()))

    def reset(self) -> None:
        """Back to the beginning; clocks and resets count as having been what they are now."""
        self.buffer[:] = self._reset_image
        self.look()
        graph: Graph = self.design.graph
        for bit, offset in self.layout.edges.items():
            self.buffer[offset] = self.layout.peek(self.buffer, bit) if graph.node(bit).op == "state" else 0
        self.stale = False

    def instant(self) -> bool:
        """Everything that edges since the last call trigger; whether there was one."""
        fired = bool(self._instant(self._address, None))
        self.stale |= fired
        return fired

    def look(self) -> None:
        """Bring all values up to date."""
        self._look(self._address, self._seen_address)
        self.stale = False

    def raw(self, index: int) -> int:
        """A signal's value, unsigned."""
        if self.stale:
            self.look()
        offset, size = self.places[index]
        return int.from_bytes(self.seen[offset : offset + size], "little")

    def poke(self, bits: Bits, value: int) -> None:
        """Change bits that are state."""
        self.layout.poke(self.buffer, bits, value)
        self.stale = True


class SignalState(private.BaseSignalState):
    """One signal: of the design, or the test bench's own."""

    __slots__ = ("_compiled", "_index", "_next", "_pending", "_sign", "_value", "is_comb", "last", "signal", "wakers")

    def __init__(self, signal: object, pending: dict, compiled: Compiled, index: int | None) -> None:
        self.signal, self._pending, self._compiled, self._index = signal, pending, compiled, index
        width = len(signal)
        self._sign = 1 << (width - 1) if signal.shape().signed and width else 0
        self.wakers: list[Callable] = []
        self.is_comb = index is not None and signal in compiled.netlist.combinational
        self.reset()

    def reset(self) -> None:
        """Back to the initial value."""
        self._value = self.signal.init
        self._next: int | None = None
        self.last = self.curr

    @property
    def curr(self) -> int:
        """The committed value."""
        if self._index is None:
            return self._value
        raw = self._compiled.raw(self._index)
        return raw - 2 * self._sign if raw & self._sign else raw

    @property
    def next(self) -> int:
        """The value after the next commit."""
        return self.curr if self._next is None else self._next

    def add_waker(self, waker: Callable) -> None:
        """``waker(old, new)`` is called at every change, until it returns false."""
        self.last = self.curr
        self.wakers.append(waker)

    def update(self, value: int, mask: int = ~0) -> None:
        """Set the value that the next commit makes current."""
        value = (self.next & ~mask) | (value & mask)
        if self.next != value:
            self._next = value
            self._pending[self] = None

    def commit(self) -> None:
        """Make the new value current."""
        if self._index is None:
            self._value = self._next
        else:
            self._compiled.poke(self._compiled.values[self._index], self._next & ((1 << len(self.signal)) - 1))
        self._next = None


class MemoryState(private.BaseMemoryState):
    """One memory; rows as numbers, signed if its shape is."""

    __slots__ = ("_compiled", "_pending", "_place", "_queue", "_rows", "_shape", "memory", "wakers")

    def __init__(self, memory: object, pending: dict, compiled: Compiled, number: int | None) -> None:
        self.memory, self._pending, self._compiled = memory, pending, compiled
        self._shape = Shape.cast(memory.shape)
        self._place = None if number is None else compiled.layout.memories[number]
        self.wakers: list[Callable] = []
        self.reset()

    def reset(self) -> None:
        """Back to the initial contents."""
        self._queue: dict[int, int] = {}
        self._rows = list(self.memory._init._raw)

    def _signed(self, value: int) -> int:
        width = self._shape.width
        value &= (1 << width) - 1
        return value - (1 << width) if self._shape.signed and width and value >> (width - 1) else value

    def read(self, addr: int) -> int:
        """A row; 0 beyond the end."""
        if addr not in range(self.memory.depth):
            return 0
        if self._place is None:
            return self._rows[addr]
        start = self._place.offset + addr * self._place.row_bytes
        return self._signed(int.from_bytes(self._compiled.buffer[start : start + self._place.row_bytes], "little"))

    def write(self, addr: int, value: int, mask: int | None = None) -> None:
        """Queue a write of the masked bits."""
        if addr in range(self.memory.depth):
            old = self._queue.get(addr, self.read(addr))
            self._queue[addr] = self._signed(value if mask is None else (value & mask) | (old & ~mask))
            self._pending[self] = None

    def commit(self) -> list[int]:
        """Make queued writes current; the rows that they went to."""
        run_wakers(self.wakers)
        rows = list(self._queue)
        for addr, value in self._queue.items():
            if self._place is None:
                self._rows[addr] = value
                continue
            size = self._place.row_bytes
            start = self._place.offset + addr * size
            raw = value & ((1 << self._shape.width) - 1)
            self._compiled.buffer[start : start + size] = raw.to_bytes(size, "little")
        self._compiled.stale = True
        self._queue.clear()
        return rows


class State(private.BaseEngineState):
    """What Amaranth's evaluator and triggers see of the engine."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self.timeline = Timeline()
        self.signals, self.memories = private.SignalDict(), {}
        self.slots: list[SignalState | MemoryState] = []
        self.pending: dict[SignalState | MemoryState, None] = {}
        self.watched: dict[SignalState, None] = {}

    def reset(self) -> None:
        """Back to time zero."""
        self.timeline.reset()
        self._compiled.reset()
        for slot in self.slots:
            slot.reset()
        self.pending.clear()

    def get_signal(self, signal: object) -> int:
        """Number of a signal's slot."""
        if signal not in self.signals:
            self.signals[signal] = len(self.slots)
            index = self._compiled.index.get(signal)
            self.slots.append(SignalState(signal, self.pending, self._compiled, index))
        return self.signals[signal]

    def get_memory(self, memory: object) -> int:
        """Number of a memory's slot."""
        if memory not in self.memories:
            self.memories[memory] = len(self.slots)
            number = self._compiled.netlist.memories.get(memory)
            self.slots.append(MemoryState(memory, self.pending, self._compiled, number))
        return self.memories[memory]

    def set_delay_waker(self, interval: int, waker: Callable) -> None:
        """Call ``waker()`` after an interval in femtoseconds."""
        self.timeline.set_waker(interval, waker)

    def add_signal_waker(self, signal: object, waker: Callable) -> None:
        """See :meth:`SignalState.add_waker`."""
        slot = self.slots[self.get_signal(signal)]
        slot.add_waker(waker)
        self.watched[slot] = None

    def add_memory_waker(self, memory: object, waker: Callable) -> None:
        """``waker()`` is called before every commit of writes to a memory."""
        self.slots[self.get_memory(memory)].wakers.append(waker)

    def commit(self, fired: bool) -> tuple[bool, list]:
        """Apply what was set; whether anything changed, and which memory rows were written by test benches."""
        changed, rows = fired, []
        pending = list(self.pending)
        self.pending.clear()
        for slot in pending:
            if isinstance(slot, MemoryState):
                rows += [(slot.memory, addr) for addr in slot.commit()]
            else:
                slot.commit()
            changed = True
        if changed:
            for slot in list(self.watched):
                self._wake(slot)
        return changed, rows

    def _wake(self, slot: SignalState) -> None:
        old, new = slot.last, slot.curr
        if old != new:
            slot.last = new
            run_wakers(slot.wakers, old, new)
        if not slot.wakers:
            del self.watched[slot]
