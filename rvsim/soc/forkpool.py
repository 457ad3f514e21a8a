"""Calling a function in many short-lived child processes: each call is isolated, limited in time, and cheap.

A child is a fork of the caller: what is loaded and mapped already (the functional core's machine code) costs it
nothing. One that dies or hangs takes nothing else with it.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1


class Died(Exception):
    """The child ended without an answer; the message says how."""


class _Child:
    def __init__(self, index: int, pid: int, fd: int, deadline: float) -> None:
        self.index = index
        self.pid = pid
        self.fd = fd
        self.deadline = deadline
        self.data = bytearray()
        self.overdue = False


def map_forked(
    function: Callable[[object], object],
    items: Sequence[object],
    *,
    workers: int,
    limit: float,
) -> Iterator[tuple[int, object | Died]]:
    """Yield ``(index, function(item))`` as the calls end, at most ``workers`` of them at a time.

    Results consist of what :mod:`marshal` can carry. A child that takes longer than ``limit`` seconds is killed, and
    :class:`Died` stands for its result. When the iterator is closed, or an exception passes through it, all
    children are killed first.
    """
    children: dict[int, _Child] = {}
    poll = select.poll()
    waiting = iter(enumerate(items))
    try:
        while True:
            while len(children) < workers and (item := next(waiting, None)) is not None:
                # An interrupt between the fork and its entry in the table would lose the child.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
                try:
                    child = _start(function, *item, limit, mask)
                    children[child.fd] = child
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                poll.register(child.fd, select.POLLIN)
            if not children:
                return
            soonest = min(child.deadline for child in children.values()) - time.monotonic()
            for fd, _ in poll.poll(max(0.0, soonest) * 1000 + 1):
                child = children[fd]
                part = os.read(fd, 1 << 16)
                if part:
                    child.data += part
                    continue
                poll.unregister(fd)
                del children[fd]
                yield child.index, _result(child, limit)
            now = time.monotonic()
            for child in children.values():
                if now > child.deadline and not child.overdue:
                    child.overdue = True
                    child.deadline = now + 5
                    os.kill(child.pid, signal.SIGKILL)
    finally:
        for child in children.values():
            os.kill(child.pid, signal.SIGKILL)
        for child in children.values():
            os.close(child.fd)
            os.waitpid(child.pid, 0)


def _start(function: Callable[[object], object], index: int, item: object, limit: float, mask: set) -> _Child:
    read, write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(function, item, read, write, parent, mask)
    os.close(write)
    return _Child(index, pid, read, time.monotonic() + limit)


def _child(function: Callable[[object], object], item: object, read: int, write: int, parent: int, mask: set) -> None:
    status = 1
    try:
        os.close(read)
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        # Not even a parent that is killed leaves children behind.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        data = memoryview(marshal.dumps(function(item)))
        while data:
            data = data[os.write(write, data) :]
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _result(child: _Child, limit: float) -> object | Died:
    os.close(child.fd)
    status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    if child.overdue:
        return Died(f"gave no answer for {limit:g} s")
    if status < 0:
        return Died(f"the emulator died of {signal.Signals(-status).name}")
    if status > 0:
        return Died("the emulator failed")
    return marshal.loads(bytes(child.data))
