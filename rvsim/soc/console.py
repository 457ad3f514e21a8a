"""The console as Python sees it: what the guest printed, waiting for a text, sending one."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.soc.machine import Machine

TRANSCRIPT_LIMIT = 1 << 20
"""At least so many of the last bytes are kept."""

READY = b"guest ready"
PANIC = b"Kernel panic - not syncing"

_FLUSH_SIZE = 4096


class ConsoleClosed(Exception):
    """The machine ended before the awaited text came; ``outcome`` says how.

    The message ends with the last lines of the console.
    """

    def __init__(self, message: str, outcome: object) -> None:
        super().__init__(message)
        self.outcome = outcome


class Console:
    """The machine's console.

    The guest's characters are gathered while it runs and handed on when the machine pauses, which every line feed
    makes it do: :attr:`output` may take its time, raise, and call the machine.

    Attributes
    ----------
    output : Callable[[bytes], None] or None
        Takes what the guest prints.
    ready_at : float or None
        ``time.monotonic()`` when ``guest ready`` was first seen.
    panicked : bool
        A Linux kernel's panic message was seen.
    """

    def __init__(self, machine: Machine, pause: Callable[[], None]) -> None:
        self.output: Callable[[bytes], None] | None = None
        self.ready_at: float | None = None
        self.panicked = False
        self._machine = machine
        self._pause = pause
        self._gathered = bytearray()
        self._transcript = bytearray()
        self._dropped = 0
        self._seen = 0
        self._scanned = 0

    # -- from the guest ----------------------------------------------------------------------------------------
    def transmit(self, data: bytes) -> None:
        """Characters come from the UART or the HTIF."""
        gathered = self._gathered
        gathered += data
        if b"\n" in data or len(gathered) >= _FLUSH_SIZE:
            self._pause()

    def flush(self) -> bool:
        """Hand on what was gathered, if anything was; called while the guest does not run."""
        if not self._gathered:
            return False
        data, self._gathered = bytes(self._gathered), bytearray()
        self._transcript += data
        self._watch()
        if len(self._transcript) > 2 * TRANSCRIPT_LIMIT:
            excess = len(self._transcript) - TRANSCRIPT_LIMIT
            del self._transcript[:excess]
            self._dropped += excess
        if self.output is not None:
            self.output(data)
        return True

    def _watch(self) -> None:
        """Note the first time that certain texts are complete."""
        # So far back that a text which was cut in two is found, but none a second time.
        start = max(0, self._scanned - self._dropped - len(PANIC) + 1)
        self._scanned = self._dropped + len(self._transcript)
        if self.ready_at is None and self._transcript.find(READY, start) >= 0:
            self.ready_at = time.monotonic()
        if self._transcript.find(PANIC, start) >= 0:
            self.panicked = True

    @property
    def transcript(self) -> str:
        """What the guest printed, at least the last MiB of it; bytes that are no UTF-8 are replaced."""
        return (self._transcript + self._gathered).decode("utf-8", "replace")

    # -- to the guest ------------------------------------------------------------------------------------------
    def send(self, text: str | bytes) -> None:
        """Type ``text``. It is held until the guest reads its console, so that firmware and boot cannot lose it."""
        self._machine.feeder.send(text.encode() if isinstance(text, str) else bytes(text))

    def expect(self, text: str | bytes, timeout: float | None = 60.0) -> str:
        """Run the machine until the guest has printed ``text``.

        Parameters
        ----------
        text : str or bytes
            Looked for behind the end of what the last call found.
        timeout : float or None
            Seconds of host time.

        Returns
        -------
        str
            What was printed since then, up to and with ``text``.

        Raises
        ------
        TimeoutError
            It did not come in time, or the guest waits for input and there is none.
        ConsoleClosed
            The machine ended before.
        """
        wanted = text.encode() if isinstance(text, str) else bytes(text)
        deadline = None if timeout is None else time.monotonic() + timeout
        found = self._take(wanted)
        while found is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"{text!r} did not come within {timeout} s; the console ends with:\n{self._tail()}")
            outcome = self._machine.run_until(lambda: self._find(wanted) >= 0, seconds=left)
            found = self._take(wanted)
            if found is not None or outcome is None:
                continue
            if outcome.kind == "idle":
                raise TimeoutError(
                    f"{text!r} did not come: the guest waits for input; the console ends with:\n{self._tail()}"
                )
            if outcome.ended:
                raise ConsoleClosed(
                    f"the machine ended ({outcome.message or outcome.kind}) before {text!r} came;"
                    f" the console ends with:\n{self._tail()}",
                    outcome,
                )
        return found

    def _find(self, wanted: bytes) -> int:
        return self._transcript.find(wanted, max(0, self._seen - self._dropped))

    def _take(self, wanted: bytes) -> str | None:
        at = self._find(wanted)
        if at < 0:
            return None
        start, end = max(0, self._seen - self._dropped), at + len(wanted)
        self._seen = self._dropped + end
        return bytes(self._transcript[start:end]).decode("utf-8", "replace")

    def _tail(self) -> str:
        return "\n".join(self.transcript.splitlines()[-10:])
