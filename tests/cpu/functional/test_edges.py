"""Where address space, time and pages end, and instructions that change themselves: what a hostile guest tries."""

import pytest

from rvsim.cpu.functional import Exit, FunctionalCore
from rvsim.isa import IsaConfig, assemble
from tests.cpu.functional.test_machinery import DEVICE, FAR, RAM, core_with

TOP = 1 << 32


def word(text):
    return int.from_bytes(assemble(text, RAM).bytes, "little")


# ---- atomics that take the slow path


def test_atomic_that_overwrites_itself_runs_once_and_leaves_nothing_cached():
    """The first time round it makes itself an ``addi``; the store behind it must then still reset decoded code."""
    core = core_with(f"""
        la t0, patch
        la t5, later
        li t1, {word("addi a0, a0, 100")}
        li t4, {word("addi a1, a1, 1")}
        li t6, {word("addi a1, a1, 10")}
        li s0, 3
    again:
    .align 2
    patch: amoswap.w t2, t1, (t0)
        sw t4, 0(t5)
    .align 2
    later: addi a1, a1, 1
        mv t4, t6
        addi s0, s0, -1
        bnez s0, again
    end: j end
    """)
    core.run(instructions=FAR)
    assert core.x[7] == word("amoswap.w t2, t1, (t0)")
    assert (core.x[10], core.x[11]) == (200, 21)


@pytest.mark.parametrize("access", ["amoadd.w t2, t1, (t0)", "lr.w t2, (t0)\n sc.w t3, t1, (t0)"])
def test_atomic_over_decoded_code_takes_effect(access):
    """A jump behind the access leads to what it changed: ``addi a0, a0, 1`` becomes ``addi a0, a0, 2``."""
    replacement = word("addi a0, a0, 2")
    operand = replacement if "sc" in access else replacement - word("addi a0, a0, 1")
    core = core_with(f"""
        la t0, patch
        li t1, {operand}
        li s0, 2
    again:
    .align 2
    patch: addi a0, a0, 1
        {access}
        addi s0, s0, -1
        bnez s0, again
    end: j end
    """)
    core.run(instructions=FAR)
    assert core.x[10] == 3


def test_watched_word_calls_back_behind_an_atomic():
    core = core_with("la t0, 0x80003000\n li t1, 5\n amoadd.w t2, t1, (t0)\n after: addi a0, a0, 1\n end: j end")
    seen = []
    core.watch(0x8000_3000, 8, lambda: seen.append((core.pc, core.x[10])))
    core.run(instructions=FAR)
    assert seen == [(core.symbols["after"], 0)]


# ---- devices


def test_device_that_overwrites_the_access_that_it_serves():
    """DMA may put another instruction in its place: the answer goes with it, and the run can still be ended."""
    core = core_with(f"""
        lui t1, {DEVICE >> 12:#x}
        j access
    .align 2
    access: sw t1, 0x300(t1)
        lw a0, 4(t1)
    end: j end
    """)
    serve = core.device.write

    def write(address, size, value):
        serve(address, size, value)
        core.memory.write(core.symbols["access"], word("nop").to_bytes(4, "little"))

    core.device.write = write
    assert core.run(instructions=FAR) == Exit.LIMIT
    assert core.device.log == [("write", 0x300, 4, DEVICE), ("read", 4, 4)]
    assert core.x[10] == 2


def test_without_a_bus_nothing_answers():
    core = FunctionalCore(IsaConfig(), 1 << 20, b"", None)
    core.memory.write(RAM, assemble("lui t1, 0x10000\n lw a0, 0(t1)", RAM).bytes)
    core.reset(RAM)
    core.run(instructions=1)
    core.step()
    assert core.csr("mcause") == 5


# ---- time


