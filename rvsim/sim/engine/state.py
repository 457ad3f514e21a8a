"""What Amaranth's evaluator, its triggers and its waveform writer see of the engine."""

from __future__ import annotations

from collections.abc import Callable

from .. import private
from .compiled import Compiled
from .slots import DesignSlot, InputSlot, MemoryState, Slot
from .timeline import Timeline


class State(private.BaseEngineState):
    """All signals and memories that somebody has asked for, and what is about to change.

    Attributes
    ----------
    pending
        Slots with a next value, in the order in which they got it.
    watched
        Signals of the design that somebody waits for: to be looked at after every change.
    """

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled
        self.timeline = Timeline()
        self.signals, self.memories = private.SignalDict(), {}
        self.slots: list[Slot | MemoryState] = []
        self.pending: dict[Slot | MemoryState, None] = {}
        self.watched: dict[DesignSlot, None] = {}

    def reset(self) -> None:
        """Back to time zero."""
        self.timeline.reset()
        self._compiled.reset()
        for slot in self.slots:
            slot.reset()
        self.pending.clear()
        self.watched.clear()

    def get_signal(self, signal: object) -> int:
        """Number of a signal's slot."""
        found = self.signals.get(signal)
        if found is None:
            found = self.signals[signal] = len(self.slots)
            self.slots.append(self._make(signal))
        return found

    def _make(self, signal: object) -> Slot:
        index = self._compiled.index.get(signal)
        if index is None:
            return Slot(signal, self.pending)
        kind = InputSlot if self._compiled.is_input(index) else DesignSlot
        return kind(signal, self.pending, self._compiled, index)

    def slot(self, signal: object) -> Slot:
        """A signal's slot."""
        return self.slots[self.get_signal(signal)]

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
        """``waker(old, new)`` is called at every change, until it returns false."""
        slot = self.slot(signal)
        slot.wakers.append(waker)
        self.watch(slot)

    def watch(self, slot: Slot) -> None:
        """Somebody waits for a signal."""
        if isinstance(slot, DesignSlot) and slot not in self.watched:
            slot.last = slot.curr
            self.watched[slot] = None

    def add_memory_waker(self, memory: object, waker: Callable) -> None:
        """``waker()`` is called before every commit of writes to a memory."""
        self.slots[self.get_memory(memory)].wakers.append(waker)

    def commit(self) -> list[Slot | tuple[object, int]]:
        """Make everything that was set current; the signals, and rows of memories, that changed."""
        changed: list[Slot | tuple[object, int]] = []
        pending = self.pending
        while pending:
            slot = next(iter(pending))
            del pending[slot]
            if isinstance(slot, MemoryState):
                changed += [(slot.memory, addr) for addr in slot.commit()]
            elif slot.commit():
                changed.append(slot)
        return changed

    def look(self) -> None:
        """Tell those who wait for signals of the design."""
        for slot in list(self.watched):
            if not slot.look():
                del self.watched[slot]
