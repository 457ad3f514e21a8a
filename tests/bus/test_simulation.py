"""The Wishbone initiator of test benches."""

import pytest
from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator

from rvsim.bus import BusError, wishbone
from rvsim.bus.simulation import Initiator


class Slow(wiring.Component):
    """Two words of memory that answer after some cycles; the third address is an error, the fourth is silent."""

    bus: In(wishbone.Signature(addr_width=2, data_width=32, granularity=8, features={"err"}))

    def elaborate(self, platform):
        m = Module()
        words, count = Array(Signal(32, name=f"word_{i}") for i in range(2)), Signal(2)
        bus = self.bus
        m.d.sync += [bus.ack.eq(0), bus.err.eq(0)]
        with m.If(bus.cyc & bus.stb & ~bus.ack & ~bus.err):
            m.d.sync += count.eq(count + 1)
            with m.If(count == 3):
                m.d.sync += [bus.ack.eq(bus.adr < 2), bus.err.eq(bus.adr == 2), bus.dat_r.eq(words[bus.adr[0]])]
                for lane in range(4):
                    with m.If(bus.we & bus.sel[lane] & (bus.adr < 2)):
                        m.d.sync += words[bus.adr[0]].word_select(lane, 8).eq(bus.dat_w.word_select(lane, 8))
        return m


@pytest.fixture
def simulate(engine):
    def run(scenario):
        slow = Slow()
        simulator = Simulator(slow, engine=engine)
        simulator.add_clock(1e-6)

        async def testbench(context):
            await scenario(context, Initiator(context, slow.bus, patience=20))

        simulator.add_testbench(testbench)
        simulator.run()

    return run


def test_sub_word_accesses_reach_their_lanes_and_wide_ones_are_split(simulate):
    async def scenario(context, initiator):
        await initiator.write(0, 8, 0x8877_6655_4433_2211)
        await initiator.write(1, 1, 0xAA)
        await initiator.write(6, 2, 0xCCBB)
        assert await initiator.read(0, 8) == 0xCCBB_6655_4433_AA11
        assert await initiator.read(6, 2) == 0xCCBB and await initiator.read(3, 1) == 0x44

    simulate(scenario)


def test_an_error_answer_is_a_bus_error_and_so_is_what_cannot_be_asked(simulate):
    async def scenario(context, initiator):
        for offset, size in ((8, 4), (3, 2), (16, 4)):
            with pytest.raises(BusError, match=f"^{size}-byte access at offset {offset:#x} "):
                await initiator.read(offset, size)
        assert await initiator.read(0, 4) == 0

    simulate(scenario)


def test_a_misaligned_wide_access_has_no_effect_at_all(simulate):
    async def scenario(context, initiator):
        with pytest.raises(BusError, match=r"^8-byte access at offset 0x4 is misaligned$"):
            await initiator.write(4, 8, 0x1111_1111_1111_1111)
        with pytest.raises(BusError, match=r"^8-byte access at offset 0x4 is misaligned$"):
            await initiator.read(4, 8)
        assert await initiator.read(4, 4) == 0

    simulate(scenario)


def test_it_does_not_wait_for_ever(simulate):
    async def scenario(context, initiator):
        with pytest.raises(TimeoutError, match=r"^no answer at offset 0xc after 20 cycles$"):
            await initiator.read(12, 4)

    simulate(scenario)
