"""The UART 16550A as hardware."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rvsim.periph.uart.pace import Pace
from rvsim.periph.uart.receiver import Receiver
from rvsim.periph.uart.registers import UART
from rvsim.periph.uart.transmitter import Transmitter
from rvsim.regs.hardware import Registers, bus_signature, layout_of

__all__ = ["Uart"]

_LINE, _DATA, _TIMEOUT, _TRANSMITTER, _MODEM = 3, 2, 6, 1, 0
_TRIGGERS = (1, 4, 8, 14)
_CONNECTED = 0b1011  # CTS, DSR and DCD: somebody is at the other end


class Uart(wiring.Component):
    """UART 16550A (PC16550D data sheet).

    An access is answered in the cycle after its request, when ``interrupt`` shows its effect already; the effects of
    FCR and of a character that loops back show one cycle later, before the next access. Outputs depend on registers
    only, and ``tx`` never withdraws a character that it offers.

    Parameters
    ----------
    baud : ``"unlimited"`` or ``"divisor"``
        Unlimited: a character leaves in each cycle that ``tx`` takes one, and arrives in each cycle in which there is
        room; the character time-out is over at once. By the divisor: start bit, word, parity and stop bits take their
        time, in both directions; the time-out is four characters.
    clock : int
        Frequency of the domain ``sync`` in Hz, at least 3 686 400; only with ``baud="divisor"``.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=6, data_width=32, granularity=8, features={"err"}))``
        Registers as in :data:`rvsim.periph.uart.UART`.
    tx : ``Out(stream.Signature(8))``
        Characters sent.
    rx : ``In(stream.Signature(8))``
        Characters received; they wait while there is no room, so none is lost.
    rx_break : ``In(1)``
        A break is received; it enters the FIFO two cycles later at the earliest, and others until then are the same.
    receiver_enabled : ``Out(1)``
        The guest wants interrupts for received characters: somebody reads the console.
    interrupt : ``Out(1)``
        Interrupt line, a level.

    Raises
    ------
    ValueError
        ``baud`` is neither, or ``clock`` is too slow, missing, or without use.
    """

    def __init__(self, *, baud: str = "unlimited", clock: int | None = None) -> None:
        if baud not in ("unlimited", "divisor"):
            raise ValueError(f"UART: baud must be 'unlimited' or 'divisor', not {baud!r}")
        if baud == "unlimited" and clock is not None:
            raise ValueError("UART: a clock frequency is of use only with baud='divisor'")
        self._pace = Pace(clock) if baud == "divisor" else None
        super().__init__(
            {
                "bus": In(bus_signature(UART)),
                "tx": Out(stream.Signature(8)),
                "rx": In(stream.Signature(8)),
                "rx_break": In(1),
                "receiver_enabled": Out(1),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Registers of the map between the units of the line."""
        m = Module()
        timed = self._pace is not None
        m.submodules.registers = registers = Registers(UART)
        m.submodules.transmitter = transmitter = Transmitter(timed=timed)
        m.submodules.receiver = receiver = Receiver(timed=timed)
        connect(m, flipped(self.bus), registers.bus)
        connect(m, transmitter.tx, flipped(self.tx))
        connect(m, flipped(self.rx), receiver.rx)
        loop = registers.mcr.value.loop
        m.d.comb += [
            transmitter.write.eq(registers.thr.written),
            transmitter.value.eq(registers.thr.data),
            transmitter.loop.eq(loop),
            receiver.loop.eq(loop),
            receiver.looping.eq(transmitter.looping),
            receiver.looped.eq(transmitter.looped),
            receiver.value.eq(transmitter.character_out),
            receiver.pop.eq(registers.rbr.read),
            receiver.rx_break.eq(self.rx_break),
            registers.rbr.driven.eq(receiver.oldest),
            self.receiver_enabled.eq(registers.ier.value.erbfi),
        ]
        fifos_enabled, trigger = self._control_fifos(m, registers, transmitter, receiver)
        self._line_status(m, registers, transmitter, receiver, fifos_enabled)
        self._modem_status(m, registers)
        self._interrupts(m, registers, transmitter, receiver, fifos_enabled, trigger)
        if timed:
            self._keep_pace(m, registers, transmitter, receiver)
        return m

    def _control_fifos(
        self, m: Module, registers: Registers, transmitter: Transmitter, receiver: Receiver
    ) -> tuple[Signal, Signal]:
        """FCR, in the cycle after the write: a wide access may loop a character back first.

        As in the twin a character that waits survives *enabling* the FIFOs, and not disabling them.
        """
        fifos_enabled = Signal()
        trigger = Signal(2)
        written = Signal()
        value = Signal(layout_of(UART["fcr"]))
        m.d.sync += written.eq(registers.fcr.written)
        with m.If(registers.fcr.written):
            m.d.sync += Value.cast(value).eq(registers.fcr.data)
        with m.If(written):
            m.d.sync += [fifos_enabled.eq(value.enable), trigger.eq(Mux(value.enable, value.trigger, 0))]
            m.d.comb += [
                receiver.clear.eq(Mux(value.enable, value.reset_receiver, fifos_enabled)),
                transmitter.clear.eq(Mux(value.enable, value.reset_transmitter, fifos_enabled)),
            ]
        m.d.comb += [transmitter.single.eq(~fifos_enabled), receiver.single.eq(~fifos_enabled)]
        return fifos_enabled, trigger

    def _line_status(
        self, m: Module, registers: Registers, transmitter: Transmitter, receiver: Receiver, fifos_enabled: Signal
    ) -> None:
        lsr = registers.lsr
        m.d.comb += [
            lsr.driven.dr.eq(receiver.level != 0),
            lsr.driven.thre.eq(transmitter.empty),
            lsr.driven.temt.eq(transmitter.idle),
            lsr.driven.fifo_error.eq(fifos_enabled & receiver.faulty),
            lsr.events.oe.eq(receiver.overrun),
            Cat(lsr.events.pe, lsr.events.fe, lsr.events.bi).eq(receiver.errors),
        ]

    def _modem_status(self, m: Module, registers: Registers) -> None:
        """The modem lines are constant but for loopback, so they move only as MCR is written."""
        mcr, msr = registers.mcr, registers.msr
        before, after = (_lines(value) for value in (mcr.value, data.View(layout_of(UART["mcr"]), mcr.data)))
        m.d.comb += Cat(msr.driven.cts, msr.driven.dsr, msr.driven.ri, msr.driven.dcd).eq(before)
        with m.If(mcr.written):
            changed = before ^ after
            m.d.comb += [
                msr.events.dcts.eq(changed[0]),
                msr.events.ddsr.eq(changed[1]),
                msr.events.teri.eq(before[2] & ~after[2]),
                msr.events.ddcd.eq(changed[3]),
            ]

    def _interrupts(
        self,
        m: Module,
        registers: Registers,
        transmitter: Transmitter,
        receiver: Receiver,
        fifos_enabled: Signal,
        trigger: Signal,
    ) -> None:
        """Data sheet, table V: what is pending, by priority, and the THRE interrupt's own state."""
        ier, lsr, iir = registers.ier, registers.lsr.value, registers.iir
        transmitter_interrupt = Signal(init=1)
        identity = Signal(3)
        pending = Signal()
        filled = ~fifos_enabled | (receiver.level >= Array(_TRIGGERS)[trigger])
        waits = registers.ier.value.erbfi & (receiver.level != 0)
        m.d.comb += pending.eq(1)
        with m.If(ier.value.elsi & (lsr.oe | lsr.pe | lsr.fe | lsr.bi)):
            m.d.comb += identity.eq(_LINE)
        with m.Elif(waits & (receiver.expired | filled)):
            m.d.comb += identity.eq(Mux(filled, _DATA, _TIMEOUT))
        with m.Elif(ier.value.etbei & transmitter_interrupt):
            m.d.comb += identity.eq(_TRANSMITTER)
        with m.Else():
            msr = registers.msr.value
            m.d.comb += identity.eq(_MODEM)
            m.d.comb += pending.eq(ier.value.edssi & (msr.dcts | msr.ddsr | msr.teri | msr.ddcd))
        m.d.comb += [
            self.interrupt.eq(pending),
            iir.driven.no_interrupt.eq(~pending),
            iir.driven.identity.eq(identity),
            iir.driven.fifos.eq(fifos_enabled.replicate(2)),
        ]
        enabled = data.View(layout_of(UART["ier"]), ier.data).etbei & ~ier.value.etbei
        with m.If(transmitter.emptied | ier.written & enabled & transmitter.empty & ~transmitter.filled):
            m.d.sync += transmitter_interrupt.eq(1)
        with m.Elif(transmitter.filled | iir.read & pending & (identity == _TRANSMITTER)):
            m.d.sync += transmitter_interrupt.eq(0)

    def _keep_pace(self, m: Module, registers: Registers, transmitter: Transmitter, receiver: Receiver) -> None:
        m.submodules.pace = pace = self._pace
        m.d.comb += [
            pace.divisor.eq(Cat(registers.dll.value, registers.dlm.value)),
            pace.lcr.eq(registers.lcr.value),
            pace.running.eq(transmitter.counting | receiver.counting),
        ]
        for unit in (transmitter, receiver):
            m.d.comb += [unit.tick.eq(pace.tick), unit.character.eq(pace.character)]


def _lines(mcr: data.View) -> Value:
    """CTS, DSR, RI and DCD: the host's, or in loopback RTS, DTR, OUT1 and OUT2."""
    return Mux(mcr.loop, Cat(mcr.rts, mcr.dtr, mcr.out1, mcr.out2), Const(_CONNECTED, 4))
