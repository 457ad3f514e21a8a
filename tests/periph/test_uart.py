"""The UART 16550A's behaviour (PC16550D data sheet), on the functional twin and on the hardware."""

import pytest

from rvsim.bus import BusError
from rvsim.periph.uart import device_tree_node

RBR = THR = DLL = 0
IER = DLM = 1
IIR = FCR = 2
LCR, MCR, LSR, MSR, SCR = 3, 4, 5, 6, 7
ERBFI, ETBEI, ELSI, EDSSI = 1, 2, 4, 8
DR, OE, BI, THRE, TEMT, FIFO_ERROR = 0x01, 0x02, 0x10, 0x20, 0x40, 0x80
NONE, MODEM, TRANSMITTER, DATA, LINE, TIMEOUT = 0x1, 0x0, 0x2, 0x4, 0x6, 0xC
LOOP, OUT2, OUT1, RTS, DTR = 0x10, 8, 4, 2, 1


# -- after reset -----------------------------------------------------------------------------------------------
async def test_after_reset_the_transmitter_is_empty_and_nothing_interrupts(uart):
    assert await uart.get(LSR) == THRE | TEMT
    assert await uart.get(IIR) == NONE
    assert [await uart.get(register) for register in (IER, LCR, MCR, SCR, RBR)] == [0, 0, 0, 0, 0]
    assert await uart.get(MSR) == 0xB0, "CTS, DSR and DCD: somebody is there"
    assert not uart.line and not uart.receiver_enabled


async def test_reserved_bits_read_as_zero(uart):
    await uart.put(IER, 0xFF)
    await uart.put(MCR, 0xFF)
    assert await uart.get(IER) == 0x0F
    assert await uart.get(MCR) == 0x1F


async def test_the_scratch_register_holds_any_byte(uart):
    for value in range(256):
        await uart.put(SCR, value)
        assert await uart.get(SCR) == value


async def test_the_divisor_latch_hides_data_and_interrupt_enable(uart):
    await uart.put(IER, ERBFI)
    await uart.put(LCR, 0x80)
    await uart.put(DLL, 0x34)
    await uart.put(DLM, 0x12)
    assert (await uart.get(DLL), await uart.get(DLM)) == (0x34, 0x12)
    assert not uart.sent
    await uart.put(LCR, 0x03)
    assert await uart.get(IER) == ERBFI
    await uart.receive(b"x")
    await uart.put(LCR, 0x83)
    assert await uart.get(DLL) == 0x34, "not the character"
    await uart.put(LCR, 0x03)
    assert await uart.get(RBR) == ord("x")


async def test_what_lies_behind_the_registers_reads_as_zero(uart):
    await uart.put(0x08, 0xFF)
    assert await uart.get(0x08) == await uart.get(0xFF) == 0


async def test_a_wide_access_reaches_the_bytes_side_by_side(uart):
    await uart.put(IER, 0x05)
    await uart.put(SCR, 0xA5)
    await uart.put(MCR, 0x0B)
    assert await uart.read(4, 4) == 0xA5B0_600B
    await uart.write(0, 4, 0x03_00_00_41)
    assert uart.sent == b"A" and await uart.get(LCR) == 0x03 and await uart.get(IER) == 0
    for offset, size in ((1, 2), (2, 4), (0x100, 1), (-1, 1)):
        with pytest.raises(BusError):
            await uart.read(offset, size)


# -- transmitter -----------------------------------------------------------------------------------------------
async def test_characters_leave_at_once_and_in_order(uart):
    for value in b"hello":
        await uart.put(THR, value)
        assert await uart.get(LSR) & (THRE | TEMT) == THRE | TEMT
    assert uart.sent == b"hello"


async def test_enabling_the_transmitter_interrupt_raises_it_while_the_transmitter_is_empty(uart):
    await uart.put(IER, ETBEI)
    assert uart.line and await uart.get(IIR) == TRANSMITTER


async def test_reading_iir_acknowledges_the_transmitter_interrupt_it_shows(uart):
    await uart.put(IER, ETBEI)
    assert await uart.get(IIR) == TRANSMITTER
    assert await uart.get(IIR) == NONE and not uart.line
    await uart.put(THR, 0x41)
    assert await uart.get(IIR) == TRANSMITTER, "the character left: empty again"


