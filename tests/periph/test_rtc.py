"""The goldfish real-time clock's behaviour, on the functional twin and on the hardware."""

import pytest

from rvsim.bus import BusError
from rvsim.bus.simulation import Initiator
from rvsim.periph.rtc import Rtc, WallTime, device_tree_node
from tests.periph.conftest import START
from tests.periph.drivers import TwinRtc

TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = range(0, 32, 4)


async def test_both_halves_of_the_time_are_of_the_moment_the_low_half_was_read(rtc):
    assert await rtc.get(TIME_LOW) == 0xFFFF_FFF0
    await rtc.pass_time(0x20)
    assert await rtc.get(TIME_HIGH) == 0x1234_5678
    assert await rtc.get(TIME_LOW) == 0x10
    assert await rtc.get(TIME_HIGH) == 0x1234_5679


async def test_the_clock_can_be_set_in_either_order_and_goes_on(rtc):
    await rtc.put(TIME_HIGH, 7)
    await rtc.put(TIME_LOW, 5)
    assert await rtc.get_time() == 7 << 32 | 5
    await rtc.put(TIME_LOW, 9)
    await rtc.put(TIME_HIGH, 8)
    await rtc.pass_time(100)
    assert await rtc.get_time() == 8 << 32 | 109


async def test_an_alarm_interrupts_once_when_its_time_comes(rtc):
    await rtc.put(IRQ_ENABLED, 1)
    await rtc.set_alarm(START + 1000)
    assert await rtc.get(ALARM_STATUS) == 1
    await rtc.pass_time(999)
    assert not rtc.line
    await rtc.pass_time(1)
    assert rtc.line and await rtc.get(ALARM_STATUS) == 0
    await rtc.put(CLEAR_INTERRUPT, 0)
    await rtc.pass_time(10_000)
    assert not rtc.line


async def test_an_alarm_in_the_past_goes_off_at_once(rtc):
    await rtc.put(IRQ_ENABLED, 1)
    await rtc.set_alarm(START - 1)
    assert rtc.line and await rtc.get(ALARM_STATUS) == 0


async def test_writing_the_high_half_alone_does_not_arm_the_alarm(rtc):
    await rtc.put(ALARM_HIGH, 0)
    assert await rtc.get(ALARM_STATUS) == 0


async def test_an_alarm_can_be_cleared(rtc):
    await rtc.put(IRQ_ENABLED, 1)
    await rtc.set_alarm(START + 1000)
    await rtc.put(CLEAR_ALARM, 0)
    await rtc.pass_time(5000)
    assert not rtc.line and await rtc.get(ALARM_STATUS) == 0


async def test_an_alarm_goes_off_unseen_until_the_interrupt_is_enabled(rtc):
    await rtc.set_alarm(START)
    assert not rtc.line
    await rtc.put(IRQ_ENABLED, 0xFFFF_FFFF)
    assert rtc.line and await rtc.get(IRQ_ENABLED) == 1
    await rtc.put(IRQ_ENABLED, 0)
    assert not rtc.line


async def test_an_alarm_follows_the_clock_when_that_is_set(rtc):
    await rtc.put(IRQ_ENABLED, 1)
    await rtc.set_alarm(START + 1000)
    await rtc.put(TIME_HIGH, (START >> 32) + 1)
    await rtc.pass_time(0)
    assert rtc.line


async def test_the_alarm_time_reads_back(rtc):
    await rtc.set_alarm(0xFEDC_BA98_7654_3210)
    assert (await rtc.get(ALARM_LOW), await rtc.get(ALARM_HIGH)) == (0x7654_3210, 0xFEDC_BA98)


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 2), (2, 4), (0x1000, 4)])
async def test_only_aligned_words_are_answered(rtc, offset, size):
    with pytest.raises(BusError):
        await rtc.read(offset, size)
    with pytest.raises(BusError):
        await rtc.write(offset, size, 0)


async def test_a_checkpoint_brings_back_state_and_line(rtc_twin):
    await rtc_twin.put(TIME_HIGH, 5)
    await rtc_twin.put(IRQ_ENABLED, 1)
    await rtc_twin.get(TIME_LOW)
    await rtc_twin.set_alarm(0)
    other = TwinRtc(START)
    other.twin.restore(rtc_twin.twin.state())
    assert other.twin.state() == rtc_twin.twin.state() and other.line and other.twin.time == rtc_twin.twin.time


