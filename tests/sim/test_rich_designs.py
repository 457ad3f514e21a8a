"""Random hierarchies with every kind of domain, memory and assignment, side by side with Amaranth's own simulator."""

import hashlib
import random
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsim.sim import CompiledEngine, Runner
from rvsim.sim.options import Options

from .versus import differences, play, race

#: A rewrite is always done, never, or in places chosen at random.
SETTINGS = (True, False, None)


def random_options(seed):
    """Some way to translate a design; what is not computed yet is a pattern that would be noticed."""
    r = random.Random(seed)
    rewrites = ("guards", "in_place", "two_phases", "cut", "switches", "sharing", "inline")
    chosen = {name: r.choice(SETTINGS) for name in rewrites}
    return Options(**chosen, part=r.choice((1, 3, 20, 1000, 1000)), poison=True, seed=seed)


def check_clocks(seed, size, *, clocks):
    """Test benches of both engines see the same; clocks of their own, or set one by one."""
    theirs = play("pysim", seed, size=size, clocks=clocks)
    ours = play(CompiledEngine, seed, size=size, clocks=clocks)
    assert differences(ours, theirs) == [], f"seed {seed}"


@pytest.mark.parametrize("clocks", [True, False], ids=["coinciding-clocks", "single-edges"])
@pytest.mark.parametrize("size", [2, 4])
def test_test_benches_see_the_same(size, clocks):
    for seed in range(3):
        check_clocks(seed, size, clocks=clocks)


@pytest.mark.parametrize("size", [2, 4])
def test_free_runs_agree_cycle_by_cycle_however_they_are_translated(size):
    for seed in range(10, 13):
        options = random_options(seed)
        found = race(seed, size=size, runner=partial(Runner, options=options))
        assert found == [], f"seed {seed}"


@dataclass(frozen=True)
class AllBut:
    """Numbers of statements or values to leave out: all but those with certain remainders."""

    kept: tuple
    divisor: int

    def __contains__(self, number):
        return number % self.divisor not in self.kept


def most_are_there(divisor, chance):
    """One remainder in ``chance`` is left out; a failure shrinks to few that are there."""
    draws = st.lists(st.integers(0, chance - 1), min_size=divisor, max_size=divisor)
    return draws.map(lambda drawn: AllBut(tuple(n for n, kept in enumerate(drawn) if kept), divisor))


#: What designs are made of; the simplest ones have nothing but what every design has.
DESIGNS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1 << 32),
        "size": st.integers(1, 3),
        "asynchronous": st.booleans(),
        "skip": most_are_there(31, 10),
        "plain": most_are_there(53, 20),
    }
)
EXAMPLES = settings(max_examples=20, derandomize=True, deadline=None, database=None)


@pytest.mark.slow
@EXAMPLES
@given(design=DESIGNS, clocks=st.booleans())
def test_test_benches_see_the_same_in_designs_that_shrink(design, clocks):
    theirs = play("pysim", clocks=clocks, **design)
    ours = play(CompiledEngine, clocks=clocks, **design)
    assert differences(ours, theirs) == []


@pytest.mark.slow
@EXAMPLES
@given(design=DESIGNS, options=st.integers(0, 1 << 32))
def test_free_runs_agree_in_designs_that_shrink(design, options):
    assert race(runner=partial(Runner, options=random_options(options)), **design) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", (1000, 1001, 1002, 1005))
def test_larger_hierarchies_agree(seed):
    check_clocks(seed, 8, clocks=bool(seed % 2))
    options = random_options(seed)
    assert race(seed, size=8, runner=partial(Runner, options=options)) == []


def digest(seed, cycles, options):
    """A hash over all signals after each of many stretches of a run whose inputs change in between."""
    runs, total = [], hashlib.sha256()

    def keep(design):
        runs.append(Runner(design, options=options))
        return runs[0]

    assert race(seed, 2, size=6, runner=keep) == []
    (run,), r = runs, random.Random(seed)
    for _ in range(cycles // 100):
        for name in (n for n in run.signals() if n.rsplit(".", 1)[-1].startswith("in")):
            run[name] = r.getrandbits(260) & ((1 << len(run.model.bits(name))) - 1)
        run(100)
        total.update(repr([run[name] for name in run.signals()]).encode())
    return total.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2000, 2002))
def test_long_runs_end_the_same_with_and_without_rewrites(seed):
    plain = Options(
        guards=False, in_place=False, two_phases=False, cut=False, switches=False, sharing=False, passes=(), level=0
    )
    assert digest(seed, 20_000, Options()) == digest(seed, 20_000, plain)
