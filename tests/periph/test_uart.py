"""The UART 16550A's behaviour (PC16550D data sheet), on the functional twin."""

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
def test_after_reset_the_transmitter_is_empty_and_nothing_interrupts(uart):
    assert uart.get(LSR) == THRE | TEMT
    assert uart.get(IIR) == NONE
    assert [uart.get(register) for register in (IER, LCR, MCR, SCR, RBR)] == [0, 0, 0, 0, 0]
    assert uart.get(MSR) == 0xB0, "CTS, DSR and DCD: somebody is there"
    assert not uart.line and not uart.receiver_enabled


def test_reserved_bits_read_as_zero(uart):
    uart.put(IER, 0xFF)
    uart.put(MCR, 0xFF)
    assert uart.get(IER) == 0x0F
    assert uart.get(MCR) == 0x1F


def test_the_scratch_register_holds_any_byte(uart):
    for value in range(256):
        uart.put(SCR, value)
        assert uart.get(SCR) == value


def test_the_divisor_latch_hides_data_and_interrupt_enable(uart):
    uart.put(IER, ERBFI)
    uart.put(LCR, 0x80)
    uart.put(DLL, 0x34)
    uart.put(DLM, 0x12)
    assert (uart.get(DLL), uart.get(DLM)) == (0x34, 0x12)
    assert not uart.sent
    uart.put(LCR, 0x03)
    assert uart.get(IER) == ERBFI
    uart.receive(b"x")
    uart.put(LCR, 0x83)
    assert uart.get(DLL) == 0x34, "not the character"
    uart.put(LCR, 0x03)
    assert uart.get(RBR) == ord("x")


def test_what_lies_behind_the_registers_reads_as_zero(uart):
    uart.put(0x08, 0xFF)
    assert uart.get(0x08) == uart.get(0xFF) == 0


def test_a_wide_access_reaches_the_bytes_side_by_side(uart):
    uart.put(IER, 0x05)
    uart.put(SCR, 0xA5)
    uart.put(MCR, 0x0B)
    assert uart.read(4, 4) == 0xA5B0_600B
    uart.write(0, 4, 0x03_00_00_41)
    assert uart.sent == b"A" and uart.get(LCR) == 0x03 and uart.get(IER) == 0
    for offset, size in ((1, 2), (2, 4), (0, 8), (0x100, 1), (-1, 1)):
        with pytest.raises(BusError, match=r"^uart: "):
            uart.read(offset, size)


# -- transmitter -----------------------------------------------------------------------------------------------
def test_characters_leave_at_once_and_in_order(uart):
    for value in b"hello":
        uart.put(THR, value)
        assert uart.get(LSR) & (THRE | TEMT) == THRE | TEMT
    assert uart.sent == b"hello"


def test_enabling_the_transmitter_interrupt_raises_it_while_the_transmitter_is_empty(uart):
    uart.put(IER, ETBEI)
    assert uart.line and uart.get(IIR) == TRANSMITTER


def test_reading_iir_acknowledges_the_transmitter_interrupt_it_shows(uart):
    uart.put(IER, ETBEI)
    assert uart.get(IIR) == TRANSMITTER
    assert uart.get(IIR) == NONE and not uart.line
    uart.put(THR, 0x41)
    assert uart.get(IIR) == TRANSMITTER, "the character left: empty again"


def test_reading_iir_does_not_acknowledge_a_transmitter_interrupt_hidden_by_another(uart):
    uart.receive(b"x")
    uart.put(IER, ETBEI | ERBFI)
    assert uart.get(IIR) == DATA
    uart.get(RBR)
    assert uart.get(IIR) == TRANSMITTER


def test_an_acknowledged_transmitter_interrupt_comes_back_when_enabled_anew(uart):
    uart.put(IER, ETBEI)
    uart.get(IIR)
    uart.put(IER, ETBEI)
    assert uart.get(IIR) == NONE, "no edge of the enable bit"
    uart.put(IER, 0)
    uart.put(IER, ETBEI)
    assert uart.get(IIR) == TRANSMITTER


# -- receiver --------------------------------------------------------------------------------------------------
def test_without_fifos_one_character_is_held_and_the_rest_waits_without_loss(uart):
    uart.receive(b"abc")
    assert uart.pending == 2
    assert uart.take() == b"abc"
    assert uart.pending == 0
    assert not uart.get(LSR) & (DR | OE)


def test_with_fifos_sixteen_characters_are_held_and_the_rest_waits_without_loss(uart):
    uart.put(FCR, 1)
    data = bytes(range(100))
    uart.receive(data)
    assert uart.pending == 84
    assert uart.get(RBR) == 0
    assert uart.pending == 83
    assert uart.take() == data[1:]
    assert uart.get(LSR) & OE == 0


