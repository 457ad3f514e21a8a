"""What the interpreter does beyond the architecture: exact counts, predecoded code, devices, waiting, watching."""

import pytest

from rvsim.bus import BusError
from rvsim.cpu.functional import Exit, FunctionalCore
from rvsim.isa import IsaConfig, assemble

RAM = 0x8000_0000
DEVICE = 0x1000_0000

#: Instructions to run a short program that ends in a loop: close to their end the core goes in single steps, in which
#: nothing decoded before is used again.
FAR = 10_000


class Device:
    """Counts accesses; reads give how many there were."""

    def __init__(self):
        self.log, self.core = [], None

    def read(self, address, size):
        if address >= DEVICE + 0x1000:
            raise BusError(hex(address))
        self.log.append(("read", address - DEVICE, size))
        return len(self.log)

    def write(self, address, size, value):
        if address >= DEVICE + 0x1000:
            raise BusError(hex(address))
        self.log.append(("write", address - DEVICE, size, value))
        if address == DEVICE + 0x100:
            self.core.set_line(11, bool(value))
        if address == DEVICE + 0x200:
            self.core.stop()


def core_with(text, *, icount=False, isa=None, size=1 << 20, origin=RAM):
    device = Device()
    core = FunctionalCore(isa or IsaConfig(), size, b"", device, icount=icount)
    device.core = core
    program = assemble(text, origin)
    core.memory.write(origin, program.bytes)
    core.reset(origin)
    core.symbols, core.device = program.symbols, device
    return core


LOOP = """
    li a0, 0
    li a1, 100000
loop:
    addi a0, a0, 3
    xor a2, a0, a1
    sw a2, 0(sp)
    lw a3, 0(sp)
    addi a1, a1, -1
    bnez a1, loop
end: j end
"""


@pytest.mark.parametrize("icount", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000, 2055, 2056, 2057, 2063, 5000, 40_000])
def test_limit_is_exact(icount, count):
    core = core_with("la sp, 0x80010000\n" + LOOP, icount=icount)
    assert core.run(instructions=count) == Exit.LIMIT
    assert core.instret == count
    reference = core_with("la sp, 0x80010000\n" + LOOP, icount=icount)
    for _ in range(count):
        reference.step()
    assert (core.pc, list(core.x)) == (reference.pc, list(reference.x))


def test_limit_is_exact_in_a_page_without_a_jump():
    """A page of 16-bit instructions is the longest way without a look at the countdown."""
    core = core_with(".option rvc\n" + "addi a0, a0, 1\n" * 8000 + "end: j end")
    for count in (2047, 2048, 2049, 1, 1000):
        before = core.instret
        core.run(instructions=count)
        assert core.instret - before == count
        assert core.x[10] == core.instret


def test_running_in_pieces_ends_in_the_same_state():
    whole, pieces = (core_with("la sp, 0x80010000\n" + LOOP, icount=True) for _ in range(2))
    whole.run(instructions=300_000)
    left = 300_000
    for n in (1, 10, 2048, 2049, 5000, 70_000, 100_000):
        pieces.run(instructions=n)
        left -= n
    pieces.run(instructions=left)
    assert (whole.pc, list(whole.x), whole.mtime) == (pieces.pc, list(pieces.x), pieces.mtime)


# ---- predecoded code


def test_store_over_the_next_instruction_takes_effect():
    """Both halves of what could have been fused, decoded before."""
    core = core_with("""
        la t0, patch
        lw t1, new
        li s0, 2
    again:
        li a0, 0
    patch:
        addi a0, a0, 1
        addi a0, a0, 1
        sw t1, 0(t0)
        addi s0, s0, -1
        bnez s0, again
    end: j end
    new: addi a0, a0, 100
    """)
    core.run(instructions=FAR)
    assert core.x[10] == 101


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_byte_store_into_a_decoded_instruction(offset):
    core = core_with(f"""
        la t0, patch
        li s0, 2
    again:
        lw t1, new
        srli t1, t1, {8 * offset}
    patch:
        addi a0, zero, 1
        sb t1, {offset}(t0)
        addi s0, s0, -1
        bnez s0, again
    end: j end
    new: addi a0, zero, 1
    """)
    expected = bytearray(core.memory.read(core.symbols["patch"], 4))
    core.memory.write(core.symbols["new"], b"\x13\x05\x05\x7e")  # addi a0, a0, 2016
    expected[offset] = b"\x13\x05\x05\x7e"[offset]
    core.run(instructions=FAR)
    assert core.memory.read(core.symbols["patch"], 4) == bytes(expected)
    check = core_with("nop")
    check.memory.write(RAM, bytes(expected))
    check.x[10] = 1
    check.step()
    assert core.x[10] == check.x[10]


