"""Protection against the reference hart's, over random registers and accesses near their borders."""

import random
from types import SimpleNamespace

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from rvsim.cpu.pipeline.pmp import Access, Pmp, PmpRegions
from rvsim.isa.protection import PMP_L, PMP_NA4, PMP_NAPOT, PMP_OFF, PMP_R, PMP_TOR, PMP_W, PMP_X
from rvsim.isa.reference.pmp import Pmp as Reference
from rvsim.isa.traps import Privilege
from rvsim.sim import Runner

from .benches import ENGINES, refused, simulate

KINDS = {"r": Access.READ, "w": Access.WRITE, "x": Access.EXECUTE}


class Protection(wiring.Component):
    """Registers to answers: both units, as a hart joins them."""

    def __init__(self, entries):
        self.registers, self.check = PmpRegions(entries=entries), Pmp(entries=entries)
        members = {name: self.registers.signature.members[name] for name in ("cfg", "addr", "update")} | {
            name: self.check.signature.members[name] for name in ("privilege", "kind", "address", "size", "allowed")
        }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers, m.submodules.check = registers, check = self.registers, self.check
        for inner, outer in zip((*registers.cfg, *registers.addr), (*self.cfg, *self.addr)):
            m.d.comb += inner.eq(outer)
        for inner, outer in zip(check.regions, registers.regions):
            m.d.comb += inner.eq(outer)
        m.d.comb += [check.any_active.eq(registers.any_active), registers.update.eq(self.update)]
        for name in ("privilege", "kind", "address", "size"):
            m.d.comb += getattr(check, name).eq(getattr(self, name))
        m.d.comb += self.allowed.eq(check.allowed)
        return m


def random_registers(chooser, entries):
    """Configuration bytes and addresses: few entries active or all, close together, or anywhere."""
    density = chooser.choice((0.1, 0.5, 1))
    base = chooser.choice((0x2000_0000, 0, 0xFFFF_FF00))
    cfg, addr = [], []
    for _ in range(entries):
        mode = chooser.choice((PMP_TOR, PMP_NA4, PMP_NAPOT, PMP_NAPOT)) if chooser.random() < density else PMP_OFF
        permissions = chooser.choice((0, PMP_R, PMP_R | PMP_W, PMP_X, PMP_R | PMP_X, PMP_R | PMP_W | PMP_X))
        cfg.append(mode | permissions | chooser.choice((0, 0, PMP_L)))
        near = base + chooser.randrange(64) & 0xFFFF_FFFF
        ones = (1 << chooser.choice((0, 1, 2, 4, 31, 32))) - 1
        addr.append(chooser.choice((near, near | ones, chooser.getrandbits(32), 0xFFFF_FFFF)))
    return cfg, addr


class Oracle(Reference):
    """The reference's unit; a region without bytes matches none, not even in the middle of an access."""

    def regions(self):
        return [region for region in super().regions() if region[0] < region[1]]


def reference(entries, cfg, addr):
    state = SimpleNamespace(config=SimpleNamespace(pmp_entries=entries))
    for number in range(16):
        setattr(state, f"pmpaddr{number}", addr[number] if number < entries else 0)
    for number in range(4):
        four = cfg[4 * number : 4 * number + 4]
        setattr(state, f"pmpcfg{number}", sum(byte << 8 * place for place, byte in enumerate(four)))
    return Oracle(state)


def accesses(chooser, addr, count):
    """Accesses of at most four bytes that do not cross a page, near the registers' addresses."""
    for _ in range(count):
        near = (chooser.choice(addr) << 2) + chooser.randrange(-10, 12) if addr else 0
        address = chooser.choice((near, near, chooser.getrandbits(34))) & (1 << 34) - 1
        size = min(chooser.choice((1, 2, 3, 4)), 4096 - address % 4096)
        yield address, size, chooser.choice("rwx"), chooser.choice((Privilege.M, Privilege.S, Privilege.U))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("entries", [0, 1, 4, 16])
def test_as_in_the_reference(engine, entries):
    chooser = random.Random(entries)
    dut = Protection(entries)

    async def bench(ctx):
        for _ in range(12):
            cfg, addr = random_registers(chooser, entries)
            for number in range(entries):
                ctx.set(dut.cfg[number], cfg[number])
                ctx.set(dut.addr[number], addr[number])
            ctx.set(dut.update, 1)
            await ctx.tick()
            ctx.set(dut.update, 0)
            oracle = reference(entries, cfg, addr)
            for address, size, kind, privilege in accesses(chooser, addr, 60):
                ctx.set(dut.address, address)
                ctx.set(dut.size, size)
                ctx.set(dut.kind, KINDS[kind])
                ctx.set(dut.privilege, privilege)
                expected = oracle.allows(address, size, kind, privilege)
                assert ctx.get(dut.allowed) == expected, f"{size} bytes {kind} at {address:#x} in {privilege!r}"

    simulate(dut, bench, engine)


@pytest.mark.parametrize("entries", [4, 16])
def test_many_accesses(entries):
    chooser = random.Random(f"many {entries}")
    dut = Protection(entries)
    run = Runner(dut)
    outcomes = []
    for _ in range(150):
        cfg, addr = random_registers(chooser, entries)
        for number in range(entries):
            run[dut.cfg[number]], run[dut.addr[number]] = cfg[number], addr[number]
        run[dut.update] = 1
        run(1)
        run[dut.update] = 0
        run(3)
        oracle = reference(entries, cfg, addr)
        for address, size, kind, privilege in accesses(chooser, addr, 200):
            run[dut.address], run[dut.size] = address, size
            run[dut.kind], run[dut.privilege] = KINDS[kind].value, privilege.value
            expected = oracle.allows(address, size, kind, privilege)
            assert run[dut.allowed] == expected, f"{size} bytes {kind} at {address:#x} in {privilege!r}"
            outcomes.append(expected)
    assert 0.2 < sum(outcomes) / len(outcomes) < 0.8


@pytest.mark.parametrize("engine", ENGINES)
def test_registers_count_only_after_an_update(engine):
    dut = Protection(4)

    async def bench(ctx):
        ctx.set(dut.privilege, Privilege.S)
        ctx.set(dut.size, 4)
        ctx.set(dut.cfg[0], PMP_NAPOT | PMP_R)
        ctx.set(dut.addr[0], 0xFFFF_FFFF)
        await ctx.tick()
        assert not ctx.get(dut.allowed)
        ctx.set(dut.update, 1)
        assert not ctx.get(dut.allowed)
        await ctx.tick()
        ctx.set(dut.update, 0)
        ctx.set(dut.cfg[0], PMP_OFF)
        await ctx.tick()
        assert ctx.get(dut.allowed)

    simulate(dut, bench, engine)


@pytest.mark.parametrize("unit", [Pmp, PmpRegions])
def test_other_numbers_of_entries_are_refused(unit):
    refused(unit, "0 to 16 PMP entries, not 17", entries=17)
