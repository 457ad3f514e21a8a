"""Functional twin of the UART 16550A."""

from __future__ import annotations

from rvsim.periph.uart.registers import FIFO_DEPTH, UART
from rvsim.regs.node import Node, reg
from rvsim.regs.twin import Twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK_HZ = 3_686_400

_ERBFI, _ETBEI, _ELSI, _EDSSI = 1, 2, 4, 8
_IIR_LINE, _IIR_DATA, _IIR_TIMEOUT, _IIR_TRANSMITTER, _IIR_MODEM, _IIR_NONE = 0x6, 0x4, 0xC, 0x2, 0x0, 0x1
_DR, _OE, _TRANSMITTER_IDLE, _FIFO_ERROR = 0x01, 0x02, 0x60, 0x80
_LINE_ERRORS = 0x1E
_LOOP = 0x10
_CONNECTED = 0xB0  # CTS, DSR and DCD: somebody is at the other end
_TRIGGERS = (1, 4, 8, 14)
_BREAK = 0x400
_BYTES = tuple(bytes((value,)) for value in range(256))


class UartTwin(Twin):
    """UART 16550A, functional.

    The line has unlimited speed: a character is sent as it is written, so the transmitter is always empty; the host's
    characters wait in a queue without limit and enter the receiver as it empties, so nothing is lost; and the
    character time-out is over as soon as the queue is empty.

    Parameters
    ----------
    transmit : Callable[[bytes], None]
        Takes each character sent.
    interrupt : Callable[[bool], None]
        The interrupt line; called when it changes.

    Attributes
    ----------
    on_receiver_enabled : Callable[[], None] or None
        Called when the guest enables the receiver's interrupt.
    """

    def __init__(self, transmit: Callable[[bytes], None], interrupt: Callable[[bool], None]) -> None:
        super().__init__(UART)
        self._transmit = transmit
        self._interrupt = interrupt
        self._line = False
        self._queue = bytearray()
        self._enabled = 0
        self._modem = _CONNECTED
        self.on_receiver_enabled: Callable[[], None] | None = None

    # -- the host's side ---------------------------------------------------------------------------------------
    @property
    def receiver_enabled(self) -> bool:
        """Whether the guest wants interrupts for received characters: somebody reads the console."""
        return bool(self.ier & _ERBFI)

    @property
    def pending(self) -> int:
        """Characters received from the host that have not reached the FIFO yet."""
        return len(self._queue)

    def receive(self, data: bytes) -> None:
        """Characters arrive from the host."""
        self._queue += data
        self._fill()
        self.update_interrupt()

    def receive_break(self) -> None:
        """The host sends a break. It overtakes characters in the queue, and is lost while the FIFO is full."""
        self._push(_BREAK)
        self.update_interrupt()

    # -- receiver ----------------------------------------------------------------------------------------------
    @property
    def _depth(self) -> int:
        return FIFO_DEPTH if self.fifos_enabled else 1

    def _fill(self) -> None:
        if self._queue and not self.mcr & _LOOP:
            room = self._depth - len(self.receive_fifo)
            for value in self._queue[:room]:
                self._push(value)
            del self._queue[:room]

    def _push(self, entry: int) -> None:
        fifo = self.receive_fifo
        if len(fifo) < self._depth:
            fifo.append(entry)
            if len(fifo) == 1:
                self._reveal()
            return
        self.lsr |= _OE
        if not self.fifos_enabled:
            fifo[0] = entry
            self._reveal()

    def _reveal(self) -> None:
        """An error shows in LSR when its character becomes the oldest."""
        self.lsr |= self.receive_fifo[0] >> 6 & 0x1C

    def drive_rbr(self) -> int:
        """What a read of ``rbr`` finds."""
        return self.receive_fifo[0] & 0xFF if self.receive_fifo else 0

    def pop_receiver(self) -> None:
        """Side effect of a read of ``rbr``."""
        fifo = self.receive_fifo
        if fifo:
            del fifo[0]
            if fifo:
                self._reveal()
            self._fill()
            self.update_interrupt()

    def drive_lsr(self) -> int:
        """The bits of LSR that the receiver and the transmitter drive."""
        fifo = self.receive_fifo
        if not fifo:
            return _TRANSMITTER_IDLE
        errors = self.fifos_enabled and any(entry >> 8 for entry in fifo)
        return _TRANSMITTER_IDLE | _DR | (_FIFO_ERROR if errors else 0)

    # -- transmitter -------------------------------------------------------------------------------------------
    def transmit(self, value: int) -> None:
        """Side effect of a write to ``thr``."""
        if self.mcr & _LOOP:
            self._push(value)
        else:
            self._transmit(_BYTES[value])
        self.transmitter_interrupt = 1
        self.update_interrupt()

    # -- control -----------------------------------------------------------------------------------------------
    def enable_interrupts(self, value: int) -> None:
        """Side effect of a write to ``ier``: enabling the THRE interrupt of an empty transmitter raises it."""
        risen = self.ier & ~self._enabled
        self._enabled = self.ier
        if risen & _ETBEI:
            self.transmitter_interrupt = 1
        self.update_interrupt()
        if risen & _ERBFI and self.on_receiver_enabled is not None:
            self.on_receiver_enabled()

    def control_fifos(self, value: int) -> None:
        """Side effect of a write to ``fcr``.

        The data sheet has a change of mode clear the FIFOs. Here a character that was not read yet survives
        *enabling* them: Linux enables the receive interrupt first and the FIFOs after it, and input that waited for
        that interrupt would lose its first character.
        """
        enable = value & 1
        if value & 0b011 == 0b011 or enable < self.fifos_enabled:
            self.receive_fifo.clear()
        self.fifos_enabled = enable
        self.trigger = value >> 6 if enable else 0
        self._fill()
        self.update_interrupt()

    def control_modem(self, value: int) -> None:
        """Side effect of a write to ``mcr``."""
        self._move_modem_lines()
        self._fill()
        self.update_interrupt()

    def drive_msr(self) -> int:
        """The modem lines: the host's, or in loopback our own outputs."""
        mcr = self.mcr
        if not mcr & _LOOP:
            return _CONNECTED
        return (mcr & 2) << 3 | (mcr & 1) << 5 | (mcr & 4) << 4 | (mcr & 8) << 4

    def _move_modem_lines(self) -> None:
        before, now = self._modem, self.drive_msr()
        changed = before ^ now
        self._modem = now
        # The ring indicator reports only its end (TERI).
        self.msr |= changed >> 4 & 0b1011 | (before & ~now) >> 4 & 0b0100

    # -- interrupts --------------------------------------------------------------------------------------------
    def _identity(self) -> int:
        """The pending interrupt of highest priority, as IIR shows it."""
        enabled = self.ier
        if enabled & _ELSI and self.lsr & _LINE_ERRORS:
            return _IIR_LINE
        if enabled & _ERBFI and self.receive_fifo:
            if not self.fifos_enabled or len(self.receive_fifo) >= _TRIGGERS[self.trigger]:
                return _IIR_DATA
            return _IIR_TIMEOUT
        if enabled & _ETBEI and self.transmitter_interrupt:
            return _IIR_TRANSMITTER
        if enabled & _EDSSI and self.msr & 0x0F:
            return _IIR_MODEM
        return _IIR_NONE

    def drive_iir(self) -> int:
        """What a read of ``iir`` finds."""
        return self._identity() | (0xC0 if self.fifos_enabled else 0)

    def acknowledge_interrupt(self) -> None:
        """Side effect of a read of ``iir``: it acknowledges the THRE interrupt that it shows."""
        if self._identity() == _IIR_TRANSMITTER:
            self.transmitter_interrupt = 0
            self.update_interrupt()

    def update_interrupt(self) -> None:
        """Bring the interrupt line up to date; side effect of a read of ``lsr`` or ``msr``."""
        level = self._identity() != _IIR_NONE
        if level != self._line:
            self._line = level
            self._interrupt(level)

    def restored(self) -> None:
        """Bring derived values and the interrupt line up to date."""
        self._enabled = self.ier
        self._modem = self.drive_msr()
        self._fill()
        self.update_interrupt()


def device_tree_node(base: int, size: int, *, interrupt: int, interrupt_parent: int) -> Node:
    """The UART's node: interrupt number, and phandle of the controller that takes it."""
    return Node(
        f"serial@{base:x}",
        {
            "interrupts": interrupt,
            "interrupt-parent": interrupt_parent,
            "clock-frequency": CLOCK_HZ,
            "reg": reg(base, size),
            "compatible": "ns16550a",
        },
    )
