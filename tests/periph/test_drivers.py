"""What the drivers of Linux 6.1 and OpenSBI do to the devices, step by step, on the functional twins."""

import pytest

from rvsim.periph.plic import PlicTwin
from rvsim.periph.rtc import RtcTwin

DLL, IER, DLM, IIR, FCR, LCR, MCR, LSR, MSR, SCR = 0, 1, 1, 2, 2, 3, 4, 5, 6, 7
RBR = THR = DLL
ERBFI, ETBEI, ELSI = 1, 2, 4
DR, THRE, TEMT = 0x01, 0x20, 0x40
LOOP, OUT2, RTS = 0x10, 8, 2


# -- UART ------------------------------------------------------------------------------------------------------
def test_linux_8250_autoconfiguration_finds_a_16550a(uart):
    """The steps of autoconfig() and autoconfig_16550a() in Linux 6.1."""
    ier = uart.get(IER)
    uart.put(IER, 0)
    assert uart.get(IER) & 0x0F == 0
    uart.put(IER, 0x0F)
    assert uart.get(IER) & 0x0F == 0x0F
    uart.put(IER, ier)
    mcr, lcr = uart.get(MCR), uart.get(LCR)
    uart.put(MCR, LOOP | OUT2 | RTS)
    assert uart.get(MSR) & 0xF0 == 0x90, "DCD and CTS"
    uart.put(MCR, mcr)
    uart.put(LCR, 0xBF)
    uart.put(2, 0)
    uart.put(LCR, 0)
    uart.put(FCR, 1)
    assert uart.get(IIR) >> 6 == 3, "a working FIFO: 16550A or better"
    uart.put(LCR, 0x80)
    assert uart.get(2) != 0, "no enhanced feature register: not a 16650"
    uart.put(LCR, 0xBF)
    assert uart.get(2) != 0
    uart.put(LCR, 0)
    uart.put(FCR, 1)
    first = uart.get(IIR) >> 5
    uart.put(FCR, 0x21)
    uart.put(LCR, 0x80)
    uart.put(FCR, 0x21)
    second = uart.get(IIR) >> 5
    uart.put(FCR, 1)
    uart.put(LCR, 0)
    assert (first, second) == (6, 6), "no 64-byte FIFO: not a 16750"
    uart.put(IER, 0x40)
    assert uart.get(IER) & 0x40 == 0, "no UART unit enable: not an XScale"
    uart.put(IER, 0)
    uart.put(FCR, 0)
    uart.put(LCR, lcr)
    assert not uart.sent and not uart.line


def test_linux_8250_startup_finds_no_bug_to_work_around(uart):
    """serial8250_do_startup(): the tests for UART_BUG_THRE and UART_BUG_TXEN."""
    for value in (0x01, 0x07, 0x00):
        uart.put(FCR, value)
    for register in (LSR, RBR, IIR, MSR):
        uart.get(register)
    assert uart.get(LSR) != 0xFF
    uart.put(LCR, 0x03)
    uart.put(IER, ETBEI)
    first = uart.get(IIR)
    uart.put(IER, 0)
    uart.put(IER, ETBEI)
    second = uart.get(IIR)
    uart.put(IER, 0)
    assert not first & 1 and not second & 1, "the interrupt is raised again each time"
    uart.put(MCR, OUT2)
    uart.put(IER, ETBEI)
    assert uart.get(LSR) & TEMT and not uart.get(IIR) & 1
    uart.put(IER, 0)
    assert not uart.line


def test_linux_8250_interrupt_handler_sends_a_long_line_in_bursts(uart):
    uart.put(FCR, 0x81)
    pending = bytearray(b"0123456789" * 10)
    uart.put(IER, ERBFI | ELSI | ETBEI)
    interrupts = 0
    while uart.line:
        interrupts += 1
        iir = uart.get(IIR)
        assert not iir & 1
        if uart.get(LSR) & THRE:
            for value in pending[:16]:
                uart.put(THR, value)
            del pending[:16]
        if not pending:
            uart.put(IER, ERBFI | ELSI)
    assert uart.sent == b"0123456789" * 10 and interrupts == 7


def test_opensbi_uart8250_initialisation_and_polling(uart):
    for register, value in ((IER, 0), (LCR, 0x80), (DLL, 2), (DLM, 0), (LCR, 3), (FCR, 1), (MCR, 0)):
        uart.put(register, value)
    for register in (LSR, RBR):
        uart.get(register)
    uart.put(SCR, 0)
    for value in b"OpenSBI":
        assert uart.get(LSR) & THRE
        uart.put(THR, value)
    assert uart.sent == b"OpenSBI"
    uart.receive(b"k")
    assert uart.get(LSR) & DR and uart.get(RBR) == ord("k")


# -- PLIC ------------------------------------------------------------------------------------------------------
PRIORITY, PENDING, ENABLE, THRESHOLD, CLAIM = 0, 0x1000, 0x2000, 0x20_0000, 0x20_0004
UART_SOURCE, M, S = 10, 0, 1


@pytest.fixture
def plic():
    plic = PlicTwin([lambda level: plic.lines.__setitem__(0, level), lambda level: plic.lines.__setitem__(1, level)])
    plic.lines = [False, False]
    return plic


