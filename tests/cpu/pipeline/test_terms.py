"""Every instruction's terms as hardware, against their values as integers."""

import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.terms import lower
from rvsim.isa.tables import instructions
from rvsim.isa.terms import Term, const, evaluate, mux, var
from tests.isa.specification import EDGES

NAMES = ("rs1", "rs2", "imm", "shamt", "uimm", "pc", "length", "memory")


def check(terms, widths, samples, engine):
    """Each term has the same value in the simulator as on integers, for each sample of its variables."""
    inputs = {name: Signal(width, name=name) for name, width in widths.items()}
    m = Module()
    outputs = []
    for number, term in enumerate(terms):
        output = Signal(term.width, name=f"out{number}")
        m.d.comb += output.eq(lower(term, inputs))
        outputs.append(output)

    async def bench(ctx):
        for sample in samples:
            for name, value in sample.items():
                ctx.set(inputs[name], value)
            for term, output in zip(terms, outputs):
                assert ctx.get(output) == evaluate(term, sample), f"{term} with {sample}"

    simulator = Simulator(m, engine=engine)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("unit", ["alu", "multiplier", "divider", "branch", "memory", "csr"])
def test_terms_of_every_instruction(unit, engine):
    chooser = random.Random(unit)
    terms = []
    for insn in instructions():
        if insn.unit == unit and insn.length == 4:
            terms += [t for effect in insn.effects for t in vars(effect).values() if isinstance(t, Term)]
    pick = lambda: chooser.choice((chooser.choice(EDGES), chooser.getrandbits(32)))  # noqa: E731
    samples = [{name: pick() for name in NAMES} for _ in range(150)]
    check(terms, dict.fromkeys(NAMES, 32), samples, engine)


def test_every_operation_at_other_widths(engine):
    a, b, condition = var("a", 8), var("b", 8), var("c", 1)
    one = mux(b.eq(0), const(1, 8), b)
    safe = mux(a.eq(0x80) & b.eq(0xFF), const(1, 8), one)
    terms = [
        a + b, a - b, a * b, a & b, a | b, a ^ b, ~a, a << b, a >> b, a.sra(b),
        a.divu(one), a.remu(one), a.div(safe), a.rem(safe), a.eq(b), a.ne(b), a.lt(b), a.ltu(b), mux(condition, a, b),
        a.zext(16), a.sext(16), a.sext(16) * b.zext(16), a.bits(5, 2), a.clz(), a.ctz(), a.cpop(),
        (a.zext(16) | b.zext(16) << 8).bswap(), a.zext(8), a.bits(7, 0),
    ]  # fmt: skip
    chooser = random.Random(8)
    edges = (0, 1, 2, 7, 8, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
    samples = [{"a": x, "b": y, "c": x & 1} for x in edges for y in edges]
    samples += [{name: chooser.getrandbits(8) & (1 if name == "c" else 0xFF) for name in "abc"} for _ in range(300)]
    check(terms, {"a": 8, "b": 8, "c": 1}, samples, engine)


def test_a_value_of_another_width_is_refused():
    with pytest.raises(ValueError, match="a has 8 bits, its value 9"):
        lower(var("a", 8), {"a": Signal(9)})
