"""A person at a real (pseudo-)terminal."""

import os
import pty
import select
import signal
import sys
import termios
import time

import pytest

from .conftest import environment
from .test_run import CHATTER, ECHO, FOREVER


class Person:
    """rvsim on a terminal of its own, as a shell would start it."""

    def __init__(self, folder, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # A wrapper keeps the terminal open and says how it was left.
            code = (
                "import os, subprocess, sys, termios, signal\n"
                "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGQUIT, signal.SIG_IGN)\n"
                "before = termios.tcgetattr(0)\n"
                "def usual(): signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                "child = subprocess.Popen([sys.executable, '-m', 'rvsim.soc', *sys.argv[1:]], preexec_fn=usual)\n"
                "print('pid', child.pid, flush=True)\n"
                "print('status', child.wait(), 'restored', termios.tcgetattr(0) == before, flush=True)\n"
            )
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-c", code, *words], environment())
        self.seen = b""
        self.expect(b"pid ")
        self.expect(b"\n", keep=True)
        self.rvsim = int(self.last)

    def expect(self, text, *, keep=False, timeout=30):
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 4096)
        self.last, self.seen = self.seen.split(text, 1)

    def send(self, data):
        os.write(self.fd, data)

    def wait_raw(self, *, isig):
        deadline = time.monotonic() + 20
        while True:
            flags = termios.tcgetattr(self.fd)[3]
            if not flags & termios.ICANON and bool(flags & termios.ISIG) == isig:
                return
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def person(tmp_path):
    people = []

    def sit_down(*words):
        people.append(Person(tmp_path, *words))
        return people[-1]

    yield sit_down
    for person in people:
        os.close(person.fd)
        os.waitpid(person.pid, 0)


def test_keys_reach_the_guest_and_ctrl_a_x_leaves(person, program):
    session = person("run", program(ECHO))
    session.wait_raw(isig=True)
    session.send(b"ab\r\x01\x01")
    session.expect(b"ab\r\x01")
    session.send(b"\x01h")
    session.expect(b"leave rvsim")
    session.send(b"\x01s")
    session.expect(b"privilege M")
    session.send(b"c\x01x")
    session.expect(b"status 0 restored True")


def test_ctrl_c_ends_a_program_that_does_not_read(person, program):
    session = person("run", program(FOREVER))
    session.wait_raw(isig=True)
    session.send(b"\x03")
    session.expect(b"status 130 restored True")


READER = "li t0, 0x10000000\n li t1, 65\n li t2, 1\n sb t2, 1(t0)\n sb t1, 0(t0)\n" + ECHO


def test_ctrl_c_goes_to_a_guest_that_reads(person, program):
    session = person("run", program(READER))
    session.expect(b"A")
    session.wait_raw(isig=False)
    session.send(b"\x03\x1a")
    session.expect(b"\x03\x1a")
    session.send(b"q")
    session.expect(b"status 0 restored True")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_terminal(person, program, number):
    session = person("run", program(CHATTER))
    session.wait_raw(isig=True)
    session.expect(b"....")
    os.kill(session.rvsim, number)
    session.expect(b"status %d restored True" % (128 + number))


def test_the_end_and_an_error_restore_the_terminal(person, program):
    for source, status in ((ECHO, 0), ("1: .word 0\n", 3)):
        session = person("run", program(source))
        if status == 0:
            session.wait_raw(isig=True)
            session.send(b"q")
        session.expect(b"status %d restored True" % status)


def test_rvsim_speaks_on_standard_error_only(person, program, tmp_path):
    session = person("run", program(FOREVER), "--timeout", "0.2")
    session.expect(b"rvsim: the time limit of 0.2 s was reached")
    session.expect(b"status 124 restored True")
