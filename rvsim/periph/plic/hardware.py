"""The PLIC as hardware."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.periph.plic.registers import PRIORITY_BITS, SOURCES, plic_map
from rvsim.regs.hardware import Registers, bus_signature

__all__ = ["Plic"]


class Plic(wiring.Component):
    """Platform-level interrupt controller (RISC-V PLIC specification 1.0.0) with level-triggered gateways.

    The search for the best source runs only in the cycle after something has changed, and its result is registered:

    - A source that rises in one cycle is pending in the next; ``interrupts`` shows it in the one after that.
    - An access is answered in the cycle after its request; ``interrupts`` shows its effect in the cycle after the
      answer, before the next access. So a claim finds the best of what was pending in the cycle before it.

    Outputs depend on registers only.

    Parameters
    ----------
    contexts : int
        Interrupt lines, 1 to 1024: M-mode of hart 0, its S-mode, …
    sources : int
        Interrupt numbers, 2 to 1024, including 0, which means "none".

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=21, data_width=32, granularity=8, features={"err"}))``
        Registers as in :func:`rvsim.periph.plic.plic_map`.
    sources : ``In(sources)``
        Lines of the devices, by interrupt number; bit 0 is ignored.
    interrupts : ``Out(contexts)``
        Interrupt line of each context, a level.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    def __init__(self, contexts: int = 2, sources: int = SOURCES) -> None:
        self._map = plic_map(contexts, sources)
        self._contexts, self._sources = contexts, sources
        super().__init__({"bus": In(bus_signature(self._map)), "sources": In(sources), "interrupts": Out(contexts)})

    def elaborate(self, platform: object) -> Module:
        """Gateways and claims change what is pending; a search per context follows."""
        m = Module()
        m.submodules.registers = registers = Registers(self._map)
        connect(m, flipped(self.bus), registers.bus)
        numbers = [Signal(range(self._sources), name=f"number_{context}") for context in range(self._contexts)]
        for claim, number in zip(registers.claim, numbers):
            m.d.comb += claim.driven.eq(number)
        changed = self._gateways(m, registers, numbers)
        # An access may have changed anything: it is being answered when its effect can be seen.
        with m.If(changed | registers.bus.ack):
            for context, number in enumerate(numbers):
                level, best = self._search(m, registers, context)
                m.d.sync += [
                    number.eq(best),
                    self.interrupts[context].eq(level > registers.threshold[context].value.level),
                ]
        return m

    def _gateways(self, m: Module, registers: Registers, numbers: list[Signal]) -> Signal:
        """Forward requests, and take claims and completions; whether something became pending in the last cycle."""
        pending = registers.pending
        waiting = Value.cast(pending.value)[: self._sources]
        changed = Signal()
        claimed = Signal(self._sources)
        raised = Signal(self._sources)
        claiming = Signal(self._sources)
        completing = Signal(self._sources)
        m.d.comb += raised.eq(self.sources & ~(waiting | claimed))
        for claim, enable, number in zip(registers.claim, registers.enable, numbers):
            with m.If(claim.read & (number != 0)):
                m.d.comb += claiming.eq(1 << number)
            with m.If(claim.written):
                completed = claim.data[: len(number)]
                enabled = Value.cast(enable.value).bit_select(completed, 1)
                m.d.comb += completing.eq(Mux(claim.data < self._sources, enabled, 0) << completed)
        # Only an access claims and completes: a simulator need not look at the claims without one.
        rises, access = raised[1:].any(), self.bus.cyc & self.bus.stb
        m.d.sync += changed.eq(rises)
        m.d.comb += [
            pending.update.eq(rises | access),
            Value.cast(pending.next)[: self._sources].eq(waiting & ~claiming | self.sources & completing | raised),
        ]
        with m.If(pending.update):
            m.d.sync += claimed.eq(claimed & ~completing | claiming)
        return changed

    def _search(self, m: Module, registers: Registers, context: int) -> tuple[Value, Value]:
        """Priority and number of the best source: the highest priority is found bit by bit, then the lowest number."""
        waiting = Value.cast(registers.pending.value) & Value.cast(registers.enable[context].value)
        candidates, found = waiting[: self._sources], []
        for bit in reversed(range(PRIORITY_BITS)):
            levels = Cat(Const(0, 1), *(priority.value.level[bit] for priority in registers.priority))
            preferred = _named(m, candidates & levels, f"preferred{bit}_{context}")
            found.insert(0, preferred.any())
            candidates = _named(m, Mux(found[0], preferred, candidates), f"candidates{bit}_{context}")
        # Priority 0 never interrupts: then all that wait are candidates, and none is found.
        level = _named(m, Cat(found), f"level_{context}")
        return level, Mux(level.any(), _lowest(m, candidates, context), 0)


def _lowest(m: Module, bits: Value, context: int) -> Value:
    """Number of the lowest bit that is 1, if one is: halves are dropped until one bit is left."""
    number: list[Value] = []
    while len(bits) > 1:
        half = 1 << (len(bits) - 1).bit_length() - 1
        low, high = bits[:half], bits[half:]
        number.insert(0, ~low.any())
        bits = _named(m, Mux(low.any(), low, high), f"lowest{half}_{context}")
    return Cat(number)


def _named(m: Module, value: Value, name: str) -> Signal:
    """A value as a signal: it is used more than once, and would be computed as often."""
    signal = Signal(len(value), name=name)
    m.d.comb += signal.eq(value)
    return signal