def initialise_firmware(plic, sources=95):
    """OpenSBI: everything off, and the M-mode context never interrupts."""
    for source in range(1, sources + 1):
        plic.write(PRIORITY + 4 * source, 4, 0)
    for context in (M, S):
        for word in range(sources // 32 + 1):
            plic.write(ENABLE + 0x80 * context + 4 * word, 4, 0)
        plic.write(THRESHOLD + 0x1000 * context, 4, 7)


def initialise_linux(plic, sources=95):
    """sifive-plic: each source disabled for the S-mode context with priority 1; threshold 0 as the CPU starts."""
    for source in range(1, sources + 1):
        toggle(plic, source, False)
        plic.write(PRIORITY + 4 * source, 4, 1)
    plic.write(THRESHOLD + 0x1000 * S, 4, 0)


def toggle(plic, source, on):
    address, bit = ENABLE + 0x80 * S + source // 32 * 4, 1 << source % 32
    value = plic.read(address, 4)
    plic.write(address, 4, value | bit if on else value & ~bit)


def handle(plic, handlers):
    """plic_handle_irq() with handle_fasteoi_irq(): claim until nothing is left, complete each."""
    claimed = []
    while source := plic.read(CLAIM + 0x1000 * S, 4):
        claimed.append(source)
        handlers[source]()
        plic.write(CLAIM + 0x1000 * S, 4, source)
    return claimed


def test_linux_plic_driver_takes_an_interrupt_from_the_uart_driver(plic, uart):
    uart._interrupt = lambda level: plic.set_source(UART_SOURCE, level)
    initialise_firmware(plic)
    initialise_linux(plic)
    assert plic.lines == [False, False]
    uart.put(IER, ERBFI)
    uart.receive(b"hi")
    assert plic.lines == [False, False], "not enabled yet"
    plic.write(PRIORITY + 4 * UART_SOURCE, 4, 1)
    toggle(plic, UART_SOURCE, True)
    assert plic.lines == [False, True]
    received = bytearray()
    assert handle(plic, {UART_SOURCE: lambda: received.extend(uart.take())}) == [UART_SOURCE]
    assert received == b"hi" and plic.lines == [False, False]


def test_linux_plic_driver_sees_a_level_that_stays_again(plic):
    initialise_linux(plic)
    toggle(plic, 3, True)
    plic.set_source(3, True)
    seen = []

    def serve():
        seen.append(3)
        if len(seen) == 3:
            plic.set_source(3, False)

    assert handle(plic, {3: serve}) == [3, 3, 3]
    assert plic.lines == [False, False]


def test_linux_plic_driver_masks_and_completes_an_interrupt_that_was_disabled_meanwhile(plic):
    """plic_irq_eoi() enables the source for the moment of the completion."""
    initialise_linux(plic)
    toggle(plic, 5, True)
    plic.set_source(5, True)
    assert plic.read(CLAIM + 0x1000 * S, 4) == 5
    toggle(plic, 5, False)
    toggle(plic, 5, True)
    plic.write(CLAIM + 0x1000 * S, 4, 5)
    assert plic.lines[S], "the line is still high"
    toggle(plic, 5, False)
    assert not plic.lines[S]


# -- RTC -------------------------------------------------------------------------------------------------------
TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = range(0, 32, 4)


def test_linux_goldfish_rtc_driver_reads_sets_and_waits_for_the_clock():
    now, lines = [1_700_000_000_123_456_789], []
    rtc = RtcTwin(lambda: now[0], lines.append)

    def read_time():
        low = rtc.read(TIME_LOW, 4)
        return rtc.read(TIME_HIGH, 4) << 32 | low

    def set_time(time):
        rtc.write(TIME_HIGH, 4, time >> 32)
        rtc.write(TIME_LOW, 4, time & 0xFFFF_FFFF)

    def set_alarm(time):
        rtc.write(ALARM_HIGH, 4, time >> 32)
        rtc.write(ALARM_LOW, 4, time & 0xFFFF_FFFF)
        rtc.write(IRQ_ENABLED, 4, 1)

    assert read_time() == now[0]
    set_time(1_600_000_000_000_000_000)
    assert read_time() == 1_600_000_000_000_000_000
    now[0] += 5_000_000_000
    assert read_time() == 1_600_000_005_000_000_000
    set_alarm(1_600_000_010_000_000_000)
    assert rtc.read(ALARM_HIGH, 4) << 32 | rtc.read(ALARM_LOW, 4) == 1_600_000_010_000_000_000
    assert rtc.read(ALARM_STATUS, 4) == 1 and rtc.until_alarm() == 5_000_000_000
    now[0] += 5_000_000_000
    rtc.poll()
    assert lines == [True]
    rtc.write(CLEAR_INTERRUPT, 4, 1)
    assert lines == [True, False] and rtc.read(ALARM_STATUS, 4) == 0
    set_alarm(1_700_000_000_000_000_000)
    if rtc.read(ALARM_STATUS, 4):
        rtc.write(CLEAR_ALARM, 4, 1)
    assert rtc.read(ALARM_STATUS, 4) == 0 and rtc.until_alarm() is None
