import os
import time

import pytest

from rvsim.bus import BusError
from rvsim.cpu.functional import FunctionalCore
from rvsim.errors import UserError
from rvsim.soc import ConsoleClosed, Machine, SocConfig
from rvsim.soc.outside import InputSource
from tests.soc.programs import HELLO, POWER_OFF, RAM, program_elf

EXIT_TO_HOST = """
    la t0, tohost
    li t1, {value}
    sw t1, 0(t0)
1:  j 1b
    .balign 8
tohost: .dword 0
fromhost: .dword 0
"""

# Waits for the UART's interrupt by WFI and echoes characters in upper case; "!" powers off.
ECHO = """
    li s0, 0x10000000
    li t0, 1
    sb t0, 1(s0)            # receiver interrupt
    li t0, 0x0c000000
    li t1, 1
    sw t1, 40(t0)           # priority of source 10
    li t0, 0x0c002000
    li t1, 0x400
    sw t1, 0(t0)            # enabled for M-mode
    li t0, 0x800
    csrw mie, t0
    li s1, 0x0c200000
next:
    wfi
    lw s2, 4(s1)            # claim
    beqz s2, next
1:  lbu t0, 5(s0)
    andi t0, t0, 1
    beqz t0, 2f
    lbu t1, 0(s0)
    li t2, '!'
    beq t1, t2, off
    xori t1, t1, 0x20
    sb t1, 0(s0)
    j 1b
2:  sw s2, 4(s1)            # complete
    j next
off:
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
3:  j 3b
"""

# Sleeps one second of the machine timer.
SLEEP = (
    """
    li t0, 0x0200bff8
    lw t1, 0(t0)
    li t2, 10000000
    add t1, t1, t2
    li t0, 0x02004000
    sw t1, 0(t0)
    sw zero, 4(t0)
    li t0, 0x80
    csrw mie, t0
    wfi
"""
    + POWER_OFF
)


def test_a_program_prints_and_powers_off(make_machine):
    machine = make_machine(HELLO)
    printed = []
    machine.console.output = printed.append
    outcome = machine.run()
    assert (outcome.kind, outcome.status) == ("power-off", 0)
    assert b"".join(printed) == b"hello\nworld\n"
    assert machine.console.transcript == "hello\nworld\n"
    assert machine.run() is outcome


@pytest.mark.parametrize(("value", "status"), [(1, 0), (2 * 5 + 1, 5), (2 * 255 + 1, 255), (2 * 300 + 1, 255)])
def test_tohost_decides_the_exit_status(make_machine, value, status):
    outcome = make_machine(EXIT_TO_HOST.format(value=value)).run(seconds=60)
    assert (outcome.kind, outcome.status) == ("exit", status)


@pytest.mark.parametrize(
    ("command", "kind", "status"), [(0x5555, "power-off", 0), (0x3333, "exit", 1), (0x73333, "exit", 7)]
)
def test_the_finisher_decides_the_exit_status(make_machine, command, kind, status):
    outcome = make_machine(f"li t0, 0x100000; li t1, {command}; sw t1, 0(t0); 1: j 1b").run(seconds=60)
    assert (outcome.kind, outcome.status) == (kind, status)


def test_an_instruction_limit_is_exact(make_machine):
    machine = make_machine("1: j 1b")
    for _ in range(3):
        before = machine.hart[0].instret
        outcome = machine.run(instructions=1001)
        assert (outcome.kind, outcome.status) == ("limit", 124)
        assert machine.hart[0].instret == before + 1001


def test_a_time_limit_ends_a_loop(make_machine):
    begin = time.monotonic()
    outcome = make_machine("1: j 1b").run(seconds=0.1)
    assert (outcome.kind, outcome.status) == ("timeout", 124)
    assert 0.1 <= time.monotonic() - begin < 5


def test_a_time_limit_ends_a_wait(make_machine):
    machine = make_machine(ECHO)
    read, write = os.pipe()
    machine.outside.attach(InputSource(read))
    assert machine.run(seconds=0.1).kind == "timeout"
    os.close(write)
    os.close(read)


