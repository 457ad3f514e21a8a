"""The hardware UART's line: a stalled host, characters that take their time, what shows when."""

import pytest

from rvsim.bus.simulation import Initiator
from rvsim.periph.uart import Uart
from tests.periph import drivers
from tests.periph.conftest import ENGINES, Bench
from tests.periph.test_uart import (
    DATA,
    DLL,
    DLM,
    DR,
    ERBFI,
    ETBEI,
    FCR,
    IER,
    IIR,
    LCR,
    LOOP,
    LSR,
    MCR,
    NONE,
    OE,
    RBR,
    TEMT,
    THR,
    THRE,
    TIMEOUT,
    TRANSMITTER,
)

CLOCK = 10_000_000
UART_CLOCK = 3_686_400


@pytest.fixture
def line(engine):
    """Run a scenario that sees a driver of a UART."""

    def run(scenario, **options):
        component = Uart(**options)
        bench = Bench([component], ENGINES[engine])
        bench.driver = drivers.HardwareUart(bench, component)
        bench.run(scenario(bench.driver))

    return run


# -- a host that does not take characters ------------------------------------------------------------------------
def test_a_stalled_host_fills_the_transmitter_and_loses_nothing_that_fits(line):
    async def scenario(uart):
        uart.accepts = False
        await uart.put(FCR, 1)
        for value in range(17):
            await uart.put(THR, value)
            assert await uart.get(LSR) == (THRE if value == 0 else 0), "one in the shift register, the rest waits"
        await uart.put(THR, 99)
        uart.accepts = True
        await uart.context.tick().repeat(30)
        assert uart.sent == bytes(range(17)), "what did not fit is lost"
        assert await uart.get(LSR) == THRE | TEMT
        assert uart.arrivals[-1] - uart.arrivals[0] == 16, "a character a cycle"

    line(scenario)


def test_without_fifos_the_holding_register_is_overwritten(line):
    async def scenario(uart):
        uart.accepts = False
        for value in b"abc":
            await uart.put(THR, value)
        uart.accepts = True
        await uart.context.tick().repeat(5)
        assert uart.sent == b"ac"

    line(scenario)


def test_the_transmitter_interrupt_waits_until_the_holding_register_is_empty(line):
    async def scenario(uart):
        uart.accepts = False
        await uart.put(FCR, 1)
        await uart.put(IER, ETBEI)
        await uart.put(THR, 1)
        assert uart.line, "the first went on into the shift register"
        await uart.put(THR, 2)
        assert not uart.line and await uart.get(IIR) == 0xC0 | NONE, "writing THR clears it"
        await uart.put(IER, 0)
        await uart.put(IER, ETBEI)
        assert not uart.line, "enabling raises it only while THR is empty"
        uart.accepts = True
        await uart.context.tick().repeat(5)
        assert uart.line and await uart.get(IIR) == 0xC0 | TRANSMITTER

    line(scenario)


@pytest.mark.parametrize("control", [0b101, 0b000])
def test_clearing_the_transmitter_drops_what_waits_but_never_withdraws_what_it_offers(line, control):
    async def scenario(uart):
        uart.accepts = False
        await uart.put(FCR, 1)
        await uart.put(IER, ETBEI)
        for value in b"abc":
            await uart.put(THR, value)
        assert not uart.line
        await uart.put(FCR, control)
        assert uart.line and await uart.get(LSR) == THRE
        assert uart.context.get(uart.component.tx.valid) and uart.context.get(uart.component.tx.payload) == ord("a")
        uart.accepts = True
        await uart.context.tick().repeat(5)
        assert uart.sent == b"a"

    line(scenario)


def test_a_character_offered_before_loopback_leaves_and_those_behind_it_loop(line):
    async def scenario(uart):
        uart.accepts = False
        await uart.put(FCR, 1)
        for value in b"ab":
            await uart.put(THR, value)
        await uart.put(MCR, LOOP)
        assert uart.context.get(uart.component.tx.valid)
        uart.accepts = True
        await uart.context.tick().repeat(5)
        assert uart.sent == b"a" and await uart.take() == b"b"

    line(scenario)


# -- when effects show -------------------------------------------------------------------------------------------
def test_the_interrupt_line_follows_an_access_with_its_answer(hardware):
    uart = Uart()

    async def scenario(context):
        initiator = Initiator(context, uart.bus)
        await initiator.write(IER, 1, ETBEI)
        assert context.get(uart.interrupt)
        assert await initiator.read(IIR, 1) == TRANSMITTER
        assert not context.get(uart.interrupt)

    hardware(uart, scenario)


@pytest.mark.parametrize("loop", [0, LOOP])
def test_back_to_back_accesses_find_the_transmitter_empty_and_the_looped_character_there(hardware, loop):
    uart = Uart()

    async def scenario(context):
        initiator = Initiator(context, uart.bus)
        context.set(uart.tx.ready, 1)
        await initiator.write(MCR, 1, loop)
        for value in range(5):
            await initiator.write(THR, 1, value)
            assert await initiator.read(LSR, 1) == THRE | TEMT | (DR if loop else 0)
            if loop:
                assert await initiator.read(RBR, 1) == value

    hardware(uart, scenario)


# -- characters that take their time -----------------------------------------------------------------------------
async def set_divisor(uart, divisor, lcr=0x03):
    await uart.put(LCR, 0x80 | lcr)
    await uart.put(DLL, divisor & 0xFF)
    await uart.put(DLM, divisor >> 8)
    await uart.put(LCR, lcr)


