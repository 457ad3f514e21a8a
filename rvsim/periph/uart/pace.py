"""How long a character of a UART takes: the 16550's bit clock, counted in cycles of ours."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rvsim.periph.uart.registers import UART
from rvsim.periph.uart.twin import CLOCK_HZ
from rvsim.regs.hardware import layout_of

__all__ = ["CHARACTER_BITS", "Pace", "Timer"]

# 24 half bits (start, 8 bits, parity, two stop bits) of 8 UART clocks for each unit of a 16-bit divisor.
CHARACTER_BITS = (24 * 8 * 0xFFFF).bit_length()


class Pace(wiring.Component):
    """The UART's own clock of 3.6864 MHz, derived from ours, and the length of a character in its cycles.

    A bit takes 16 times the divisor (PC16550D data sheet, "Programmable Baud Generator"); start bit, word, parity and
    stop bits are as LCR says. A divisor of 0 gives characters without length.

    Parameters
    ----------
    clock : int
        Frequency of the domain ``sync`` in Hz, at least 3 686 400.

    Members
    -------
    divisor : ``In(16)``
        DLM and DLL.
    lcr : ``In(layout of LCR)``
        Line control.
    running : ``In(1)``
        Somebody counts; the clock stands still otherwise.
    tick : ``Out(1)``
        A cycle of the UART's clock ends.
    character : ``Out(24)``
        Length of a character in ticks.

    Raises
    ------
    ValueError
        ``clock`` is too slow, or no integer.
    """

    def __init__(self, clock: int) -> None:
        if type(clock) is not int or clock < CLOCK_HZ:
            raise ValueError(f"UART: clock must be an integer of at least {CLOCK_HZ} Hz, not {clock!r}")
        self._clock = clock
        super().__init__(
            {
                "divisor": In(16),
                "lcr": In(layout_of(UART["lcr"])),
                "running": In(1),
                "tick": Out(1),
                "character": Out(CHARACTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """An accumulator of fractions of a cycle."""
        m = Module()
        phase = Signal(range(self._clock))
        following = Signal(range(2 * self._clock))
        m.d.comb += following.eq(phase + CLOCK_HZ)
        with m.If(self.running):
            m.d.comb += self.tick.eq(following >= self._clock)
            m.d.sync += phase.eq(following - Mux(self.tick, self._clock, 0))
        m.d.comb += self.character.eq(self.divisor * _half_bits(self.lcr) * 8)
        return m


def _half_bits(lcr: data.View) -> Value:
    """Start bit, five to eight bits, parity, and one, one and a half (of five bits) or two stop bits."""
    whole = 1 + 5 + lcr.wls + lcr.pen + 1
    return 2 * whole + Mux(lcr.stb, Mux(lcr.wls == 0, 1, 2), 0)


class Timer(wiring.Component):
    """Counts ticks down.

    Members
    -------
    start, duration : ``In(1)``, ``In(26)``
        Begin with ``duration`` ticks, whatever is left.
    tick : ``In(1)``
        Count one.
    running : ``Out(1)``
        Some are left.
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "duration": In(CHARACTER_BITS + 2), "tick": In(1), "running": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """A counter that stops at zero."""
        m = Module()
        left = Signal(CHARACTER_BITS + 2)
        m.d.comb += self.running.eq(left != 0)
        with m.If(self.start):
            m.d.sync += left.eq(self.duration)
        with m.Elif(self.running & self.tick):
            m.d.sync += left.eq(left - 1)
        return m
