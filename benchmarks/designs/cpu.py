"""A CPU-like design: RV32I in three stages (fetch, execute, write back) with instruction and data memory."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out


class Writeback(data.Struct):
    """What execute hands to write back."""

    valid: 1
    rd: 5
    value: 32
    load: 1
    size: 3
    offset: 2


class Cpu(wiring.Component):
    """The core with its memories.

    Parameters
    ----------
    program : list of int
        Instruction words from address 0.
    size : int
        Words of data memory, from address 0 of its own space.

    Members
    -------
    pc, retired, halted
        For a test bench: address of the instruction in execute, how many have been executed, whether ``ecall`` was.
    memories
        Memories by name, for a test bench; set by ``elaborate``.
    """

    pc: Out(32)
    retired: Out(32)
    halted: Out(1)

    def __init__(self, program: list[int], size: int = 4096) -> None:
        self.program, self.size = program, size
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code = list(self.program) + [0x13] * (-len(self.program) % 4 + 4)
        m.submodules.imem = imem = Memory(shape=32, depth=len(code), init=code)
        m.submodules.dmem = dmem = Memory(shape=32, depth=self.size, init=[])
        m.submodules.regs = regs = Memory(shape=32, depth=32, init=[])
        self.memories = {"dmem": dmem, "regs": regs}
        fetch = imem.read_port()
        load, store = dmem.read_port(), dmem.write_port(granularity=8)
        port1, port2 = regs.read_port(domain="comb"), regs.read_port(domain="comb")
        write = regs.write_port()

        # -- fetch
        fetch_pc, fetch_valid = Signal(32), Signal()
        next_pc = Signal(32)
        redirect, target = Signal(), Signal(32)
        m.d.comb += [
            next_pc.eq(Mux(redirect, target, Mux(fetch_valid, fetch_pc + 4, 0))),
            fetch.addr.eq(next_pc[2:]),
            fetch.en.eq(~self.halted),
        ]
        with m.If(~self.halted):
            m.d.sync += [fetch_pc.eq(next_pc), fetch_valid.eq(1)]

        # -- execute: decode
        word, pc = fetch.data, fetch_pc
        valid = Signal()
        m.d.comb += [valid.eq(fetch_valid & ~self.halted), self.pc.eq(pc)]
        opcode, funct3 = word[:7], word[12:15]
        immediate = Signal(signed(32))
        with m.Switch(opcode):
            with m.Case(0b0100011):
                m.d.comb += immediate.eq(Cat(word[7:12], word[25:32]).as_signed())
            with m.Case(0b1100011):
                m.d.comb += immediate.eq(Cat(0, word[8:12], word[25:31], word[7], word[31])[0:13].as_signed())
            with m.Case(0b0110111, 0b0010111):
                m.d.comb += immediate.eq(word & 0xFFFFF000)
            with m.Case(0b1101111):
                m.d.comb += immediate.eq(Cat(0, word[21:31], word[20], word[12:20], word[31])[0:21].as_signed())
            with m.Default():
                m.d.comb += immediate.eq(word[20:32].as_signed())

        # -- execute: operands, the result in write back forwarded
        back = Signal(Writeback)
        result = Signal(32)
        operands = []
        for port, field in ((port1, word[15:20]), (port2, word[20:25])):
            value = Signal(32)
            m.d.comb += port.addr.eq(field)
            with m.If(field == 0):
                m.d.comb += value.eq(0)
            with m.Elif(back.valid & (back.rd == field)):
                m.d.comb += value.eq(result)
            with m.Else():
                m.d.comb += value.eq(port.data)
            operands.append(value)
        a, b = operands

        # -- execute: arithmetic
        right = Signal(32)
        m.d.comb += right.eq(Mux(opcode[5], b, immediate))
        subtract = opcode[5] & word[30]
        total = Signal(32)
        m.d.comb += total.eq(a + Mux(subtract, ~right, right) + subtract)
        less, lower = Signal(), Signal()
        m.d.comb += [less.eq(a.as_signed() < right.as_signed()), lower.eq(a < right)]
        shift = right[:5]
        arithmetic = Signal(32)
        with m.Switch(funct3):
            with m.Case(0):
                m.d.comb += arithmetic.eq(total)
            with m.Case(1):
                m.d.comb += arithmetic.eq(a << shift)
            with m.Case(2):
                m.d.comb += arithmetic.eq(less)
            with m.Case(3):
                m.d.comb += arithmetic.eq(lower)
            with m.Case(4):
                m.d.comb += arithmetic.eq(a ^ right)
            with m.Case(5):
                m.d.comb += arithmetic.eq(Mux(word[30], a.as_signed() >> shift, a >> shift))
            with m.Case(6):
                m.d.comb += arithmetic.eq(a | right)
            with m.Case(7):
                m.d.comb += arithmetic.eq(a & right)

        # -- execute: branches
        taken = Signal()
        with m.Switch(funct3[1:]):
            with m.Case(0):
                m.d.comb += taken.eq((a == b) ^ funct3[0])
            with m.Case(2):
                m.d.comb += taken.eq((a.as_signed() < b.as_signed()) ^ funct3[0])
            with m.Default():
                m.d.comb += taken.eq((a < b) ^ funct3[0])

        # -- execute: memory
        address = Signal(32)
        m.d.comb += [
            address.eq(a + immediate),
            load.addr.eq(address[2:]),
            store.addr.eq(address[2:]),
            store.data.eq(b << (address[:2] << 3)),
        ]

        # -- execute: what each instruction does
        following = Signal(Writeback)
        m.d.comb += [following.rd.eq(word[7:12]), following.size.eq(funct3), following.offset.eq(address[:2])]
        discard = Signal()  # the instruction behind a taken jump
        with m.If(valid & ~discard):
            m.d.sync += self.retired.eq(self.retired + 1)
            with m.Switch(opcode):
                with m.Case(0b0110111):
                    m.d.comb += [following.valid.eq(1), following.value.eq(immediate)]
                with m.Case(0b0010111):
                    m.d.comb += [following.valid.eq(1), following.value.eq(pc + immediate)]
                with m.Case(0b1101111):
                    m.d.comb += [following.valid.eq(1), following.value.eq(pc + 4)]
                    m.d.comb += [redirect.eq(1), target.eq(pc + immediate)]
                with m.Case(0b1100111):
                    m.d.comb += [following.valid.eq(1), following.value.eq(pc + 4)]
                    m.d.comb += [redirect.eq(1), target.eq((a + immediate) & ~1)]
                with m.Case(0b1100011):
                    m.d.comb += [redirect.eq(taken), target.eq(pc + immediate)]
                with m.Case(0b0000011):
                    m.d.comb += [following.valid.eq(1), following.load.eq(1), load.en.eq(1)]
                with m.Case(0b0100011):
                    lanes = Array([0b0001, 0b0011, 0b1111, 0])[funct3[:2]]
                    m.d.comb += store.en.eq(lanes << address[:2])
                with m.Case(0b0010011, 0b0110011):
                    m.d.comb += [following.valid.eq(1), following.value.eq(arithmetic)]
                with m.Case(0b1110011):
                    m.d.sync += self.halted.eq(1)
        with m.If(following.rd == 0):
            m.d.sync += back.valid.eq(0)
        with m.Else():
            m.d.sync += back.valid.eq(following.valid)
        m.d.sync += [
            back.rd.eq(following.rd), back.value.eq(following.value), back.load.eq(following.load),
            back.size.eq(following.size), back.offset.eq(following.offset),
        ]  # fmt: skip

        # -- write back
        loaded = Signal(32)
        m.d.comb += loaded.eq(load.data >> (back.offset << 3))
        extended = Signal(32)
        with m.Switch(back.size):
            with m.Case(0):
                m.d.comb += extended.eq(loaded[:8].as_signed())
            with m.Case(1):
                m.d.comb += extended.eq(loaded[:16].as_signed())
            with m.Case(4):
                m.d.comb += extended.eq(loaded[:8])
            with m.Case(5):
                m.d.comb += extended.eq(loaded[:16])
            with m.Default():
                m.d.comb += extended.eq(loaded)
        m.d.comb += [
            result.eq(Mux(back.load, extended, back.value)),
            write.addr.eq(back.rd),
            write.data.eq(result),
            write.en.eq(back.valid),
        ]
        return m


#: Words of a program that sorts, mixes and counts for ever: see :func:`program`.
SOURCE = """
start:
    li s0, 0            # seed
    li s1, 0            # rounds
