"""Input, output and the passing of time: what a machine does between the instructions of its guest."""

import os
import threading
import time

import pytest

from rvsim.cpu.functional import FunctionalCore
from rvsim.soc import ConsoleClosed
from rvsim.soc.outside import InputSource
from tests.soc.programs import ECHO, HELLO, POWER_OFF, SLEEP


def test_a_time_limit_ends_a_wait(make_machine):
    machine = make_machine(ECHO)
    read, write = os.pipe()
    machine.outside.attach(InputSource(read))
    assert machine.run(seconds=0.1).kind == "timeout"
    os.close(write)
    os.close(read)


def test_input_is_echoed_through_interrupts(make_machine):
    machine = make_machine(ECHO)
    machine.console.send("hello")
    assert machine.console.expect("HELLO", timeout=30) == "HELLO"
    machine.console.send("again!")
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.console.transcript == "HELLOAGAIN"


def test_input_from_a_pipe_is_echoed(make_machine):
    machine = make_machine(ECHO)
    read, write = os.pipe()
    os.write(write, b"one\ntwo\n!")
    os.close(write)
    machine.outside.attach(InputSource(read))
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.console.transcript == "ONE*TWO*"
    os.close(read)


def test_the_end_of_the_input_does_not_end_the_run(make_machine):
    machine = make_machine(SLEEP)
    machine.outside.attach(InputSource(os.open(os.devnull, os.O_RDONLY)))
    machine.run(seconds=0.05)
    assert machine.outcome is None


@pytest.mark.parametrize("icount", [False, True])
def test_a_wait_takes_virtual_time_only_under_icount(make_machine, icount):
    machine = make_machine(SLEEP, icount=icount)
    if not icount and not isinstance(machine.hart[0], FunctionalCore):
        pytest.skip("the reference has no clock but its instructions")
    begin, used = time.monotonic(), time.process_time()
    outcome = machine.run(seconds=30)
    assert outcome.kind == "power-off"
    assert machine.hart[0].mtime >= 10_000_000
    if icount:
        assert time.monotonic() - begin < 0.9
    else:
        assert time.monotonic() - begin > 0.9
        assert time.process_time() - used < 0.1


def test_piped_input_under_icount_does_not_depend_on_when_it_comes(make_machine):
    counts = set()
    for delay in (0, 0.05):
        machine = make_machine(ECHO, icount=True)
        read, write = os.pipe()

        def send(write=write, delay=delay):
            for part in (b"on", b"e\ntw", b"o\n", b"!"):
                time.sleep(delay)
                os.write(write, part)
            os.close(write)

        writer = threading.Thread(target=send)
        writer.start()
        machine.outside.attach(InputSource(read))
        assert machine.run(seconds=30).kind == "power-off"
        writer.join()
        os.close(read)
        counts.add((machine.hart[0].instret, machine.console.transcript))
    assert len(counts) == 1


def test_a_hart_that_nothing_can_wake_is_stuck(make_machine):
    outcome = make_machine("csrw mie, zero; wfi; 1: j 1b").run(seconds=30)
    assert (outcome.kind, outcome.status) == ("stuck", 3)
    assert "nothing can raise" in outcome.message


def test_expect_says_what_came_instead(make_machine):
    machine = make_machine(HELLO)
    assert machine.console.expect("lo\n", timeout=30) == "hello\n"
    with pytest.raises(ConsoleClosed, match=r"the guest powered off.*before 'moon' came(.|\n)*world") as caught:
        machine.console.expect("moon", timeout=30)
    assert caught.value.outcome.kind == "power-off"


def test_expect_gives_up_in_time(make_machine):
    with pytest.raises(TimeoutError, match=r"'moon' did not come within 0\.05 s"):
        make_machine("1: j 1b").console.expect("moon", timeout=0.05)


def test_an_error_of_the_output_reaches_the_caller_and_nothing_is_lost(make_machine):
    machine = make_machine(HELLO)

    def broken(data):
        raise BrokenPipeError

    machine.console.output = broken
    with pytest.raises(BrokenPipeError):
        machine.run(seconds=30)
    machine.console.output = None
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.console.transcript == "hello\nworld\n"