def test_dma_over_decoded_code_takes_effect():
    core = core_with("again: addi a0, a0, 1\n addi a1, a1, 1\n j again")
    core.run(instructions=3 * FAR)
    assert core.x[10] == FAR
    core.memory.write(RAM, assemble("again: addi a0, a0, 2", RAM).bytes)
    core.run(instructions=3 * FAR)
    assert core.x[10] == 3 * FAR


def test_code_page_that_becomes_data_and_code_again():
    core = core_with("""
        la t0, 0x80002000
        li t2, 0x00008067       # ret
        li t3, 0x00150513       # addi a0, a0, 1
        sw t3, 0(t0)
        sw t2, 4(t0)
        jalr t0
        li t1, 2000
    fill:
        sw t1, 64(t0)
        addi t1, t1, -1
        bnez t1, fill
        li t3, 0x01450513       # addi a0, a0, 20
        sw t3, 0(t0)
        jalr t0
    end: j end
    """)
    core.run(instructions=10_000)
    assert core.x[10] == 21
    assert core.state.records_reset < 100  # the page was found to be data


def test_instruction_across_a_page():
    core = core_with(".option rvc\n c.nop\n" + "c.nop\n" * 2046 + "lui a0, 0x12345\n addi a1, a1, 1\n end: j end")
    core.run(instructions=2047 + 3)
    assert (core.x[10], core.x[11]) == (0x12345000, 1)


def test_loop_whose_branch_crosses_a_page_runs_through_records():
    core = core_with(".option rvc\n" + "c.nop\n" * 2000 + "loop: c.addi a0, 1\n" + "c.nop\n" * 46 + "bnez sp, loop")
    core.x[2] = 1
    core.run(instructions=2000 + 48 * 1000)
    assert core.x[10] == 1000
    assert core.state.single_steps < 1000 + 3000  # the branch alone, and the steps up to the exact end


# ---- devices


def test_device_access_happens_once_whatever_surrounds_it():
    core = core_with("""
        li t0, 0x10000000
        li a2, 7
        lw a0, 4(t0)
        add a1, a0, a2
        addi a2, a2, 1
        sb a2, 8(t0)
        lhu a3, 2(t0)
        lb a4, 1(t0)
    end: j end
    """)
    core.run(instructions=FAR)
    assert core.device.log == [("read", 4, 4), ("write", 8, 1, 8), ("read", 2, 2), ("read", 1, 1)]
    assert (core.x[10], core.x[11], core.x[13], core.x[14]) == (1, 8, 3, 4)


@pytest.mark.parametrize("access, cause", [("lw a0, 0(t0)", 5), ("sw a0, 0(t0)", 7), ("lw a0, 1(t1)", 5)])
def test_refused_device_access_is_an_access_fault(access, cause):
    core = core_with(f"""
        la t2, handler
        csrw mtvec, t2
        li t0, 0x10002000
        li t1, 0x10000000
    fault: {access}
        nop
    handler: j handler
    """)
    core.run(instructions=FAR)
    assert core.csr("mcause") == cause
    assert core.csr("mepc") == core.symbols["fault"]
    assert core.csr("mtval") == (0x10002000 if "t0" in access else 0x10000001)


