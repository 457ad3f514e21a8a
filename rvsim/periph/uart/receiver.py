"""The receiver of the UART."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rvsim.periph.uart.pace import CHARACTER_BITS, Timer
from rvsim.periph.uart.queue import Queue
from rvsim.periph.uart.registers import FIFO_DEPTH

__all__ = ["Receiver"]

_BREAK = 0x400


class Receiver(wiring.Component):
    """A FIFO (or buffer register) behind the line, with the errors of each character beside it.

    The line is a stream and can wait: ``rx`` takes a character only while there is room, and none during loopback, so
    only looped characters and breaks lead to an overrun.

    Parameters
    ----------
    timed : bool
        A character takes ``character`` ticks to arrive, and the character time-out is four of them after the last
        arrival or read (PC16550D data sheet, "FIFO Interrupt Mode Operation"); otherwise both are over at once.

    Members
    -------
    rx : ``In(stream.Signature(8))``
        Characters from the outside world.
    rx_break : ``In(1)``
        A break arrives: a zero with a flag, after one cycle at the earliest.
    loop, looping, looped, value : ``In(1)``, ``In(1)``, ``In(1)``, ``In(8)``
        Loopback; a character of it is on its way; it arrives in this cycle with this value.
    pop : ``In(1)``
        Read of RBR; nothing happens if there is none.
    clear : ``In(1)``
        Drop all characters.
    single : ``In(1)``
        No FIFO but a buffer register.
    tick, character : ``In(1)``, ``In(24)``
        As :class:`rvsim.periph.uart.pace.Pace` has them.
    level : ``Out(5)``
        Characters that can be read.
    oldest : ``Out(8)``
        The oldest, 0 if there is none (RBR).
    faulty : ``Out(1)``
        One of them has an error (LSR, bit 7).
    overrun : ``Out(1)``
        In this cycle a character is lost (LSR.OE).
    errors : ``Out(3)``
        In this cycle these errors of the oldest are seen first: parity, framing, break (LSR, bits 2 to 4).
    expired : ``Out(1)``
        The character time-out is over.
    counting : ``Out(1)``
        It needs ticks.
    """

    def __init__(self, *, timed: bool) -> None:
        self._timed = timed
        super().__init__(
            {
                "rx": In(stream.Signature(8)),
                "rx_break": In(1),
                "loop": In(1),
                "looping": In(1),
                "looped": In(1),
                "value": In(8),
                "pop": In(1),
                "clear": In(1),
                "single": In(1),
                "tick": In(1),
                "character": In(CHARACTER_BITS),
                "level": Out(range(FIFO_DEPTH + 1)),
                "oldest": Out(8),
                "faulty": Out(1),
                "overrun": Out(1),
                "errors": Out(3),
                "expired": Out(1),
                "counting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What arrives is pushed: a looped character before one of the line, and this before a break."""
        m = Module()
        m.submodules.receive_fifo = queue = Queue(11)
        broken = Signal()
        closed = self.loop | self.looping | broken
        arrived, value = self._timed_line(m, queue, closed) if self._timed else self._line(m, queue, closed)
        m.d.comb += [
            queue.single.eq(self.single),
            queue.clear.eq(self.clear),
            queue.push.eq(self.looped | arrived | broken),
            self.level.eq(queue.level),
            self.oldest.eq(Mux(queue.level == 0, 0, queue.oldest[:8])),
        ]
        with m.If(self.pop):
            m.d.comb += queue.pop.eq(queue.level != 0)
        with m.If(self.looped):
            m.d.comb += queue.value.eq(self.value)
        with m.Elif(arrived):
            m.d.comb += queue.value.eq(value)
        with m.Elif(broken):
            m.d.comb += queue.value.eq(_BREAK)
            m.d.sync += broken.eq(0)
        with m.If(self.rx_break):
            m.d.sync += broken.eq(1)
        self._reveal(m, queue)
        self._time_out(m, queue)
        return m

    def _line(self, m: Module, queue: Queue, closed: Value) -> tuple[Value, Value]:
        """A character arrives as it is taken."""
        m.d.comb += self.rx.ready.eq(~queue.full & ~closed)
        return self.rx.valid & self.rx.ready, self.rx.payload

    def _timed_line(self, m: Module, queue: Queue, closed: Value) -> tuple[Value, Value]:
        """A character is taken at its start bit, if there will be room, and arrives when its time is over."""
        m.submodules.timer = timer = Timer()
        shift = Signal(8)
        busy = Signal()
        arrived = Signal()
        start = Signal()
        depth = Mux(self.single, 1, FIFO_DEPTH)
        m.d.comb += [
            arrived.eq(busy & ~timer.running & ~self.looped),
            self.rx.ready.eq((~busy | ~timer.running) & (queue.level + busy < depth) & ~closed),
            start.eq(self.rx.valid & self.rx.ready),
            timer.start.eq(start),
            timer.duration.eq(self.character),
            timer.tick.eq(self.tick),
        ]
        with m.If(start):
            m.d.sync += [busy.eq(1), shift.eq(self.rx.payload)]
        with m.Elif(arrived):
            m.d.sync += busy.eq(0)
        return arrived, shift

    def _reveal(self, m: Module, queue: Queue) -> None:
        """An error shows when its character becomes the oldest; how many wait in the FIFO is counted."""
        fresh = Signal()
        faults = Signal(range(FIFO_DEPTH + 1))
        replaced = Signal()
        m.d.comb += self.faulty.eq(faults != 0)
        m.d.sync += fresh.eq(0)
        with m.If(fresh & (queue.level != 0)):
            m.d.comb += self.errors.eq(queue.oldest[8:])
        with m.If(queue.push | queue.pop):
            comes = queue.push & (~self.overrun | self.single) & queue.value[8:].any()
            goes = (queue.pop | replaced) & queue.oldest[8:].any()
            m.d.comb += [
                self.overrun.eq(queue.push & queue.full & ~queue.pop),
                replaced.eq(self.overrun & self.single),
            ]
            m.d.sync += [
                fresh.eq(queue.pop | replaced | (queue.level == 0)),
                faults.eq(faults + comes - goes),
            ]
        with m.If(self.clear):
            m.d.sync += faults.eq(0)

    def _time_out(self, m: Module, queue: Queue) -> None:
        """Reads start the time anew; arrivals do so only as long as it is not over."""
        if not self._timed:
            m.d.comb += self.expired.eq(1)
            return
        m.submodules.patience = patience = Timer()
        over = Signal()
        m.d.comb += [
            patience.start.eq(queue.pop | queue.push),
            patience.duration.eq(Cat(Const(0, 2), self.character)),
            patience.tick.eq(self.tick),
            self.expired.eq(over),
            self.counting.eq(patience.running | m.submodules.timer.running),
        ]
        with m.If(queue.pop | self.clear):
            m.d.sync += over.eq(0)
        with m.Elif((queue.level != 0) & ~patience.running & ~queue.push):
            m.d.sync += over.eq(1)
