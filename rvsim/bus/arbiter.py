"""Many initiators, one target: in turns."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rvsim.bus import wishbone
from rvsim.bus.decoder import OUTSTANDING

__all__ = ["Arbiter"]


class Arbiter(wiring.Component):
    """Pipelined Wishbone: whoever asks gets the target, round robin, and keeps it while ``cyc`` is high.

    The target changes hands only when everything has been answered, so answers need no labels. An initiator that keeps
    ``cyc`` (a burst, an atomic access) is not interrupted.

    Parameters
    ----------
    count : int
        Initiators.
    addr_width : int
        Width of a word address, in bits.

    Members
    -------
    initiators : ``In(wishbone.Signature(addr_width, 32, granularity=8, features={"stall", "err"})).array(count)``
        Their buses.
    bus : ``Out(...)``, the same signature
        The target's.

    Raises
    ------
    ValueError
        No initiators.
    """

    def __init__(self, count: int, *, addr_width: int = 30) -> None:
        if count < 1:
            raise ValueError(f"an arbiter between {count} initiators has nothing to do")
        self.count = count
        signature = wishbone.Signature(addr_width=addr_width, data_width=32, granularity=8, features={"stall", "err"})
        super().__init__({"initiators": In(signature).array(count), "bus": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        """Whose turn it is, and what is still to be answered."""
        m = Module()
        bus, owner, pending = self.bus, Signal(range(self.count)), Signal(range(OUTSTANDING + 1))
        taken, answered, held = (Signal(name=n) for n in ("taken", "answered", "held"))
        for initiator in self.initiators:
            m.d.comb += initiator.stall.eq(1)
        with m.Switch(owner):
            for number, initiator in enumerate(self.initiators):
                with m.Case(number):
                    m.d.comb += [
                        held.eq(initiator.cyc),
                        bus.cyc.eq(initiator.cyc | (pending != 0)),
                        bus.stb.eq(initiator.cyc & initiator.stb & (pending != OUTSTANDING)),
                        bus.adr.eq(initiator.adr), bus.dat_w.eq(initiator.dat_w), bus.sel.eq(initiator.sel),
                        bus.we.eq(initiator.we), initiator.stall.eq(bus.stall | (pending == OUTSTANDING)),
                        initiator.ack.eq(bus.ack), initiator.err.eq(bus.err), initiator.dat_r.eq(bus.dat_r),
                    ]  # fmt: skip
        m.d.comb += [taken.eq(bus.stb & ~bus.stall), answered.eq(bus.ack | bus.err)]
        with m.If(taken != answered):
            m.d.sync += pending.eq(Mux(taken, pending + 1, pending - 1))
        with m.If(~held & (pending == 0)), m.Switch(owner):
            for number in range(self.count):
                with m.Case(number):
                    # The one after this comes first: later statements win.
                    for step in reversed(range(1, self.count)):
                        other = (number + step) % self.count
                        with m.If(self.initiators[other].cyc):
                            m.d.sync += owner.eq(other)
        return m
