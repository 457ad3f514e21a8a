"""Pending interrupts and the one that is taken, against the reference hart's state."""

import functools
import operator
import random

import pytest
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.interrupts import Interrupts
from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import DELEGABLE_INTERRUPTS, INTERRUPTS, MENVCFGH
from rvsim.isa.reference.state import ALL64, MIE, SIE, State
from rvsim.isa.traps import INTERRUPT_PRIORITY, Interrupt, Privilege
from rvsim.sim import CompiledEngine

SIMULATORS = {"pysim": Simulator, "compiled": functools.partial(Simulator, engine=CompiledEngine)}
LINES = {"msip": Interrupt.MSI, "mtip": Interrupt.MTI, "seip": Interrupt.SEI, "meip": Interrupt.MEI}
STI = 1 << Interrupt.STI


def random_state(choose):
    """A hart's state that it could be in."""
    state = State(IsaConfig())
    state.mie = choose.getrandbits(32) & INTERRUPTS
    state.mideleg = choose.getrandbits(32) & DELEGABLE_INTERRUPTS
    state.mip = choose.getrandbits(32) & choose.getrandbits(32) & DELEGABLE_INTERRUPTS
    state.mstatus = choose.choice((0, MIE, SIE, MIE | SIE))
    state.privilege = choose.choice(list(Privilege))
    state.menvcfgh = choose.choice((0, MENVCFGH["STCE"].mask))
    state.mip &= ~STI if state.menvcfgh else ALL64
    state.stimecmp = choose.getrandbits(64)
    state.mtime = choose.choice((state.stimecmp + choose.randint(-1, 1) & ALL64, choose.getrandbits(64)))
    for line in ("msip", "seip", "meip"):
        state.set_line(LINES[line], choose.random() < 0.3)
    state.mtimecmp = choose.choice((0, ALL64 + 1))
    return state


def inputs(state):
    yield from (
        ("registers.mip", state.mip),
        ("timer", int(state.supervisor_timer)),
        ("time", state.mtime),
        ("registers.stimecmp", state.stimecmp),
        ("registers.mie", state.mie),
        ("registers.mideleg", state.mideleg),
        ("privilege", state.privilege),
        ("machine_enable", int(bool(state.mstatus & MIE))),
        ("supervisor_enable", int(bool(state.mstatus & SIE))),
    )
    yield from ((line, state.pending >> bit & 1) for line, bit in LINES.items() if line != "seip")
    yield "seip", state.lines >> Interrupt.SEI & 1


def plain(unit, name):
    member = operator.attrgetter(name)(unit)
    return member.as_value() if hasattr(member, "as_value") else member


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_as_the_reference(simulator):
    choose, unit, taken = random.Random(5), Interrupts(), set()

    async def bench(ctx):
        for _ in range(1500):
            state = random_state(choose)
            for name, value in inputs(state):
                ctx.set(plain(unit, name), value)
            interrupt = state.interrupt_to_take()
            assert ctx.get(plain(unit, "pending")) == state.pending
            assert ctx.get(unit.wake) == bool(state.pending & state.mie)
            assert ctx.get(unit.take) == (interrupt is not None)
            assert ctx.get(unit.cause) == (interrupt or 0)
            taken.add(interrupt)

    sim = SIMULATORS[simulator](unit)
    sim.add_testbench(bench)
    sim.run()
    assert taken == {None, *INTERRUPT_PRIORITY}
