"""Every synchronous cause, what it leaves behind, delegation, and returns (sections 3.1.6, 3.1.8, 3.1.15, 3.3)."""

import pytest

from tests.isa.engines import CODE, DATA, DEVICE, M_HANDLER, RAM, RAM_SIZE, ROM, S_HANDLER, M, S, U, asm, csr_asm

NOWHERE = 0x4000_0000
ALL_MODES = pytest.mark.parametrize("mode", [U, S, M])


@ALL_MODES
@pytest.mark.parametrize("word", [0, 0xFFFF_FFFF, 0x0000_9FFF, 0x0000_0057, 0x8000, 0x9C61, 0x8002])
def test_illegal_instruction_leaves_its_bits(hart, mode, word):
    hart.load(CODE + 2, 0xABCD.to_bytes(2, "little"))
    hart.run(word, mode=mode)
    hart.expect_trap(2, word)  # of a compressed one only its 16 bits


@ALL_MODES
def test_environment_call(hart, mode):
    hart.run(asm("ecall"), mode=mode)
    hart.expect_trap(8 + mode, 0)
    assert hart.csr("mstatus") >> 11 & 3 == mode


@ALL_MODES
@pytest.mark.parametrize("word", [asm("ebreak"), 0x9002])
def test_breakpoint_leaves_its_address(hart, mode, word):
    hart.run(word, mode=mode)
    hart.expect_trap(3, CODE)


@pytest.mark.parametrize("address", [NOWHERE, RAM + RAM_SIZE, RAM - 4, DEVICE + 256, 0, 0xFFFF_FFFC])
def test_access_faults_where_nothing_answers(hart, address):
    hart.x[5] = address
    hart.run(asm("lw", rd=6, rs1=5))
    hart.expect_trap(5, address)
    hart.run(asm("sw", rs2=6, rs1=5))
    hart.expect_trap(7, address)
    hart.run(asm("jalr", rs1=5))
    assert hart.pc == address
    hart.step()
    hart.expect_trap(1, address, epc=address)


def test_rom_is_read_and_executed_but_not_written(hart):
    hart.x[5] = ROM
    hart.run(asm("lw", rd=6, rs1=5, imm=4))
    assert hart.x[6] == 0x07060504
    hart.run(asm("sw", rs2=6, rs1=5, imm=4))
    hart.expect_trap(7, ROM + 4)
    hart.run(asm("amoadd.w", rd=6, rs2=6, rs1=5))
    hart.expect_trap(7, ROM)
    hart.run(asm("lr.w", rd=6, rs1=5))
    hart.expect_trap(5, ROM)
    hart.pc = ROM  # the bytes 00 01 are c.addi4spn with a non-zero immediate
    hart.step()
    hart.expect_no_trap(ROM + 2)


def test_devices_take_aligned_accesses_of_their_size(hart):
    hart.x[5], hart.x[6] = DEVICE, 0x1234_5678
    hart.run(asm("lw", rd=7, rs1=5, imm=8), asm("lbu", rd=8, rs1=5, imm=3), asm("lh", rd=9, rs1=5, imm=0x80))
    assert (hart.x[7], hart.x[8], hart.x[9]) == (0x0B0A0908, 3, 0xFFFF_8180)
    hart.run(asm("sb", rs2=6, rs1=5, imm=1), asm("sh", rs2=6, rs1=5, imm=2), asm("sw", rs2=6, rs1=5, imm=4))
    assert hart.device.log == [
        ("read", 8, 4), ("read", 3, 1), ("read", 0x80, 2),
        ("write", 1, 1, 0x78), ("write", 2, 2, 0x5678), ("write", 4, 4, 0x1234_5678),
    ]  # fmt: skip
    for word, cause in (
        (asm("lw", rd=7, rs1=5, imm=2), 5),
        (asm("sh", rs2=7, rs1=5, imm=1), 7),
    ):
        hart.run(word)
        hart.expect_trap(cause, DEVICE + (2 if cause == 5 else 1))
    for name, cause in (("lr.w", 5), ("sc.w", 7), ("amoswap.w", 7)):
        hart.run(asm(name, rd=7, rs1=5))
        hart.expect_trap(cause, DEVICE)
    assert len(hart.device.log) == 6
    hart.run(asm("jalr", rs1=5))
    hart.step()
    hart.expect_trap(1, DEVICE, epc=DEVICE)


