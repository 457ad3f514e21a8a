"""Telling the person at the terminal how far the build is, and keeping what the tools said in a log."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

TAIL_LINES = 20


class Progress:
    """One line per step on ``stream``: plain text, or a live line with a clock where it is a terminal.

    Parameters
    ----------
    stream
        Where to write, standard error by default; standard output stays free for results.
    live
        Redraw one line in place (needs ``rich`` and a terminal). By default decided by ``stream``.
    """

    def __init__(self, stream: TextIO | None = None, live: bool | None = None) -> None:
        self.stream = stream if stream is not None else sys.stderr
        self._live = self.stream.isatty() if live is None else live
        self._display = None
        self._task = None
        self._expected = 0
        self._lines = 0

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._display is not None:
            self._display.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self.stream, flush=True)

    @contextmanager
    def step(self, text: str, expected_lines: int = 0) -> Iterator[None]:
        """Show ``text`` as what is being done; ``expected_lines`` of output from the tools are 100 %."""
        started = time.monotonic()
        self._expected, self._lines = expected_lines, 0
        if self._live:
            self._open(text)
        else:
            self.say(f"{text} ...")
        try:
            yield
        finally:
            self._close()
        self.say(f"{text}: {time.monotonic() - started:.0f} s")

    def line(self) -> None:
        """A tool wrote one more line of output."""
        self._lines += 1
        if self._display is not None and self._expected:
            self._display.update(self._task, completed=min(self._lines, self._expected))

    def _open(self, text: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Display

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
        if self._expected:
            columns += [BarColumn(), TextColumn("{task.percentage:>3.0f} %")]
        columns.append(TimeElapsedColumn())
        self._display = Display(*columns, console=Console(file=self.stream), transient=True)
        self._display.start()
        self._task = self._display.add_task(text, total=self._expected or None)

    def _close(self) -> None:
        if self._display is not None:
            self._display.stop()
            self._display = None


class Log:
    """The build's log file, with its last lines at hand.

    Parameters
    ----------
    path
        Written afresh; opened in binary, since tools may write anything.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - lives as long as the build
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    def write(self, line: bytes) -> None:
        """Append one line (with its line end)."""
        self._file.write(line)
        self._tail.append(line.decode(errors="replace").rstrip())

    def tail(self) -> str:
        """The last lines, for a failure's report."""
        return "\n".join(self._tail)

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._file.close()
