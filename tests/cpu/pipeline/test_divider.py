"""The divider against the terms of its instructions."""

import random

import pytest
from amaranth.hdl import Assert, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from rvsim.cpu.pipeline.divider import Divider, Operation
from rvsim.cpu.pipeline.terms import lower
from rvsim.isa.instruction import Rd
from rvsim.isa.tables import instructions
from rvsim.isa.terms import evaluate
from rvsim.sim import Runner
from tests.isa.specification import EDGES

from .benches import ENGINES, Noise, simulate

TERMS = {Operation[insn.name.upper()]: insn.effect(Rd).value for insn in instructions() if insn.unit == "divider"}


def test_there_is_an_operation_for_each_instruction():
    assert set(TERMS) == set(Operation)


async def start(ctx, dut, operation, a, b):
    ctx.set(dut.operation, operation)
    ctx.set(dut.a, a)
    ctx.set(dut.b, b)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    ctx.set(dut.a, ~a & 0xFFFF_FFFF)  # operands count only in the cycle of the start
    ctx.set(dut.b, ~b & 0xFFFF_FFFF)


async def wait(ctx, dut):
    """Cycles from the start, which was in the cycle before."""
    cycles = 1
    while not ctx.get(dut.done):
        assert ctx.get(dut.busy)
        await ctx.tick()
        cycles += 1
    assert not ctx.get(dut.busy)
    return cycles


@pytest.mark.parametrize("engine", ENGINES)
def test_edges(engine):
    dut = Divider()
    pairs = [(a, b) for a in EDGES[::2] for b in EDGES[::3]] + [(0x8000_0000, 0xFFFF_FFFF), (0x8000_0000, 0), (0, 0)]

    async def bench(ctx):
        longest = 0
        for operation, term in TERMS.items():
            for a, b in pairs:
                await start(ctx, dut, operation, a, b)
                longest = max(longest, await wait(ctx, dut))
                expected = evaluate(term, {"rs1": a, "rs2": b})
                assert ctx.get(dut.result) == expected, f"{operation.name} {a:#x}, {b:#x}"
                await ctx.tick()
                assert not ctx.get(dut.done) and not ctx.get(dut.busy)
        assert longest == Divider.LATENCY <= 34

    simulate(dut, bench, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_quotients_of_zero_and_divisions_by_zero_are_quick(engine):
    dut = Divider()

    async def bench(ctx):
        for a, b in ((5, 100), (0xFFFF_FFFF, 0), (0, 8)):
            await start(ctx, dut, Operation.DIVU, a, b)
            assert await wait(ctx, dut) == 2
            await ctx.tick()

    simulate(dut, bench, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_killed_never_ends_and_what_is_stalled_stays(engine):
    chooser = random.Random(2)
    dut = Divider()

    async def bench(ctx):
        for _ in range(200):
            operation, a, b = chooser.choice(list(Operation)), chooser.getrandbits(32), chooser.getrandbits(16)
            await start(ctx, dut, operation, a, b)
            for _ in range(chooser.randrange(4)):
                await ctx.tick()
            ctx.set(dut.kill, 1)
            ctx.set(dut.start, 1)  # is not seen
            await ctx.tick()
            ctx.set(dut.kill, 0)
            ctx.set(dut.start, 0)
            for _ in range(chooser.randrange(20)):
                assert not ctx.get(dut.busy) and not ctx.get(dut.done)
                await ctx.tick()
            ctx.set(dut.stall, 1)
            await start(ctx, dut, operation, a, b)
            await wait(ctx, dut)
            ctx.set(dut.start, 1)  # counts only when the unit is idle
            for _ in range(chooser.randrange(1, 4)):
                assert ctx.get(dut.done)
                assert ctx.get(dut.result) == evaluate(TERMS[operation], {"rs1": a, "rs2": b})
                await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.stall, 0)
            await ctx.tick()
            assert not ctx.get(dut.done) and not ctx.get(dut.busy)

    simulate(dut, bench, engine)


class Checked(wiring.Component):
    """A divider that noise starts, kills and stalls, beside the terms and a clock that says when it has to be done."""

    divisions: Out(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = Divider()
        m.submodules.first, m.submodules.second = first, second = Noise(3), Noise(4)
        m.d.comb += [
            dut.start.eq(first.bits[0]),
            dut.kill.eq(first.bits[1:10] == 0),
            dut.stall.eq(first.bits[10]),
            dut.operation.eq(second.bits[:2]),
            dut.a.eq(first.word),
            dut.b.eq(second.word),
        ]
        expected, age, active = Signal(32), Signal(6), Signal()
        variables = {"rs1": first.word, "rs2": second.word}
        with m.If(dut.kill):
            m.d.sync += active.eq(0)
        with m.Elif(~active & dut.start):
            m.d.sync += [active.eq(1), age.eq(1)]
            with m.Switch(dut.operation):
                for operation, term in TERMS.items():
                    with m.Case(operation):
                        m.d.sync += expected.eq(lower(term, variables))
        with m.Elif(dut.busy):
            m.d.sync += age.eq(age + 1)
        with m.Elif(dut.done):
            m.d.sync += [Assert(dut.result == expected), Assert(age <= Divider.LATENCY)]
            with m.If(~dut.stall):
                m.d.sync += [active.eq(0), self.divisions.eq(self.divisions + 1)]
        m.d.sync += Assert(active == (dut.busy | dut.done))
        return m


def test_hundreds_of_thousands_of_divisions():
    run = Runner(Checked())
    run(3_000_000)
    assert run["divisions"] > 200_000