def test_a_trap_leaves_rd_alone(hart):
    hart.x[5], hart.x[6] = NOWHERE, 77
    for word in (asm("lw", rd=6, rs1=5), asm("amoor.w", rd=6, rs1=5), csr_asm("csrrw", 6, "cycle", rs1=6)):
        hart.run(word)
        assert hart.x[6] == 77


def test_an_instruction_that_crosses_a_page_into_nothing_names_its_second_half(hart):
    last = RAM + RAM_SIZE - 2
    hart.write(last, (0x0013).to_bytes(2, "little"))  # the first half of addi x0, x0, 0
    hart.pc = last
    hart.step()
    hart.expect_trap(1, last + 2, epc=last)


# ---- delegation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "word", "tval"),
    [
        (2, 0xFFFF_FFFF, 0xFFFF_FFFF),
        (3, asm("ebreak"), CODE),
        (5, asm("lw", rd=6, rs1=5), NOWHERE),
        (7, asm("sw", rs2=6, rs1=5), NOWHERE),
        (4, asm("lr.w", rd=6, rs1=7), DATA + 2),
        (6, asm("sc.w", rd=6, rs2=0, rs1=7), DATA + 2),
        (6, asm("amoand.w", rd=6, rs2=0, rs1=7), DATA + 2),
        (8, asm("ecall"), 0),
    ],
)
@ALL_MODES
def test_a_delegated_trap_goes_to_supervisor_mode_unless_it_comes_from_machine_mode(hart, cause, word, tval, mode):
    cause += mode if cause == 8 else 0  # the cause of an environment call names its mode
    hart.x[5], hart.x[7] = NOWHERE, DATA + 2
    hart.set_csr("medeleg", 1 << cause)
    hart.set_csr("mstatus", 1 << 1)  # SIE
    hart.run(word, mode=mode)
    if mode == M:
        hart.expect_trap(cause, tval)
        return
    hart.expect_trap(cause, tval, mode=S)
    status = hart.csr("mstatus")
    assert (status >> 1 & 1, status >> 5 & 1, status >> 8 & 1) == (0, 1, int(mode == S))


@pytest.mark.parametrize("mode", [U, S])
def test_other_causes_are_not_delegated(hart, mode):
    hart.set_csr("medeleg", 0xFFFF_FFFF & ~(1 << 2))
    hart.run(0xFFFF_FFFF, mode=mode)
    hart.expect_trap(2, 0xFFFF_FFFF)


def test_an_environment_call_from_machine_mode_cannot_be_delegated(hart):
    hart.set_csr("medeleg", 0xFFFF_FFFF)
    assert hart.csr("medeleg") == 0xB3FF
    hart.run(asm("ecall"))
    hart.expect_trap(11)


def test_synchronous_traps_go_to_the_base_in_vectored_mode_too(hart):
    hart.set_csr("mtvec", M_HANDLER | 1)
    hart.set_csr("stvec", S_HANDLER | 1)
    hart.set_csr("medeleg", 1 << 3)
    hart.run(asm("ecall"), mode=S)
    hart.expect_trap(9)
    hart.run(asm("ebreak"), mode=S)
    hart.expect_trap(3, CODE, mode=S)


