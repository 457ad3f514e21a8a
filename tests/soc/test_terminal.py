"""Raw mode, escapes and signals, on a real pseudo-terminal."""

import errno
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from rvsim.soc import terminal
from rvsim.soc.terminal import Escapes, Interrupted, RawMode, Signals, read_some, write_all


class Log(list):
    def __call__(self, name):
        return lambda: self.append(name)


@pytest.mark.parametrize("split", [1, 2, 100])
def test_escapes_are_taken_out_however_the_bytes_arrive(split):
    log = Log()
    escapes = Escapes({"x": log("x"), "h": log("h")}, log("unknown"))
    typed = b"a\x01xb\x01\x01c\x01hd\x01qe\x03\x1a\xff"
    passed = b"".join(escapes.filter(typed[at : at + split]) for at in range(0, len(typed), split))
    assert passed == b"ab\x01cde\x03\x1a\xff"
    assert log == ["x", "h", "unknown"]


@pytest.fixture
def slave():
    master, fd = pty.openpty()
    yield fd
    os.close(fd)
    os.close(master)


def test_settings_of_a_terminal_that_is_not_ours_are_left_alone(slave):
    before = termios.tcgetattr(slave)
    raw = RawMode(slave)
    raw.enter()
    assert not raw.active
    assert termios.tcgetattr(slave) == before
    raw.leave()


def test_no_terminal_is_no_error():
    read, write = os.pipe()
    raw = RawMode(read)
    raw.enter()
    raw.leave()
    assert not raw.active
    os.close(read)
    os.close(write)


def test_reading_never_waits():
    read, write = os.pipe()
    assert read_some(read) is None
    os.write(write, b"abc")
    assert read_some(read) == b"abc"
    os.close(write)
    assert read_some(read) == b""
    os.close(read)
    assert read_some(read) == b""


def test_writing_waits_for_a_slow_reader_and_reports_one_that_is_gone():
    read, write = os.pipe()
    os.set_blocking(write, False)
    data = os.urandom(300_000)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys,time; time.sleep(.2); print(len(sys.stdin.buffer.read()))"],
        stdin=read,
        stdout=subprocess.PIPE,
    )
    write_all(write, data)
    os.close(write)
    assert child.communicate()[0].strip() == b"300000"
    os.close(read)
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError):
        write_all(write, b"x")
    os.close(write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_reported():
    fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError) as caught:
        write_all(fd, b"x")
    assert caught.value.errno == errno.ENOSPC
    os.close(fd)


def test_a_signal_is_noted_and_stops_the_run():
    stops = []
    with Signals(lambda: stops.append(1)) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert (signals.pending, stops) == (signal.SIGTERM, [1])
        with pytest.raises(Interrupted) as caught:
            signals.check()
        assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_interrupts_a_wait():
    with Signals(lambda: None) as signals:
        with pytest.raises(Interrupted), signals.waiting():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        # One that came before the wait began must not be slept over.
        with pytest.raises(Interrupted), signals.waiting():
            time.sleep(5)


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals(lambda: None) as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.pending == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# A run in miniature on its own terminal: it says when it is raw, echoes what it reads, and leaves on Ctrl-A x.
PROGRAM = """
import os, sys
from rvsim.soc.terminal import Escapes, Interrupted, RawMode, Signals, read_some, write_all
raw = RawMode(0)
done = []
escapes = Escapes({"x": lambda: done.append(1), "z": lambda: signals.suspend()}, lambda: None)
status = 0
try:
    with Signals(lambda: None, raw) as signals:
        raw.enter()
        write_all(1, b"raw=%d " % raw.active)
        import select, time
        while not done:
            with signals.waiting():
                select.select([0], [], [], 5)
            data = read_some(0)
            if data == b"":
                break
            passed = escapes.filter(data or b"")
            if passed == b"!":
                raise RuntimeError("a bug")
            write_all(1, passed.hex().encode())
except Interrupted as interrupted:
    status = 128 + interrupted.signal
finally:
    raw.leave()
os._exit(status)
"""

