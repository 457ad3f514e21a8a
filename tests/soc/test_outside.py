import os
import threading
import time

import pytest

from rvsim.soc import SocConfig
from rvsim.soc import outside as module
from rvsim.soc.outside import EPOCH, LINE_LIMIT, InputSource, Outside


@pytest.fixture
def pipe():
    read, write = os.pipe()
    ends = {"read": read, "write": write}
    yield ends
    for fd in ends.values():
        os.close(fd)


def outside(source=None, **fields):
    made = Outside(SocConfig(**fields), lambda: 50)
    made.attach(source)
    return made


def test_entropy_under_icount_is_the_seeds():
    streams = [outside(icount=True, seed=seed) for seed in (1, 1, 2)]
    first = [stream.entropy(40) for stream in streams]
    assert first[0] == first[1] != first[2]
    assert len(first[0]) == 40
    assert streams[0].entropy(40) != first[0]


def test_entropy_is_splitmix64():
    # The first outputs for seed 0 as published with the algorithm.
    assert (
        outside(icount=True).entropy(16).hex()
        == ((0xE220A8397B1DCDAF).to_bytes(8, "little") + (0x6E789E6AA1B965F4).to_bytes(8, "little")).hex()
    )


def test_entropy_is_the_hosts_otherwise():
    assert outside().entropy(32) != outside().entropy(32)


def test_wall_time_is_the_hosts_or_a_fixed_epoch_plus_virtual_time():
    assert outside(icount=True).wall_time() == EPOCH + 5000
    assert abs(outside().wall_time() - time.time_ns()) < 10**9


def test_lines_do_not_depend_on_how_they_were_written(pipe):
    made = outside(InputSource(pipe["read"]), icount=True)

    def write():
        for part in (b"fir", b"st\nsec", b"ond", b"\nthird"):
            os.write(pipe["write"], part)
            time.sleep(0.02)
        os.close(pipe.pop("write"))

    writer = threading.Thread(target=write)
    writer.start()
    lines = [made.line(patient=True) for _ in range(4)]
    writer.join()
    assert lines == [b"first\n", b"second\n", b"third", b""]
    assert not made.open


def test_a_long_line_comes_in_pieces_of_fixed_length(pipe):
    made = outside(InputSource(pipe["read"]))
    os.write(pipe["write"], b"x" * 600 + b"\n")
    os.close(pipe.pop("write"))
    assert [len(made.line(patient=True)) for _ in range(4)] == [LINE_LIMIT, LINE_LIMIT, 601 - 2 * LINE_LIMIT, 0]


def test_without_patience_it_takes_what_is_there(pipe):
    made = outside(InputSource(pipe["read"]))
    assert made.line(patient=False) == b""
    assert made.open
    os.write(pipe["write"], b"part")
    assert made.line(patient=False) == b"part"


def test_a_writer_that_waits_for_an_answer_is_not_waited_for_twice(pipe, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    made = outside(InputSource(pipe["read"]), icount=True)
    assert made.line(patient=True) == b""
    monkeypatch.setattr(module, "PATIENCE", 60)
    assert made.line(patient=True) == b""
    os.write(pipe["write"], b"late\n")
    assert made.line(patient=True) == b"late\n"


def test_a_closed_descriptor_is_the_end_of_the_input(pipe):
    closed = pipe.pop("read")
    made = outside(InputSource(closed))
    made.arm()
    os.close(closed)
    assert made.line(patient=False) == b""
    assert not made.open


def test_a_wait_ends_with_input_with_its_time_or_when_it_is_woken(pipe):
    made = outside(InputSource(pipe["read"]))
    made.arm()
    assert made.wait(0.01) is False
    made.wake()
    assert made.wait(10) is True
    os.write(pipe["write"], b"x")
    assert made.wait(10) is True
    assert made.wait(0.01, listen=False) is False
    assert made.typed() == b"x"


def test_another_thread_wakes_it():
    made = outside()
    made.arm()
    waker = threading.Timer(0.05, made.wake)
    waker.start()
    begin = time.monotonic()
    assert made.wait(10) is True
    assert time.monotonic() - begin < 5
    waker.join()


def test_any_number_of_wake_ups_is_harmless():
    made = outside()
    made.arm()
    for _ in range(70_000):
        made.wake()
    assert made.wait(0) is True


def test_large_descriptors_are_waited_for_too(pipe):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("the limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    os.dup2(pipe["read"], 1500)
    try:
        made = outside(InputSource(1500))
        assert made.typed() == b""
        os.write(pipe["write"], b"x")
        assert made.typed() == b"x"
    finally:
        os.close(1500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