@pytest.mark.parametrize("icount", [False, True])
def test_interrupt_that_a_device_access_raises_is_taken_at_once(icount):
    core = core_with("""
        la t2, handler
        csrw mtvec, t2
        li t0, 0x800
        csrw mie, t0
        csrsi mstatus, 8
        li t0, 0x10000000
        li t1, 1
        sw t1, 0x100(t0)
        addi a0, a0, 1
        addi a0, a0, 1
    end: j end
    .align 2
    handler: j handler
    """, icount=icount)  # fmt: skip
    core.run(instructions=FAR)
    assert core.csr("mcause") == 0x8000_000B
    assert core.x[10] == 0


def test_stop_from_a_device_returns_behind_the_access():
    core = core_with("li t0, 0x10000000\n sw t0, 0x200(t0)\n after: addi a0, a0, 1\n end: j end")
    assert core.run(instructions=1000) == Exit.HOST
    assert core.pc == core.symbols["after"]


def test_watched_word_calls_back_after_each_store():
    core = core_with("""
        la t0, 0x80003000
        li t1, 5
        sw t1, 0(t0)
        sb t1, 7(t0)
        sw t1, 8(t0)
        amoadd.w t2, t1, (t0)
    end: j end
    """)
    seen = []
    core.watch(0x8000_3000, 8, lambda: seen.append(core.memory.read(0x8000_3000, 8)))
    core.run(instructions=FAR)
    assert seen == [b"\5" + bytes(7), b"\5" + bytes(6) + b"\5", b"\n" + bytes(6) + b"\5"]


# ---- waiting, being stuck, time


def test_wfi_waits_and_goes_on_behind_it():
    core = core_with("li t0, 0x800\n csrw mie, t0\n wfi\n after: addi a0, a0, 1\n end: j end")
    assert core.run(instructions=100) == Exit.WFI
    assert core.run(instructions=100) == Exit.WFI
    assert (core.pc, core.x[10]) == (core.symbols["after"], 0)
    core.set_line(11, True)
    assert core.run(instructions=100) == Exit.LIMIT
    assert core.x[10] == 1


def test_virtual_time_can_skip_to_the_timer():
    core = core_with("li t0, 0x80\n csrw mie, t0\n wfi\n end: j end", icount=True)
    core.mtimecmp = 1_000_000
    assert core.run(instructions=100) == Exit.WFI
    assert 0.09 < core.wfi_timeout() <= 0.1
    core.skip_to_timer()
    assert core.mtime == 1_000_000
    assert core.run(instructions=100) == Exit.LIMIT


def test_virtual_timer_interrupt_comes_at_its_instruction():
    counts = []
    for pieces in ((400_000,), (1, 99_999, 100_000, 200_000)):
        core = core_with("""
            la t0, handler
            csrw mtvec, t0
            li t0, 0x80
            csrw mie, t0
            csrsi mstatus, 8
        loop: addi a0, a0, 1
            j loop
        .align 2
        handler: csrr a1, minstret
        end: j end
        """, icount=True)  # fmt: skip
        core.mtimecmp = 2000
        for n in pieces:
            core.run(instructions=n)
        counts.append((core.x[10], core.x[11]))
    assert counts[0] == counts[1]
    assert counts[0][1] == 2000 * core.INSTRUCTIONS_PER_TICK


def test_handler_that_traps_for_ever_is_stuck():
    core = core_with(".word 0\n")
    core.write_csr("mtvec", RAM)
    assert core.run(seconds=10) == Exit.STUCK
    assert core.csr("mcause") == 2


def test_traps_that_return_are_not_stuck():
    core = core_with("""
        la t0, handler
        csrw mtvec, t0
    loop: ecall
        j loop
    .align 2
    handler:
        csrr t1, mepc
        addi t1, t1, 4
        csrw mepc, t1
        mret
    """)
    assert core.run(instructions=500_000) == Exit.LIMIT


def test_time_slice_ends_in_time():
    core = core_with("end: j end")
    assert core.run(seconds=0.02) == Exit.HOST
    assert core.instret > 10_000


def test_request_to_exit_is_served():
    core = core_with("end: j end")
    core.request_exit()
    assert core.run(seconds=10) == Exit.HOST
    assert core.instret == 0


# ---- memory as bus masters see it


