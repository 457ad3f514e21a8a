"""Tools: what they say is kept, what they start ends with them, and what fails for a moment is tried again."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from rvsim.guest import run as running
from rvsim.guest.progress import TAIL_LINES, Log
from rvsim.guest.run import Runner, ToolFailed


@pytest.fixture
def run(tmp_path, progress):
    return Runner(Log(str(tmp_path / "log")), progress)


def test_output_of_both_streams_is_returned_and_logged(run, tmp_path):
    assert sorted(run(["sh", "-c", "echo out; echo err >&2"]).splitlines()) == [b"err", b"out"]
    assert (tmp_path / "log").read_text().startswith("+ sh -c")
    assert "out\n" in (tmp_path / "log").read_text()


def test_a_tool_that_fails_or_is_not_there_is_an_error(run):
    with pytest.raises(ToolFailed, match="status 3"):
        run(["sh", "-c", "exit 3"])
    with pytest.raises(ToolFailed, match="no-such-tool: No such file or directory"):
        run(["no-such-tool"])


def test_input_reaches_the_tool_even_if_it_does_not_read_it(run):
    assert run(["cat"], input=b"text") == b"text"
    assert run(["true"], input=bytes(1 << 20)) == b""


def test_the_tail_holds_the_last_lines_only(run):
    run(["seq", "100"])
    assert run.log.tail().splitlines() == [str(n) for n in range(101 - TAIL_LINES, 101)]


def test_each_line_of_output_moves_the_progress(run, progress):
    with progress.step("work", expected_lines=10):
        run(["seq", "7"])
        assert progress._lines == 7


def test_an_interrupt_ends_the_tool_and_its_children(run, tmp_path):
    script = f"sleep 60 & echo $! >{tmp_path}/pid; wait"
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script])
    assert time.monotonic() - started < 20
    pid = int((tmp_path / "pid").read_text())
    for _ in range(200):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":  # dead; nobody has asked for its status
                    break
        except FileNotFoundError:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the tool's child lives on")


def test_attempts_are_repeated_with_growing_pauses_and_then_given_up(run, monkeypatch):
    pauses = []
    monkeypatch.setattr(running.time, "sleep", pauses.append)
    attempts = []

    def action():
        attempts.append(1)
        raise ToolFailed("fault")

    with pytest.raises(ToolFailed, match="fault"):
        run.retry("fetching", action)
    assert len(attempts) == running.ATTEMPTS
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0]
    assert "fetching failed (fault); trying again in 32 s" in run.progress.text


def test_an_attempt_that_succeeds_ends_the_trying(run, monkeypatch):
    monkeypatch.setattr(running.time, "sleep", lambda pause: None)
    outcomes = iter([ToolFailed("fault"), "done"])

    def action():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert run.retry("fetching", action) == "done"
