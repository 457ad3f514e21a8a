"""What the drivers of Linux 6.1 and OpenSBI do to the devices, step by step, on twins and hardware."""

import pytest
from amaranth.hdl import Elaboratable, Module

from rvsim.periph.plic import Plic
from rvsim.periph.uart import Uart
from tests.periph.conftest import START
from tests.periph.drivers import HardwarePlic, HardwareUart, TwinPlic, TwinUart

DLL, IER, DLM, IIR, FCR, LCR, MCR, LSR, MSR, SCR = 0, 1, 1, 2, 2, 3, 4, 5, 6, 7
RBR = THR = DLL
ERBFI, ETBEI, ELSI = 1, 2, 4
DR, THRE, TEMT = 0x01, 0x20, 0x40
LOOP, OUT2, RTS = 0x10, 8, 2


# -- UART ------------------------------------------------------------------------------------------------------
async def test_linux_8250_autoconfiguration_finds_a_16550a(uart):
    """The steps of autoconfig() and autoconfig_16550a() in Linux 6.1."""
    ier = await uart.get(IER)
    await uart.put(IER, 0)
    assert await uart.get(IER) & 0x0F == 0
    await uart.put(IER, 0x0F)
    assert await uart.get(IER) & 0x0F == 0x0F
    await uart.put(IER, ier)
    mcr, lcr = await uart.get(MCR), await uart.get(LCR)
    await uart.put(MCR, LOOP | OUT2 | RTS)
    assert await uart.get(MSR) & 0xF0 == 0x90, "DCD and CTS"
    await uart.put(MCR, mcr)
    await uart.put(LCR, 0xBF)
    await uart.put(2, 0)
    await uart.put(LCR, 0)
    await uart.put(FCR, 1)
    assert await uart.get(IIR) >> 6 == 3, "a working FIFO: 16550A or better"
    await uart.put(LCR, 0x80)
    assert await uart.get(2) != 0, "no enhanced feature register: not a 16650"
    await uart.put(LCR, 0xBF)
    assert await uart.get(2) != 0
    await uart.put(LCR, 0)
    await uart.put(FCR, 1)
    first = await uart.get(IIR) >> 5
    await uart.put(FCR, 0x21)
    await uart.put(LCR, 0x80)
    await uart.put(FCR, 0x21)
    second = await uart.get(IIR) >> 5
    await uart.put(FCR, 1)
    await uart.put(LCR, 0)
    assert (first, second) == (6, 6), "no 64-byte FIFO: not a 16750"
    await uart.put(IER, 0x40)
    assert await uart.get(IER) & 0x40 == 0, "no UART unit enable: not an XScale"
    await uart.put(IER, 0)
    await uart.put(FCR, 0)
    await uart.put(LCR, lcr)
    assert not uart.sent and not uart.line


async def test_linux_8250_startup_finds_no_bug_to_work_around(uart):
    """serial8250_do_startup(): the tests for UART_BUG_THRE and UART_BUG_TXEN."""
    for value in (0x01, 0x07, 0x00):
        await uart.put(FCR, value)
    for register in (LSR, RBR, IIR, MSR):
        await uart.get(register)
    assert await uart.get(LSR) != 0xFF
    await uart.put(LCR, 0x03)
    await uart.put(IER, ETBEI)
    first = await uart.get(IIR)
    await uart.put(IER, 0)
    await uart.put(IER, ETBEI)
    second = await uart.get(IIR)
    await uart.put(IER, 0)
    assert not first & 1 and not second & 1, "the interrupt is raised again each time"
    await uart.put(MCR, OUT2)
    await uart.put(IER, ETBEI)
    assert await uart.get(LSR) & TEMT and not await uart.get(IIR) & 1
    await uart.put(IER, 0)
    assert not uart.line


async def test_linux_8250_interrupt_handler_sends_a_long_line_in_bursts(uart):
    await uart.put(FCR, 0x81)
    pending = bytearray(b"0123456789" * 10)
    await uart.put(IER, ERBFI | ELSI | ETBEI)
    interrupts = 0
    while uart.line:
        interrupts += 1
        iir = await uart.get(IIR)
        assert not iir & 1
        if await uart.get(LSR) & THRE:
            for value in pending[:16]:
                await uart.put(THR, value)
            del pending[:16]
        if not pending:
            await uart.put(IER, ERBFI | ELSI)
    assert uart.sent == b"0123456789" * 10 and interrupts == 7


async def test_opensbi_uart8250_initialisation_and_polling(uart):
    for register, value in ((IER, 0), (LCR, 0x80), (DLL, 2), (DLM, 0), (LCR, 3), (FCR, 1), (MCR, 0)):
        await uart.put(register, value)
    for register in (LSR, RBR):
        await uart.get(register)
    await uart.put(SCR, 0)
    for value in b"OpenSBI":
        assert await uart.get(LSR) & THRE
        await uart.put(THR, value)
    assert uart.sent == b"OpenSBI"
    await uart.receive(b"k")
    assert await uart.get(LSR) & DR and await uart.get(RBR) == ord("k")


# -- PLIC ------------------------------------------------------------------------------------------------------
PRIORITY, PENDING, ENABLE, THRESHOLD, CLAIM = 0, 0x1000, 0x2000, 0x20_0000, 0x20_0004
UART_SOURCE, M, S = 10, 0, 1


