"""A Wishbone initiator for test benches in Amaranth's simulator."""

from __future__ import annotations

from amaranth.sim import SimulatorContext

from rvsim.bus.functional import BusError
from rvsim.bus.wishbone import Interface

__all__ = ["Initiator"]


class Initiator:
    """Byte-addressed accesses to a Wishbone target, from a test bench.

    An access wider than the bus is made as several, lowest address first; like any other it has to be aligned.

    Parameters
    ----------
    context : SimulatorContext
        The test bench's.
    bus : Interface
        The target's bus, granularity 8, without ``stall``.
    patience : int
        Cycles to wait for an answer.
    """

    def __init__(self, context: SimulatorContext, bus: Interface, *, patience: int = 1000) -> None:
        self._context = context
        self._bus = bus
        self._lanes = bus.data_width // 8
        self._patience = patience

    async def read(self, offset: int, size: int) -> int:
        """Read ``size`` bytes at byte ``offset``; :exc:`BusError` if the target answers with an error."""
        value = 0
        self._check_wide(offset, size)
        for at in range(0, size, self._lanes):
            part = min(size - at, self._lanes)
            value |= await self._transfer(offset + at, part, None) << at * 8
        return value

    async def write(self, offset: int, size: int, value: int) -> None:
        """Write the low ``size`` bytes of ``value``; :exc:`BusError` if the target answers with an error."""
        self._check_wide(offset, size)
        for at in range(0, size, self._lanes):
            part = min(size - at, self._lanes)
            await self._transfer(offset + at, part, value >> at * 8 & (1 << part * 8) - 1)

    def _check_wide(self, offset: int, size: int) -> None:
        """Before its first part has an effect."""
        if size > self._lanes and offset % size:
            raise BusError(f"{size}-byte access at offset {offset:#x} is misaligned")

    async def _transfer(self, offset: int, size: int, value: int | None) -> int:
        context, bus = self._context, self._bus
        word, lane = divmod(offset, self._lanes)
        if lane + size > self._lanes or word >> bus.addr_width:
            raise BusError(f"{size}-byte access at offset {offset:#x} is misaligned or outside")
        context.set(bus.adr, word)
        context.set(bus.sel, (1 << size) - 1 << lane)
        context.set(bus.we, value is not None)
        context.set(bus.dat_w, (value or 0) << lane * 8)
        context.set(bus.cyc, 1)
        context.set(bus.stb, 1)
        for _ in range(self._patience):
            await context.tick()
            answered, failed = context.get(bus.ack), "err" in bus.signature.members and context.get(bus.err)
            if answered or failed:
                break
        else:
            raise TimeoutError(f"no answer at offset {offset:#x} after {self._patience} cycles")
        data = context.get(bus.dat_r) >> lane * 8 & (1 << size * 8) - 1
        context.set(bus.cyc, 0)
        context.set(bus.stb, 0)
        if failed:
            raise BusError(f"{size}-byte access at offset {offset:#x} was answered with an error")
        return data
