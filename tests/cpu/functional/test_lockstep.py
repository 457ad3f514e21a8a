"""Random programs on the functional core and on the reference: state compared after every step, or every block."""

import pytest

from rvsim.isa import IsaConfig
from tests.cpu.functional.runs import Run

FULL = IsaConfig()


def without(*extensions, **fields):
    return FULL.replace(extensions=FULL.extensions - set(extensions), **fields)


CONFIGURATIONS = {
    "without C": without("c"),
    "without A and M": without("a", "m"),
    "base": without(*(FULL.extensions - {"i", "zicsr"})),
    "without Sstc and Zicntr": without("sstc", "zicntr"),
    "misaligned accesses trap": without(misaligned=False),
    "without PMP": without(pmp_entries=0),
    "four ASID bits": without(asid_bits=4),
}


@pytest.mark.parametrize("seed", range(4))
def test_step_by_step(seed):
    Run(seed).steps(5000)


@pytest.mark.parametrize("seed", range(4))
def test_in_blocks(seed):
    Run(1000 + seed).blocks(15_000)


@pytest.mark.parametrize("per_tick", [1, 7, 100])
def test_in_blocks_while_virtual_time_runs(per_tick):
    """Timer interrupts come at the very instruction that the count says."""
    Run(2000 + per_tick, per_tick=per_tick).blocks(15_000)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_other_configurations(name):
    Run(3000, CONFIGURATIONS[name]).steps(2500)
    Run(3001, CONFIGURATIONS[name]).blocks(5000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4000, 4012))
def test_many_steps(seed):
    Run(seed).steps(20_000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5000, 5030))
def test_many_blocks(seed):
    Run(seed, per_tick=(1 << 60, 3, 50)[seed % 3]).blocks(50_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_other_configurations_for_longer(name):
    for seed in range(6000, 6004):
        Run(seed, CONFIGURATIONS[name]).blocks(20_000)
