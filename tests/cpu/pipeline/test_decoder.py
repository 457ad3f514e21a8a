"""The hardware decoder against the tables."""

import random

import pytest
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.decoder import Decoder, Unit
from rvsim.isa import IsaConfig
from rvsim.isa.tables import find, instructions


def check(config, words, engine):
    """The decoder says of each word what the tables say."""
    decoder = Decoder(config)
    assert set(decoder.names) == {insn.name for insn in instructions(config) if insn.length == 4}

    async def bench(ctx):
        for word in words:
            ctx.set(decoder.insn, word)
            insn = find(word, config)
            assert ctx.get(decoder.valid) == (insn is not None), f"{word:#010x}"
            if insn is None:
                assert ctx.get(decoder.operation) == ctx.get(decoder.rd) == ctx.get(decoder.writes_rd) == 0
                continue
            operands = insn.operands(word)
            expected = {
                "compressed": insn.length == 2,
                "operation": decoder.names.index(insn.expansion or insn.name),
                "unit": Unit[insn.unit.upper()],
                **{name: operands.get(name, 0) for name in ("rd", "rs1", "rs2")},
                "reads_rs1": "rs1" in insn.reads,
                "reads_rs2": "rs2" in insn.reads,
                "writes_rd": insn.writes_rd,
                "imm": operands.get("imm", operands.get("shamt", operands.get("uimm", 0))) & 0xFFFF_FFFF,
            }
            got = {name: ctx.get(getattr(decoder, name)) for name in expected}
            assert got == expected, f"{word:#010x} {insn.name}"

    simulator = Simulator(decoder, engine=engine)
    simulator.add_testbench(bench)
    simulator.run()


def encodings(chooser, each):
    """Random words of each instruction; the bits that a pattern leaves open are noise."""
    for insn in instructions():
        for _ in range(each):
            yield chooser.getrandbits(8 * insn.length) & ~insn.mask | insn.match


def test_every_instruction(engine):
    chooser = random.Random(1)
    check(IsaConfig(), list(encodings(chooser, 12)), engine)


def test_reserved_encodings_and_noise(engine):
    chooser = random.Random(2)
    reserved = [0x0000, 0x6101, 0x6001, 0x6081, 0x4002, 0x8002, 0x9002, 0x9C01, 0x1002, 0x9001, 0x2000, 0xE000]
    noise = [chooser.getrandbits(16) for _ in range(400)] + [chooser.getrandbits(32) | 3 for _ in range(400)]
    check(IsaConfig(), [*reserved, 0xFFFF_FFFF, *noise], engine)


@pytest.mark.parametrize("text", ["rv32i", "rv32ima", "rv32imac_zba"])
def test_only_instructions_of_the_configuration(text, engine):
    chooser = random.Random(text)
    check(IsaConfig.parse(text), list(encodings(chooser, 2)), engine)
