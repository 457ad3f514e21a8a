import threading
import time

import pytest

from rvsim.errors import UserError
from rvsim.isa import assemble
from rvsim.soc import Machine, SocConfig
from tests.soc.programs import EXIT_TO_HOST, HELLO, POWER_OFF, RAM, program_elf


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


def test_the_hart_can_be_looked_at(make_machine):
    machine = make_machine("li a0, 0x12345678; csrw mscratch, a0; 1: j 1b")
    machine.run(instructions=20)
    hart = machine.hart[0]
    assert hart.x[10] == 0x1234_5678
    assert hart.csr("mscratch") == 0x1234_5678
    assert RAM < hart.pc < RAM + 64
    assert machine.memory.read(RAM, 4) == bytes(machine.memory.ram[:4])


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


def test_it_stops_when_it_is_asked_to(make_machine):
    machine = make_machine("1: j 1b")
    stopper = threading.Timer(0.05, machine.stop)
    stopper.start()
    assert machine.run(seconds=30) is None
    stopper.join()
    assert machine.run(instructions=10).kind == "limit"


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
    machine = make_machine()
    machine.load_bytes(bytes(assemble("li a0, 1" + POWER_OFF, RAM)))
    machine.run(seconds=30)
    assert machine.hart[0].x[10] == 1
    machine.load_bytes(bytes(assemble("nop; li a0, 2" + POWER_OFF, RAM + 64)), address=RAM + 64)
    assert machine.run(seconds=30).kind == "power-off"
    assert machine.hart[0].x[10] == 2


def test_a_flat_binary(make_machine, tmp_path):
    path = tmp_path / "flat.bin"
    path.write_bytes(bytes(assemble(POWER_OFF, RAM)))
    machine = make_machine()
    machine.load_raw(str(path))
    assert machine.run(seconds=30).kind == "power-off"


def test_a_program_is_recognised_by_its_content_or_called_a_binary(make_machine, tmp_path):
    flat, linked, odd = tmp_path / "flat.bin", tmp_path / "linked.bin", tmp_path / "flat.img"
    flat.write_bytes(bytes(assemble(POWER_OFF, RAM)))
    odd.write_bytes(flat.read_bytes())
    linked.write_bytes(program_elf(POWER_OFF))
    for path in (flat, linked):
        machine = make_machine()
        machine.load(str(path))
        assert machine.run(seconds=30).kind == "power-off"
    with pytest.raises(UserError, match="is not an ELF file"):
        make_machine().load(str(odd))


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


def test_a_large_machine_costs_what_it_touches():
    machine = Machine(SocConfig(memory=2 << 30))
    machine.load_bytes(b"\x01\0", address=RAM + (2 << 30) - 4096)
    assert machine.memory.read(RAM + (2 << 30) - 4096, 2) == b"\x01\0"


def test_a_program_that_fills_memory_finds_its_device_tree_in_the_rom(make_machine):
    machine = make_machine()
    program = bytes(assemble("lw a2, 0(a1)" + POWER_OFF, RAM))
    machine.load_bytes(program + bytes((4 << 20) - len(program)))
    assert machine.run(seconds=30).kind == "power-off"
    assert 0x1000 < machine.hart[0].x[11] < 0x1_0000
    assert machine.hart[0].x[12] == 0xEDFE_0DD0


def test_a_device_tree_of_ones_own_is_handed_over(make_machine, tmp_path):
    blob = make_machine().device_tree(bootargs="mine")
    (tmp_path / "my.dtb").write_bytes(blob)
    path = tmp_path / "a.elf"
    path.write_bytes(program_elf("1: j 1b"))
    machine = make_machine()
    machine.load_elf(str(path), dtb=str(tmp_path / "my.dtb"))
    machine.run(instructions=10)
    tree = machine.memory.read(machine.hart[0].x[11], len(blob))
    assert b"mine\0" in tree
