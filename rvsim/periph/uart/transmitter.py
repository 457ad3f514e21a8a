"""The transmitter of the UART."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rvsim.periph.uart.pace import CHARACTER_BITS, Timer
from rvsim.periph.uart.queue import Queue

__all__ = ["Transmitter"]


class Transmitter(wiring.Component):
    """A FIFO (or holding register) and a shift register.

    A character goes on into the shift register as soon as that is free, at once if nothing waits before it; whether
    it leaves through ``tx`` or loops back to the receiver is decided then, so ``tx`` never withdraws what it offers.
    When the FIFO is full, a write is lost; the holding register (``single``) is overwritten.

    Parameters
    ----------
    timed : bool
        A character stays in the shift register for ``character`` ticks before it leaves; otherwise for one cycle.

    Members
    -------
    write, value : ``In(1)``, ``In(8)``
        Write to THR.
    single : ``In(1)``
        No FIFO but a holding register.
    clear : ``In(1)``
        Drop what waits; the shift register goes on.
    loop : ``In(1)``
        Loopback.
    tick, character : ``In(1)``, ``In(24)``
        As :class:`rvsim.periph.uart.pace.Pace` has them.
    empty : ``Out(1)``
        Nothing waits (LSR.THRE).
    idle : ``Out(1)``
        Nor is anything in the shift register (LSR.TEMT).
    emptied, filled : ``Out(1)``
        In this cycle something that waited, or was written, has left the holding register empty; something written
        begins to wait.
    counting : ``Out(1)``
        It needs ticks.
    tx : ``Out(stream.Signature(8))``
        Characters to the outside world.
    looping : ``Out(1)``
        A looped character is in the shift register.
    looped, character_out : ``Out(1)``, ``Out(8)``
        It arrives at the receiver in this cycle.
    """

    def __init__(self, *, timed: bool) -> None:
        self._timed = timed
        super().__init__(
            {
                "write": In(1),
                "value": In(8),
                "single": In(1),
                "clear": In(1),
                "loop": In(1),
                "tick": In(1),
                "character": In(CHARACTER_BITS),
                "empty": Out(1, init=1),
                "idle": Out(1, init=1),
                "emptied": Out(1),
                "filled": Out(1),
                "counting": Out(1),
                "tx": Out(stream.Signature(8)),
                "looping": Out(1),
                "looped": Out(1),
                "character_out": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The shift register takes the oldest character, or past an empty FIFO the one being written."""
        m = Module()
        m.submodules.transmit_fifo = queue = Queue(8)
        shift = Signal(8)
        busy = Signal()
        loops = Signal()
        free = Signal()
        begin = Signal()
        counting = self._counting(m, begin)
        m.d.comb += [
            self.empty.eq(queue.level == 0),
            self.idle.eq(self.empty & ~busy),
            self.tx.payload.eq(shift),
            self.tx.valid.eq(busy & ~counting & ~loops),
            self.looping.eq(busy & loops),
            self.looped.eq(busy & ~counting & loops),
            self.character_out.eq(shift),
            queue.single.eq(self.single),
            queue.clear.eq(self.clear),
            queue.value.eq(self.value),
            self.filled.eq(queue.push),
            free.eq(~busy),
        ]
        with m.If(busy & ~counting & (loops | self.tx.ready)):
            m.d.comb += free.eq(1)
            m.d.sync += busy.eq(0)
        with m.If(~self.empty):
            m.d.comb += [
                queue.push.eq(self.write),
                queue.pop.eq(free),
                begin.eq(free),
                self.emptied.eq(self.clear | free & (queue.level == 1) & ~self.write),
            ]
        with m.Elif(self.write):
            m.d.comb += [queue.push.eq(~free), begin.eq(free), self.emptied.eq(free)]
        with m.If(begin):
            m.d.sync += [busy.eq(1), loops.eq(self.loop), shift.eq(Mux(self.empty, self.value, queue.oldest))]
        return m

    def _counting(self, m: Module, begin: Signal) -> Signal:
        """Whether the character in the shift register is not over yet."""
        if self._timed:
            m.submodules.timer = timer = Timer()
            m.d.comb += [
                timer.start.eq(begin),
                timer.duration.eq(self.character),
                timer.tick.eq(self.tick),
                self.counting.eq(timer.running),
            ]
        return self.counting