def test_the_hart_can_be_looked_at(make_machine):
    machine = make_machine("li a0, 0x12345678; csrw mscratch, a0; 1: j 1b")
    machine.run(instructions=20)
    hart = machine.hart[0]
    assert hart.x[10] == 0x1234_5678
    assert hart.csr("mscratch") == 0x1234_5678
    assert RAM < hart.pc < RAM + 64
    assert machine.memory.read(RAM, 4) == bytes(machine.memory.ram[:4])


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
    import threading

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


def test_a_hart_that_traps_for_ever_is_stuck(make_machine):
    outcome = make_machine("csrw mtvec, zero; .word 0").run(seconds=30)
    assert (outcome.kind, outcome.status) == ("stuck", 3)
    assert "again and again" in outcome.message
    assert "mcause" in outcome.detail


REBOOT = (
    """
    lui a0, 0x80100
    lw t0, 0(a0)
    addi t0, t0, 1
    sw t0, 0(a0)            # RAM keeps what the loader does not write
    lw t1, counter
    addi t1, t1, 1
    la t2, counter
    sw t1, 0(t2)
    li t2, 3
    beq t0, t2, off
    li t0, 0x100000
    li t1, 0x7777
    sw t1, 0(t0)
1:  j 1b
off:
    lw t1, counter
"""
    + POWER_OFF
    + "counter: .word 10\n"
)


def test_a_reboot_loads_everything_again(make_machine):
    machine = make_machine(REBOOT.replace("lw t1, counter", "la t1, counter; lw t1, 0(t1)"))
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.reboots == 2
    assert machine.memory.read(RAM + 0x10_0000, 4) == (3).to_bytes(4, "little")
    counter = machine.memory.read(RAM, 512).index((11).to_bytes(4, "little"))
    assert counter > 0


def test_a_reboot_may_end_the_run(make_machine):
    machine = make_machine(REBOOT.replace("lw t1, counter", "la t1, counter; lw t1, 0(t1)"), reboot=False)
    outcome = machine.run(seconds=30)
    assert (outcome.kind, outcome.status) == ("reboot", 0)


class Dice:
    """A peripheral: a register that counts reads, and a line that follows the last write."""

    def __init__(self):
        self.reads = 0
        self.drive = None
        self.resets = 0

    def read(self, offset, size):
        if offset == 4:
            raise BusError("no such register")
        self.reads += 1
        return self.reads

    def write(self, offset, size, value):
        self.drive(bool(value))

    def reset(self):
        self.resets += 1


def test_a_peripheral_of_ones_own(make_machine, tmp_path):
    machine = make_machine()
    dice = Dice()
    dice.drive = machine.add(0x2000_0000, dice, 16, "dice", interrupt=20)
    source = """
        li a0, 0x20000000
        lw a1, 0(a0)
        lw a2, 0(a0)
        sw a2, 0(a0)
        la t0, trap
        csrw mtvec, t0
        lw a3, 4(a0)
    trap:
        csrr a4, mcause
        li t0, 0x0c001000
        lw a5, 0(t0)
    """
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf(source + POWER_OFF))
    machine.load_elf(str(path))
    assert machine.run(seconds=30).kind == "power-off"
    hart = machine.hart[0]
    assert (hart.x[11], hart.x[12]) == (1, 2)
    assert hart.x[14] == 5
    assert hart.x[15] == 1 << 20
    assert dice.resets == 1


@pytest.mark.parametrize(
    ("base", "size", "interrupt", "message"),
    [
        (0x1000_0080, 16, None, "dice at 0x10000080..0x1000008f overlaps uart at 0x10000000..0x100000ff"),
        (RAM + 16, 16, None, "overlaps RAM"),
        (0x1000, 16, None, "overlaps the boot ROM"),
        (0x2000_0000, 16, 10, "dice: interrupt 10 belongs to uart already"),
        (0x2000_0000, 16, 96, "source must be from 1 to 95"),
        (0x2000_0000, 0, None, "must be positive"),
    ],
)
def test_a_peripheral_where_there_is_no_place_is_refused(make_machine, base, size, interrupt, message):
    machine = make_machine()
    with pytest.raises(ValueError, match=r"dice|PLIC") as caught:
        machine.add(base, Dice(), size, "dice", interrupt)
    assert message in str(caught.value)


