"""What the person at the terminal sees, and what a log file gets instead."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest

from rvsim.guest.progress import Progress


def test_plain_output_is_whole_lines():
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.step("[1/2] compiling"):
        progress.say("something in between")
    assert stream.getvalue() == "[1/2] compiling ...\nsomething in between\n[1/2] compiling: 0 s\n"


def test_a_step_that_fails_is_closed_and_does_not_claim_to_be_done():
    stream = io.StringIO()
    progress = Progress(stream, live=True)
    with pytest.raises(RuntimeError), progress.step("compiling", expected_lines=3):
        progress.line()
        raise RuntimeError
    assert "compiling: " not in stream.getvalue()
    with progress.step("again"):
        pass


SCRIPT = """
from rvsim.guest.progress import Progress
import time
progress = Progress()
with progress.step("[1/1] compiling", expected_lines=4):
    for _ in range(3):
        progress.line()
        time.sleep(0.2)
    progress.say("[not markup] said meanwhile")
"""


def test_a_terminal_gets_a_live_line_with_percentage_and_the_cursor_back():
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs, stdout=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # how Linux reports that the other side is closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(ours)
    assert process.wait(30) == 0
    text = seen.decode()
    assert "75 %" in text and "[not markup] said meanwhile" in text and "[1/1] compiling: 1 s" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, "the cursor is shown again"
