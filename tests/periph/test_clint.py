"""The CLINT's behaviour, on the functional twin and on the hardware."""

import pytest

from rvsim.bus import BusError
from rvsim.bus.simulation import Initiator
from rvsim.periph.clint import Clint, ClintTwin, clint_map, device_tree_node
from tests.periph.conftest import run_hardware

MSIP, MTIMECMP, MTIME = 0x0000, 0x4000, 0xBFF8
FOREVER = 0xFFFF_FFFF_FFFF_FFFF


class Hart:
    """What the functional core does with the CLINT's registers."""

    def __init__(self, clock):
        self.clock, self.msip, self.mtimecmp = clock, False, FOREVER


class Clock:
    mtime = 0


class TwinDevice:
    def __init__(self, harts):
        self.clock = Clock()
        self.harts = [Hart(self.clock) for _ in range(harts)]
        self.twin = ClintTwin(self.harts, self.clock)

    async def read(self, offset, size=4):
        return self.twin.read(offset, size)

    async def write(self, offset, value, size=4):
        self.twin.write(offset, size, value)

    async def tick(self, times=1):
        self.clock.mtime = (self.clock.mtime + times) & FOREVER

    def msip(self, hart=0):
        return self.harts[hart].msip

    def mtip(self, hart=0):
        return self.clock.mtime >= self.harts[hart].mtimecmp

    def mtime(self):
        return self.clock.mtime


class HardwareDevice:
    def __init__(self, context, clint):
        self.context, self.clint = context, clint
        self.initiator = Initiator(context, clint.bus)

    async def read(self, offset, size=4):
        return await self.initiator.read(offset, size)

    async def write(self, offset, value, size=4):
        await self.initiator.write(offset, size, value)

    async def tick(self, times=1):
        self.context.set(self.clint.tick, 1)
        await self.context.tick().repeat(times)
        self.context.set(self.clint.tick, 0)

    def msip(self, hart=0):
        return bool(self.context.get(self.clint.msip) >> hart & 1)

    def mtip(self, hart=0):
        return bool(self.context.get(self.clint.mtip) >> hart & 1)

    def mtime(self):
        return self.context.get(self.clint.mtime)


@pytest.fixture
def on_clint(fidelity, functional):
    def run(scenario, harts=1):
        if fidelity.is_twin:
            functional(scenario(TwinDevice(harts)))
        else:
            clint = Clint(harts)
            run_hardware(clint, lambda context: scenario(HardwareDevice(context, clint)), fidelity.name)

    return run


def test_after_reset_nothing_interrupts_and_time_is_zero(on_clint):
    async def scenario(dut):
        assert not dut.msip() and not dut.mtip()
        assert await dut.read(MSIP) == 0
        assert await dut.read(MTIME) == 0 and await dut.read(MTIME + 4) == 0
        assert await dut.read(MTIMECMP) == 0xFFFF_FFFF and await dut.read(MTIMECMP + 4) == 0xFFFF_FFFF

    on_clint(scenario)


def test_msip_holds_bit_zero_only_and_drives_the_software_interrupt(on_clint):
    async def scenario(dut):
        await dut.write(MSIP, 0xFFFF_FFFF)
        assert dut.msip() and await dut.read(MSIP) == 1
        await dut.write(MSIP, 0xFFFF_FFFE)
        assert not dut.msip() and await dut.read(MSIP) == 0

    on_clint(scenario)


def test_mtip_is_a_level_that_holds_while_mtime_has_reached_mtimecmp(on_clint):
    async def scenario(dut):
        await dut.write(MTIMECMP + 4, 0)
        await dut.write(MTIMECMP, 3)
        for elapsed in range(6):
            assert dut.mtime() == elapsed
            assert dut.mtip() == (elapsed >= 3)
            await dut.tick()
        await dut.write(MTIMECMP, 1000)
        assert not dut.mtip()

    on_clint(scenario)


def test_the_comparison_is_unsigned_over_64_bits(on_clint):
    async def scenario(dut):
        await dut.write(MTIME + 4, 0x7FFF_FFFF)
        await dut.write(MTIME, 0xFFFF_FFFF)
        await dut.write(MTIMECMP + 4, 0x8000_0000)
        await dut.write(MTIMECMP, 0)
        assert not dut.mtip()
        await dut.tick()
        assert dut.mtip()
        await dut.write(MTIME, 0)
        await dut.write(MTIME + 4, 0x1)
        assert not dut.mtip()

    on_clint(scenario)


def test_mtime_carries_into_its_high_half_and_wraps(on_clint):
    async def scenario(dut):
        await dut.write(MTIME, 0xFFFF_FFFE)
        await dut.tick(3)
        assert await dut.read(MTIME) == 1 and await dut.read(MTIME + 4) == 1
        await dut.write(MTIME + 4, 0xFFFF_FFFF)
        await dut.write(MTIME, 0xFFFF_FFFF)
        await dut.tick()
        assert await dut.read(MTIME, 8) == 0

    on_clint(scenario)