def test_an_error_in_a_peripheral_reaches_the_caller(make_machine, tmp_path):
    class Broken(Dice):
        def read(self, offset, size):
            raise RuntimeError("a mistake in the peripheral")

    machine = make_machine()
    machine.add(0x2000_0000, Broken(), 16, "broken")
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf("li a0, 0x20000000; lw a1, 0(a0); 1: j 1b"))
    machine.load_elf(str(path))
    with pytest.raises(RuntimeError, match="a mistake in the peripheral"):
        machine.run(seconds=30)


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


def test_it_stops_when_it_is_asked_to(make_machine):
    import threading

    machine = make_machine("1: j 1b")
    stopper = threading.Timer(0.05, machine.stop)
    stopper.start()
    assert machine.run(seconds=30) is None
    stopper.join()
    assert machine.run(instructions=10).kind == "limit"


def test_it_stops_while_it_waits(make_machine):
    import threading

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


def test_stepping_sees_every_instruction_and_ends_the_same(make_machine):
    plain, stepped = make_machine(HELLO), make_machine(HELLO)
    steps = []

    def step():
        steps.append(stepped.hart[0].pc)
        stepped.hart[0].step()

    stepped.step_through(step)
    assert stepped.run(seconds=60).kind == plain.run(seconds=60).kind == "power-off"
    assert stepped.console.transcript == plain.console.transcript
    assert stepped.hart[0].instret == plain.hart[0].instret
    assert steps[0] == 0x1000


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (EXIT_TO_HOST.format(value=7), "exit"),
        ("csrw mie, zero; wfi", "stuck"),
        ("csrw mtvec, zero; .word 0", "stuck"),
    ],
)
def test_stepping_notices_how_it_ends(make_machine, source, kind):
    machine = make_machine(source)
    machine.step_through(machine.hart[0].step)
    assert machine.run(seconds=60).kind == kind


def test_bytes_can_be_loaded_and_another_program_after_them(make_machine, tmp_path):
    from rvsim.isa import assemble

    machine = make_machine()
    machine.load_bytes(bytes(assemble("li a0, 1" + POWER_OFF, RAM)))
    machine.run(seconds=30)
    assert machine.hart[0].x[10] == 1
    machine.load_bytes(bytes(assemble("nop; li a0, 2" + POWER_OFF, RAM + 64)), address=RAM + 64)
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.hart[0].x[10] == 2


def test_a_flat_binary(make_machine, tmp_path):
    from rvsim.isa import assemble

    path = tmp_path / "flat.bin"
    path.write_bytes(bytes(assemble(POWER_OFF, RAM)))
    machine = make_machine()
    machine.load_raw(str(path))
    assert machine.run(seconds=30).kind == "power-off"


def test_nothing_runs_before_something_is_loaded(make_machine):
    with pytest.raises(RuntimeError, match="call load_elf"):
        make_machine().run()


def test_a_program_too_large_for_memory_is_a_users_mistake(make_machine):
    with pytest.raises(UserError, match="memory 4 MiB is too small, try --memory 5M or more"):
        make_machine().load_bytes(bytes((4 << 20) + 1))


def test_two_machines_do_not_disturb_each_other(make_machine):
    one, two = make_machine(HELLO), make_machine(HELLO)
    one.run(instructions=30)
    two.run(seconds=30)
    one.run(seconds=30)
    assert one.console.transcript == two.console.transcript == "hello\nworld\n"


def test_the_clock_under_icount_starts_at_a_fixed_epoch(make_machine):
    source = "li t0, 0x101000; lw a0, 0(t0); lw a1, 4(t0)" + POWER_OFF
    times = []
    for _ in range(2):
        machine = make_machine(source, icount=True)
        machine.run(seconds=30)
        times.append((machine.hart[0].x[11] << 32 | machine.hart[0].x[10]) // 10**9)
    assert times == [1_704_067_200] * 2


def test_the_machine_builds_only_devices_that_are_touched(make_machine):
    machine = make_machine(POWER_OFF)
    machine.run(seconds=30)
    assert machine.bus.built("finisher")
    assert machine.bus.built("uart") is None


def test_a_large_machine_costs_what_it_touches():
    machine = Machine(SocConfig(memory=2 << 30))
    machine.load_bytes(b"\x01\0", address=RAM + (2 << 30) - 4096)
    assert machine.memory.read(RAM + (2 << 30) - 4096, 2) == b"\x01\0"


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
