"""Every rewrite of the translation off, and forced at random, with unset slots poisoned: nothing may change."""

import hashlib
import random
import warnings

import pytest
from amaranth.hdl import Fragment

from rvsim.sim import Runner
from rvsim.sim.options import FEW_PASSES, Options

from .designs import RandomDesign

REWRITES = ("guards", "in_place", "two_phases", "cut", "switches", "sharing", "inline")

#: Actions in a function: as few as possible, a few, and as many as leave small designs whole.
PARTS = (1, 3, 20)

VARIANTS = {
    "poisoned": Options(poison=True),
    **{f"without {rewrite}": Options(poison=True, **{rewrite: False}) for rewrite in REWRITES},
    "nothing": Options(poison=True, passes=(), level=0, **dict.fromkeys(REWRITES, False)),
    "few passes": Options(passes=FEW_PASSES, level=1),
    **{f"parts of {part}": Options(poison=True, passes=(), level=1, part=part) for part in PARTS},
    **{
        f"at random {seed}": Options(poison=True, seed=seed, part=part, passes=(), level=1, **dict.fromkeys(REWRITES))
        for seed, part in enumerate((1000, 4))
    },
}


def history(seed, size, options, cycles=60):
    """A hash of all signals over some cycles with random inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = RandomDesign(seed, size=size)
        run = Runner(Fragment.get(design, None), options=options)
    r, digest = random.Random(seed), hashlib.sha256()
    inputs = [s for s in design.inputs if len(s) and s in run.model.netlist.signals]
    signals = list(run.model.netlist.signals)
    for _ in range(cycles):
        for signal in inputs:
            run[signal] = r.choice([0, 1, r.getrandbits(140)]) & ((1 << len(signal)) - 1)
        digest.update(repr([run[s] for s in signals]).encode())
        run(r.choice((1, 1, 2, 5)))
    return digest.hexdigest()


@pytest.mark.parametrize("size", [5, 20])
def test_rewrites_change_nothing(size):
    for seed in (300, 303):
        expected = history(seed, size, Options())
        for name, options in VARIANTS.items():
            assert history(seed, size, options) == expected, (seed, name)


@pytest.mark.slow
def test_rewrites_at_random_change_nothing():
    for seed in range(400, 410):
        size = random.Random(seed).choice((4, 10, 25, 40))
        expected = history(seed, size, Options(), cycles=30)
        for number in range(3):
            part = random.Random(f"{seed} {number}").choice((*PARTS, 1000, 1000))
            options = Options(
                poison=True, seed=number, part=part, passes=(), level=number % 3, **dict.fromkeys(REWRITES)
            )
            assert history(seed, size, options, cycles=30) == expected, (seed, number)


def test_rewrites_are_really_off():
    """The settings reach the code: it is another one."""
    design = RandomDesign(8, size=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fragment = Fragment.get(design, None)
        prepared = Runner(fragment).model
    texts = set()
    names = ("poisoned", *(f"without {rewrite}" for rewrite in REWRITES), *(f"parts of {part}" for part in PARTS))
    for name in names:
        model = type(prepared)(prepared.netlist.design, VARIANTS[name])
        programs = []

        def write(program, programs=programs):
            program.cycles([{}])
            program.instant()
            programs.append(program.module.text())

        model.compile(f"test {name} {random.random()}", write)
        texts.add(programs[0])
    assert len(texts) == len(names)