async def test_reading_iir_does_not_acknowledge_a_transmitter_interrupt_hidden_by_another(uart):
    await uart.receive(b"x")
    await uart.put(IER, ETBEI | ERBFI)
    assert await uart.get(IIR) == DATA
    await uart.get(RBR)
    assert await uart.get(IIR) == TRANSMITTER


async def test_an_acknowledged_transmitter_interrupt_comes_back_when_enabled_anew(uart):
    await uart.put(IER, ETBEI)
    await uart.get(IIR)
    await uart.put(IER, ETBEI)
    assert await uart.get(IIR) == NONE, "no edge of the enable bit"
    await uart.put(IER, 0)
    await uart.put(IER, ETBEI)
    assert await uart.get(IIR) == TRANSMITTER


# -- receiver --------------------------------------------------------------------------------------------------
async def test_without_fifos_one_character_is_held_and_the_rest_waits_without_loss(uart):
    await uart.receive(b"abc")
    assert uart.pending == 2
    assert await uart.take() == b"abc"
    assert uart.pending == 0
    assert not await uart.get(LSR) & (DR | OE)


async def test_with_fifos_sixteen_characters_are_held_and_the_rest_waits_without_loss(uart):
    await uart.put(FCR, 1)
    data = bytes(range(100))
    await uart.receive(data)
    assert uart.pending == 84
    assert await uart.get(RBR) == 0
    assert uart.pending == 83
    assert await uart.take() == data[1:]
    assert await uart.get(LSR) & OE == 0


async def test_reading_an_empty_receiver_gives_zero_and_does_no_harm(uart):
    assert await uart.get(RBR) == 0
    await uart.receive(b"x")
    assert await uart.get(RBR) == ord("x") and await uart.get(RBR) == 0


async def test_received_data_interrupts_only_while_enabled(uart):
    await uart.receive(b"x")
    assert not uart.line
    await uart.put(IER, ERBFI)
    assert uart.line and await uart.get(IIR) == DATA
    await uart.put(IER, 0)
    assert not uart.line
    await uart.put(IER, ERBFI)
    await uart.get(RBR)
    assert not uart.line and await uart.get(IIR) == NONE


@pytest.mark.parametrize(("code", "level"), [(0, 1), (1, 4), (2, 8), (3, 14)])
async def test_the_fifo_interrupts_at_its_trigger_level_and_times_out_below_it(uart, code, level):
    await uart.put(FCR, 1 | code << 6)
    await uart.put(IER, ERBFI)
    for count in range(1, 17):
        await uart.receive(b"x")
        assert uart.line
        assert await uart.get(IIR) == 0xC0 | (DATA if count >= level else TIMEOUT)
    for count in range(15, -1, -1):
        await uart.get(RBR)
        expected = DATA if count >= level else TIMEOUT if count else NONE
        assert await uart.get(IIR) == 0xC0 | expected
    assert not uart.line


async def test_iir_shows_whether_the_fifos_are_enabled(uart):
    assert await uart.get(IIR) == 0x01
    await uart.put(FCR, 1)
    assert await uart.get(IIR) == 0xC1
    await uart.put(FCR, 0)
    assert await uart.get(IIR) == 0x01


async def test_the_fifo_control_bits_count_only_together_with_enable(uart):
    await uart.put(FCR, 1)
    await uart.receive(b"abc")
    await uart.put(FCR, 0xC0)
    assert await uart.get(LSR) & DR == 0, "disabling clears"
    await uart.receive(b"z")
    await uart.put(FCR, 0xC2)
    assert await uart.take() == b"z", "reset_receiver without enable does nothing"
    await uart.put(FCR, 1)
    await uart.put(IER, ERBFI)
    await uart.receive(b"y")
    assert await uart.get(IIR) == 0xC0 | DATA, "trigger level 1: the earlier write did not count"