def test_a_write_to_one_half_leaves_the_other(on_clint):
    async def scenario(dut):
        for register in (MTIME, MTIMECMP):
            await dut.write(register, 0x1111_1111)
            await dut.write(register + 4, 0x2222_2222)
            await dut.write(register, 0x3333_3333)
            assert await dut.read(register) == 0x3333_3333 and await dut.read(register + 4) == 0x2222_2222

    on_clint(scenario)


def test_the_manuals_sequence_on_rv32_never_interrupts_in_between(on_clint):
    """Privileged specification, 3.2.1: low half to all ones, then high, then low."""

    async def scenario(dut):
        await dut.write(MTIME, 0x8000_0000)
        await dut.write(MTIMECMP + 4, 0)
        await dut.write(MTIMECMP, 0x9000_0000)
        for offset, value in ((MTIMECMP, 0xFFFF_FFFF), (MTIMECMP + 4, 1), (MTIMECMP, 5)):
            await dut.write(offset, value)
            assert not dut.mtip()

    on_clint(scenario)


def test_a_64_bit_access_reaches_both_halves(on_clint):
    async def scenario(dut):
        await dut.write(MTIMECMP, 0x0123_4567_89AB_CDEF, 8)
        assert await dut.read(MTIMECMP, 8) == 0x0123_4567_89AB_CDEF
        assert await dut.read(MTIMECMP + 4) == 0x0123_4567

    on_clint(scenario)


@pytest.mark.parametrize("harts", [2, 5])
def test_harts_do_not_disturb_each_other(on_clint, harts):
    async def scenario(dut):
        for hart in range(harts):
            await dut.write(MSIP + 4 * hart, 1)
            await dut.write(MTIMECMP + 8 * hart, 10 * hart + 1, 8)
            assert [dut.msip(other) for other in range(harts)] == [other == hart for other in range(harts)]
            await dut.write(MSIP + 4 * hart, 0)
        await dut.tick(11)
        assert [dut.mtip(hart) for hart in range(harts)] == [10 * hart + 1 <= 11 for hart in range(harts)]
        assert await dut.read(MSIP + 4 * harts) == 0, "behind the last hart there is nothing"
        assert await dut.read(MTIMECMP + 8 * harts, 8) == 0

    on_clint(scenario, harts=harts)


def test_reserved_space_reads_as_zero_and_ignores_writes(on_clint):
    async def scenario(dut):
        for offset in (0x4, 0x3FFC, 0x4008, 0xBFF4, 0xC000, 0xFFFC):
            await dut.write(offset, 0xFFFF_FFFF)
            assert await dut.read(offset) == 0
        assert await dut.read(MTIME) == 0 and not dut.msip()

    on_clint(scenario)


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (3, 1), (0, 2), (2, 4), (0xBFF9, 1)])
def test_other_sizes_and_misaligned_accesses_are_bus_errors_without_effect(on_clint, offset, size):
    async def scenario(dut):
        with pytest.raises(BusError):
            await dut.write(offset, 0xFF, size)
        with pytest.raises(BusError):
            await dut.read(offset, size)
        assert not dut.msip() and await dut.read(MTIME) == 0

    on_clint(scenario)


def test_a_write_to_mtime_wins_over_a_tick_in_the_same_cycle(hardware):
    clint = Clint()

    async def scenario(context):
        context.set(clint.tick, 1)
        await Initiator(context, clint.bus).write(MTIME, 4, 1000)
        assert context.get(clint.mtime) == 1000
        await context.tick()
        assert context.get(clint.mtime) == 1001

    hardware(clint, scenario)


def test_a_checkpoint_brings_back_all_state():
    device = TwinDevice(2)
    device.twin.write(MSIP + 4, 4, 1)
    device.twin.write(MTIMECMP, 8, 77)
    device.twin.write(MTIME, 8, 55)
    other = TwinDevice(2)
    other.twin.restore(device.twin.state())
    assert other.twin.state() == {"msip": [0, 1], "mtimecmp": [77, FOREVER], "mtime": 55}
    assert other.msip(1) and not other.mtip(0)


def test_reset_leaves_harts_and_clock_to_their_owner():
    device = TwinDevice(1)
    device.twin.write(MTIME, 8, 55)
    device.twin.write(MSIP, 4, 1)
    device.twin.reset()
    assert device.clock.mtime == 55 and device.msip()


@pytest.mark.parametrize("harts", [0, -1, 4096, 1.0, True])
def test_the_number_of_harts_is_checked(harts):
    with pytest.raises(ValueError, match=rf"^CLINT: harts must be an integer from 1 to 4095, not {harts!r}$"):
        clint_map(harts)


def test_the_device_tree_node_names_both_interrupts_of_each_hart():
    node = device_tree_node(0x200_0000, 0x1_0000, hart_controllers=[1, 2])
    assert node.name == "clint@2000000"
    assert node.properties["compatible"] == ["sifive,clint0", "riscv,clint0"]
    assert node.properties["interrupts-extended"] == [1, 3, 1, 7, 2, 3, 2, 7]
    assert node.properties["reg"] == [0, 0x200_0000, 0, 0x1_0000]