def test_it_stops_while_it_waits(make_machine):
    machine = make_machine(ECHO)
    read, write = os.pipe()
    machine.outside.attach(InputSource(read))
    stopper = threading.Timer(0.1, machine.stop)
    stopper.start()
    begin = time.monotonic()
    assert machine.run(seconds=30) is None
    assert time.monotonic() - begin < 10
    stopper.join()
    os.close(read)
    os.close(write)


def test_the_clock_under_icount_starts_at_a_fixed_epoch(make_machine):
    source = "li t0, 0x101000; lw a0, 0(t0); lw a1, 4(t0)" + POWER_OFF
    times = []
    for _ in range(2):
        machine = make_machine(source, icount=True)
        machine.run(seconds=30)
        times.append((machine.hart[0].x[11] << 32 | machine.hart[0].x[10]) // 10**9)
    assert times == [1_704_067_200] * 2


@pytest.mark.parametrize("icount", [False, True])
def test_a_program_that_polls_is_fed_at_once(make_machine, icount):
    source = """
        li s0, 0x10000000
        li t2, '!'
    next:
        lbu t0, 5(s0)
        andi t0, t0, 1
        beqz t0, next
        lbu t1, 0(s0)
        beq t1, t2, off
        sb t1, 0(s0)
        j next
    off:
    """
    machine = make_machine(source + POWER_OFF, icount=icount)
    text = "".join(f"line {n}\n" for n in range(100))
    machine.console.send(text + "!")
    begin = time.monotonic()
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.console.transcript == text
    assert time.monotonic() - begin < 5


def test_an_instruction_limit_alone_does_not_wait_for_ever(make_machine):
    machine = make_machine(ECHO)
    begin = time.monotonic()
    assert machine.run(instructions=1_000_000).kind == "idle"
    assert time.monotonic() - begin < 10
    machine.console.send("a")
    machine.console.expect("A", timeout=30)
    with pytest.raises(TimeoutError, match="'B' did not come: the guest waits for input"):
        machine.console.expect("B", timeout=30)


def test_characters_are_asked_for_through_htif(make_machine):
    source = """
        la s0, tohost
        la s1, fromhost
    next:
        li t0, 0x01000000
        sw zero, 0(s0)
        sw t0, 4(s0)            # device 1, function 0: read
    1:  lw t1, 4(s1)
        beqz t1, 1b
        lbu a0, 0(s1)
        sw zero, 0(s1)
        sw zero, 4(s1)
        li t2, '!'
        beq a0, t2, off
        xori a0, a0, 0x20
        li t0, 0x01010000
        sw a0, 0(s0)
        sw t0, 4(s0)            # device 1, function 1: write
    2:  lw t1, 4(s0)
        bnez t1, 2b
        sw zero, 0(s1)
        sw zero, 4(s1)
        j next
    off:
        li t0, 1
        sw t0, 0(s0)
        sw zero, 4(s0)
    3:  j 3b
        .balign 8
    tohost: .dword 0
    fromhost: .dword 0
    """
    machine = make_machine(source)
    machine.console.send("hello!")
    outcome = machine.run(seconds=60)
    assert (outcome.kind, outcome.status) == ("exit", 0)
    assert machine.console.transcript == "HELLO"


@pytest.mark.parametrize("icount", [False, True])
def test_an_alarm_of_the_clock_ends_a_wait(make_machine, icount):
    source = """
        li t0, 0x0c000000
        li t1, 1
        sw t1, 44(t0)           # priority of source 11
        li t0, 0x0c002000
        li t1, 0x800
        sw t1, 0(t0)
        li t0, 0x800
        csrw mie, t0
        li s0, 0x101000
        li t0, 1
        sw t0, 0x10(s0)         # interrupt enabled
        lw t0, 0(s0)
        lw t1, 4(s0)
        li t2, 50000000         # 50 ms
        add t0, t0, t2
        sltu t2, t0, t2
        add t1, t1, t2
        sw t1, 12(s0)
        sw t0, 8(s0)            # alarm
        wfi
        li t0, 0x0c200000
        lw a0, 4(t0)            # claim
    """
    machine = make_machine(source + POWER_OFF, icount=icount)
    before = machine.outside.wall_time()
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.hart[0].x[10] == 11
    assert machine.outside.wall_time() - before >= 50_000_000
