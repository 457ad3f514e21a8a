"""Code in pages that PMP divides: it is fetched and decoded each time (privileged specification, section 3.7.1)."""

from rvsim.isa import assemble
from tests.cpu.functional.test_machinery import core_with

USER, OTHER = 0x8000_4000, 0x8000_5000

PROGRAM = f"""
    la t0, back
    csrw mtvec, t0
    li t0, {USER + 0x800 >> 2}  # a word without rights in each page of user code: no page has one answer
    csrw pmpaddr0, t0
    li t0, {OTHER + 0x800 >> 2}
    csrw pmpaddr1, t0
    li t0, -1
    csrw pmpaddr2, t0
    li t0, 0x1f1010             # NA4, NA4, NAPOT with all rights
    csrw pmpcfg0, t0
    li a0, 0
    {{body}}
end: j end
call:                           # user mode at t1; a trap comes back behind the call
    csrw mepc, t1
    li t2, 0x1800
    csrc mstatus, t2
    mret
.align 2
back:
    csrr a1, mcause
    csrr a2, mepc
    jr ra
"""


def run(body, user, other="ecall"):
    core = core_with(PROGRAM.format(body=body))
    for place, text in ((USER, user), (OTHER, other)):
        core.memory.write(place, assemble(text, place).bytes)
    core.run(instructions=10_000)  # far enough from the end of the slice not to be stepped
    assert core.pc == core.symbols["end"]
    return core


def test_an_instruction_changed_since_it_trapped_is_decoded_afresh():
    patch, ecall = (int.from_bytes(assemble(text, 0).bytes, "little") for text in ("addi a0, a0, 100", "ecall"))
    core = run(
        f"""
        li t1, {USER}
        jal call
        li t0, {patch}
        sw t0, 0(t1)
        li t0, {ecall}
        sw t0, 4(t1)
        jal call
        """,
        user="ecall",
    )
    assert (core.x[10], core.x[11], core.x[12]) == (100, 8, USER + 4)


def test_pages_do_not_share_what_was_decoded_at_the_same_offset():
    core = run(
        f"li t1, {USER}\n jal call\n li t1, {OTHER}\n jal call\n",
        user="ecall",
        other=".option rvc\n addi a0, a0, 1\n addi a0, a0, 1\n ecall",
    )
    assert (core.x[10], core.x[11], core.x[12]) == (2, 8, OTHER + 4)


def test_a_loop_inside_such_a_page():
    core = run(
        f"li a3, 5\n li t1, {USER}\n jal call\n",
        user="again: addi a0, a0, 1\n addi a3, a3, -1\n bnez a3, again\n ecall",
    )
    assert (core.x[10], core.x[11], core.x[12]) == (5, 8, USER + 12)


def test_the_word_without_rights_is_not_executed():
    core = run(f"li t1, {USER + 0x7F8}\n jal call\n", user=".zero 0x7f8\n addi a0, a0, 1\n addi a0, a0, 1\n ecall")
    assert (core.x[10], core.x[11], core.x[12]) == (2, 1, USER + 0x800)
