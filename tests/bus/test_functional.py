"""The functional bus."""

import time

import pytest

from rvsim.bus import BusError, FunctionalBus


class Recorder:
    def __init__(self):
        self.log = []

    def read(self, offset, size):
        self.log.append(("read", offset, size))
        return offset

    def write(self, offset, size, value):
        self.log.append(("write", offset, size, value))


@pytest.fixture
def bus():
    return FunctionalBus()


def test_an_access_reaches_the_device_at_its_address_with_an_offset(bus):
    low, high = Recorder(), Recorder()
    bus.add(0x1000, 0x1000, low, "low")
    bus.add(0xC00_0000, 0x60_0000, high, "high")
    assert bus.read(0x1FFC, 4) == 0xFFC
    assert bus.read(0xC5F_FFFC, 4) == 0x5F_FFFC
    bus.write(0xC00_0008, 2, 7)
    assert low.log == [("read", 0xFFC, 4)]
    assert high.log == [("read", 0x5F_FFFC, 4), ("write", 8, 2, 7)]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("address", "size"), [(0xFFF, 1), (0x1100, 1), (0x10FE, 4), (0x5000, 4), (-4, 4), (1 << 64, 1)]
)
def test_an_access_beside_or_across_the_edge_of_a_device_is_a_bus_error(bus, address, size, warm):
    device = Recorder()
    bus.add(0x1000, 0x100, device, "device")
    if warm:
        bus.read(0x1000, 1)
        device.log.clear()
    with pytest.raises(BusError, match=f"^no device at {address:#x} "):
        bus.read(address, size)
    with pytest.raises(BusError, match=f"^no device at {address:#x} "):
        bus.write(address, size, 0)
    assert device.log == []


def test_devices_may_share_a_page(bus):
    devices = [Recorder() for _ in range(3)]
    for number, device in enumerate(devices):
        bus.add(0x1000 + 0x100 * number, 0x80, device, f"device {number}")
    for number, device in enumerate(devices):
        assert bus.read(0x1004 + 0x100 * number, 4) == 4
        assert device.log == [("read", 4, 4)]
    with pytest.raises(BusError):
        bus.read(0x1080, 4)


def test_a_device_added_later_is_found_although_the_page_was_used(bus):
    bus.add(0x1000, 0x100, Recorder(), "first")
    bus.read(0x1000, 1)
    second = Recorder()
    bus.add(0x1800, 0x100, second, "second")
    assert bus.read(0x1801, 1) == 1 and second.log


def test_overlapping_devices_are_refused_by_name(bus):
    bus.add(0x1000, 0x100, Recorder(), "uart")
    with pytest.raises(ValueError, match=r"^rtc at 0x10ff\.\.0x11fe overlaps uart at 0x1000\.\.0x10ff$"):
        bus.add(0x10FF, 0x100, Recorder(), "rtc")
    bus.add(0x1100, 0x100, Recorder(), "next door")


@pytest.mark.parametrize(("base", "size"), [(-1, 4), (0, 0), (0, -4)])
def test_an_empty_or_negative_range_is_refused(bus, base, size):
    with pytest.raises(ValueError, match=r"^x: base .* and size .* must be"):
        bus.add(base, size, Recorder(), "x")


def test_a_target_that_lacks_a_direction_is_refused(bus):
    with pytest.raises(TypeError, match=r"^x: a target has read\(offset, size\) and write\("):
        bus.add(0x1000, 4, object(), "x")


def test_devices_are_listed_by_address(bus):
    bus.add(0x2000, 1, Recorder(), "b")
    bus.add(0x1000, 1, Recorder(), "a")
    assert [name for *_, name in bus] == ["a", "b"]


def test_a_bus_error_of_the_device_passes_through(bus):
    class Refuses:
        def read(self, offset, size):
            raise BusError("not this way")

        def write(self, offset, size, value):
            raise BusError("not this way")

    bus.add(0x1000, 0x100, Refuses(), "refuses")
    with pytest.raises(BusError, match=r"^not this way$"):
        bus.read(0x1000, 1)


def test_finding_a_device_costs_well_under_a_microsecond_of_lookup(bus):
    class Null(Recorder):
        def read(self, offset, size):
            return 0

    for number in range(16):
        bus.add(0x1000_0000 + 0x1000 * number, 0x1000, Null(), f"device {number}")
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(2000):
            bus.read(0x1000_F000, 4)
        best = min(best, (time.perf_counter() - begin) / 2000)
    assert best < 2e-6, "0.2 µs on an idle machine; the limit leaves room for a busy one"
