"""The ALU against the terms of every instruction that it executes."""

import random

import pytest
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.alu import ALU, BYTE_SELECT, Operation
from rvsim.isa.instruction import Rd
from rvsim.isa.tables import instructions
from rvsim.isa.terms import evaluate
from tests.isa.specification import EDGES

EXECUTED = [insn for insn in instructions() if insn.unit == "alu" and insn.length == 4]
PC = 0x8000_1234


def operands(insn, rs1, second):
    """What the operand multiplexers feed in: ``a`` and ``b``, and the values of the term's variables."""
    values = {"rs1": rs1, "rs2": second, "imm": second, "shamt": second & 31, "pc": PC}
    a = {"lui": 0, "auipc": PC}.get(insn.name, rs1)
    return a, BYTE_SELECT.get(insn.name, second), values


@pytest.mark.parametrize("insn", EXECUTED, ids=lambda insn: insn.name)
def test_instruction(insn, engine):
    chooser = random.Random(insn.name)
    pairs = [(a, b) for a in EDGES for b in EDGES[::3]]
    pairs += [(chooser.getrandbits(32), chooser.getrandbits(32)) for _ in range(200)]
    alu = ALU()

    async def bench(ctx):
        ctx.set(alu.operation, Operation.of(insn.name))
        for rs1, second in pairs:
            a, b, values = operands(insn, rs1, second)
            ctx.set(alu.a, a)
            ctx.set(alu.b, b)
            expected = evaluate(insn.effect(Rd).value, values)
            assert ctx.get(alu.result) == expected, f"{insn.name} {rs1:#x}, {second:#x}"

    simulator = Simulator(alu, engine=engine)
    simulator.add_testbench(bench)
    simulator.run()


def test_every_operation_belongs_to_an_instruction():
    assert {Operation.of(insn.name) for insn in EXECUTED} == set(Operation)


def test_what_another_unit_executes_is_refused():
    for name in ("mul", "lw", "beq", "ecall"):
        with pytest.raises(KeyError):
            Operation.of(name)