def test_reading_an_empty_receiver_gives_zero_and_does_no_harm(uart):
    assert uart.get(RBR) == 0
    uart.receive(b"x")
    assert uart.get(RBR) == ord("x") and uart.get(RBR) == 0


def test_received_data_interrupts_only_while_enabled(uart):
    uart.receive(b"x")
    assert not uart.line
    uart.put(IER, ERBFI)
    assert uart.line and uart.get(IIR) == DATA
    uart.put(IER, 0)
    assert not uart.line
    uart.put(IER, ERBFI)
    uart.get(RBR)
    assert not uart.line and uart.get(IIR) == NONE


@pytest.mark.parametrize(("code", "level"), [(0, 1), (1, 4), (2, 8), (3, 14)])
def test_the_fifo_interrupts_at_its_trigger_level_and_times_out_below_it(uart, code, level):
    uart.put(FCR, 1 | code << 6)
    uart.put(IER, ERBFI)
    for count in range(1, 17):
        uart.receive(b"x")
        assert uart.line
        assert uart.get(IIR) == 0xC0 | (DATA if count >= level else TIMEOUT)
    for count in range(15, -1, -1):
        uart.get(RBR)
        expected = DATA if count >= level else TIMEOUT if count else NONE
        assert uart.get(IIR) == 0xC0 | expected
    assert not uart.line


def test_iir_shows_whether_the_fifos_are_enabled(uart):
    assert uart.get(IIR) == 0x01
    uart.put(FCR, 1)
    assert uart.get(IIR) == 0xC1
    uart.put(FCR, 0)
    assert uart.get(IIR) == 0x01


def test_the_fifo_control_bits_count_only_together_with_enable(uart):
    uart.put(FCR, 1)
    uart.receive(b"abc")
    uart.put(FCR, 0xC0)
    assert uart.get(LSR) & DR == 0, "disabling clears"
    uart.receive(b"z")
    uart.put(FCR, 0xC2)
    assert uart.take() == b"z", "reset_receiver without enable does nothing"
    uart.put(FCR, 1)
    uart.put(IER, ERBFI)
    uart.receive(b"y")
    assert uart.get(IIR) == 0xC0 | DATA, "trigger level 1: the earlier write did not count"


def test_resetting_the_receiver_discards_what_it_holds_and_lets_the_rest_in(uart):
    uart.put(FCR, 1)
    uart.put(IER, ERBFI)
    uart.receive(b"old")
    uart.put(FCR, 0b011)
    assert uart.get(LSR) & DR == 0 and not uart.line
    uart.receive(b"0123456789abcdef" + b"new")
    uart.put(FCR, 0b011)
    assert uart.take() == b"new"


def test_resetting_the_transmitter_keeps_received_characters(uart):
    uart.put(FCR, 1)
    uart.receive(b"abc")
    uart.put(FCR, 0b101)
    assert uart.take() == b"abc"


# -- line errors -----------------------------------------------------------------------------------------------
def test_a_break_is_a_zero_with_a_flag_that_a_read_of_lsr_clears(uart):
    uart.put(IER, ELSI)
    uart.receive_break()
    assert uart.get(IIR) == LINE
    assert uart.get(LSR) & (BI | DR) == BI | DR
    assert uart.get(LSR) & (BI | DR) == DR
    assert uart.get(IIR) == NONE and not uart.line
    assert uart.get(RBR) == 0


def test_a_break_in_the_fifo_shows_when_its_character_is_the_oldest(uart):
    uart.put(FCR, 1)
    uart.receive(b"a")
    uart.receive_break()
    assert uart.get(LSR) == TEMT | THRE | DR | FIFO_ERROR
    uart.get(RBR)
    assert uart.get(LSR) == TEMT | THRE | DR | FIFO_ERROR | BI
    uart.get(RBR)
    assert uart.get(LSR) == TEMT | THRE


def test_overrun_without_fifos_replaces_the_character(uart):
    uart.put(MCR, LOOP)
    uart.put(IER, ELSI)
    uart.put(THR, 0x41)
    assert not uart.line
    uart.put(THR, 0x42)
    assert uart.get(IIR) == LINE
    assert uart.get(LSR) & OE and not uart.get(LSR) & OE
    assert uart.get(RBR) == 0x42


def test_overrun_with_fifos_keeps_them_and_loses_the_new_character(uart):
    uart.put(FCR, 1)
    uart.put(MCR, LOOP)
    for value in range(17):
        uart.put(THR, value)
    assert uart.get(LSR) & OE
    assert uart.take() == bytes(range(16))


