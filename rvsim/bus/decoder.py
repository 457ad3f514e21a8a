"""One initiator, many targets: by address, in order, errors where nothing answers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rvsim.bus import wishbone

__all__ = ["Bridge", "Decoder", "Region"]

#: Requests that may be on their way at once.
OUTSTANDING = 15


class Region:
    """Bytes of the address space that one target answers.

    Parameters
    ----------
    base, size : int
        In bytes; multiples of the size of a bus word.

    Raises
    ------
    ValueError
        They are not, or the region is empty.
    """

    def __init__(self, base: int, size: int) -> None:
        if base < 0 or size <= 0 or base % 4 or size % 4:
            raise ValueError(f"region {base:#x}, {size:#x} bytes: both are multiples of 4, and the size is not 0")
        self.base, self.size = base, size

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.base + self.size

    @property
    def addr_width(self) -> int:
        """Width of a word address inside it, in bits."""
        return max(1, (self.size // 4 - 1).bit_length())

    def holds(self, adr: Value) -> Value:
        """Whether a word address of the whole space is in it."""
        if self.size & (self.size - 1) == 0 and self.base % self.size == 0:
            low = self.addr_width if self.size > 4 else 0
            return adr[low:] == self.base >> (2 + low)
        return (adr >= self.base // 4) & (adr < self.end // 4)

    def word(self, adr: Value) -> Value:
        """The word address inside it."""
        return (adr - self.base // 4)[: self.addr_width]


def check(regions: Mapping[str, Region], addr_width: int) -> None:
    """Refuse regions that overlap or lie outside.

    Raises
    ------
    ValueError
        The message names both regions.
    """
    placed = sorted(regions.items(), key=lambda item: item[1].base)
    for (name, region), (other, following) in itertools.pairwise(placed):
        if region.end > following.base:
            raise ValueError(
                f"{name} at {region.base:#x}..{region.end - 1:#x} overlaps {other} at "
                f"{following.base:#x}..{following.end - 1:#x}"
            )
    if placed and placed[-1][1].end > 4 << addr_width:
        name, region = placed[-1]
        raise ValueError(f"{name} at {region.base:#x}..{region.end - 1:#x} is beyond {addr_width + 2} bits of address")


def _signature(addr_width: int, *features: str) -> wishbone.Signature:
    return wishbone.Signature(addr_width=addr_width, data_width=32, granularity=8, features=features)


class _ByAddress(wiring.Component):
    """What sends requests to targets by their address; ``features`` are those of the targets' buses."""

    features = ()

    def __init__(self, regions: Mapping[str, Region], *, addr_width: int = 30) -> None:
        check(regions, addr_width)
        if "bus" in regions:
            raise ValueError("no target may be called 'bus'")
        self.regions = dict(regions)
        members = {name: Out(_signature(region.addr_width, *self.features)) for name, region in regions.items()}
        super().__init__({"bus": In(_signature(addr_width, "stall", "err")), **members})


