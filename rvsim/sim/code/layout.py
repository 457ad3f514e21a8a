"""Where everything lives: one flat buffer for all state of a design, so that a snapshot is one copy."""

from __future__ import annotations

import ctypes
import mmap
from dataclasses import dataclass, field

from ..graph.graph import MASK, SHIFT, State
from ..graph.lowering import Design
from ..graph.paths import Bit, Bits
from ..netlist import COMBINATIONAL

ALIGN = 64

#: What the counter of the log's bytes also says: an assertion was violated; entries did not fit.
VIOLATED, LOST = 1 << 62, 1 << 61

#: Room for entries; the host empties the log when it is half full. Pages that are never used take no memory.
LOG_BYTES = 1 << 20

#: What holds a design's state.
Buffer = bytearray | mmap.mmap


def storage_bits(width: int) -> int:
    """Bits that a value of a width takes in memory: 8, 16, 32, or a multiple of 64."""
    for size in (8, 16, 32):
        if width <= size:
            return size
    return -(-width // 64) * 64


@dataclass
class MemoryPlace:
    """Where a memory's rows are."""

    offset: int
    row_bytes: int
    depth: int
    width: int


@dataclass
class MessagePlace:
    """An entry of the log: message and instant in 64 bits each, then values (offset in the entry, size).

    A combinational message also keeps a flag (whether its condition held) and the values it had last, at
    ``memory`` and ``memory + offset - 8``.
    """

    size: int
    values: list[tuple[int, int]]
    memory: int = 0


@dataclass
class Layout:
    """Offsets in bytes.

    Attributes
    ----------
    states
        Node number of a state → offset.
    memories
        Cell number → place.
    messages
        By the message's index in the design.
    fired
        A 64-bit number: bytes of entries in the log of messages, with :data:`VIOLATED` and :data:`LOST`.
    instant
        A 64-bit counter by which entries of one instant are known.
    log, log_bytes
        The log: behind everything else, and no part of a snapshot.
    watches
        There are combinational messages.
    cycle, reason
        64-bit numbers: cycles that were run, and why the last run ended.
    edges
        One byte for each watched clock or reset: its last value.
    size
        Of the whole buffer without the log.
    """

    states: dict[int, int] = field(default_factory=dict)
    memories: dict[int, MemoryPlace] = field(default_factory=dict)
    messages: list[MessagePlace] = field(default_factory=list)
    edges: dict[int, int] = field(default_factory=dict)
    fired: int = 0
    cycle: int = 8
    reason: int = 16
    instant: int = 24
    log: int = 0
    log_bytes: int = 0
    watches: bool = False
    first_state: int = 32
    state_bytes: int = 0
    size: int = 0

    def peek(self, buffer: Buffer, bit: Bit) -> int:
        """The value of a bit of a state."""
        place = self.states[bit >> SHIFT] * 8 + (bit & MASK)
        return buffer[place >> 3] >> (place & 7) & 1

    def poke(self, buffer: Buffer, bits: Bits, value: int) -> None:
        """Change bits of states; constants among them stay."""
        for position, bit in enumerate(bits):
            if bit >= 2:
                place = self.states[bit >> SHIFT] * 8 + (bit & MASK)
                mask = 1 << (place & 7)
                buffer[place >> 3] = buffer[place >> 3] & ~mask | (mask if value >> position & 1 else 0)


def peek_row(buffer: Buffer, place: MemoryPlace, index: int) -> int:
    """A row of a memory, without sign."""
    start = place.offset + index * place.row_bytes
    return int.from_bytes(buffer[start : start + place.row_bytes], "little")


def poke_row(buffer: Buffer, place: MemoryPlace, index: int, value: int) -> None:
    """Change a row of a memory; of the value, the row's width counts."""
    start = place.offset + index * place.row_bytes
    raw = value & ((1 << place.width) - 1)
    buffer[start : start + place.row_bytes] = raw.to_bytes(place.row_bytes, "little")


def address_of(buffer: Buffer) -> int:
    """Where a buffer is; it cannot be resized from here on."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def lay_out(design: Design) -> Layout:
    """Place all state of a design: small pieces together, memories behind them."""
    layout = Layout()
    states: list[State] = [node.extra for node in design.graph.nodes if node.op == "state"]
    position = layout.first_state
    for state in sorted(states, key=lambda s: -storage_bits(s.width)):
        size = storage_bits(state.width) // 8
        position = -(-position // size) * size
        layout.states[state.node] = position
        position += size
    triggers = {b for r in design.registers for b in (r.clock, r.reset, r.also)}
    triggers |= {b for thing in (*design.writes, *design.messages) for b in (thing.clock, thing.also)}
    for bit in sorted(b for b in triggers if b >= 2):
        layout.edges[bit] = position
        position += 1
    layout.state_bytes = position
    position = -(-position // 8) * 8
    for message in design.messages:
        size, values = 16, []
        for value in message.values:
            words = -(-max(1, len(value)) // 64) * 8
            values.append((size, words))
            size += words
        layout.messages.append(MessagePlace(size, values, position))
        if message.cell.edge == COMBINATIONAL:
            position += size - 8
            layout.watches = True
    for number, memory in design.memories.items():
        position = -(-position // ALIGN) * ALIGN
        size = storage_bits(max(1, memory.width)) // 8
        layout.memories[number] = MemoryPlace(position, size, memory.depth, memory.width)
        position += size * memory.depth
    layout.size = layout.log = -(-position // ALIGN) * ALIGN + ALIGN
    if design.messages:
        layout.log_bytes = LOG_BYTES + 8 * sum(place.size for place in layout.messages)
    return layout


def initial(design: Design, layout: Layout) -> mmap.mmap:
    """The buffer at reset: whole pages, of which only those that are used take memory."""
    data = mmap.mmap(-1, layout.size + layout.log_bytes)
    for node in design.graph.nodes:
        if node.op == "state":
            state, offset = node.extra, layout.states[node.extra.node]
            size = storage_bits(state.width) // 8
            data[offset : offset + size] = state.init.to_bytes(size, "little")
    for number, memory in design.memories.items():
        place = layout.memories[number]
        mask = (1 << memory.width) - 1
        if memory.init.count(0) == len(memory.init):
            continue
        for row, value in enumerate(memory.init):
            if value:
                start = place.offset + row * place.row_bytes
                data[start : start + place.row_bytes] = (value & mask).to_bytes(place.row_bytes, "little")
    return data
