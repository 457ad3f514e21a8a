"""The goldfish real-time clock's behaviour, on the functional twin."""

import pytest

from rvsim.bus import BusError
from rvsim.periph.rtc import RtcTwin, device_tree_node

TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = range(0, 32, 4)
START = 0x1234_5678_FFFF_FFF0


class Rtc(RtcTwin):
    def __init__(self):
        self.now, self.line = START, False
        super().__init__(lambda: self.now, self._changed)

    def _changed(self, level):
        assert level != self.line, "only changes are reported"
        self.line = level

    def get(self, offset):
        return self.read(offset, 4)

    def put(self, offset, value):
        self.write(offset, 4, value)

    def pass_time(self, nanoseconds):
        self.now += nanoseconds
        self.poll()

    def set_alarm(self, time):
        self.put(ALARM_HIGH, time >> 32)
        self.put(ALARM_LOW, time & 0xFFFF_FFFF)


@pytest.fixture
def rtc():
    return Rtc()


def test_both_halves_of_the_time_are_of_the_moment_the_low_half_was_read(rtc):
    assert rtc.get(TIME_LOW) == 0xFFFF_FFF0
    rtc.pass_time(0x20)
    assert rtc.get(TIME_HIGH) == 0x1234_5678
    assert rtc.get(TIME_LOW) == 0x10
    assert rtc.get(TIME_HIGH) == 0x1234_5679


def test_the_clock_can_be_set_in_either_order_and_goes_on(rtc):
    rtc.put(TIME_HIGH, 7)
    rtc.put(TIME_LOW, 5)
    assert rtc.time == 7 << 32 | 5
    rtc.put(TIME_LOW, 9)
    rtc.put(TIME_HIGH, 8)
    rtc.pass_time(100)
    assert rtc.time == 8 << 32 | 109


def test_an_alarm_interrupts_once_when_its_time_comes(rtc):
    rtc.put(IRQ_ENABLED, 1)
    rtc.set_alarm(START + 1000)
    assert rtc.get(ALARM_STATUS) == 1 and rtc.until_alarm() == 1000
    rtc.pass_time(999)
    assert not rtc.line and rtc.until_alarm() == 1
    rtc.pass_time(1)
    assert rtc.line and rtc.get(ALARM_STATUS) == 0 and rtc.until_alarm() is None
    rtc.put(CLEAR_INTERRUPT, 0)
    rtc.pass_time(10_000)
    assert not rtc.line


def test_an_alarm_in_the_past_goes_off_at_once(rtc):
    rtc.put(IRQ_ENABLED, 1)
    rtc.set_alarm(START - 1)
    assert rtc.line and rtc.get(ALARM_STATUS) == 0


def test_writing_the_high_half_alone_does_not_arm_the_alarm(rtc):
    rtc.put(ALARM_HIGH, 0)
    assert rtc.get(ALARM_STATUS) == 0 and rtc.until_alarm() is None


def test_an_alarm_can_be_cleared(rtc):
    rtc.put(IRQ_ENABLED, 1)
    rtc.set_alarm(START + 1000)
    rtc.put(CLEAR_ALARM, 0)
    rtc.pass_time(5000)
    assert not rtc.line and rtc.get(ALARM_STATUS) == 0


def test_an_alarm_goes_off_unseen_until_the_interrupt_is_enabled(rtc):
    rtc.set_alarm(START)
    assert not rtc.line
    rtc.put(IRQ_ENABLED, 0xFFFF_FFFF)
    assert rtc.line and rtc.get(IRQ_ENABLED) == 1
    rtc.put(IRQ_ENABLED, 0)
    assert not rtc.line


def test_an_alarm_follows_the_clock_when_that_is_set(rtc):
    rtc.put(IRQ_ENABLED, 1)
    rtc.set_alarm(START + 1000)
    rtc.put(TIME_HIGH, (START >> 32) + 1)
    assert rtc.until_alarm() == 0
    rtc.poll()
    assert rtc.line


def test_the_alarm_time_reads_back(rtc):
    rtc.set_alarm(0xFEDC_BA98_7654_3210)
    assert (rtc.get(ALARM_LOW), rtc.get(ALARM_HIGH)) == (0x7654_3210, 0xFEDC_BA98)


@pytest.mark.parametrize(("offset", "size"), [(0, 1), (0, 2), (0, 8), (2, 4), (0x1000, 4)])
def test_only_aligned_words_are_answered(rtc, offset, size):
    with pytest.raises(BusError, match=r"^rtc: "):
        rtc.read(offset, size)
    with pytest.raises(BusError, match=r"^rtc: "):
        rtc.write(offset, size, 0)


def test_a_checkpoint_brings_back_state_and_line(rtc):
    rtc.put(TIME_HIGH, 5)
    rtc.put(IRQ_ENABLED, 1)
    rtc.get(TIME_LOW)
    rtc.set_alarm(0)
    other = Rtc()
    other.restore(rtc.state())
    assert other.state() == rtc.state() and other.line and other.time == rtc.time


def test_reset_forgets_alarm_interrupt_and_a_clock_that_was_set(rtc):
    fresh = rtc.state()
    rtc.put(TIME_HIGH, 5)
    rtc.put(IRQ_ENABLED, 1)
    rtc.set_alarm(0)
    assert rtc.line
    rtc.reset()
    assert not rtc.line and rtc.state() == fresh and rtc.time == START


def test_the_device_tree_node():
    node = device_tree_node(0x10_1000, 0x1000, interrupt=11, interrupt_parent=3)
    assert node.name == "rtc@101000"
    assert node.properties["compatible"] == "google,goldfish-rtc"
    assert (node.properties["interrupts"], node.properties["interrupt-parent"]) == (11, 3)