class Board(Elaboratable):
    """A UART whose interrupt line is a source of a PLIC."""

    def __init__(self):
        self.uart, self.plic = Uart(), Plic()

    def elaborate(self, platform):
        m = Module()
        m.submodules.uart, m.submodules.plic = self.uart, self.plic
        m.d.comb += self.plic.sources[UART_SOURCE].eq(self.uart.interrupt)
        return m


@pytest.fixture
def board(fidelity):
    """Drivers of a UART and of the PLIC that it is connected to."""
    if fidelity.is_twin:
        uart, plic = TwinUart(), TwinPlic()
        uart.twin._interrupt = lambda level: plic.twin.set_source(UART_SOURCE, level)
        return uart, plic
    bench, board = fidelity.hardware("board", Board)
    bench.driver = HardwareUart(bench, board.uart)
    return bench.driver, HardwarePlic(bench, board.plic)


async def initialise_firmware(plic, sources=95):
    """OpenSBI: everything off, and the M-mode context never interrupts."""
    for source in range(1, sources + 1):
        await plic.write(PRIORITY + 4 * source, 4, 0)
    for context in (M, S):
        for word in range(sources // 32 + 1):
            await plic.write(ENABLE + 0x80 * context + 4 * word, 4, 0)
        await plic.write(THRESHOLD + 0x1000 * context, 4, 7)


async def initialise_linux(plic, sources=95):
    """sifive-plic: each source disabled for the S-mode context with priority 1; threshold 0 as the CPU starts."""
    for source in range(1, sources + 1):
        await toggle(plic, source, False)
        await plic.write(PRIORITY + 4 * source, 4, 1)
    await plic.write(THRESHOLD + 0x1000 * S, 4, 0)


async def toggle(plic, source, on):
    address, bit = ENABLE + 0x80 * S + source // 32 * 4, 1 << source % 32
    value = await plic.read(address, 4)
    await plic.write(address, 4, value | bit if on else value & ~bit)


async def handle(plic, handlers):
    """plic_handle_irq() with handle_fasteoi_irq(): claim until nothing is left, complete each."""
    claimed = []
    while source := await plic.read(CLAIM + 0x1000 * S, 4):
        claimed.append(source)
        await handlers[source]()
        await plic.write(CLAIM + 0x1000 * S, 4, source)
    return claimed


async def test_linux_plic_driver_takes_an_interrupt_from_the_uart_driver(board):
    uart, plic = board
    await initialise_firmware(plic)
    await initialise_linux(plic)
    assert plic.lines == [False, False]
    await uart.put(IER, ERBFI)
    await uart.receive(b"hi")
    assert plic.lines == [False, False], "not enabled yet"
    await plic.write(PRIORITY + 4 * UART_SOURCE, 4, 1)
    await toggle(plic, UART_SOURCE, True)
    assert plic.lines == [False, True]
    received = bytearray()

    async def serve():
        received.extend(await uart.take())

    assert await handle(plic, {UART_SOURCE: serve}) == [UART_SOURCE]
    assert received == b"hi" and plic.lines == [False, False]


async def test_linux_plic_driver_sees_a_level_that_stays_again(plic):
    await initialise_linux(plic)
    await toggle(plic, 3, True)
    await plic.set_source(3, True)
    seen = []

    async def serve():
        seen.append(3)
        if len(seen) == 3:
            await plic.set_source(3, False)

    assert await handle(plic, {3: serve}) == [3, 3, 3]
    assert plic.lines == [False, False]


async def test_linux_plic_driver_masks_and_completes_an_interrupt_that_was_disabled_meanwhile(plic):
    """plic_irq_eoi() enables the source for the moment of the completion."""
    await initialise_linux(plic)
    await toggle(plic, 5, True)
    await plic.set_source(5, True)
    assert await plic.read(CLAIM + 0x1000 * S, 4) == 5
    await toggle(plic, 5, False)
    await toggle(plic, 5, True)
    await plic.write(CLAIM + 0x1000 * S, 4, 5)
    assert plic.lines[S], "the line is still high"
    await toggle(plic, 5, False)
    assert not plic.lines[S]


# -- RTC -------------------------------------------------------------------------------------------------------
TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = range(0, 32, 4)


async def test_linux_goldfish_rtc_driver_reads_sets_and_waits_for_the_clock(rtc):
    async def set_time(time):
        await rtc.put(TIME_HIGH, time >> 32)
        await rtc.put(TIME_LOW, time & 0xFFFF_FFFF)

    async def set_alarm(time):
        await rtc.set_alarm(time)
        await rtc.put(IRQ_ENABLED, 1)

    assert await rtc.get_time() == START
    await set_time(1_600_000_000_000_000_000)
    assert await rtc.get_time() == 1_600_000_000_000_000_000
    await rtc.pass_time(5_000_000_000)
    assert await rtc.get_time() == 1_600_000_005_000_000_000
    await set_alarm(1_600_000_010_000_000_000)
    assert await rtc.get(ALARM_HIGH) << 32 | await rtc.get(ALARM_LOW) == 1_600_000_010_000_000_000
    assert await rtc.get(ALARM_STATUS) == 1 and not rtc.line
    await rtc.pass_time(5_000_000_000)
    assert rtc.line
    await rtc.put(CLEAR_INTERRUPT, 1)
    assert not rtc.line and await rtc.get(ALARM_STATUS) == 0
    await set_alarm(1_700_000_000_000_000_000)
    if await rtc.get(ALARM_STATUS):
        await rtc.put(CLEAR_ALARM, 1)
    await rtc.pass_time(10**18)
    assert await rtc.get(ALARM_STATUS) == 0 and not rtc.line
