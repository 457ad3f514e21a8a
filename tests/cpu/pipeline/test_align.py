"""Lanes of loads and stores against bytes in a row."""

import random

import pytest

from rvsim.cpu.pipeline.align import LoadAlign, Size, StoreAlign

from .benches import ENGINES, simulate

CASES = [(offset, size) for offset in range(4) for size in Size]


def bytes_of(word):
    return list(word.to_bytes(4, "little"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_store_changes_exactly_its_bytes(engine):
    chooser = random.Random(1)
    dut = StoreAlign()

    async def bench(ctx):
        for offset, size in CASES:
            for _ in range(100):
                value = chooser.getrandbits(32)
                ctx.set(dut.offset, offset)
                ctx.set(dut.size, size)
                ctx.set(dut.value, value)
                memory = [None] * 8
                data = bytes_of(ctx.get(dut.data))
                for base, sel in ((0, ctx.get(dut.first_sel)), (4, ctx.get(dut.second_sel))):
                    for lane in range(4):
                        if sel >> lane & 1:
                            memory[base + lane] = data[lane]
                expected = [None] * 8
                length = 1 << size.value
                expected[offset : offset + length] = bytes_of(value)[:length]
                assert memory == expected, f"{length} bytes at {offset}"
                assert ctx.get(dut.crosses) == (offset + length > 4)

    simulate(dut, bench, engine, clocked=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_load_is_its_bytes_extended(engine):
    chooser = random.Random(2)
    dut = LoadAlign()

    async def bench(ctx):
        for offset, size in CASES:
            for _ in range(100):
                first, second, signed = chooser.getrandbits(32), chooser.getrandbits(32), chooser.getrandbits(1)
                ctx.set(dut.offset, offset)
                ctx.set(dut.size, size)
                ctx.set(dut.signed, signed)
                ctx.set(dut.first, first)
                ctx.set(dut.second, second)
                length = 1 << size.value
                row = bytes((bytes_of(first) + bytes_of(second))[offset : offset + length])
                expected = int.from_bytes(row, "little", signed=bool(signed)) & 0xFFFF_FFFF
                assert ctx.get(dut.value) == expected, f"{length} bytes at {offset}"
                if offset + length <= 4:
                    ctx.set(dut.second, ~second & 0xFFFF_FFFF)
                    assert ctx.get(dut.value) == expected, "the second word does not matter"

    simulate(dut, bench, engine, clocked=False)
