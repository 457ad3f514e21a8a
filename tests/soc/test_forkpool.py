"""Calls in child processes."""

import os
import signal
import time

import pytest

from rvsim.soc.forkpool import Died, map_forked


def test_results_come_back_under_their_index():
    results = dict(map_forked(lambda n: (n * n, "x" * n), range(40), workers=3, limit=10))
    assert results == {n: (n * n, "x" * n) for n in range(40)}


def test_large_results_pass_the_pipe():
    assert dict(map_forked(lambda n: b"x" * n, [1_000_000], workers=1, limit=10)) == {0: b"x" * 1_000_000}


def misbehave(how):
    if how == "hang":
        time.sleep(60)
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raise":
        raise RuntimeError("a bug")
    return how


def test_one_that_hangs_or_dies_takes_nothing_with_it(capfd):
    results = dict(map_forked(misbehave, ["hang", "die", "raise", "well"], workers=2, limit=1))
    assert str(results[0]) == "gave no answer for 1 s"
    assert str(results[1]) == "the emulator died of SIGKILL"
    assert str(results[2]) == "the emulator failed"
    assert all(isinstance(results[n], Died) for n in range(3))
    assert results[3] == "well"
    assert "a bug" in capfd.readouterr().err


def test_no_child_is_left_behind(tmp_path):
    def sleep(n):
        (tmp_path / str(n)).write_text(str(os.getpid()))
        if n:
            time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        for _ in map_forked(sleep, range(3), workers=3, limit=60):
            while len(list(tmp_path.iterdir())) < 3:
                time.sleep(0.01)
            time.sleep(0.05)
            raise KeyboardInterrupt
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


def test_a_parent_that_is_killed_leaves_no_child(tmp_path):
    pid = os.fork()
    if pid == 0:

        def sleep(n):
            (tmp_path / str(n)).write_text(str(os.getpid()))
            time.sleep(60)

        list(map_forked(sleep, range(2), workers=2, limit=60))
        os._exit(0)
    deadline = time.monotonic() + 10
    while len([file for file in tmp_path.iterdir() if file.read_text()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for file in tmp_path.iterdir():
        while os.path.exists(f"/proc/{file.read_text()}/exe"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