async def test_resetting_the_receiver_discards_what_it_holds_and_lets_the_rest_in(uart):
    await uart.put(FCR, 1)
    await uart.put(IER, ERBFI)
    await uart.receive(b"old")
    await uart.put(FCR, 0b011)
    assert await uart.get(LSR) & DR == 0 and not uart.line
    await uart.receive(b"0123456789abcdef" + b"new")
    await uart.put(FCR, 0b011)
    assert await uart.take() == b"new"


async def test_resetting_the_transmitter_keeps_received_characters(uart):
    await uart.put(FCR, 1)
    await uart.receive(b"abc")
    await uart.put(FCR, 0b101)
    assert await uart.take() == b"abc"


# -- line errors -----------------------------------------------------------------------------------------------
async def test_a_break_is_a_zero_with_a_flag_that_a_read_of_lsr_clears(uart):
    await uart.put(IER, ELSI)
    await uart.receive_break()
    assert await uart.get(IIR) == LINE
    assert await uart.get(LSR) & (BI | DR) == BI | DR
    assert await uart.get(LSR) & (BI | DR) == DR
    assert await uart.get(IIR) == NONE and not uart.line
    assert await uart.get(RBR) == 0


async def test_a_break_in_the_fifo_shows_when_its_character_is_the_oldest(uart):
    await uart.put(FCR, 1)
    await uart.receive(b"a")
    await uart.receive_break()
    assert await uart.get(LSR) == TEMT | THRE | DR | FIFO_ERROR
    await uart.get(RBR)
    assert await uart.get(LSR) == TEMT | THRE | DR | FIFO_ERROR | BI
    await uart.get(RBR)
    assert await uart.get(LSR) == TEMT | THRE


async def test_overrun_without_fifos_replaces_the_character(uart):
    await uart.put(MCR, LOOP)
    await uart.put(IER, ELSI)
    await uart.put(THR, 0x41)
    assert not uart.line
    await uart.put(THR, 0x42)
    assert await uart.get(IIR) == LINE
    assert await uart.get(LSR) & OE and not await uart.get(LSR) & OE
    assert await uart.get(RBR) == 0x42


async def test_overrun_with_fifos_keeps_them_and_loses_the_new_character(uart):
    await uart.put(FCR, 1)
    await uart.put(MCR, LOOP)
    for value in range(17):
        await uart.put(THR, value)
    assert await uart.get(LSR) & OE
    assert await uart.take() == bytes(range(16))


# -- modem and loopback ----------------------------------------------------------------------------------------
async def test_loopback_feeds_the_receiver_and_sends_nothing(uart):
    await uart.put(MCR, LOOP)
    await uart.put(THR, 0x5A)
    assert await uart.take() == b"\x5a" and uart.sent == b""


async def test_characters_from_outside_wait_for_the_end_of_loopback(uart):
    await uart.put(MCR, LOOP)
    await uart.receive(b"out")
    assert await uart.get(LSR) & DR == 0 and uart.pending == 3
    await uart.put(MCR, 0)
    assert await uart.take() == b"out"


@pytest.mark.parametrize(("output", "status"), [(RTS, 0x10), (DTR, 0x20), (OUT1, 0x40), (OUT2, 0x80)])
async def test_loopback_connects_each_modem_output_to_a_status_line(uart, output, status):
    await uart.put(MCR, LOOP)
    assert await uart.get(MSR) & 0xF0 == 0
    await uart.put(MCR, LOOP | output)
    assert await uart.get(MSR) & 0xF0 == status


async def test_a_change_of_modem_status_is_kept_until_msr_is_read_and_interrupts(uart):
    await uart.put(MCR, LOOP)
    await uart.get(MSR)
    await uart.put(IER, EDSSI)
    assert not uart.line
    await uart.put(MCR, LOOP | RTS)
    assert uart.line and await uart.get(IIR) == MODEM
    assert await uart.get(MSR) == 0x11
    assert await uart.get(MSR) == 0x10 and not uart.line


async def test_the_ring_indicator_reports_only_its_end(uart):
    await uart.put(MCR, LOOP)
    await uart.get(MSR)
    await uart.put(MCR, LOOP | OUT1)
    assert await uart.get(MSR) == 0x40
    await uart.put(MCR, LOOP)
    assert await uart.get(MSR) == 0x04