round:
    li t0, 0            # fill 256 words
    li t1, 1024
fill:
    slli t2, s0, 13
    xor s0, s0, t2
    srli t2, s0, 17
    xor s0, s0, t2
    slli t2, s0, 5
    xor s0, s0, t2
    addi s0, s0, 77
    sw s0, 0(t0)
    addi t0, t0, 4
    bne t0, t1, fill
    li t3, 0            # one pass of bubble sort, and a byte sum
    li t0, 0
    li t1, 1020
pass:
    lw t4, 0(t0)
    lw t5, 4(t0)
    lbu t6, 1(t0)
    add t3, t3, t6
    blt t4, t5, ordered
    sw t5, 0(t0)
    sw t4, 4(t0)
ordered:
    addi t0, t0, 4
    bne t0, t1, pass
    sb t3, 3(zero)
    addi s1, s1, 1
    jal mix
    j round
mix:
    xor s0, s0, t3
    sltu t2, s0, t3
    add s0, s0, t2
    ret
"""


def program() -> list[int]:
    """The words of :data:`SOURCE`."""
    from rvsim.isa import assemble

    return assemble(SOURCE, 0).words


def make() -> Cpu:
    """The benchmark's instance."""
    return Cpu(program())


__all__ = ["Cpu", "make", "program"]