def test_dma_breaks_a_reservation():
    text = "la t0, 0x80003000\n lr.w a0, (t0)\n nop\n sc.w a1, a0, (t0)\n end: j end"
    for touched, expected in ((0x8000_3000, 1), (0x8000_3004, 0), (0x8000_2FFE, 1)):
        core = core_with(text)
        core.run(instructions=4)
        core.memory.write(touched, b"\1\1\1\1")
        core.run(instructions=4)
        assert core.x[11] == expected


@pytest.mark.parametrize(
    "address, length", [(RAM - 1, 1), (RAM + (1 << 20), 1), (RAM + (1 << 20) - 3, 4), (0, 4), (RAM, -1)]
)
def test_dma_outside_ram_is_refused(address, length):
    core = core_with("nop")
    with pytest.raises(ValueError, match="not all in RAM"):
        core.memory.read(address, length)
    if length > 0:
        with pytest.raises(ValueError, match="not all in RAM"):
            core.memory.write(address, bytes(length))


def test_ram_as_a_numpy_array_shares_memory():
    core = core_with("nop")
    array = core.numpy_ram()
    array[0x100] = 0xAB
    assert core.memory.read(RAM + 0x100, 1) == b"\xab"


def test_state_as_a_numpy_record_shares_memory():
    core = core_with("li a0, 7\n csrw mscratch, a0\n end: j end")
    record = core.numpy_state()
    core.run(instructions=3)
    assert (record["x"][10], record["mscratch"], record["pc"]) == (7, 7, core.symbols["end"])
    record["x"][11] = 9
    assert core.x[11] == 9


def test_rom_is_read_and_executed_but_not_written():
    core = core_with("nop")
    core.set_rom(assemble("la t0, 0x1000\n lw a0, 0(t0)\n sw a0, 0(t0)\n end: j end", 0x1000).bytes)
    core.reset(0x1000)
    core.write_csr("mtvec", RAM)
    core.run(instructions=4)
    assert core.csr("mcause") == 7
    assert core.x[10] == int.from_bytes(core._ram[1 << 20 : (1 << 20) + 4], "little")


# ---- configurations


def test_instructions_of_absent_extensions_are_illegal():
    core = core_with("la t0, handler\n csrw mtvec, t0\n mul a0, a0, a0\n handler: j handler",
                     isa=IsaConfig.parse("rv32i"))  # fmt: skip
    core.run(instructions=10)
    assert core.csr("mcause") == 2


def test_jump_to_a_half_word_traps_without_c():
    core = core_with("""
        la t0, handler
        csrw mtvec, t0
        la t1, target
        addi t1, t1, 2
    jump: jalr ra, 0(t1)
    target: nop
    handler: j handler
    """, isa=IsaConfig.parse("rv32ima"))  # fmt: skip
    core.run(instructions=10)
    assert core.csr("mcause") == 0
    assert core.csr("mepc") == core.symbols["jump"]
    assert core.csr("mtval") == core.symbols["target"] + 2
    assert core.x[1] == 0


def test_misaligned_access_traps_where_configured():
    core = core_with("la t0, handler\n csrw mtvec, t0\n la t1, 0x80003001\n lw a0, 0(t1)\n handler: j handler",
                     isa=IsaConfig(misaligned=False))  # fmt: skip
    core.run(instructions=10)
    assert (core.csr("mcause"), core.csr("mtval")) == (4, 0x8000_3001)


def test_ram_size_is_checked():
    with pytest.raises(ValueError, match="multiple of 4096"):
        FunctionalCore(IsaConfig(), 1000, b"", None)


def test_answer_goes_only_to_the_access_that_asked():
    """A bus master replaces the load under way by one from another place."""
    core = core_with("li t0, 0x10000000\n again: lw a0, 4(t0)\n end: j end")
    device, read = core.device, core.device.read

    def replace(address, size):
        if not device.log:
            core.memory.write(core.symbols["again"], assemble("lw a1, 8(t0)", core.symbols["again"]).bytes)
        return read(address, size)

    device.read = replace
    core.run(instructions=10_000)
    assert device.log == [("read", 4, 4), ("read", 8, 4)]
    assert (core.x[10], core.x[11]) == (0, 2)