# -- priorities ------------------------------------------------------------------------------------------------
async def test_interrupts_are_identified_by_priority(uart):
    """Data sheet, table V: line status, received data, transmitter, modem status."""
    await uart.put(MCR, LOOP)
    await uart.get(MSR)
    await uart.put(MCR, LOOP | RTS)
    await uart.put(THR, 1)
    await uart.put(THR, 2)
    await uart.put(IER, ERBFI | ETBEI | ELSI | EDSSI)
    assert await uart.get(IIR) == LINE
    await uart.get(LSR)
    assert await uart.get(IIR) == DATA
    await uart.get(RBR)
    assert await uart.get(IIR) == TRANSMITTER
    assert await uart.get(IIR) == MODEM
    await uart.get(MSR)
    assert await uart.get(IIR) == NONE and not uart.line


# -- the host's side -------------------------------------------------------------------------------------------
async def test_the_host_sees_whether_the_guest_reads(uart):
    await uart.put(IER, ETBEI)
    assert not uart.receiver_enabled
    await uart.put(IER, ETBEI | ERBFI)
    assert uart.receiver_enabled
    await uart.put(IER, 0)
    assert not uart.receiver_enabled


async def test_the_host_learns_when_the_guest_starts_to_read(uart_twin):
    calls, twin = [], uart_twin.twin
    twin.on_receiver_enabled = lambda: calls.append(twin.receiver_enabled)
    await uart_twin.put(IER, ETBEI)
    assert calls == []
    await uart_twin.put(IER, ETBEI | ERBFI)
    await uart_twin.put(IER, ERBFI)
    assert calls == [True]


async def test_input_given_when_the_receive_interrupt_is_enabled_survives_the_drivers_next_steps(uart_twin):
    """Linux's set_termios enables the interrupt first and the FIFOs after it."""
    uart_twin.twin.on_receiver_enabled = lambda: uart_twin.twin.receive(b"cat /proc/cpuinfo\n")
    await uart_twin.put(IER, ERBFI | ELSI)
    await uart_twin.put(LCR, 0x93)
    await uart_twin.put(DLL, 24)
    await uart_twin.put(DLM, 0)
    await uart_twin.put(LCR, 0x13)
    await uart_twin.put(FCR, 0x01)
    await uart_twin.put(FCR, 0x81)
    assert await uart_twin.take() == b"cat /proc/cpuinfo\n"


async def test_a_checkpoint_brings_back_state_and_interrupt_line(uart_twin):
    await uart_twin.put(FCR, 0x41)
    await uart_twin.receive(b"abcdef")
    await uart_twin.put(IER, ERBFI)
    await uart_twin.put(LCR, 0x83)
    await uart_twin.put(SCR, 7)
    other = type(uart_twin)()
    other.twin.restore(uart_twin.twin.state())
    assert other.twin.state() == uart_twin.twin.state()
    assert other.line
    await other.put(LCR, 0x03)
    assert await other.get(IIR) == 0xC0 | DATA
    assert await other.take() == b"abcdef"


async def test_reset_forgets_the_guests_settings_but_not_the_hosts_input(uart_twin):
    fresh = uart_twin.twin.state()
    await uart_twin.put(FCR, 1)
    await uart_twin.put(LCR, 0x83)
    await uart_twin.put(SCR, 1)
    await uart_twin.put(LCR, 0x03)
    await uart_twin.put(IER, ERBFI)
    await uart_twin.receive(b"x" * 16 + b"later")
    assert uart_twin.line
    uart_twin.twin.reset()
    assert not uart_twin.line and not uart_twin.receiver_enabled
    assert await uart_twin.take() == b"later"
    assert uart_twin.twin.state() == fresh


def test_the_device_tree_node_is_what_linux_and_opensbi_look_for():
    node = device_tree_node(0x1000_0000, 0x100, interrupt=10, interrupt_parent=3)
    assert node.name == "serial@10000000"
    assert node.properties == {
        "interrupts": 10,
        "interrupt-parent": 3,
        "clock-frequency": 3686400,
        "reg": [0, 0x1000_0000, 0, 0x100],
        "compatible": "ns16550a",
    }
