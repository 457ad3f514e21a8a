"""A design in machine code as the simulator's engine needs it: one instant at a time, every signal to be looked at."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

from .. import private
from ..clocks import follows_inputs, follows_registers, is_input, watched
from ..code.functions import Program
from ..code.layout import address_of, initial, storage_bits
from ..graph.graph import SHIFT
from ..graph.paths import Bits
from ..messages import Messages
from ..model import Model
from ..options import FEW_PASSES

_STRUCTS = {8: struct.Struct("<B"), 16: struct.Struct("<H"), 32: struct.Struct("<I"), 64: struct.Struct("<Q")}


class Compiled:
    """The design: its buffer and functions.

    Attributes
    ----------
    stale
        Something changed since :meth:`look`.
    armed
        There may be an edge that :meth:`instant` has not seen.
    chained
        Clocks or asynchronous resets may follow from registers, so that one instant can lead to the next.
    """

    def __init__(self, design: object) -> None:
        self.model = Model(design)
        self.netlist, self.design, self.layout = self.model.netlist, self.model.design, self.model.layout
        self.values = [self.design.value(nets) for nets in self.netlist.signals.values()]
        self.signals = list(self.netlist.signals)
        self.index = private.SignalDict()
        for index, signal in enumerate(self.signals):
            self.index[signal] = index
        self.chained = follows_registers(self.design)
        #: Combinational logic from inputs leads to clocks or asynchronous resets.
        self.derived = self.chained or follows_inputs(self.design)
        self._triggers = watched(self.design)
        #: There are messages; combinational ones, which are looked at whenever everything has settled.
        self.talks, self.watches = bool(self.layout.log_bytes), self.layout.watches
        code = self.model.compile(("engine", self.model.signals_digest), self._write, FEW_PASSES)
        self.places = [tuple(place) for place in code.extra]
        self._instant = code.function("instant", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
        self._look = code.function("look", None, ctypes.c_void_p, ctypes.c_void_p)
        self._watch = code.function("watch", None, ctypes.c_void_p, ctypes.c_void_p) if self.watches else None
        self.buffer = initial(self.design, self.layout)
        self.messages = Messages(self.design, self.layout, self.buffer)
        self._address = ctypes.c_void_p(address_of(self.buffer))
        size = max((offset + length for offset, length in self.places), default=8)
        self.seen = bytearray(size)
        self._seen_address = ctypes.c_void_p(address_of(self.seen))
        self._begin()

    def _write(self, program: Program) -> list[tuple[int, int]]:
        program.instant()
        if self.layout.watches:
            program.watch()
        return program.look(self.values)

    def reset(self) -> None:
        """Back to the beginning; clocks and resets count as having been what they are now."""
        fresh = initial(self.design, self.layout)  # no copy is kept: memories may be large
        self.buffer[: self.layout.size] = fresh[: self.layout.size]
        self._begin()

    def _begin(self) -> None:
        self.messages.forget(waiting=True)
        self.look()
        self.model.begin_edges(self.buffer)
        self.stale, self.armed, self.unwatched = False, True, True

    def instant(self) -> bool:
        """Everything that edges since the last call trigger; whether there was one."""
        self.armed = False
        if not self._instant(self._address, None):
            return False
        self.stale = True
        self.armed = self.chained
        return True

    def watch(self) -> None:
        """Look at combinational messages."""
        self.unwatched = False
        self._watch(self._address, None)

    def look(self) -> None:
        """Bring all values up to date."""
        self._look(self._address, self._seen_address)
        self.stale = False

    def changed(self) -> None:
        """Something was changed from outside."""
        self.stale = True
        self.armed |= self.chained

    def poke(self, index: int, value: int) -> None:
        """Change a signal that is state."""
        bits = self.values[index]
        self.layout.poke(self.buffer, bits, value)
        self.stale = True
        self.armed |= self.derived or not self._triggers.isdisjoint(bits)

    # -- signals, by index

    def is_input(self, index: int) -> bool:
        """Whether only a test bench changes a signal."""
        bits, signal = self.values[index], self.signals[index]
        if signal in self.netlist.combinational:
            return False  # another name for an input
        return bool(bits) and all(bit >= 2 and is_input(self.design, bit) for bit in bits)

    def is_trigger(self, index: int) -> bool:
        """Whether a change of this signal may lead to an edge of a clock or an asynchronous reset."""
        return self.derived or not self._triggers.isdisjoint(self.values[index])

    def _word(self, bits: Bits) -> tuple[struct.Struct, int] | None:
        """How and where a signal is kept that is one whole piece of state; ``None``: it is not."""
        node = bits[0] >> SHIFT if bits and bits[0] >= 2 else 0
        known = self.design.graph.nodes[node]
        if known.op != "state" or bits != tuple((node << SHIFT) + position for position in range(known.width)):
            return None
        return _STRUCTS[storage_bits(known.width)], self.layout.states[node]

    def storer(self, index: int) -> Callable[[int], None]:
        """A function that changes a signal which is state, given its value without sign."""
        bits, buffer = self.values[index], self.buffer
        word = self._word(bits)
        if word is None:
            return lambda value: self.layout.poke(buffer, bits, value)
        pack, offset = word[0].pack_into, word[1]
        return lambda value: pack(buffer, offset, value)

    def fetcher(self, index: int) -> Callable[[], int]:
        """A function that gives a signal's value now, without sign."""
        word, buffer, seen = self._word(self.values[index]), self.buffer, self.seen
        if word is not None:
            read, place = word[0].unpack_from, word[1]
            return lambda: read(buffer, place)[0]
        offset, size = self.places[index]
        if size <= 8:
            unpack = _STRUCTS[size * 8].unpack_from

            def fetch() -> int:
                if self.stale:
                    self.look()
                return unpack(seen, offset)[0]
        else:

            def fetch() -> int:
                if self.stale:
                    self.look()
                return int.from_bytes(seen[offset : offset + size], "little")

        return fetch
