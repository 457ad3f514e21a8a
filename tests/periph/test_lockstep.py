"""Twin and hardware are given the same random history, malicious accesses included, and are never seen to differ."""

import pytest

from rvsim.periph.clint import Clint, clint_map
from rvsim.periph.finisher import FINISHER, Finisher
from rvsim.periph.plic import Plic, plic_map
from rvsim.periph.rtc import RTC, Rtc
from rvsim.periph.uart import UART, Uart
from tests.periph import drivers
from tests.periph import test_clint as test_clint_suite
from tests.periph.conftest import START, run_functional
from tests.periph.lockstep import FreeUart, access, declared_state, free, outcome, seeded


async def both(twin, hardware, step):
    assert await outcome(twin, *step) == await outcome(hardware, *step), step


# -- UART ------------------------------------------------------------------------------------------------------
def acknowledges_behind_the_last_character(twin, step):
    """A four-byte read of RBR and IIR together is the one access whose effects the twin orders otherwise.

    It takes the last character first, and then acknowledges a transmitter interrupt that IIR did not show.
    """
    offset, size, value = step
    return value is None and (offset, size) == (0, 4) and twin.ier & 3 == 3 and len(twin.receive_fifo) == 1


async def uart_history(twin, hardware, seed, steps):
    rng = seeded(seed)
    for _ in range(steps):
        action = rng.random()
        if action < 0.1:
            data = rng.randbytes(rng.choice((1, 1, 3, 20)))
            await twin.receive(data)
            await hardware.receive(data)
        elif action < 0.13:
            await twin.receive_break()
            await hardware.receive_break()
        elif action < 0.3:
            # Loopback, FIFOs and interrupts in arrangements that the guest's drivers choose, and others.
            register = rng.choice((1, 2, 3, 4))
            value = rng.choice({1: (15, 0, 5), 2: (1, 0x81, 0xC1, 3, 0), 3: (0,), 4: (0, 0x10, 0x1F)}[register])
            await both(twin, hardware, (register, 1, value))
        elif action < 0.5:
            await both(twin, hardware, (0, 1, rng.choice((None, rng.getrandbits(8)))))
        else:
            step = access(rng, UART)
            if not acknowledges_behind_the_last_character(twin.twin, step):
                await both(twin, hardware, step)
        assert twin.line == hardware.line
        assert twin.receiver_enabled == hardware.receiver_enabled
        assert twin.pending == hardware.pending
        assert twin.sent == hardware.sent
        yield
    for device in (twin, hardware):
        await device.put(3, 0)
    assert await twin.take() == await hardware.take()
    assert twin.sent == hardware.sent


@pytest.mark.parametrize("seed", range(2))
async def test_uart_in_a_test_bench(uart, seed):
    async for _ in uart_history(drivers.TwinUart(), uart, seed, 400):
        pass


@pytest.mark.parametrize("seed", range(10))
def test_uart_and_its_state(seed):
    twin, hardware = drivers.TwinUart(), FreeUart(Uart())

    async def scenario():
        async for _ in uart_history(twin, hardware, seed, 1000):
            assert declared_state(hardware.bench.run, UART) == twin.twin.state()

    run_functional(scenario())


# -- PLIC ------------------------------------------------------------------------------------------------------
async def plic_history(twin, hardware, seed, steps, registers):
    rng = seeded(seed)
    sources, contexts = twin.twin.sources, len(twin.lines)
    for _ in range(steps):
        action = rng.random()
        source, context = rng.randrange(1, sources), rng.randrange(contexts)
        if action < 0.25:
            level = rng.random() < 0.6
            await twin.set_source(source, level)
            await hardware.set_source(source, level)
        elif action < 0.45:
            junk = source | 1 << rng.randrange(5, 32)
            await both(twin, hardware, (0x20_0004 + 0x1000 * context, 4, rng.choice((None, source, source, junk))))
        elif action < 0.6:
            await both(twin, hardware, (0x20_0000 + 0x1000 * context, 4, rng.choice((0, 0, 3, 7))))
        else:
            await both(twin, hardware, access(rng, registers))
        assert twin.lines == hardware.lines
        yield


@pytest.mark.parametrize("seed", range(2))
async def test_plic_in_a_test_bench(plic, seed):
    async for _ in plic_history(drivers.TwinPlic(), plic, seed, 300, plic_map()):
        pass


