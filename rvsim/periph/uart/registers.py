"""Registers of the UART 16550A (PC16550D data sheet, table II), bytes at adjacent addresses."""

from __future__ import annotations

from rvsim.regs.map import Field, Register, RegisterMap, State

SIZE = 0x100
FIFO_DEPTH = 16


def _byte(name: str, offset: int, **attributes: object) -> Register:
    return Register(name=name, offset=offset, width=8, **attributes)


def _driven(name: str, bit: int, description: str, width: int = 1) -> Field:
    return Field(name=name, bit=bit, width=width, access="ro", hardware="w", description=description)


def _event(name: str, bit: int, description: str) -> Field:
    return Field(name=name, bit=bit, access="rc", hardware="rw", description=description)


def _bit(name: str, bit: int, description: str, width: int = 1) -> Field:
    return Field(name=name, bit=bit, width=width, description=description)


def _control(name: str, bit: int, description: str, width: int = 1) -> Field:
    return Field(name=name, bit=bit, width=width, access="wo", hardware="-", description=description)


UART = RegisterMap(
    name="uart",
    size=SIZE,
    sizes=(1, 2, 4),
    bank="lcr.dlab",
    description="UART 16550A. It sends and receives at unlimited speed, whatever the divisor.",
    registers=(
        _byte(
            "rbr",
            0,
            bank=0,
            access="ro",
            hardware="w",
            on_read="pop_receiver",
            description="receiver buffer: the oldest character received",
        ),
        _byte(
            "thr",
            0,
            bank=0,
            access="wo",
            hardware="-",
            on_write="transmit",
            description="transmitter holding register",
        ),
        _byte("dll", 0, bank=1, hardware="-", description="divisor latch, low byte"),
        _byte(
            "ier",
            1,
            bank=0,
            on_write="enable_interrupts",
            fields=(
                _bit("erbfi", 0, "received data available, and character time-out"),
                _bit("etbei", 1, "transmitter holding register empty"),
                _bit("elsi", 2, "receiver line status"),
                _bit("edssi", 3, "modem status"),
            ),
            description="interrupt enable",
        ),
        _byte("dlm", 1, bank=1, hardware="-", description="divisor latch, high byte"),
        _byte(
            "iir",
            2,
            on_read="acknowledge_interrupt",
            fields=(
                _driven("no_interrupt", 0, "0 while an interrupt is pending"),
                _driven("identity", 1, "3 line status, 2 data available, 6 time-out, 1 transmitter empty, 0 modem", 3),
                _driven("fifos", 6, "3 while the FIFOs are enabled", 2),
            ),
            description="interrupt identification: the pending interrupt of highest priority",
        ),
        _byte(
            "fcr",
            2,
            on_write="control_fifos",
            fields=(
                _control("enable", 0, "enables both FIFOs; disabling them clears them"),
                _control("reset_receiver", 1, "clears the receiver FIFO"),
                _control("reset_transmitter", 2, "clears the transmitter FIFO"),
                _control("dma_mode", 3, "without effect"),
                _control("trigger", 6, "receiver trigger level: 1, 4, 8, 14 characters", 2),
            ),
            description="FIFO control; the other bits count only together with `enable`",
        ),
        _byte(
            "lcr",
            3,
            fields=(
                _bit("wls", 0, "word length 5 to 8 bits, without effect", 2),
                _bit("stb", 2, "stop bits, without effect"),
                _bit("pen", 3, "parity enable, without effect"),
                _bit("eps", 4, "even parity, without effect"),
                _bit("stick", 5, "stick parity, without effect"),
                _bit("brk", 6, "break, without effect"),
                _bit("dlab", 7, "offsets 0 and 1 are the divisor latch"),
            ),
            description="line control",
        ),
        _byte(
            "mcr",
            4,
            on_write="control_modem",
            fields=(
                _bit("dtr", 0, "data terminal ready"),
                _bit("rts", 1, "request to send"),
                _bit("out1", 2, "output 1"),
                _bit("out2", 3, "output 2; does not gate the interrupt"),
                _bit("loop", 4, "loopback: the transmitter feeds the receiver, the outputs the modem status"),
            ),
            description="modem control",
        ),
        _byte(
            "lsr",
            5,
            on_read="update_interrupt",
            fields=(
                _driven("dr", 0, "data ready"),
                _event("oe", 1, "overrun error"),
                _event("pe", 2, "parity error"),
                _event("fe", 3, "framing error"),
                _event("bi", 4, "break interrupt"),
                _driven("thre", 5, "transmitter holding register empty"),
                _driven("temt", 6, "transmitter empty"),
                _driven("fifo_error", 7, "an error, or a break, is in the receiver FIFO"),
            ),
            description="line status",
        ),
        _byte(
            "msr",
            6,
            on_read="update_interrupt",
            fields=(
                _event("dcts", 0, "CTS changed"),
                _event("ddsr", 1, "DSR changed"),
                _event("teri", 2, "RI ended"),
                _event("ddcd", 3, "DCD changed"),
                _driven("cts", 4, "clear to send; in loopback RTS"),
                _driven("dsr", 5, "data set ready; in loopback DTR"),
                _driven("ri", 6, "ring indicator; in loopback OUT1"),
                _driven("dcd", 7, "data carrier detect; in loopback OUT2"),
            ),
            description="modem status",
        ),
        _byte("scr", 7, hardware="-", description="scratch"),
    ),
    state=(
        State(name="fifos_enabled", width=1, description="FCR.enable"),
        State(name="trigger", width=2, description="FCR.trigger"),
        State(name="transmitter_interrupt", width=1, reset=1, description="THRE interrupt pending, if it is enabled"),
        State(
            name="receive_fifo",
            width=11,
            depth=FIFO_DEPTH,
            description="characters, with parity error, framing error and break in bits 8 to 10",
        ),
    ),
)
