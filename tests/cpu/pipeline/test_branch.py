"""The branch unit against the terms of jumps and branches."""

import random

import pytest
from amaranth.hdl import Assert, Const, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from rvsim.cpu.pipeline.branch import Branch, Operation
from rvsim.cpu.pipeline.terms import lower
from rvsim.isa.instruction import Jump, Rd
from rvsim.isa.tables import instructions
from rvsim.isa.terms import evaluate
from rvsim.sim import Runner
from tests.isa.specification import EDGES

from .benches import ENGINES, Noise, refused, simulate

EXECUTED = {Operation[insn.name.upper()]: insn for insn in instructions() if insn.unit == "branch" and insn.length == 4}


def test_there_is_an_operation_for_each_instruction():
    assert set(EXECUTED) == set(Operation)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("alignment", [2, 4])
def test_every_instruction(engine, alignment):
    chooser = random.Random(alignment)
    dut = Branch(alignment=alignment)

    async def bench(ctx):
        for operation, insn in EXECUTED.items():
            effect = insn.effect(Jump)
            for _ in range(400):
                a = chooser.choice((chooser.choice(EDGES), chooser.getrandbits(32)))
                values = {
                    "rs1": a,
                    "rs2": chooser.choice((a, a ^ 1, a ^ 1 << 31, chooser.choice(EDGES))),
                    "pc": chooser.choice((0x8000_0000, 0xFFFF_FFFC, chooser.getrandbits(32))) & -alignment,
                    "imm": chooser.getrandbits(13) - (1 << 12) & (0xFFFF_FFFF if insn.name == "jalr" else 0xFFFF_FFFE),
                    "length": chooser.choice((2, 4)),
                }
                ctx.set(dut.operation, operation)
                for port, name in ((dut.a, "rs1"), (dut.b, "rs2"), (dut.pc, "pc"), (dut.imm, "imm")):
                    ctx.set(port, values[name])
                ctx.set(dut.compressed, values["length"] == 2)
                taken = evaluate(effect.when, values) if effect.when is not None else 1
                target = evaluate(effect.target, values)
                assert ctx.get(dut.taken) == taken, f"{insn.name} {values}"
                assert ctx.get(dut.target) == target
                assert ctx.get(dut.misaligned) == (taken and target % alignment != 0)
                if insn.writes_rd:
                    assert ctx.get(dut.link) == evaluate(insn.effect(Rd).value, values)

    simulate(dut, bench, engine, clocked=False)


class Checked(wiring.Component):
    """The unit beside the terms, fed with noise."""

    jumps: Out(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = Branch(alignment=4)
        noises = [Noise(seed) for seed in (5, 6, 7, 8)]
        m.submodules += noises
        a, b, pc, imm = noises
        m.d.comb += [
            dut.operation.eq(a.bits[:3]),
            dut.a.eq(a.word),
            dut.b.eq(Mux(b.bits[0], b.word, a.word)),
            dut.pc.eq(pc.word & ~1),
            dut.imm.eq(imm.word & ~1),
            dut.compressed.eq(a.bits[3]),
        ]
        length = Mux(dut.compressed, Const(2, 32), Const(4, 32))
        values = {"rs1": dut.a, "rs2": dut.b, "pc": dut.pc, "imm": dut.imm, "length": length}
        with m.Switch(dut.operation):
            for operation, insn in EXECUTED.items():
                effect = insn.effect(Jump)
                with m.Case(operation):
                    taken = Const(1) if effect.when is None else lower(effect.when, values)
                    target = lower(effect.target, values)
                    m.d.sync += [
                        Assert(dut.taken == taken),
                        Assert(dut.target == target),
                        Assert(dut.misaligned == (taken & target[1])),
                    ]
                    if insn.writes_rd:
                        m.d.sync += Assert(dut.link == lower(insn.effect(Rd).value, values))
        m.d.sync += self.jumps.eq(self.jumps + dut.taken)
        return m


def test_a_million_branches():
    run = Runner(Checked())
    run(1_000_000)
    assert 400_000 < run["jumps"] < 900_000


def test_other_alignments_are_refused():
    refused(Branch, "2 or 4 bytes, not to 1", alignment=1)