# ---- what a trap does to mstatus, and returns ------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [0, 1])
@ALL_MODES
def test_a_trap_stacks_the_interrupt_enable_and_the_mode(hart, mode, enabled):
    hart.load(CODE, asm("ecall"))
    hart.set_csr("mstatus", mode << 11 | enabled << 7)
    hart.set_csr("mepc", CODE)
    hart.execute(asm("mret"))
    assert hart.csr("mstatus") >> 3 & 1 == enabled
    hart.step()
    assert hart.csr("mstatus") == mode << 11 | enabled << 7


@ALL_MODES
@pytest.mark.parametrize("enabled", [0, 1])
@pytest.mark.parametrize("mprv", [0, 1])
def test_mret(hart, mode, enabled, mprv):
    hart.set_csr("mepc", CODE)
    hart.load(CODE, asm("addi"))
    # MPRV translates and protects as MPP says; nothing is loaded here
    hart.set_csr("mstatus", mode << 11 | enabled << 7 | mprv << 17)
    hart.execute(asm("mret"))
    kept = mprv << 17 if mode == M else 0
    assert (hart.privilege, hart.pc, hart.csr("mstatus")) == (mode, CODE, kept | 1 << 7 | enabled << 3)


@pytest.mark.parametrize("spp", [U, S])
@pytest.mark.parametrize("enabled", [0, 1])
@pytest.mark.parametrize("origin", [S, M])
def test_sret(hart, spp, enabled, origin):
    hart.load(CODE, asm("sret"))
    hart.set_csr("sepc", DATA + 2)
    hart.set_csr("mstatus", origin << 11 | enabled << 5 | spp << 8 | (1 << 17 if origin == M else 0))
    if origin == S:
        hart.set_csr("mepc", CODE)
        hart.execute(asm("mret"))
    hart.pc = CODE
    hart.step()
    assert (hart.privilege, hart.pc) == (spp, DATA + 2)
    status = hart.csr("mstatus")
    assert (status >> 1 & 1, status >> 5 & 1, status >> 8 & 1, status >> 17 & 1) == (enabled, 1, 0, 0)


# ---- instructions that a mode or a trap bit forbids -------------------------------------------------------------

TVM, TW, TSR = 1 << 20, 1 << 21, 1 << 22
SFENCE, SINVAL = asm("sfence.vma"), asm("sinval.vma")


@pytest.mark.parametrize(
    ("word", "lowest", "trap_bit"),
    [
        (asm("mret"), M, 0),
        (asm("sret"), S, TSR),
        (asm("wfi"), S, TW),
        (SFENCE, S, TVM),
        (SINVAL, S, TVM),
        (asm("sfence.w.inval"), S, 0),
        (asm("sfence.inval.ir"), S, 0),
        (csr_asm("csrrs", 5, "satp", rs1=0), S, TVM),
        (csr_asm("csrrw", 0, "satp", rs1=0), S, TVM),
        (csr_asm("csrrs", 5, "sstatus", rs1=0), S, 0),
        (csr_asm("csrrs", 5, "mstatus", rs1=0), M, 0),
        (asm("fence"), U, 0),
        (asm("fence.i"), U, 0),
    ],
)
@pytest.mark.parametrize("bits", [0, TVM, TW, TSR])
@ALL_MODES
def test_privilege_of_system_instructions(hart, word, lowest, trap_bit, bits, mode):
    hart.set_csr("mie", 1 << 5)
    hart.set_csr("mip", 1 << 5)  # pending, so that WFI does not wait; disabled by SIE and MIE in its own modes
    hart.set_csr("mideleg", 1 << 5)
    hart.set_csr("sepc", CODE + 4)
    hart.set_csr("mepc", CODE + 4)
    hart.set_csr("mstatus", bits | 1 << 8)
    if mode == U:
        hart.set_csr("mip", 0)
    if mode == M:
        hart.run(word)
        hart.expect_no_trap()
        return
    hart.run(word, mode=mode)
    if mode < lowest or (mode == S and bits & trap_bit):
        hart.expect_trap(2, word)
    elif word != asm("mret"):
        hart.expect_no_trap()