@pytest.mark.parametrize(
    ("lcr", "bits"), [(0x03, 10), (0x00, 7), (0x04, 7.5), (0x05, 9), (0x1B, 11), (0x1F, 12)], ids=str
)
def test_a_character_takes_the_bits_that_lcr_says(line, lcr, bits):
    divisor, count = 2, 8
    cycles = bits * 16 * divisor * CLOCK / UART_CLOCK

    async def scenario(uart):
        await set_divisor(uart, divisor, lcr)
        await uart.put(FCR, 1)
        for value in range(count):
            await uart.put(THR, value)
        await uart.context.tick().repeat(int(cycles * (count + 1)))
        assert uart.sent == bytes(range(count))
        gaps = [late - early for early, late in zip(uart.arrivals, uart.arrivals[1:])]
        assert all(abs(gap - cycles) <= 2 for gap in gaps), "each within two cycles"
        assert abs(uart.arrivals[-1] - uart.arrivals[0] - cycles * (count - 1)) <= 2 + count, "and they do not drift"

    line(scenario, baud="divisor", clock=CLOCK)


def test_transmitter_status_while_a_character_is_under_way(line):
    cycles = 10 * 16 * CLOCK / UART_CLOCK

    async def scenario(uart):
        await set_divisor(uart, 1)
        await uart.put(THR, 1)
        assert await uart.get(LSR) == THRE, "in the shift register"
        await uart.put(THR, 2)
        assert await uart.get(LSR) == 0
        await uart.context.tick().repeat(int(cycles))
        assert await uart.get(LSR) == THRE and uart.sent == b"\1"
        await uart.context.tick().repeat(int(cycles))
        assert await uart.get(LSR) == THRE | TEMT and uart.sent == b"\1\2"

    line(scenario, baud="divisor", clock=CLOCK)


def test_a_character_arrives_when_its_time_is_over_and_the_time_out_takes_four_more(line):
    cycles = 10 * 16 * CLOCK / UART_CLOCK

    async def scenario(uart):
        await set_divisor(uart, 1)
        await uart.put(FCR, 0x41)
        await uart.put(IER, ERBFI)
        await uart.receive(b"ab")
        assert await uart.get(LSR) & DR == 0
        await uart.context.tick().repeat(int(2.2 * cycles))
        assert await uart.get(LSR) & DR and not uart.line, "both are there, below the trigger level"
        await uart.context.tick().repeat(int(3.5 * cycles))
        assert not uart.line
        await uart.context.tick().repeat(int(0.5 * cycles))
        assert uart.line and await uart.get(IIR) == 0xC0 | TIMEOUT
        assert await uart.get(RBR) == ord("a")
        assert not uart.line, "a read ends the time-out"
        await uart.context.tick().repeat(int(4.2 * cycles))
        assert uart.line and await uart.take() == b"b" and not uart.line

    line(scenario, baud="divisor", clock=CLOCK)


def test_an_arrival_does_not_end_a_time_out_and_the_trigger_level_takes_its_place(line):
    cycles = 10 * 16 * CLOCK / UART_CLOCK

    async def scenario(uart):
        await set_divisor(uart, 1)
        await uart.put(FCR, 0x41)
        await uart.put(IER, ERBFI)
        await uart.receive(b"a")
        await uart.context.tick().repeat(int(5.2 * cycles))
        assert await uart.get(IIR) == 0xC0 | TIMEOUT
        await uart.receive(b"bcd")
        await uart.context.tick().repeat(int(1.2 * cycles))
        assert await uart.get(IIR) == 0xC0 | TIMEOUT
        await uart.context.tick().repeat(int(2.2 * cycles))
        assert await uart.get(IIR) == 0xC0 | DATA

    line(scenario, baud="divisor", clock=CLOCK)


def test_a_timed_line_waits_for_room_and_loses_nothing(line):
    cycles = 10 * 16 * CLOCK / UART_CLOCK

    async def scenario(uart):
        await set_divisor(uart, 1)
        data = bytes(range(40))
        await uart.receive(data)
        found = bytearray()
        for enabled in (0, 1):
            await uart.put(FCR, enabled)
            await uart.context.tick().repeat(int(20 * cycles))
            assert await uart.get(LSR) & (DR | OE) == DR
        while len(found) < len(data):
            found += await uart.take()
            await uart.context.tick().repeat(100)
        assert found == data and not await uart.get(LSR) & OE

    line(scenario, baud="divisor", clock=CLOCK)


def test_a_timed_loopback_overruns_like_the_real_one(line):
    async def scenario(uart):
        await set_divisor(uart, 0)
        await uart.put(MCR, LOOP)
        for value in b"abc":
            await uart.put(THR, value)
        assert await uart.get(LSR) == THRE | TEMT | DR | OE and await uart.get(RBR) == ord("c")

    line(scenario, baud="divisor", clock=CLOCK)


# -- parameters --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baud": 115200}, "UART: baud must be 'unlimited' or 'divisor', not 115200"),
        ({"clock": CLOCK}, "UART: a clock frequency is of use only with baud='divisor'"),
        ({"baud": "divisor"}, "UART: clock must be an integer of at least 3686400 Hz, not None"),
        ({"baud": "divisor", "clock": 1e7}, "UART: clock must be an integer of at least 3686400 Hz, not 10000000.0"),
        ({"baud": "divisor", "clock": 3_686_399}, "UART: clock must be an integer of at least 3686400 Hz, not 3686399"),
    ],
)
def test_parameters_that_cannot_be_are_refused(options, message, unused_is_fine):
    with pytest.raises(ValueError) as caught:
        Uart(**options)
    assert str(caught.value) == message
