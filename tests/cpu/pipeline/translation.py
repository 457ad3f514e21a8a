"""TLB, walker and protection joined to a memory, as the hart joins them, for benches; and page tables for them."""

from amaranth.hdl import Assert, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect

from rvsim.cpu.pipeline.pmp import Access, Pmp, PmpRegions
from rvsim.cpu.pipeline.tlb import FlushPort, Tlb
from rvsim.cpu.pipeline.walker import Walker
from rvsim.isa.traps import Privilege

from .benches import Noise

#: RAM, and behind it as much again that answers with errors.
BASE, PAGES, PAGE = 0x8000_0000, 8, 4096
ASID_BITS = 9


class Translation(wiring.Component):
    """Translates one access after the other.

    While ``request`` holds: ``answered`` with ``ppn``, ``page_fault`` or ``access_fault``. ``slow``: memory answers
    late, and is not always ready.
    """

    def __init__(self, entries, pmp_entries=2):
        self._entries, self._pmp_entries = entries, pmp_entries
        super().__init__(
            {
                "request": In(1),
                "vpn": In(20),
                "asid": In(ASID_BITS),
                "root": In(22),
                "kind": In(Access),
                "privilege": In(Privilege),
                "sum": In(1),
                "mxr": In(1),
                "kill": In(1),
                "flush": In(FlushPort(ASID_BITS)),
                "answered": Out(1),
                "walked": Out(1),
                "ppn": Out(22),
                "page_fault": Out(1),
                "access_fault": Out(1),
                "cfg": In(8).array(pmp_entries),
                "addr": In(32).array(pmp_entries),
                "update": In(1),
                "slow": In(1),
                "store": In(1),
                "store_word": In(range(PAGES * PAGE // 4)),
                "store_data": In(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.tlb = tlb = Tlb(entries=self._entries)
        m.submodules.walker = walker = Walker()
        connect(m, walker.fill, tlb.fill)
        for name in ("vpn", "asid", "kind", "privilege", "sum", "mxr"):
            m.d.comb += [getattr(tlb, name).eq(getattr(self, name)), getattr(walker, name).eq(getattr(self, name))]
        for name in FlushPort(ASID_BITS).members:
            m.d.comb += getattr(tlb.flush, name).eq(getattr(self.flush, name))
        m.d.comb += [
            tlb.enable.eq(self.request),
            walker.root.eq(self.root),
            walker.start.eq(self.request & ~tlb.hit),
            walker.kill.eq(self.kill),
            self.ppn.eq(tlb.ppn),
            self.page_fault.eq(walker.page_fault),
            self.access_fault.eq(walker.access_fault),
            self.walked.eq(walker.busy),
            self.answered.eq(tlb.hit | self.page_fault | self.access_fault),
        ]
        self._protection(m, walker)
        self._memory(m, walker)
        self._contract(m, walker)
        return m

    def _protection(self, m, walker):
        entries = self._pmp_entries
        m.submodules.regions, m.submodules.pmp = regions, pmp = PmpRegions(entries=entries), Pmp(entries=entries)
        for inner, outer in zip((*regions.cfg, *regions.addr), (*self.cfg, *self.addr)):
            m.d.comb += inner.eq(outer)
        for inner, outer in zip(pmp.regions, regions.regions):
            m.d.comb += inner.eq(outer)
        address = walker.requests.payload << 2
        m.d.comb += [
            regions.update.eq(self.update),
            pmp.any_active.eq(regions.any_active),
            pmp.privilege.eq(Privilege.S),
            pmp.kind.eq(Access.READ),
            pmp.address.eq(address),
            pmp.size.eq(4),
            walker.allowed.eq(pmp.allowed & (address >= BASE) & (address < BASE + 2 * PAGES * PAGE)),
        ]

    def _memory(self, m, walker):
        words = PAGES * PAGE // 4
        m.submodules.memory = memory = Memory(shape=unsigned(32), depth=words, init=[])
        m.submodules.noise = noise = Noise(9)
        read, write = memory.read_port(domain="comb"), memory.write_port()
        outstanding, delay, row, error = Signal(), Signal(3), Signal(32), Signal()
        word = walker.requests.payload
        m.d.comb += [
            write.addr.eq(self.store_word),
            write.data.eq(self.store_data),
            write.en.eq(self.store),
            read.addr.eq(word),
            walker.requests.ready.eq(~self.slow | noise.bits[0]),
            walker.responses.valid.eq(outstanding & (delay == 0)),
            walker.responses.p.data.eq(row),
            walker.responses.p.error.eq(error),
        ]
        with m.If(walker.responses.valid):
            m.d.sync += outstanding.eq(0)
        with m.Elif(outstanding):
            m.d.sync += delay.eq(delay - 1)
        with m.If(walker.requests.valid & walker.requests.ready):
            error_area = word[len(self.store_word)]
            m.d.sync += [
                outstanding.eq(1),
                delay.eq(noise.bits[1:4] & self.slow.replicate(3)),
                row.eq(read.data ^ error_area.replicate(32)),
                error.eq(error_area),
            ]

    def _contract(self, m, walker):
        """A request stays until it is taken or killed; a walk ends in one way; who is killed says nothing."""
        requests, kept, before = walker.requests, Signal(32), Signal()
        outcomes = walker.fill.valid + walker.page_fault + walker.access_fault
        m.d.sync += [
            before.eq(requests.valid & ~requests.ready & ~self.kill),
            kept.eq(requests.payload),
            Assert(outcomes == walker.done),
            Assert(~(walker.done & (self.kill | requests.valid | ~walker.busy))),
        ]
        with m.If(before & ~self.kill):
            m.d.sync += Assert(requests.valid & (requests.payload == kept))


def drive(ctx, dut, **values):
    """Set ports by name."""
    for name, value in values.items():
        ctx.set(getattr(dut, name), value)


async def store(ctx, dut, word, value):
    """Write a word of memory, counted from its base."""
    drive(ctx, dut, store=1, store_word=word, store_data=value)
    await ctx.tick()
    drive(ctx, dut, store=0)


async def flush(ctx, dut, vpn=None, asid=None):
    """A fence; ``None`` stands for ``x0``."""
    drive(ctx, dut.flush, valid=1, by_page=vpn is not None, by_asid=asid is not None, vpn=vpn or 0, asid=asid or 0)
    drive(ctx, dut, kill=1)
    await ctx.tick()
    drive(ctx, dut.flush, valid=0)
    drive(ctx, dut, kill=0)


async def answer(ctx, dut):
    """``"page"`` or ``"access"`` for a fault, else the physical page; and after how many cycles."""
    drive(ctx, dut, request=1)
    cycles = 0
    while not ctx.get(dut.answered):
        await ctx.tick()
        cycles += 1
        assert cycles < 100, "the walk does not end"
    fault = "page" if ctx.get(dut.page_fault) else "access" if ctx.get(dut.access_fault) else None
    result = fault or ctx.get(dut.ppn)
    await ctx.tick()
    drive(ctx, dut, request=0)
    return result, cycles
