"""Each instruction on both engines over edge values and random operands, alone and in fused pairs."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsim.cpu.functional import Exit
from rvsim.cpu.functional.generate import read_pairs
from rvsim.cpu.functional.run import MARGIN
from rvsim.isa.tables import BY_NAME, instructions
from tests.cpu.functional.lockstep import Pair
from tests.cpu.functional.programs import CODE, DATA, PAGE, RAM_SIZE
from tests.isa.specification import EDGES

WFI = BY_NAME["wfi"].match
COMPUTING = [i for i in instructions() if i.length == 4 and i.unit in ("alu", "multiplier", "divider", "branch")]
TWO_REGISTERS = [i for i in COMPUTING if i.reads == {"rs1", "rs2"} and i.unit != "branch"]


@pytest.fixture(scope="module")
def pair():
    """Engines whose memory holds WFI nearly everywhere, the trap handler included: a run ends by itself.

    So it is no limit that ends it, near which the core would go one instruction at a time.
    """
    engines = Pair(WFI.to_bytes(4, "little") * (RAM_SIZE // 4))
    engines.start(CODE, [0] * 31)
    return engines


def run(pair):
    """Run until the hart waits (or loops); the core uses decoded records and fused pairs."""
    assert pair.run(MARGIN + 100) in (Exit.WFI, Exit.LIMIT, Exit.STUCK)
    pair.wake()


def put(pair, words, at=CODE):
    """Place instructions; returns the address behind them."""
    data = b"".join(word.to_bytes(4, "little")[: 4 if word & 3 == 3 else 2] for word in words)
    pair.core.memory.write(at, data)
    pair.hart.dma_write(at, data)
    pair.set("pc", at)
    return at + len(data)


@pytest.mark.parametrize("insn", TWO_REGISTERS, ids=lambda insn: insn.name)
def test_two_registers_at_the_edges(pair, insn):
    """Results are summed up, so that one comparison covers many operands."""
    destinations = [n for n in range(1, 32) if n not in (5, 6, 31)]
    words = []
    for rd in destinations:
        words += [insn.encode(rd=rd, rs1=5, rs2=6), BY_NAME["addi"].encode(rd=6, rs1=6, imm=rd)]
    put(pair, [*words, WFI])
    for a in EDGES:
        for b in EDGES[::4]:
            pair.core.x[5] = pair.hart.x[5] = a
            pair.core.x[6] = pair.hart.x[6] = b
            pair.set("pc", CODE)
            run(pair)


values = st.one_of(st.sampled_from(EDGES), st.integers(0, 0xFFFF_FFFF))


@pytest.mark.parametrize("insn", COMPUTING, ids=lambda insn: insn.name)
@given(data=st.data())
def test_random_operands(pair, insn, data):
    operands = {}
    for name, where in insn.fields.items():
        if name == "imm":
            step = 1 << 12 if insn.name in ("lui", "auipc") else 4 if insn.unit == "branch" else 1
            limit = 1 << where.width - 1
            operands[name] = data.draw(st.integers(-limit // step, limit // step - 1)) * step
            if insn.name == "jalr":
                operands[name] = data.draw(st.integers(-2048, 2047))
        else:
            operands[name] = data.draw(st.integers(0, 31))
    put(pair, [insn.encode(**operands)])
    for name in insn.reads:
        value = data.draw(values)
        if operands[name]:
            pair.core.x[operands[name]] = pair.hart.x[operands[name]] = value
    pair.step()


# ---- fused pairs --------------------------------------------------------------------------------------------


def encode(chooser, label, **fixed):
    """A random instruction of a handler's label, e.g. ``addi.2``, with some register operands given."""
    name, length = label.removesuffix(".far").removesuffix(".rd").removesuffix(".rs1").rsplit(".", 1)
    declared = [i for i in instructions() if (i.expansion or i.name) == name and i.length == int(length)]
    while True:
        insn = chooser.choice(declared)
        operands = {operand: random_operand(chooser, insn, operand) for operand in insn.fields}
        operands |= {operand: value for operand, value in fixed.items() if operand in operands}
        if label.endswith((".rd", ".rs1")):
            operands[label.rsplit(".", 1)[1]] = 0
        if insn.length == 2 and insn.fields.get("rd") == insn.fields.get("rs1"):
            operands["rs1"] = operands["rd"] = fixed.get("rd", fixed.get("rs1", operands.get("rd")))
        try:
            return insn.encode(**operands)
        except ValueError:
            continue  # a form that cannot name these registers, or no such immediate


def random_operand(chooser, insn, operand):
    where = insn.fields[operand]
    if isinstance(where, int):
        return where
    zeros = sum(-low for _, low in where.parts if low < 0)
    bits = where.width - zeros
    if operand == "imm" and (insn.unit == "branch" or chooser.random() < 0.5):
        bits = min(bits, 5)  # near
    if insn.unit == "branch" and chooser.random() < 0.8:
        bits -= 1  # forward
    value = chooser.randrange(1 << bits) << zeros
    negative = where.signed and value >> where.width - 1 & 1
    return value - (1 << where.width if negative else 0) + where.offset


PAIRS = sorted(set(read_pairs()))
FILLER = [WFI] * 16
PLACES = (DATA + 0x100, DATA + PAGE - 3, DATA + PAGE - 4, DATA + 0x201, 0x2000_0000, DATA + 0x7F8)


def operands_for(pair, chooser):
    """Registers with edge values and addresses near the ends of pages; x1 to x3 are addresses always."""
    values = [chooser.choice(PLACES) if n % 2 or n < 4 else chooser.choice(EDGES) for n in range(1, 32)]
    pair.registers(values)


@pytest.mark.parametrize("first, second, forward", PAIRS)
def test_fused_pairs(pair, first, second, forward):
    """A pair in one block, the second reading the first's result or not."""
    chooser = random.Random(f"{first} {second} {forward}")
    for _ in range(25):
        rd = chooser.choice((8, 9, 10, 15))
        words = [encode(chooser, first, rd=rd), encode(chooser, second, **({forward: rd} if forward else {}))]
        put(pair, [*words, *FILLER])
        operands_for(pair, chooser)
        for _ in range(2):  # the second time it is decoded and translated already
            pair.set("pc", CODE)
            run(pair)
    pair.compare(memory=True)


@pytest.mark.parametrize("first, second, forward", PAIRS)
@pytest.mark.parametrize("by", ["store", "bus master"])
def test_the_second_of_a_fused_pair_is_overwritten(pair, first, second, forward, by):
    """What was decoded as one record from the first instruction on is decoded anew."""
    chooser = random.Random(f"{first} {second} {forward} {by}")
    for _ in range(6):
        rd = chooser.choice((8, 9, 10, 15))
        fixed = {forward: rd} if forward else {}
        old, new = encode(chooser, second, **fixed), encode(chooser, second, **fixed)
        start = encode(chooser, first, rd=rd)
        size, place = (4 if new & 3 == 3 else 2), CODE + (4 if start & 3 == 3 else 2)
        writer = CODE + 0x400
        put(pair, [BY_NAME["sw" if size == 4 else "sh"].encode(rs1=1, rs2=2), *FILLER], writer)
        put(pair, [start, old, *FILLER])
        operands_for(pair, chooser)
        run(pair)
        if by == "store":
            for engine in (pair.core, pair.hart):
                engine.x[1], engine.x[2] = place, new
            pair.set("pc", writer)
            run(pair)
        else:
            put(pair, [new], place)
        operands_for(pair, chooser)
        pair.set("pc", CODE)
        run(pair)
    pair.compare(memory=True)
