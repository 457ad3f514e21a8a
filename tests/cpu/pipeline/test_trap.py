"""Traps, returns and legality of system instructions, against the reference hart."""

import functools
import random

import pytest
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.trap import SystemOperation, Traps
from rvsim.isa.config import IsaConfig
from rvsim.isa.csr import DELEGABLE_EXCEPTIONS, DELEGABLE_INTERRUPTS, MSTATUS
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.isa.reference.traps import Trap, enter
from rvsim.isa.tables import instructions
from rvsim.isa.traps import INTERRUPT_BIT, Cause, Interrupt, Privilege
from rvsim.sim import CompiledEngine
from tests.cpu.pipeline.csr_scenario import CHECKED, word_of

SIMULATORS = {"pysim": Simulator, "compiled": functools.partial(Simulator, engine=CompiledEngine)}
STATUS = sum(field.mask for field in MSTATUS.values())
REGISTERS = ("mstatus", "medeleg", "mideleg", "mtvec", "stvec", "mepc", "sepc")
EVENTS = [*Cause, *(interrupt | INTERRUPT_BIT for interrupt in Interrupt)]


def random_hart(choose):
    hart = ReferenceHart(IsaConfig(), PhysicalMemory([]))
    hart.privilege = choose.choice(list(Privilege))
    hart.mstatus = choose.getrandbits(32) & STATUS
    if hart.mstatus & MSTATUS["MPP"].mask == 2 << MSTATUS["MPP"].low:
        hart.mstatus &= ~MSTATUS["MPP"].mask
    hart.medeleg = choose.getrandbits(32) & DELEGABLE_EXCEPTIONS
    hart.mideleg = choose.getrandbits(32) & DELEGABLE_INTERRUPTS
    hart.mtvec, hart.stvec = (choose.getrandbits(32) & ~2 for _ in range(2))
    hart.mepc, hart.sepc = (choose.getrandbits(32) & ~1 for _ in range(2))
    return hart


def plain(unit, name):
    member = getattr(unit, name)
    return member.as_value() if hasattr(member, "as_value") else member


@pytest.fixture(params=SIMULATORS)
def against_reference(request):
    """Runs a bench with a unit, which is set to a random hart's registers by ``show``."""

    def run(check):
        unit, choose = Traps(), random.Random(7)

        async def bench(ctx):
            def show():
                hart = random_hart(choose)
                ctx.set(unit.privilege, hart.privilege)
                for name in REGISTERS:
                    ctx.set(plain(unit.registers, name), getattr(hart, name))
                return hart

            check(ctx, unit, choose, show)

        sim = SIMULATORS[request.param](unit)
        sim.add_testbench(bench)
        sim.run()

    return run


def outcome(ctx, unit):
    return ctx.get(unit.target), ctx.get(unit.next_privilege), ctx.get(plain(unit, "next_status"))


def test_trap_goes_where_delegation_sends_it(against_reference):
    def check(ctx, unit, choose, show):
        for event in EVENTS * 40:
            hart = show()
            ctx.set(unit.trap.valid, 1)
            ctx.set(unit.trap.interrupt, event >> 31)
            ctx.set(unit.trap.cause, event & 15)
            enter(hart, int(event), 0)
            assert outcome(ctx, unit) == (hart.pc, hart.privilege, hart.mstatus), event
            assert ctx.get(unit.supervisor) == (hart.privilege == Privilege.S)
            assert ctx.get(unit.change)

    against_reference(check)


def test_system_instructions_are_legal_where_the_mode_allows_them(against_reference):
    def check(ctx, unit, choose, show):
        for insn in CHECKED * 60:
            hart = show()
            ctx.set(unit.system.valid, 1)
            ctx.set(unit.system.operation, SystemOperation.of(insn.name))
            _, operands, execute = hart.decode(word_of(insn))
            try:
                target = execute(insn, operands, {}, None)
            except Trap:
                assert ctx.get(unit.system.illegal)
                assert not ctx.get(unit.change)
                continue
            returns = insn.name in ("mret", "sret")
            assert not ctx.get(unit.system.illegal)
            assert ctx.get(unit.change) == returns
            if returns:
                assert outcome(ctx, unit) == (target, hart.privilege, hart.mstatus)

    against_reference(check)


def test_illegal_instruction_becomes_a_trap_in_the_same_cycle(against_reference):
    def check(ctx, unit, choose, show):
        for _ in range(50):
            hart = show()
            ctx.set(unit.privilege, Privilege.U)
            hart.privilege = Privilege.U
            ctx.set(unit.system.valid, 1)
            ctx.set(unit.system.operation, SystemOperation.MRET)
            ctx.set(unit.trap.valid, ctx.get(unit.system.illegal))
            ctx.set(unit.trap.cause, Cause.ILLEGAL_INSTRUCTION)
            enter(hart, Cause.ILLEGAL_INSTRUCTION, 0)
            assert outcome(ctx, unit) == (hart.pc, hart.privilege, hart.mstatus)

    against_reference(check)


def test_nothing_happens_when_nothing_is_asked(against_reference):
    def check(ctx, unit, choose, show):
        for _ in range(20):
            show()
            assert outcome(ctx, unit) == (0, 0, 0)
            assert not ctx.get(unit.change)

    against_reference(check)


def test_every_checked_instruction_has_an_operation():
    assert {SystemOperation.of(insn.name) for insn in CHECKED} == set(SystemOperation)
    for insn in instructions():
        if insn not in CHECKED:
            with pytest.raises(KeyError):
                SystemOperation.of(insn.name)