# A shell in miniature: it owns the terminal and starts the program as the foreground job.
SHELL = """
import os, signal, subprocess, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def settings():
    return termios.tcgetattr(0)[:4]
before = settings()
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
try:
    os.setpgid(job, job)
except OSError:
    pass
def say(text):
    os.write(1, text.encode() + b"\\n")
while True:
    pid, status = os.waitpid(job, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if os.WIFSTOPPED(status):
        say("stopped restored=%d" % (settings() == before))
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
        continue
    say("ended %s restored=%d" % (os.waitstatus_to_exitcode(status), settings() == before))
    break
"""


# As under `make`: the job's leader is somebody else, who stops at once, while the program takes its time.
LED = f"""
import subprocess, sys
program = {PROGRAM!r}.replace("raw = RawMode(0)", '''class Slow(RawMode):
    def leave(self):
        time.sleep(0.2)
        super().leave()
raw = Slow(0)''')
sys.exit(subprocess.call([sys.executable, "-c", "import time" + program]))
"""


class Session:
    def __init__(self, program=PROGRAM):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", SHELL, program])
        self.seen = b""

    def expect(self, text):
        deadline = time.monotonic() + 10
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 4096)
        self.seen = self.seen.split(text, 1)[1]

    def job(self):
        return os.tcgetpgrp(self.fd)

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def becomes_raw(self):
        deadline = time.monotonic() + 5
        while not self.is_raw():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def send(self, data):
        os.write(self.fd, data)


@pytest.fixture
def session():
    session = Session()
    session.expect(b"raw=1 ")
    yield session
    os.close(session.fd)
    os.waitpid(session.pid, 0)


def test_keys_reach_the_guest_raw_and_ctrl_a_x_leaves(session):
    session.send(b"\x03\x1a\r\x1b[A")
    session.expect(b"031a0d1b5b41")
    session.send(b"\x01x")
    session.expect(b"ended 0 restored=1")


def test_an_error_restores_the_terminal(session):
    session.send(b"!")
    session.expect(b"a bug")
    session.expect(b"ended 1 restored=1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_an_ending_signal_restores_the_terminal(session, number):
    os.kill(session.job(), number)
    session.expect(b"ended %d restored=1" % (128 + number))


@pytest.mark.parametrize("number", [signal.SIGTSTP])
def test_suspension_gives_the_terminal_back_and_continuing_takes_it_again(session, number):
    os.kill(session.job(), number)
    session.expect(b"stopped restored=1")
    session.becomes_raw()
    session.send(b"z")
    session.expect(b"7a")
    session.send(b"\x01x")
    session.expect(b"ended 0 restored=1")


def test_a_suspended_job_needs_to_be_continued_once_though_its_leader_stops_first():
    session = Session(LED)
    session.expect(b"raw=1 ")
    session.send(b"\x01z")
    session.expect(b"stopped restored=1")
    session.becomes_raw()
    session.send(b"z")
    session.expect(b"7a")
    session.send(b"\x01x")
    session.expect(b"ended 0 restored=1")
    os.close(session.fd)
    os.waitpid(session.pid, 0)


def test_a_stop_that_cannot_be_caught_leaves_the_job_raw_again(session):
    os.kill(session.job(), signal.SIGSTOP)
    session.expect(b"stopped")
    session.send(b"\x01x")
    session.expect(b"ended 0 restored=1")


def test_a_closed_terminal_ends_the_run():
    session = Session()
    session.expect(b"raw=1 ")
    job = session.job()
    os.close(session.fd)
    os.waitpid(session.pid, 0)
    deadline = time.monotonic() + 5
    while True:
        try:
            os.kill(job, 0)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_module_imports_nothing_expensive():
    code = f"import sys; import {terminal.__name__}; print('enum' in sys.modules or 're' in sys.modules)"
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=_root())
    assert result.stdout.strip() == "False", result.stderr


def _root():
    import rvsim

    return os.path.dirname(os.path.dirname(rvsim.__file__))
