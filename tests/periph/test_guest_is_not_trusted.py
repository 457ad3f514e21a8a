"""Whatever a guest reads or writes: a value of the access's size, or a bus error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsim.bus import BusError
from rvsim.periph.clint import ClintTwin
from rvsim.periph.finisher import FinisherTwin
from rvsim.periph.plic import PlicTwin
from rvsim.periph.rtc import RtcTwin
from rvsim.periph.uart import UartTwin


class Hart:
    mtimecmp, msip, mtime = 0, False, 0


def ignore(*_):
    return None


DEVICES = {
    "uart": lambda: UartTwin(ignore, ignore),
    "clint": lambda: ClintTwin([Hart(), Hart()], Hart()),
    "plic": lambda: PlicTwin([ignore] * 4),
    "finisher": lambda: FinisherTwin(ignore),
    "rtc": lambda: RtcTwin(lambda: 1 << 60, ignore),
}


def accesses(registers):
    interesting = [
        register.offset + index * register.pitch for register in registers for index in range(register.number)
    ]
    offsets = st.one_of(
        st.sampled_from(interesting),
        st.sampled_from(interesting).flatmap(lambda offset: st.integers(offset - 8, offset + 8)),
        st.integers(-(1 << 64), 1 << 64),
    )
    sizes = st.one_of(st.sampled_from((1, 2, 4, 8)), st.integers(-16, 64))
    values = st.one_of(st.none(), st.integers(0, 0xFF), st.integers(-(1 << 64), 1 << 70))
    outside = st.sampled_from(("nothing", "nothing", "input", "poll"))
    return st.lists(st.tuples(offsets, sizes, values, outside), max_size=60)


@pytest.mark.parametrize("name", DEVICES)
def test_no_access_raises_anything_but_a_bus_error(name):
    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(accesses(DEVICES[name]().registers.registers))
    def check(steps):
        device = DEVICES[name]()
        for offset, size, value, outside in steps:
            try:
                if value is None:
                    result = device.read(offset, size)
                    assert type(result) is int and 0 <= result < 1 << 8 * size
                else:
                    assert device.write(offset, size, value) is None
            except BusError as error:
                assert str(error).startswith(f"{name}: ")
            disturb(device, outside)
        device.restore(device.state())

    check()


def disturb(device, outside):
    """Things that happen between two accesses."""
    if outside == "input" and isinstance(device, UartTwin):
        device.receive(b"some input\n")
        device.receive_break()
    elif outside == "input" and isinstance(device, PlicTwin):
        device.set_source(10, not device.level >> 10 & 1)
    elif outside == "poll" and isinstance(device, RtcTwin):
        device.poll()


@pytest.mark.parametrize("name", DEVICES)
def test_every_register_can_be_read_and_written_at_every_size_its_device_takes(name):
    """In both banks: no twin lacks a method that its map names."""
    device = DEVICES[name]()
    for bank in (0x80, 0x00):
        for register in device.registers.registers:
            for size in device.registers.sizes:
                offset = register.offset - register.offset % size
                assert 0 <= device.read(offset, size) < 1 << 8 * size
                device.write(offset, size, 0)
                if name == "uart":
                    device.write(3, 1, bank)