class Decoder(_ByAddress):
    """Pipelined Wishbone: requests go to the target that holds their address, answers come back in order.

    A request to another target waits until the one before has answered everything. What no region holds is answered
    with ``err`` in the next cycle.

    Parameters
    ----------
    regions : mapping of str to :class:`Region`
        Targets by name.
    addr_width : int
        Width of a word address of the whole space, in bits.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width, 32, granularity=8, features={"stall", "err"}))``
        The initiator's.
    <name> : ``Out(wishbone.Signature(region.addr_width, 32, granularity=8, features={"stall", "err"}))``
        Each target's, addressed from its own beginning.

    Raises
    ------
    ValueError
        Regions that overlap or lie outside the space, or that are named like a member here.
    """

    features = ("stall", "err")

    def elaborate(self, platform: object) -> Module:
        """Who is meant, who is still to answer, and the answer."""
        m = Module()
        bus, nobody = self.bus, len(self.regions)
        meant, asked = Signal(range(nobody + 1)), Signal(range(nobody + 1))
        pending = Signal(range(OUTSTANDING + 1))
        wanted, taken, answered, stall = (Signal(name=n) for n in ("wanted", "taken", "answered", "target_stall"))
        failed = Signal()
        m.d.comb += meant.eq(nobody)
        with m.If(bus.cyc & bus.stb):
            for number, region in enumerate(self.regions.values()):
                with m.If(region.holds(bus.adr)):
                    m.d.comb += meant.eq(number)
        m.d.comb += [
            wanted.eq(bus.cyc & bus.stb & (pending != OUTSTANDING) & ((pending == 0) | (meant == asked))),
            taken.eq(wanted & ~stall),
            bus.stall.eq(bus.cyc & bus.stb & ~taken),
            answered.eq(bus.ack | bus.err),
        ]
        m.d.sync += failed.eq(taken & (meant == nobody))
        for number, (name, region) in enumerate(self.regions.items()):
            target = getattr(self, name)
            with m.If(wanted & (meant == number)):
                m.d.comb += [
                    target.stb.eq(1), target.adr.eq(region.word(bus.adr)), target.we.eq(bus.we), target.sel.eq(bus.sel),
                    target.dat_w.eq(bus.dat_w), stall.eq(target.stall),
                ]  # fmt: skip
            m.d.comb += target.cyc.eq(target.stb | ((pending != 0) & (asked == number)))
        with m.If(pending != 0), m.Switch(asked):
            for number, name in enumerate(self.regions):
                with m.Case(number):
                    target = getattr(self, name)
                    m.d.comb += [bus.ack.eq(target.ack), bus.err.eq(target.err), bus.dat_r.eq(target.dat_r)]
            with m.Case(nobody):
                m.d.comb += bus.err.eq(failed)
        with m.If(taken):
            m.d.sync += asked.eq(meant)
        with m.If(taken != answered):
            m.d.sync += pending.eq(Mux(taken, pending + 1, pending - 1))
        return m


class Bridge(_ByAddress):
    """Pipelined Wishbone in front of peripherals that take one access at a time (Wishbone classic).

    An access is held in registers until its peripheral answers, and the answer is given from a register: there is no
    combinational path through the bridge. What no region holds is answered with ``err``.

    Parameters
    ----------
    regions, addr_width
        As in :class:`Decoder`.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width, 32, granularity=8, features={"stall", "err"}))``
        The initiator's.
    <name> : ``Out(wishbone.Signature(region.addr_width, 32, granularity=8, features={"err"}))``
        Each peripheral's, addressed from its own beginning.

    Raises
    ------
    ValueError
        As :class:`Decoder`.
    """

    features = ("err",)

    def elaborate(self, platform: object) -> Module:
        """A held access, and its answer."""
        m = Module()
        bus, nobody = self.bus, len(self.regions)
        busy, meant, adr = Signal(), Signal(range(nobody + 1)), Signal(len(bus.adr))
        data, sel, we = Signal(32), Signal(4), Signal()
        m.d.comb += bus.stall.eq(busy)
        with m.If(bus.ack | bus.err):
            m.d.sync += [bus.ack.eq(0), bus.err.eq(0)]
        with m.If(bus.cyc & bus.stb & ~busy):
            m.d.sync += [
                busy.eq(1), meant.eq(nobody), adr.eq(bus.adr), data.eq(bus.dat_w), sel.eq(bus.sel), we.eq(bus.we),
            ]  # fmt: skip
            for number, region in enumerate(self.regions.values()):
                with m.If(region.holds(bus.adr)):
                    m.d.sync += meant.eq(number)
        with m.If(busy), m.Switch(meant):
            for number, (name, region) in enumerate(self.regions.items()):
                with m.Case(number):
                    target = getattr(self, name)
                    m.d.comb += [
                        target.cyc.eq(1), target.stb.eq(1), target.adr.eq(region.word(adr)), target.dat_w.eq(data),
                        target.sel.eq(sel), target.we.eq(we),
                    ]  # fmt: skip
                    with m.If(target.ack | target.err):
                        m.d.sync += [
                            busy.eq(0), bus.ack.eq(target.ack), bus.err.eq(target.err), bus.dat_r.eq(target.dat_r),
                        ]  # fmt: skip
            with m.Case(nobody):
                m.d.sync += [busy.eq(0), bus.err.eq(1)]
        return m
