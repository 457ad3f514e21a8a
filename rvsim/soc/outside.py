"""Everything that enters a machine from outside passes here: console bytes, entropy, wall time.

It is the only source of what a run does not determine itself, so that a recorder can take its place.
"""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.soc.config import SocConfig

EPOCH = 1_704_067_200 * 10**9
"""Wall time at reset under ``icount``: 2024-01-01 00:00:00 UTC in nanoseconds."""

LINE_LIMIT = 256
"""Most bytes of a pipe or file that are handed over at once."""

PATIENCE = 10.0
"""Seconds that an ``icount`` run waits for a pipe before it takes the other end for somebody who waits for us."""

_WORD = (1 << 64) - 1


class InputSource:
    """Where console bytes come from: a file descriptor.

    A terminal's source derives from this and overrides :meth:`read`.

    Attributes
    ----------
    fd : int
        What to wait for with ``select``.
    interactive : bool
        Somebody types: bytes are handed on as they come. Otherwise they are held until the guest reads its console.
    """

    interactive = False

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, limit: int) -> bytes | None:
        """At most ``limit`` bytes that are there: None if none are (yet), ``b""`` at the end of the input."""
        try:
            return os.read(self.fd, limit)
        except BlockingIOError:
            return None
        except OSError:
            # EBADF: it was closed; EIO: the terminal is gone. Either way nothing will come.
            return b""


class Outside:
    """The world as one machine meets it.

    Parameters
    ----------
    config : SocConfig
        ``icount`` and ``seed`` decide about entropy and wall time.
    virtual_time : Callable[[], int]
        ``mtime``, in ticks of ``config.timebase``.

    Attributes
    ----------
    unattended : bool
        No source was ever attached: console bytes can only come from the Python API.
    """

    def __init__(self, config: SocConfig, virtual_time: Callable[[], int]) -> None:
        self.unattended = True
        self._icount = config.icount
        self._tick = 10**9 // config.timebase
        self._virtual_time = virtual_time
        self._entropy = config.seed
        self._source: InputSource | None = None
        self._line = b""
        self._impatient = False
        self._wake: tuple[int, int] | None = None

    # -- wall time and entropy ---------------------------------------------------------------------------------
    def wall_time(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; under ``icount`` :data:`EPOCH` plus virtual time."""
        if self._icount:
            return EPOCH + self._virtual_time() * self._tick
        return time.time_ns()

    def entropy(self, size: int) -> bytes:
        """Random bytes: the host's, or under ``icount`` a stream that the seed decides (SplitMix64)."""
        if not self._icount:
            return os.urandom(size)
        words = bytearray()
        while len(words) < size:
            self._entropy = (self._entropy + 0x9E37_79B9_7F4A_7C15) & _WORD
            word = self._entropy
            word = (word ^ word >> 30) * 0xBF58_476D_1CE4_E5B9 & _WORD
            word = (word ^ word >> 27) * 0x94D0_49BB_1331_11EB & _WORD
            words += (word ^ word >> 31).to_bytes(8, "little")
        return bytes(words[:size])

    # -- console bytes -----------------------------------------------------------------------------------------
    def attach(self, source: InputSource | None) -> None:
        """Take console bytes from ``source``; None: there will be none."""
        self.unattended = False
        self._source = source
        self._line = b""
        self._impatient = False

    @property
    def open(self) -> bool:
        """Whether console bytes can still come."""
        return self._source is not None or bool(self._line)

    @property
    def interactive(self) -> bool:
        """Whether somebody types them."""
        return self._source is not None and self._source.interactive

    def typed(self) -> bytes:
        """All console bytes that are there now."""
        if self._source is None or not _readable([self._source.fd], 0):
            return b""
        return self._read(4096)

    def line(self, *, patient: bool) -> bytes:
        """The next line with its end, or :data:`LINE_LIMIT` bytes of it; ``b""`` at the end of the input.

        A patient call waits for the whole line, so that what it returns depends neither on how the writer's output
        was cut into pieces nor on when they came. Only a pipe that stays silent for :data:`PATIENCE` seconds is taken
        for a program that waits for the guest's answer; from then on no call is patient. Others return as much of a
        line as is there, possibly nothing.
        """
        while self._source is not None and b"\n" not in self._line and len(self._line) < LINE_LIMIT:
            if not self.wait(PATIENCE if patient and not self._impatient else 0.0):
                self._impatient |= patient
                break
            if self._woken:
                return b""
            self._line += self._read(LINE_LIMIT)
        cut = self._line[:LINE_LIMIT].find(b"\n") + 1 or LINE_LIMIT
        line, self._line = self._line[:cut], self._line[cut:]
        return line

    def _read(self, limit: int) -> bytes:
        data = self._source.read(limit)
        if data == b"":
            self._source = None
        return data or b""

    # -- waiting -----------------------------------------------------------------------------------------------
    _woken = False

    def wait(self, seconds: float | None, *, listen: bool = True) -> bool:
        """Sleep until console bytes are there (if ``listen``), :meth:`wake` is called or the time is over.

        Returns
        -------
        bool
            Whether it ended before its time.
        """
        self.arm()
        self._woken = False
        descriptors = [self._wake[0]] if self._source is None or not listen else [self._wake[0], self._source.fd]
        ready = _readable(descriptors, seconds)
        if self._wake[0] in ready:
            try:
                os.read(self._wake[0], 4096)
                self._woken = True
            except BlockingIOError:
                pass
        return bool(ready)

    def arm(self) -> None:
        """From now on :meth:`wake` also ends a :meth:`wait` that begins after it."""
        if self._wake is None:
            self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def wake(self) -> None:
        """End :meth:`wait`; a signal handler or another thread may call it."""
        if self._wake is not None:
            try:
                os.write(self._wake[1], b"\0")
            except BlockingIOError:
                # The pipe is full of wake-ups: one more makes no difference.
                return

    def __del__(self) -> None:
        for fd in self._wake or ():
            os.close(fd)


def _readable(descriptors: list[int], seconds: float | None) -> list[int]:
    try:
        if max(descriptors) < 1024:
            return select.select(descriptors, (), (), seconds)[0]
        # select() cannot take larger ones, and poll() counts in milliseconds.
        poll = select.poll()
        for fd in descriptors:
            poll.register(fd, select.POLLIN)
        milliseconds = None if seconds is None else min(int(seconds * 1000 + 0.999), 1 << 30)
        return [fd for fd, _ in poll.poll(milliseconds)]
    except OSError:
        # A closed descriptor: reading it tells.
        return descriptors
