"""The host's side of the console: raw mode, escapes, signals, and output that survives a closed pipe.

Whatever ends a run (power-off, an error, a signal, Ctrl-A x), the terminal is as it was before. Signal handlers
never touch the machine: they note the signal and ask the run to stop, and only while the process waits in a host
call that could last for ever do they raise :class:`Interrupted`.
"""

from __future__ import annotations

# Not `signal`: it wraps the same functions and imports `enum` for it, three milliseconds of a warm start.
import _signal
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = 0x01
"""Ctrl-A, which introduces an escape."""


class Interrupted(BaseException):
    """A signal that ends the run came; ``signal`` is its number."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


class Escapes:
    """Takes ``Ctrl-A`` sequences out of what a person types, and calls what they stand for.

    ``actions`` maps the second key to what is done; ``Ctrl-A Ctrl-A`` passes one Ctrl-A on. An unknown key is
    swallowed after ``unknown`` was called.
    """

    def __init__(self, actions: dict[str, Callable[[], None]], unknown: Callable[[], None]) -> None:
        self._actions = {ord(key): action for key, action in actions.items()}
        self._unknown = unknown
        self._prefixed = False

    def filter(self, typed: bytes) -> bytes:
        """What of the typed bytes is for the guest; a sequence may be spread over several calls."""
        if not self._prefixed and PREFIX not in typed:
            return typed
        passed = bytearray()
        for byte in typed:
            if self._prefixed:
                self._prefixed = False
                if byte == PREFIX:
                    passed.append(byte)
                else:
                    self._actions.get(byte, self._unknown)()
            elif byte == PREFIX:
                self._prefixed = True
            else:
                passed.append(byte)
        return bytes(passed)


class RawMode:
    """A terminal's settings: raw while the guest has it, as they were otherwise.

    Raw means that every key reaches the guest at once, Ctrl-C too; the output side is left alone, so that a line
    feed still starts a new line for programs that send nothing else.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list | None = None
        self._keep_signals = False

    @property
    def active(self) -> bool:
        """Whether the terminal is ours and raw."""
        return self._saved is not None

    def enter(self, *, keep_signals: bool | None = None) -> None:
        """Make it raw. Nothing happens if it is no terminal, or is gone, or belongs to another job now.

        ``keep_signals``: Ctrl-C and the like still send signals; None: as it was the last time.
        """
        import termios

        if keep_signals is not None:
            self._keep_signals = keep_signals

        try:
            if os.tcgetpgrp(self._fd) != os.getpgrp():
                return
            current = termios.tcgetattr(self._fd)
            if self._saved is None:
                self._saved = current
            raw = [*current[:6], list(current[6])]
            raw[0] &= ~(
                termios.BRKINT
                | termios.ICRNL
                | termios.INLCR
                | termios.IGNCR
                | termios.INPCK
                | termios.ISTRIP
                | termios.IXON
                | termios.PARMRK
            )
            raw[2] = (raw[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
            raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN)
            if not self._keep_signals:
                raw[3] &= ~termios.ISIG
            raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
            # Not TCSAFLUSH: what was typed ahead is meant for the guest.
            termios.tcsetattr(self._fd, termios.TCSADRAIN, raw)
        except (termios.error, OSError):
            return

    def leave(self) -> None:
        """Make it what it was before :meth:`enter`; any number of times. If another job has it now, that one's stay."""
        saved, self._saved = self._saved, None
        if saved is None:
            return
        import termios

        try:
            if os.tcgetpgrp(self._fd) != os.getpgrp():
                return
            termios.tcsetattr(self._fd, termios.TCSADRAIN, saved)
        except (termios.error, OSError):
            return


class Signals:
    """What ends or suspends a run from outside: SIGINT, SIGTERM, SIGHUP, SIGQUIT; SIGTSTP and SIGCONT.

    A context manager; handlers are what they were before when it is left. ``stop`` is called from the handler and
    must do no more than ask compiled code to return. A signal that was ignored when the process started
    (``nohup``, a background job) stays ignored.
    """

    ENDING = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)

    def __init__(self, stop: Callable[[], None], raw: RawMode | None = None) -> None:
        self._stop = stop
        self._raw = raw
        self._previous: dict[int, object] = {}
        self._waiting = False
        self.pending = 0
        """Number of the ending signal that came, or 0."""

    def __enter__(self) -> Signals:
        for number in self.ENDING:
            self._install(number, self._end)
        if self._raw is not None:
            self._install(_signal.SIGTSTP, self._suspend)
            self._install(_signal.SIGCONT, self._continue)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            _signal.signal(number, handler)
        self._previous.clear()

    def check(self) -> None:
        """Raise :class:`Interrupted` if an ending signal has come."""
        if self.pending:
            raise Interrupted(self.pending)

    def waiting(self) -> _Waiting:
        """A context in which a signal raises :class:`Interrupted` at once: around calls that may block."""
        return _Waiting(self)

    def _install(self, number: int, handler: Callable[[int, object], None]) -> None:
        before = _signal.getsignal(number)
        # None: a handler that was not installed from Python, and that we could not put back.
        if before is None or before == _signal.SIG_IGN:
            return
        self._previous[number] = before
        _signal.signal(number, handler)

    def _end(self, number: int, frame: object) -> None:
        self.pending = number
        if self._waiting:
            raise Interrupted(number)
        self._stop()

    def suspend(self) -> None:
        """Give the terminal back and sleep until somebody continues the process, as Ctrl-Z does elsewhere."""
        # Now and not in the handler: when the job's leader (`make`) stops first, the shell takes the terminal at
        # once, and a background job that still changes its settings is stopped a second time, by SIGTTOU.
        if self._raw is not None and self._raw.active:
            self._raw.leave()
            self._resume_raw = True
        # The whole job, so that what it is a part of stops too; and at once: were our handler to stop us a little
        # later than the rest, a shell that continues the job meanwhile would leave us behind.
        handler = _signal.getsignal(_signal.SIGTSTP)
        if _signal.SIGTSTP in self._previous:
            _signal.signal(_signal.SIGTSTP, _signal.SIG_DFL)
        os.kill(0, _signal.SIGTSTP)
        _signal.signal(_signal.SIGTSTP, handler)

    def _suspend(self, number: int, frame: object) -> None:
        raw = self._raw
        was_raw = raw is not None and (raw.active or self._resume_raw)
        if was_raw:
            raw.leave()
        _signal.signal(_signal.SIGTSTP, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGTSTP)
        # Here the process sleeps until somebody continues it.
        _signal.signal(_signal.SIGTSTP, self._suspend)
        if was_raw:
            raw.enter()
            self._resume_raw = not raw.active

    _resume_raw = False

    def _continue(self, number: int, frame: object) -> None:
        raw = self._raw
        # A shell gives the terminal its own settings while a job is stopped, whatever stopped it.
        if raw is not None and (raw.active or self._resume_raw):
            raw.enter()
            self._resume_raw = not raw.active


class _Waiting:
    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def __enter__(self) -> None:
        self._signals._waiting = True
        self._signals.check()

    def __exit__(self, *exception: object) -> None:
        self._signals._waiting = False


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, however slowly the other end reads.

    Raises
    ------
    BrokenPipeError
        Nobody reads any more.
    OSError
        ENOSPC and whatever else keeps the bytes from being written.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()


def read_some(fd: int, limit: int = 4096) -> bytes | None:
    """What can be read now without waiting: None if nothing, ``b""`` at the end of the input."""
    poll = select.poll()
    try:
        poll.register(fd, select.POLLIN)
        if not poll.poll(0):
            return None
        return os.read(fd, limit)
    except BlockingIOError:
        return None
    except OSError:
        # EBADF: standard input was closed; EIO: the terminal is gone. Either way nothing will come.
        return b""