@pytest.mark.parametrize(("contexts", "sources"), [(2, 96), (1, 2), (3, 33), (5, 40)])
def test_plic_and_its_state(contexts, sources):
    registers = plic_map(contexts, sources)
    hardware = free(drivers.HardwarePlic, Plic(contexts, sources))

    async def scenario():
        twin = drivers.TwinPlic(contexts, sources)
        async for _ in plic_history(twin, hardware, sources, 1500, registers):
            run = hardware.bench.run
            lines = run[hardware.component.sources]
            assert declared_state(run, registers, level=lines) == twin.twin.state()

    run_functional(scenario())


# -- RTC -------------------------------------------------------------------------------------------------------
async def rtc_history(twin, hardware, seed, steps):
    rng = seeded(seed)

    async def poll():
        """The hardware compares the alarm with the time in every cycle."""
        for device in (twin, hardware):
            await device.pass_time(0)

    for _ in range(steps):
        action = rng.random()
        if action < 0.3:
            passed = rng.choice((0, 1, 10, 1 << 20, 1 << 33))
            await twin.pass_time(passed)
            await hardware.pass_time(passed)
        elif action < 0.45:
            alarm = twin.twin.time + rng.choice((-1, 0, 1, 10, 11, 1 << 20))
            await both(twin, hardware, (0x0C, 4, alarm >> 32 & 0xFFFF_FFFF))
            await poll()
            await both(twin, hardware, (0x08, 4, alarm & 0xFFFF_FFFF))
        elif action < 0.6:
            await both(twin, hardware, (0x10, 4, rng.getrandbits(1)))
        else:
            await both(twin, hardware, access(rng, RTC))
        await poll()
        assert twin.line == hardware.line
        yield


@pytest.mark.parametrize("seed", range(2))
async def test_rtc_in_a_test_bench(rtc, seed):
    async for _ in rtc_history(drivers.TwinRtc(START), rtc, seed, 500):
        pass


@pytest.mark.parametrize("seed", range(5))
def test_rtc_and_its_state(seed):
    twin, hardware = drivers.TwinRtc(START), free(drivers.HardwareRtc, Rtc(), START)
    hardware.bench.run[hardware.component.now] = START

    async def scenario():
        async for _ in rtc_history(twin, hardware, seed, 2000):
            assert declared_state(hardware.bench.run, RTC) == twin.twin.state()

    run_functional(scenario())


# -- CLINT -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("harts", [1, 3])
def test_clint(harts):
    registers, clint, rng = clint_map(harts), Clint(harts), seeded(harts)
    twin, hardware = test_clint_suite.TwinDevice(harts), free(drivers.HardwarePort, clint)
    there = test_clint_suite.HardwareDevice(hardware.context, clint)
    twin_port = drivers.TwinPort()
    twin_port.twin = twin.twin

    async def scenario():
        for _ in range(3000):
            if rng.random() < 0.3:
                times = rng.choice((1, 2, 100))
                await twin.tick(times)
                await there.tick(times)
            else:
                step = access(rng, registers)
                assert await outcome(hardware, *step) == await outcome(twin_port, *step), step
            assert twin.mtime() == there.mtime()
            for hart in range(harts):
                assert (twin.msip(hart), twin.mtip(hart)) == (there.msip(hart), there.mtip(hart))
            assert declared_state(hardware.bench.run, registers) == twin.twin.state()

    run_functional(scenario())


# -- finisher --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(20))
async def test_finisher_in_a_test_bench(finisher, seed):
    rng, twin = seeded(seed), drivers.TwinFinisher()
    while not twin.ends:
        assert finisher.ends == []
        kind = rng.choice((0x5555, 0x3333, 0x7777, 0, 0x5554, rng.getrandbits(16)))
        step = (rng.choice((0, 0, 2, 4)), rng.choice((2, 4, 4, 1)), rng.getrandbits(16) << 16 | kind)
        await both(twin, finisher, step if rng.random() < 0.6 else access(rng, FINISHER))
    assert finisher.ends == twin.ends[:1]


def test_the_finisher_has_no_state_to_keep():
    assert declared_state(free(drivers.HardwareFinisher, Finisher()).bench.run, FINISHER) == {}
