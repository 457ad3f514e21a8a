"""Running the build's tools: in a known environment, into the log, in reach of Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable

from rvsim.guest.progress import Log, Progress

ATTEMPTS = 6
FIRST_PAUSE = 2.0
"""Seconds before the second attempt; each further pause is twice as long (2 + 4 + 8 + 16 + 32: a minute)."""


class ToolFailed(Exception):
    """A tool ended with a status other than zero, or could not be started. The log has what it said."""


class Runner:
    """Runs tools with their output in ``log``, one tick of ``progress`` per line."""

    def __init__(self, log: Log, progress: Progress) -> None:
        self.log = log
        self.progress = progress

    def __call__(
        self, argv: list[str], *, cwd: str | None = None, env: dict[str, str] | None = None, input: bytes = b""
    ) -> bytes:
        """Run ``argv`` and return what it wrote (both streams together).

        Raises
        ------
        ToolFailed
            With the command and its status.
        """
        self.log.write(f"+ {' '.join(argv)}\n".encode())
        try:
            # Its own process group, so that an interrupt ends a whole tree of make and compilers.
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self.log.write(f"{argv[0]}: {error.strerror}\n".encode())
            raise ToolFailed(f"{argv[0]}: {error.strerror}") from None
        output = []
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(input)
                process.stdin.close()
            for line in process.stdout:
                output.append(line)
                self.log.write(line)
                self.progress.line()
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        if status:
            raise ToolFailed(f"{' '.join(argv)[:200]}: status {status}")
        return b"".join(output)

    def retry(self, what: str, action: Callable[[], object], attempts: int = ATTEMPTS) -> object:
        """Do ``action``; after a failure again, with growing pauses, since mirrors fail for moments.

        Raises
        ------
        ToolFailed
            The last attempt's failure.
        """
        pause = FIRST_PAUSE
        for attempt in range(1, attempts + 1):
            try:
                return action()
            except ToolFailed as error:
                if attempt == attempts:
                    raise
                self.progress.say(f"{what} failed ({error}); trying again in {pause:.0f} s")
                time.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable")


def _end(process: subprocess.Popen) -> None:
    """End a tool and everything it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(timeout=2)
            return
        except subprocess.TimeoutExpired:
            continue
