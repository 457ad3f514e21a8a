"""Protection against the reference hart's, over random registers and accesses near their borders."""

import random
from types import SimpleNamespace

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from rvsim.cpu.pipeline.pmp import Access, Pmp, PmpPage, PmpRegions
from rvsim.isa.protection import PMP_L, PMP_NA4, PMP_NAPOT, PMP_OFF, PMP_R, PMP_TOR, PMP_W, PMP_X
from rvsim.isa.reference.pmp import Pmp as Reference
from rvsim.isa.traps import Privilege
from rvsim.sim import Runner

from .benches import ENGINES, refused, simulate

KINDS = {"r": Access.READ, "w": Access.WRITE, "x": Access.EXECUTE}


class Protection(wiring.Component):
    """Registers to answers: both units, as a hart joins them."""

    def __init__(self, entries):
        self.registers, self.check, self.page = (unit(entries=entries) for unit in (PmpRegions, Pmp, PmpPage))
        names = {
            self.registers: ("cfg", "addr", "update"),
            self.check: ("privilege", "kind", "address", "size", "allowed"),
            self.page: ("enable", "ppn", "superpage", "open"),
        }
        members = {name: unit.signature.members[name] for unit, those in names.items() for name in those}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers, m.submodules.check, m.submodules.page = self.registers, self.check, self.page
        registers, check, page = self.registers, self.check, self.page
        for inner, outer in zip((*registers.cfg, *registers.addr), (*self.cfg, *self.addr)):
            m.d.comb += inner.eq(outer)
        for unit in (check, page):
            m.d.comb += unit.any_active.eq(registers.any_active)
            for inner, outer in zip(unit.regions, registers.regions):
                m.d.comb += inner.eq(outer)
        m.d.comb += registers.update.eq(self.update)
        for name in ("enable", "ppn", "superpage"):
            m.d.comb += getattr(page, name).eq(getattr(self, name))
        for name in ("privilege", "kind", "address", "size"):
            m.d.comb += getattr(check, name).eq(getattr(self, name))
        m.d.comb += [self.allowed.eq(check.allowed), self.open.eq(page.open)]
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


def reference(entries, cfg, addr):
    state = SimpleNamespace(config=SimpleNamespace(pmp_entries=entries))
    for number in range(16):
        setattr(state, f"pmpaddr{number}", addr[number] if number < entries else 0)
    for number in range(4):
        four = cfg[4 * number : 4 * number + 4]
        setattr(state, f"pmpcfg{number}", sum(byte << 8 * place for place, byte in enumerate(four)))
    return Reference(state)


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


def pages(chooser, addr):
    """Pages and superpages near the registers' addresses."""
    for _ in range(20):
        superpage = chooser.random() < 0.3
        ppn = ((chooser.choice(addr) if addr else 0) >> 10) + chooser.randrange(-1, 2) & 0x3F_FFFF
        yield (ppn & ~0x3FF if superpage else ppn), superpage


@pytest.mark.parametrize("entries", [0, 4, 16])
def test_a_page_is_open_if_one_region_opens_it(entries):
    chooser = random.Random(f"pages {entries}")
    dut = Protection(entries)
    run = Runner(dut)
    answers = []
    for _ in range(300):
        cfg, addr = random_registers(chooser, entries)
        cfg = [byte | PMP_R | PMP_W | PMP_X if chooser.random() < 0.5 else byte for byte in cfg]
        for number in range(entries):
            run[dut.cfg[number]], run[dut.addr[number]] = cfg[number], addr[number]
        run[dut.update], run[dut.enable] = 1, 0
        run(1)
        run[dut.update], run[dut.enable] = 0, 1
        oracle = reference(entries, cfg, addr)
        for ppn, superpage in pages(chooser, addr):
            run[dut.ppn], run[dut.superpage] = ppn, superpage
            start, size = ppn << 12, 1 << (22 if superpage else 12)
            touching = next(((a, b, c) for a, b, c in oracle.regions() if a < start + size and start < b), None)
            if touching is None:
                expected = not entries
            else:
                first, end, byte = touching
                expected = first <= start and start + size <= end and byte & 7 == PMP_R | PMP_W | PMP_X
            assert run[dut.open] == expected, f"{ppn:#x} {superpage}"
            places = (start, start + size - 4, start + chooser.randrange(size - 4))
            if expected:
                assert all(oracle.allows(place, 4, kind, Privilege.U) for place in places for kind in "rwx")
                run[dut.enable] = 0
                assert not run[dut.open]
                run[dut.enable] = 1
            answers.append(expected)
    assert not entries or 0.1 < sum(answers) / len(answers) < 0.9


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


@pytest.mark.parametrize("unit", [Pmp, PmpPage, PmpRegions])
def test_other_numbers_of_entries_are_refused(unit):
    refused(unit, "0 to 16 PMP entries, not 17", entries=17)