@pytest.mark.parametrize("ticks", [(TOP * TOP) // 100 + 3, TOP * TOP - 2, 1 << 63])
def test_timer_beyond_the_last_instruction_costs_nothing(ticks):
    """Its instruction number does not fit 64 bits, and must not be taken for one that is close."""
    core = core_with("loop: addi a0, a0, 1\n j loop", icount=True)
    core.write_csr("mie", 1 << 7)
    core.mtimecmp = ticks
    assert core.run(instructions=1_000_000) == Exit.LIMIT
    assert core.statistics()["code_cache"]["single"] < 10_000
    assert not core.csr("mip") & 1 << 7


def test_counter_written_from_python_reads_as_written():
    core = core_with("nop\n nop")
    core.run(instructions=1)
    for name in ("minstret", "mcycle"):
        core.write_csr(name, 5)
        assert core.csr(name) == 5
    core.run(instructions=1)
    assert core.csr("minstret") == 6


# ---- the ends of memory


@pytest.fixture
def full():
    """RAM up to the end of the 32-bit address space."""
    return core_with("nop", size=TOP - RAM)


@pytest.mark.parametrize("access, cause", [("lw a0, 0(t0)", 5), ("sw t1, 0(t0)", 7), ("lhu a0, 2(t0)", 5)])
def test_access_across_the_end_of_the_address_space(full, access, cause):
    """It continues at address 0, where nothing is: refused there, and nothing of it is written."""
    program = assemble(f"""
        la t2, handler
        csrw mtvec, t2
        li t0, -3
        li t1, -1
        {access}
        nop
    .align 2
    handler: j handler
    """, RAM)  # fmt: skip
    full.memory.write(RAM, program.bytes)
    full.run(instructions=FAR)
    assert (full.csr("mcause"), full.csr("mtval")) == (cause, 0)
    assert full.memory.read(TOP - 3, 3) == bytes(3)


def test_execution_runs_off_the_end_of_the_address_space(full):
    """A short last instruction goes on at address 0; a long one has its second half there."""
    for last, tval in ((b"\x01\x00", 0), (b"\x13\x00", 0)):
        full.memory.write(TOP - 2, last)
        full.reset(TOP - 2)
        full.write_csr("mtvec", RAM)
        full.memory.write(RAM, assemble("handler: j handler", RAM).bytes)
        full.run(instructions=FAR)
        assert (full.csr("mcause"), full.csr("mtval")) == (1, tval)
        assert full.csr("mepc") == (0 if last[0] == 1 else TOP - 2)


@pytest.mark.parametrize("where", ["ram", "rom"])
def test_instruction_in_the_last_half_word(where):
    """Behind RAM and ROM is no memory of the guest, though the host has some there."""
    core = core_with("handler: j handler")
    end = RAM + (1 << 20)
    if where == "rom":
        core.set_rom(bytes(0xEFFE) + b"\x13\x00")
        end = 0x1_0000
    else:
        core.memory.write(end - 2, b"\x13\x00")
    core.reset(end - 2)
    core.write_csr("mtvec", RAM)
    core.run(instructions=FAR)
    assert (core.csr("mcause"), core.csr("mepc"), core.csr("mtval")) == (1, end - 2, end)


@pytest.mark.parametrize("access, cause", [("lw a0, -1(t0)", 5), ("sw t0, -2(t0)", 7), ("sh t0, -1(t0)", 7)])
def test_access_across_the_end_of_ram(access, cause):
    end = RAM + (1 << 20)
    core = core_with(f"la t2, handler\n csrw mtvec, t2\n li t0, {end}\n {access}\n .align 2\n handler: j handler")
    core.run(instructions=FAR)
    assert (core.csr("mcause"), core.csr("mtval")) == (cause, end)
    assert core.memory.read(end - 4, 4) == bytes(4)


# ---- page tables and PMP at their extremes


@pytest.mark.parametrize("table", [0, 0x7FFFF, 0x100000, 0x3FFFFF, (RAM >> 12) - 1, (RAM + (1 << 20)) >> 12])
def test_page_table_outside_ram_is_an_access_fault(table):
    core = core_with("handler: j handler")
    core.write_csr("satp", 1 << 31 | table)
    core.write_csr("mstatus", 1 << 17 | 1 << 11)  # MPRV, MPP = S
    for access in "rw":
        assert core.translate(0x1234_5678, access) is None
    core.memory.write(RAM, assemble("handler: j handler\n .align 3\n lw a0, 0(zero)", RAM).bytes)
    core.write_csr("mtvec", RAM)
    core.pc = RAM + 8
    core.run(instructions=FAR)
    assert core.csr("mcause") == 5


@pytest.mark.parametrize("page", [0x100000, 0x180000, 0x3FFFFF])
def test_leaf_beyond_32_bits_is_an_access_fault(page):
    """Sv32 reaches 34 bits; a physical address that has more than 32 of them is nowhere, whatever its low bits say."""
    core = core_with("handler: j handler\n .align 3\n lw a0, 0(zero)")
    core.memory.write(RAM + 0x2000, ((RAM + 0x3000) >> 2 | 1).to_bytes(4, "little"))
    core.memory.write(RAM + 0x3000, (page << 10 | 0xCF).to_bytes(4, "little"))
    core.write_csr("satp", 1 << 31 | (RAM + 0x2000) >> 12)
    core.write_csr("mtvec", RAM)
    core.write_csr("mstatus", 1 << 17 | 1 << 11)
    core.pc = RAM + 8
    core.run(instructions=FAR)
    assert (core.csr("mcause"), core.csr("mtval")) == (5, 0)


@pytest.mark.parametrize("address", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x3FFF_FFFF])
def test_napot_of_all_ones_covers_the_whole_address_space(address):
    core = core_with("handler: j handler")
    core.write_csr("pmpaddr0", address)
    core.write_csr("pmpcfg0", 0x9F)  # locked, NAPOT, all rights
    first, last = core.state.pmp_first[0], core.state.pmp_last[0]
    assert (first, last) == (0, 8 * (address + 1) - 1)
    core.write_csr("mstatus", 1 << 17)  # MPRV, MPP = U
    for where in (0, RAM, TOP - 1):
        assert core.translate(where, "w") == where
    assert core.run(instructions=FAR) == Exit.LIMIT
