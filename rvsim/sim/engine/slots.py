"""What a test bench sees of a design: signals and memories with current and next values."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Shape

from .. import private
from ..code.layout import peek_row, poke_row
from .compiled import Compiled


def run_wakers(wakers: list[Callable], *arguments: object) -> None:
    """Call wakers; those that return false are done."""
    wakers[:] = [waker for waker in wakers if waker(*arguments)]


class Slot(private.BaseSignalState):
    """A signal of the test bench's own: nothing of the design reads or drives it.

    Attributes
    ----------
    curr
        The committed value.
    next
        The value after the next commit.
    changes
        How often it has changed: two more mean another edge of the same kind.
    edges
        Whoever waits for one edge of this one-bit signal, and is forgotten then (:class:`.waits.TickWait`).
    is_comb
        The design drives it combinationally: test benches may not.
    """

    __slots__ = ("_pending", "changes", "curr", "edges", "is_comb", "mask", "next", "sign", "signal", "wakers")

    def __init__(self, signal: object, pending: dict) -> None:
        self.signal, self._pending = signal, pending
        width = len(signal)
        self.mask = (1 << width) - 1
        self.sign = 1 << (width - 1) if signal.shape().signed and width else 0
        self.wakers: list[Callable] = []
        self.edges: list[object] = []
        self.is_comb, self.changes = False, 0
        self.reset()

    def reset(self) -> None:
        """Back to the initial value."""
        self.curr = self.next = self.signal.init
        self.wakers.clear()
        self.edges.clear()

    def fit(self, value: int) -> int:
        """A value as the signal holds it: truncated to its width, with its sign."""
        value &= self.mask
        return value - 2 * self.sign if value & self.sign else value

    def update(self, value: int, mask: int = ~0) -> None:
        """Set the value that the next commit makes current."""
        value = (self.next & ~mask) | (value & mask)
        if self.next != value:
            self.next = value
            self._pending[self] = None

    def commit(self) -> bool:
        """Make the new value current, and tell whoever waits for it; whether it changed."""
        old, new = self.curr, self.next
        if old == new:
            return False
        self.curr = new
        self.tell(old, new)
        return True

    def tell(self, old: int, new: int) -> None:
        """Wake whoever waits for a change."""
        self.changes += 1
        if self.edges:
            waiting = self.edges[:]
            self.edges.clear()
            for wait in waiting:
                wait.edge(self, new)
        if self.wakers:
            run_wakers(self.wakers, old, new)


class InputSlot(Slot):
    """A signal that only test benches and processes change; the design reads it."""

    __slots__ = ("_compiled", "_store", "is_trigger")

    def __init__(self, signal: object, pending: dict, compiled: Compiled, index: int) -> None:
        self._compiled = compiled
        self._store = compiled.storer(index)
        #: A clock or an asynchronous reset may follow from it at once.
        self.is_trigger = compiled.is_trigger(index)
        super().__init__(signal, pending)

    def commit(self) -> bool:
        """See :class:`Slot`."""
        old, new = self.curr, self.next
        if old == new:
            return False
        self.put(new)
        self.tell(old, new)
        return True

    def put(self, value: int) -> None:
        """Make a value current at once, without telling anybody."""
        self.curr = self.next = value
        self._store(value & self.mask)
        compiled = self._compiled
        compiled.stale = True
        if self.is_trigger:
            compiled.armed = True


class DesignSlot(Slot):
    """A signal that the design computes, at least in parts."""

    __slots__ = ("_compiled", "_fetch", "_index", "_next", "_set", "last")

    def __init__(self, signal: object, pending: dict, compiled: Compiled, index: int) -> None:
        self._compiled, self._index, self._fetch = compiled, index, compiled.fetcher(index)
        self._next: int | None = None
        #: Bits that were set since the last commit: the design may change the others before.
        self._set = 0
        super().__init__(signal, pending)
        self.is_comb = signal in compiled.netlist.combinational

    def reset(self) -> None:
        """See :class:`Slot`."""
        self._next, self._set = None, 0
        self.wakers.clear()
        self.edges.clear()
        self.last = self.curr

    @property
    def curr(self) -> int:
        """The value now."""
        raw = self._fetch()
        return raw - 2 * self.sign if raw & self.sign else raw

    @property
    def next(self) -> int:
        """The value after the next commit."""
        return self.curr if self._next is None else self._next

    def update(self, value: int, mask: int = ~0) -> None:
        """See :class:`Slot`."""
        old = self.next
        value = (old & ~mask) | (value & mask)
        if old != value:
            self._next = value
            self._set |= (old ^ value) & self.mask
            self._pending[self] = None

    def commit(self) -> bool:
        """Change the design's state; who waits for it is told by :meth:`look`."""
        new = self._next & self._set
        if self._set != self.mask:
            new |= self._fetch() & ~self._set
        self._next, self._set = None, 0
        self._compiled.poke(self._index, new)
        return True

    def look(self) -> bool:
        """Tell whoever waits if it has changed since the last time; whether somebody still waits."""
        old, new = self.last, self.curr
        if old != new:
            self.last = new
            self.tell(old, new)
        return bool(self.wakers or self.edges)


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
        #: Row → bits that were set, and which.
        self._queue: dict[int, tuple[int, int]] = {}
        self._rows = list(self.memory._init._raw) if self._place is None else []

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
        return self._signed(peek_row(self._compiled.buffer, self._place, addr))

    def write(self, addr: int, value: int, mask: int | None = None) -> None:
        """Queue a write of the masked bits."""
        if addr in range(self.memory.depth):
            every = (1 << self._shape.width) - 1
            bits, known = every if mask is None else mask & every, self._queue.get(addr, (0, 0))
            self._queue[addr] = (known[0] & ~bits | value & bits, known[1] | bits)
            self._pending[self] = None

    def commit(self) -> list[int]:
        """Make queued writes current; the rows that they went to."""
        run_wakers(self.wakers)
        rows = list(self._queue)
        for addr, (value, bits) in self._queue.items():
            value = self._signed(self.read(addr) & ~bits | value)  # the design may have written the others just now
            if self._place is None:
                self._rows[addr] = value
            else:
                poke_row(self._compiled.buffer, self._place, addr, value)
        self._compiled.changed()
        self._queue.clear()
        return rows