# -- modem and loopback ----------------------------------------------------------------------------------------
def test_loopback_feeds_the_receiver_and_sends_nothing(uart):
    uart.put(MCR, LOOP)
    uart.put(THR, 0x5A)
    assert uart.take() == b"\x5a" and uart.sent == b""


def test_characters_from_outside_wait_for_the_end_of_loopback(uart):
    uart.put(MCR, LOOP)
    uart.receive(b"out")
    assert uart.get(LSR) & DR == 0 and uart.pending == 3
    uart.put(MCR, 0)
    assert uart.take() == b"out"


@pytest.mark.parametrize(("output", "status"), [(RTS, 0x10), (DTR, 0x20), (OUT1, 0x40), (OUT2, 0x80)])
def test_loopback_connects_each_modem_output_to_a_status_line(uart, output, status):
    uart.put(MCR, LOOP)
    assert uart.get(MSR) & 0xF0 == 0
    uart.put(MCR, LOOP | output)
    assert uart.get(MSR) & 0xF0 == status


def test_a_change_of_modem_status_is_kept_until_msr_is_read_and_interrupts(uart):
    uart.put(MCR, LOOP)
    uart.get(MSR)
    uart.put(IER, EDSSI)
    assert not uart.line
    uart.put(MCR, LOOP | RTS)
    assert uart.line and uart.get(IIR) == MODEM
    assert uart.get(MSR) == 0x11
    assert uart.get(MSR) == 0x10 and not uart.line


def test_the_ring_indicator_reports_only_its_end(uart):
    uart.put(MCR, LOOP)
    uart.get(MSR)
    uart.put(MCR, LOOP | OUT1)
    assert uart.get(MSR) == 0x40
    uart.put(MCR, LOOP)
    assert uart.get(MSR) == 0x04


# -- priorities ------------------------------------------------------------------------------------------------
def test_interrupts_are_identified_by_priority(uart):
    """Data sheet, table V: line status, received data, transmitter, modem status."""
    uart.put(MCR, LOOP)
    uart.get(MSR)
    uart.put(MCR, LOOP | RTS)
    uart.put(THR, 1)
    uart.put(THR, 2)
    uart.put(IER, ERBFI | ETBEI | ELSI | EDSSI)
    assert uart.get(IIR) == LINE
    uart.get(LSR)
    assert uart.get(IIR) == DATA
    uart.get(RBR)
    assert uart.get(IIR) == TRANSMITTER
    assert uart.get(IIR) == MODEM
    uart.get(MSR)
    assert uart.get(IIR) == NONE and not uart.line


# -- the host's side -------------------------------------------------------------------------------------------
def test_the_host_learns_when_the_guest_starts_to_read(uart):
    calls = []
    uart.on_receiver_enabled = lambda: calls.append(uart.receiver_enabled)
    uart.put(IER, ETBEI)
    assert calls == [] and not uart.receiver_enabled
    uart.put(IER, ETBEI | ERBFI)
    uart.put(IER, ERBFI)
    assert calls == [True]
    uart.put(IER, 0)
    assert not uart.receiver_enabled


def test_input_given_when_the_receive_interrupt_is_enabled_survives_the_drivers_next_steps(uart):
    """Linux's set_termios enables the interrupt first and the FIFOs after it."""
    uart.on_receiver_enabled = lambda: uart.receive(b"cat /proc/cpuinfo\n")
    uart.put(IER, ERBFI | ELSI)
    uart.put(LCR, 0x93)
    uart.put(DLL, 24)
    uart.put(DLM, 0)
    uart.put(LCR, 0x13)
    uart.put(FCR, 0x01)
    uart.put(FCR, 0x81)
    assert uart.take() == b"cat /proc/cpuinfo\n"


def test_a_checkpoint_brings_back_state_and_interrupt_line(uart):
    uart.put(FCR, 0x41)
    uart.receive(b"abcdef")
    uart.put(IER, ERBFI)
    uart.put(LCR, 0x83)
    uart.put(SCR, 7)
    other = type(uart)()
    other.restore(uart.state())
    assert other.state() == uart.state()
    assert other.line
    other.put(LCR, 0x03)
    assert other.get(IIR) == 0xC0 | DATA
    assert other.take() == b"abcdef"


def test_reset_forgets_the_guests_settings_but_not_the_hosts_input(uart):
    fresh = uart.state()
    uart.put(FCR, 1)
    uart.put(LCR, 0x83)
    uart.put(SCR, 1)
    uart.put(LCR, 0x03)
    uart.put(IER, ERBFI)
    uart.receive(b"x" * 16 + b"later")
    assert uart.line
    uart.reset()
    assert not uart.line and not uart.receiver_enabled
    assert uart.take() == b"later"
    assert uart.state() == fresh


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
