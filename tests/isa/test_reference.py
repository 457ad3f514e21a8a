"""What the reference hart offers besides executing: memory, records, looking in from outside."""

import pytest

from rvsim.isa import Cause, IsaConfig
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.isa.reference.memory import AccessError
from tests.isa.engines import CODE, DATA, M_HANDLER, RAM, ReferenceDriver, S, asm, csr_asm
from tests.isa.pages import PageTable


@pytest.fixture
def driver():
    made = ReferenceDriver(IsaConfig())
    made.set_up()
    return made


def record(driver, word, **registers):
    for name, value in registers.items():
        driver.x[int(name[1:])] = value
    driver.load(CODE, word)
    driver.pc = CODE
    return driver.hart.step()


def test_a_record_of_a_computation(driver):
    got = record(driver, asm("addi", rd=5, rs1=6, imm=-1), x6=3)
    assert (got.insn, got.pc_rdata, got.pc_wdata, got.mode) == (asm("addi", rd=5, rs1=6, imm=-1), CODE, CODE + 4, 3)
    assert (got.rd_addr, got.rd_wdata, got.trap, got.cause) == (5, 2, False, None)
    assert got.order == driver.hart.instret - 1


def test_a_record_of_a_write_to_x0_shows_no_write(driver):
    assert record(driver, asm("addi", rd=0, rs1=6, imm=1), x6=3).rd_addr == 0


def test_records_of_memory(driver):
    driver.store_word(DATA, 0x8765_4321)
    got = record(driver, asm("lh", rd=5, rs1=6, imm=2), x6=DATA)
    assert (got.mem_addr, got.mem_rmask, got.mem_wmask, got.mem_rdata) == (DATA + 2, 0b11, 0, 0x8765)
    assert got.rd_wdata == 0xFFFF_8765
    got = record(driver, asm("sb", rs2=5, rs1=6, imm=1), x5=0x1FF)
    assert (got.mem_addr, got.mem_wmask, got.mem_wdata) == (DATA + 1, 1, 0xFF)
    got = record(driver, asm("amoadd.w", rd=5, rs2=7, rs1=6), x7=1)
    assert (got.mem_rmask, got.mem_wmask, got.mem_rdata, got.mem_wdata) == (15, 15, 0x8765_FF21, 0x8765_FF22)


def test_a_failed_conditional_store_shows_no_memory_access(driver):
    got = record(driver, asm("sc.w", rd=5, rs2=7, rs1=6), x6=DATA)
    assert (got.rd_wdata, got.mem_wmask) == (1, 0)


def test_a_record_of_a_csr_write(driver):
    got = record(driver, csr_asm("csrrw", 5, "mtvec", rs1=6), x6=0x8000_0103)
    assert (got.csr_addr, got.csr_wdata, got.rd_wdata) == (0x305, 0x8000_0100, M_HANDLER)
    assert record(driver, csr_asm("csrrs", 5, "mtvec", rs1=0)).csr_addr is None


def test_a_record_of_a_trap(driver):
    got = record(driver, asm("lw", rd=5, rs1=6), x6=4)
    assert (got.trap, got.cause, got.tval, got.rd_addr, got.mem_rmask) == (True, Cause.LOAD_ACCESS_FAULT, 4, 0, 0)
    assert got.pc_wdata == driver.pc


def test_a_waiting_hart_does_nothing(driver):
    record(driver, asm("wfi"))
    assert driver.hart.waiting
    before = driver.hart.instret
    assert driver.hart.step() is None
    driver.hart.run(10)
    assert driver.hart.instret == before


def test_csrs_by_name_and_number(driver):
    driver.hart.set_csr("mscratch", 1 << 32 | 5)
    assert driver.hart.csr(0x340) == driver.hart.csr("mscratch") == driver.hart.mscratch == 5
    with pytest.raises(KeyError):
        driver.hart.csr(0x5C0)
    with pytest.raises(KeyError):
        driver.hart.csr("nothing")


def test_lines_that_do_not_exist_are_refused(driver):
    for bit in (0, 1, 5, 7, 12):
        with pytest.raises(ValueError, match=f"mip bit {bit}"):
            driver.hart.set_line(bit, True)


def test_translate_looks_without_touching(driver):
    assert driver.translate(0x1234_5678) == 0x1234_5678
    table = PageTable(driver)
    table.map(CODE, CODE)
    table.map(0x4000_0000, DATA, 0b0100_0011)  # readable only
    driver.set_csr("satp", table.satp)
    driver.load(CODE, asm("addi"))
    driver.enter(S, CODE)
    assert driver.translate(0x4000_0123) == DATA + 0x123
    assert driver.translate(0x4000_0123, "w") is None
    assert driver.translate(0x4000_0123, "x") is None
    assert driver.translate(CODE, "x") == CODE
    assert driver.csr("mcause") == 0


def test_memory_ranges_must_not_overlap():
    with pytest.raises(ValueError, match="overlap at 0x80001000"):
        PhysicalMemory({RAM: bytearray(0x2000)}, {RAM + 0x1000: bytes(0x1000)})


def test_memory_without_devices():
    memory = PhysicalMemory({RAM: bytearray(0x1000)}, {0x1000: b"\1\2\3\4"})
    memory.write(RAM + 4, 2, 0x12345)
    assert (memory.read(RAM + 4, 4), memory.read(0x1001, 2)) == (0x2345, 0x0302)
    assert [memory.kind(a, 4) for a in (RAM, RAM + 0xFFD, 0x1000, 0x1001)] == ["ram", None, "rom", None]
    for action in (
        lambda: memory.read(0x5000, 4),
        lambda: memory.write(0x1000, 4, 0),
        lambda: memory.write(RAM + 0xFFF, 2, 0),
        lambda: memory.read(1 << 33, 4),
    ):
        with pytest.raises(AccessError):
            action()


def test_reset_brings_every_register_back(driver):
    fresh = ReferenceHart(IsaConfig(), driver.hart.memory, 0x1000)
    for name in ("mstatus", "mie", "mideleg", "satp", "mepc", "mcycle", "stimecmp"):
        driver.hart.set_csr(name, 0x0000_0222)
    driver.hart.reset(0x1000)
    shown = {register.name for register in fresh.registers.values()}
    assert {name: driver.hart.csr(name) for name in shown} == {name: fresh.csr(name) for name in shown}
    assert (driver.hart.pc, driver.hart.privilege, driver.hart.x) == (0x1000, 3, [0] * 32)
