from rvsim.soc.report import hart_report


def stuck(make_machine, source):
    machine = make_machine(source)
    outcome = machine.run(seconds=30)
    assert outcome.kind == "stuck"
    return outcome


def test_it_shows_registers_and_the_code_around_pc(make_machine):
    machine = make_machine("li a0, 0x12345; c.nop; addi sp, sp, -16; 1: j 1b; nop")
    machine.run(instructions=30)
    lines = hart_report(machine.hart[0]).splitlines()
    assert lines[0].startswith("pc 8000000e  M-mode, 30 instructions")
    assert any("a0 00012345" in line for line in lines)
    (here,) = [line for line in lines if line.startswith(">")]
    assert here.split(maxsplit=3)[1:] == ["8000000e:", "0000006f", "j\t0x8000000e"]
    assert any("addi\tsp,sp,-16" in line for line in lines)


def test_a_trap_loop_is_explained(make_machine):
    outcome = stuck(make_machine, "la t0, 1f; csrw mtvec, t0; 1: .balign 4; .word 0")
    assert "illegal instruction at pc 0x800000" in outcome.message
    assert "again and again" in outcome.message
    assert "mtvec 0x800000" in outcome.message


def test_a_trap_loop_of_supervisor_mode_is_told_from_its_own_registers(make_machine):
    """A delegated trap leaves machine mode's registers alone: they say what happened long ago."""
    source = """
        la t0, 1f
        csrw mtvec, t0
        .word 0
    1: .balign 4
        la t0, 2f
        csrw stvec, t0
        csrw mepc, t0
        li t0, 8 | 4
        csrw medeleg, t0
        li t0, -1
        csrw pmpaddr0, t0
        li t0, 0x1f
        csrw pmpcfg0, t0
        li t0, 1 << 11
        csrw mstatus, t0
        mret
    .balign 4
    2: ebreak
    """
    outcome = stuck(make_machine, source)
    assert "breakpoint at pc 0x800000" in outcome.message
    assert "stvec 0x800000" in outcome.message


def test_code_outside_of_memory_is_said_to_be_none(make_machine):
    outcome = stuck(make_machine, "csrw mtvec, zero; .word 0")
    assert "instruction access fault at pc 0x00000000" in outcome.message
    assert "at 00000000 there is no memory to execute" in outcome.detail


def test_a_program_at_the_end_of_memory_is_shown_as_far_as_it_goes(make_machine):
    machine = make_machine("1: j 1b")
    machine.run(instructions=10)
    machine.hart[0].pc = 0x8000_0000 + (4 << 20) - 2
    assert "around 803ffffe" in hart_report(machine.hart[0])
    machine.hart[0].pc = 0x8000_0000 + (4 << 20) - 4
    machine.memory.write(0x8000_0000 + (4 << 20) - 4, b"\x13\0\0\0")
    assert "nop" in hart_report(machine.hart[0])
