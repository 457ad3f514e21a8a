"""The benchmarks' designs do what they are meant to, on pysim and compiled alike."""

import pytest
from amaranth.sim import Simulator

from benchmarks.designs import idle
from rvsim.sim import Runner

MASK = 0xFFFFFFFF


def pysim(walkers, period, cycles):
    """Outputs after some cycles, and the rows of the shared memory."""
    design, seen = idle.Soc(walkers, period), []

    async def bench(ctx):
        await ctx.tick().repeat(cycles)
        memory = design.memories.get("shared")
        seen.append([ctx.get(signal) for signal in (design.pc, design.retired, design.jobs)])
        seen.append([ctx.get(memory.data[row]) for row in range(memory.depth)] if memory else [])

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def compiled(walkers, period, cycles):
    """The same from the compiled design."""
    run = Runner(idle.Soc(walkers, period))
    run(cycles)
    outputs = [run[name] for name in ("pc", "retired", "jobs")]
    return [outputs, run.memory("shared").tolist() if walkers else []]


def jobs_done(walker, jobs):
    """A walker's area after so many jobs, one word after the other: what the hardware is compared with."""
    words, start = idle.area(walker), idle.base(walker)
    for job in range(jobs):
        first = entry = words[idle.RING_AT + job % idle.RING]
        total = mixed = 0
        more = True
        while more:
            address, _, length, flags = words[4 * entry : 4 * entry + 4]
            for n in range(length, 0, -4):
                at = (address - start) // 4
                if flags & 2:
                    words[at] = mixed
                    mixed = (mixed ^ mixed << 7 ^ mixed >> 9) & MASK
                else:
                    mixed = (((mixed << 5 | mixed >> 27) & MASK ^ words[at]) + n) & MASK
                address, total = address + 4, total + 4
            more, entry = flags & 1, flags >> 16
        used = idle.USED_AT + 4 * (job % idle.RING)
        words[used : used + 3] = [first | job << 16, total, mixed]
    return words


@pytest.mark.parametrize("walkers", [0, 1, 4])
def test_core_and_rarely_rung_walkers_equal_pysim(walkers):
    assert compiled(walkers, 200, 1500) == pysim(walkers, 200, 1500)


def test_all_walkers_at_work_equal_pysim():
    outputs, rows = compiled(8, 3, 1500)
    assert [outputs, rows] == pysim(8, 3, 1500)
    assert outputs[2] > 8


def test_walkers_leave_the_right_memory():
    walkers, rounds = 8, 20
    (_, _, jobs), rows = compiled(walkers, 1 << 9, (1 << 9) * (walkers * rounds + 1) + 64)
    assert jobs == walkers * rounds
    for walker in range(walkers):
        start = idle.base(walker) // 4
        assert rows[start : start + idle.AREA] == jobs_done(walker, rounds)


def test_core_executes_one_instruction_after_another():
    run = Runner(idle.Soc(0))
    run(100_000)
    # Three stages with forwarding: every cycle but the first retires one.
    assert run["retired"] == 100_000 - 1