async def test_reset_forgets_alarm_interrupt_and_a_clock_that_was_set(rtc_twin):
    fresh = rtc_twin.twin.state()
    await rtc_twin.put(TIME_HIGH, 5)
    await rtc_twin.put(IRQ_ENABLED, 1)
    await rtc_twin.set_alarm(0)
    assert rtc_twin.line
    rtc_twin.twin.reset()
    assert not rtc_twin.line and rtc_twin.twin.state() == fresh and await rtc_twin.get_time() == START


async def test_whoever_owns_time_can_ask_the_twin_how_long_to_sleep(rtc_twin):
    twin = rtc_twin.twin
    assert twin.until_alarm() is None
    await rtc_twin.set_alarm(START + 1000)
    assert twin.until_alarm() == 1000
    rtc_twin.now += 1001
    assert twin.until_alarm() == 0
    twin.poll()
    assert twin.until_alarm() is None


# -- the hardware alone ------------------------------------------------------------------------------------------
def test_the_interrupt_shows_in_the_cycle_after_the_time_is_reached(hardware):
    rtc = Rtc()

    async def scenario(context):
        initiator = Initiator(context, rtc.bus)
        await initiator.write(IRQ_ENABLED, 4, 1)
        await initiator.write(ALARM_LOW, 4, 1000)
        context.set(rtc.now, 999)
        await context.tick().repeat(2)
        context.set(rtc.now, 1000)
        assert not context.get(rtc.interrupt), "no combinational path from the time"
        await context.tick()
        assert context.get(rtc.interrupt)
        await initiator.write(CLEAR_INTERRUPT, 4, 0)
        assert not context.get(rtc.interrupt)
        await initiator.write(ALARM_LOW, 4, 1)
        assert not context.get(rtc.interrupt), "armed with the answer, gone off in the cycle after it"
        await context.tick()
        assert context.get(rtc.interrupt) and await initiator.read(ALARM_STATUS, 4) == 0

    hardware(rtc, scenario)


def test_an_acknowledgement_does_not_swallow_the_alarm_of_its_own_cycle(hardware):
    rtc = Rtc()

    async def scenario(context):
        initiator = Initiator(context, rtc.bus)
        await initiator.write(IRQ_ENABLED, 4, 1)
        await initiator.write(ALARM_LOW, 4, 1000)
        await context.tick()
        context.set(rtc.now, 1000)
        await initiator.write(CLEAR_INTERRUPT, 4, 0)
        assert context.get(rtc.interrupt)

    hardware(rtc, scenario)


def test_wall_time_counts_ticks_from_its_start_and_wraps(hardware):
    wall = WallTime((1 << 64) - 250, step=100)

    async def scenario(context):
        await context.tick().repeat(2)
        assert context.get(wall.now) == (1 << 64) - 250
        context.set(wall.tick, 1)
        seen = []
        for _ in range(3):
            await context.tick()
            seen.append(context.get(wall.now))
        assert seen == [(1 << 64) - 150, (1 << 64) - 50, 50]

    hardware(wall, scenario)


@pytest.mark.parametrize(
    ("start", "step", "message"),
    [
        (-1, 100, "RTC: start must be an unsigned integer of 64 bits, not -1"),
        (1 << 64, 100, f"RTC: start must be an unsigned integer of 64 bits, not {1 << 64}"),
        (0.5, 100, "RTC: start must be an unsigned integer of 64 bits, not 0.5"),
        (0, 0, "RTC: step must be a positive integer of 64 bits, not 0"),
        (0, True, "RTC: step must be a positive integer of 64 bits, not True"),
    ],
)
def test_times_that_cannot_be_are_refused(start, step, message, unused_is_fine):
    with pytest.raises(ValueError) as caught:
        WallTime(start, step=step)
    assert str(caught.value) == message


def test_the_device_tree_node():
    node = device_tree_node(0x10_1000, 0x1000, interrupt=11, interrupt_parent=3)
    assert node.name == "rtc@101000"
    assert node.properties["compatible"] == "google,goldfish-rtc"
    assert (node.properties["interrupts"], node.properties["interrupt-parent"]) == (11, 3)
