"""When console input reaches the guest: at once what somebody types, everything else when the guest reads."""

from __future__ import annotations

from rvsim.soc.outside import LINE_LIMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.soc.outside import Outside

POLLS = 64
"""So many reads of the line status with no other access in between: somebody waits for a character."""


class Feeder:
    """Moves console bytes from the outside, and those that the Python API sends, into the UART.

    Input that nobody types is held until the guest really reads its console: it has enabled the receiver's interrupt,
    or polls the line status in a loop. Firmware and early boot would lose it.

    Parameters
    ----------
    outside : Outside
        Where console bytes come from.
    build_uart : Callable[[], None]
        Builds the UART, which leads to :meth:`watch`, if the guest has not touched it yet.
    pause : Callable[[], None]
        Makes the run return, so that a guest which polls is fed at once.
    """

    def __init__(self, outside: Outside, build_uart: Callable[[], None], pause: Callable[[], None]) -> None:
        self._outside = outside
        self._build_uart = build_uart
        self._pause = pause
        self._uart: object | None = None
        self._sent = bytearray()
        self._polls = 0

    def watch(self, uart: object) -> _Watched:
        """The UART as it goes on the bus, with its accesses noticed."""
        self._uart = uart
        return _Watched(self, uart)

    def send(self, data: bytes) -> None:
        """Queue bytes that a program types."""
        self._sent += data

    def reset(self) -> None:
        """Nobody polls any more: the UART was accessed otherwise, or the machine was reset."""
        self._polls = 0

    def polled(self) -> None:
        """The guest has read the line status."""
        self._polls += 1
        if self._polls == POLLS and self.expecting:
            self._pause()

    @property
    def polling(self) -> bool:
        """Whether the guest waits for a character in a loop."""
        return self._polls >= POLLS

    @property
    def reading(self) -> bool:
        """Whether the guest reads its console."""
        uart = self._uart
        return uart is not None and (uart.receiver_enabled or self.polling)

    @property
    def expecting(self) -> bool:
        """Whether input can still reach the guest."""
        return bool(self._sent) or self._outside.open

    @property
    def listening(self) -> bool:
        """Whether input that comes now would go to the guest at once."""
        if self._outside.interactive:
            return True
        return self.expecting and self.reading and not self._uart.pending

    def feed(self, *, patient: bool) -> bool:
        """Hand the next bytes to the UART if it is time for them; whether any were.

        What nobody types goes line by line: a guest that waits again has dealt with the last one, and one that
        reboots finds the next one still there. For ``patient`` see :meth:`Outside.line`.
        """
        if not self.listening:
            return False
        data = self._take(patient)
        if data:
            if self._uart is None:
                self._build_uart()
            self._uart.receive(data)
        return bool(data)

    def take_one(self, *, patient: bool) -> int | None:
        """The next byte, for a guest that asked for exactly one."""
        data = self._take(patient)
        if not data:
            return None
        self._sent[:0] = data[1:]
        return data[0]

    def _take(self, patient: bool) -> bytes:
        sent = self._sent
        if sent:
            cut = sent.find(b"\n", 0, LINE_LIMIT) + 1 or LINE_LIMIT
            data = bytes(sent[:cut])
            del sent[:cut]
            return data
        if self._outside.interactive:
            return self._outside.typed()
        return self._outside.line(patient=patient) if self._outside.open else b""


class _Watched:
    """The UART's bus target."""

    def __init__(self, feeder: Feeder, uart: object) -> None:
        # Here, because a program that never touches the UART does not load its registers.
        from rvsim.periph.uart.registers import UART

        self._line_status = UART["lsr"].offset
        self._feeder, self._uart = feeder, uart
        self._read = uart.read
        self._write = uart.write

    def read(self, offset: int, size: int) -> int:
        """Read through; a loop over the line status is noticed."""
        if offset == self._line_status:
            self._feeder.polled()
        else:
            self._feeder.reset()
        return self._read(offset, size)

    def reset(self) -> None:
        """Reset the UART."""
        self._feeder.reset()
        self._uart.reset()

    def write(self, offset: int, size: int, value: int) -> None:
        """Write through."""
        self._feeder.reset()
        self._write(offset, size, value)
