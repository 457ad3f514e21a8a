"""The multiplier against the terms of its instructions."""

import random

import pytest
from amaranth.hdl import Assert, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from rvsim.cpu.pipeline.multiplier import Multiplier, Operation
from rvsim.cpu.pipeline.terms import lower
from rvsim.isa.instruction import Rd
from rvsim.isa.tables import instructions
from rvsim.isa.terms import evaluate
from rvsim.sim import Runner
from tests.isa.specification import EDGES

from .benches import ENGINES, Noise, simulate

TERMS = {Operation[insn.name.upper()]: insn.effect(Rd).value for insn in instructions() if insn.unit == "multiplier"}


def test_there_is_an_operation_for_each_instruction():
    assert set(TERMS) == set(Operation)


@pytest.mark.parametrize("engine", ENGINES)
def test_results_come_after_two_cycles_without_stall(engine):
    chooser = random.Random(1)
    dut = Multiplier()

    async def bench(ctx):
        steps = [None, None]  # what has been started one and two unstalled cycles ago
        held = 0
        for _ in range(3000):
            start, stall = chooser.random() < 0.6, chooser.random() < 0.3
            operation = chooser.choice(list(Operation))
            a, b = (chooser.choice((chooser.choice(EDGES), chooser.getrandbits(32))) for _ in range(2))
            ctx.set(dut.start, start)
            ctx.set(dut.stall, stall)
            ctx.set(dut.operation, operation)
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            if not stall:
                expected = evaluate(TERMS[operation], {"rs1": a, "rs2": b}) if start else None
                steps = [expected, *steps[:1]]
            await ctx.tick()
            held = held if steps[1] is None else steps[1]
            assert ctx.get(dut.valid) == (steps[1] is not None)
            assert ctx.get(dut.result) == held

    simulate(dut, bench, engine)


class Checked(wiring.Component):
    """A multiplier, busy with noise, beside a pipeline of terms."""

    products: Out(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = Multiplier()
        m.submodules.first, m.submodules.second = first, second = Noise(1), Noise(2)
        m.d.comb += [
            dut.start.eq(first.bits[0]),
            dut.stall.eq(first.bits[1:3] == 0),
            dut.operation.eq(second.bits[:2]),
            dut.a.eq(first.word),
            dut.b.eq(second.word),
        ]
        variables = {"rs1": first.word, "rs2": second.word}
        term, values, valid = Signal(32), [Signal(32), Signal(32)], [Signal(), Signal()]
        with m.Switch(dut.operation):
            for operation, of in TERMS.items():
                with m.Case(operation):
                    m.d.comb += term.eq(lower(of, variables))
        with m.If(~dut.stall):
            m.d.sync += [values[0].eq(term), values[1].eq(values[0]), valid[0].eq(dut.start), valid[1].eq(valid[0])]
        m.d.sync += [
            Assert(dut.valid == valid[1]),
            Assert(Mux(valid[1], dut.result == values[1], 1)),
            self.products.eq(self.products + (dut.valid & ~dut.stall)),
        ]
        return m


def test_a_million_products():
    run = Runner(Checked())
    run(3_000_000)
    assert run["products"] > 1_000_000
