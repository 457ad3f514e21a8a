"""The translation look-aside buffer against a list of translations."""

import random
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from rvsim.cpu.pipeline.pmp import Access
from rvsim.cpu.pipeline.tlb import Tlb
from rvsim.isa.protection import PTE_A, PTE_D, PTE_G, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvsim.isa.reference.mmu import Mmu
from rvsim.isa.reference.state import MXR, SUM
from rvsim.isa.traps import Privilege
from rvsim.sim import Runner

from .benches import ENGINES, ENGINES_AND_RUNNER, refused, simulate

KINDS = {"r": Access.READ, "w": Access.WRITE, "x": Access.EXECUTE}
ALL = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D
PAGES = [1, 2, 1 << 10 | 1, 1 << 10 | 2, 0xFFFFF, 0x00400]


@dataclass
class Translation:
    vpn: int
    asid: int
    pte: int
    superpage: bool
    open: bool = False

    def translates(self, vpn):
        return self.vpn >> 10 == vpn >> 10 if self.superpage else self.vpn == vpn

    def matches(self, vpn, asid):
        return self.translates(vpn) and (self.pte & PTE_G or self.asid == asid)

    def ppn(self, vpn):
        return self.pte >> 20 << 10 | vpn & 0x3FF if self.superpage else self.pte >> 10


def permits(pte, kind, privilege, sum_, mxr):
    state = SimpleNamespace(mstatus=sum_ * SUM | mxr * MXR)
    return Mmu._permits(SimpleNamespace(state=state), pte, kind, privilege)


class Model:
    """Places in order; the first match counts, the oldest goes first."""

    def __init__(self, entries):
        self.places, self.oldest = [None] * entries, 0

    def find(self, vpn, asid):
        return next((n for n, t in enumerate(self.places) if t and t.matches(vpn, asid)), None)

    def fill(self, new):
        place = self.find(new.vpn, new.asid)
        if place is None:
            place, self.oldest = self.oldest, (self.oldest + 1) % len(self.places)
        self.places[place] = new

    def flush(self, vpn, asid):
        for number, old in enumerate(self.places):
            page = old and (vpn is None or old.translates(vpn))
            if page and (asid is None or (old.asid == asid and not old.pte & PTE_G)):
                self.places[number] = None


def set_fill(ctx, dut, new):
    for name in ("vpn", "asid", "pte", "superpage"):
        ctx.set(getattr(dut.fill, name), int(getattr(new, name)))
    ctx.set(dut.fill_open, new.open)


async def fill(ctx, dut, new):
    set_fill(ctx, dut, new)
    ctx.set(dut.fill.valid, 1)
    await ctx.tick()
    ctx.set(dut.fill.valid, 0)


async def flush(ctx, dut, vpn=None, asid=None):
    ctx.set(dut.flush.valid, 1)
    ctx.set(dut.flush.by_page, vpn is not None)
    ctx.set(dut.flush.by_asid, asid is not None)
    ctx.set(dut.flush.vpn, vpn or 0)
    ctx.set(dut.flush.asid, asid or 0)
    await ctx.tick()
    ctx.set(dut.flush.valid, 0)


def look_up(ctx, dut, vpn, asid, kind="r", privilege=Privilege.S, sum_=0, mxr=0):
    """The physical page, or ``None``."""
    ctx.set(dut.enable, 1)
    ctx.set(dut.vpn, vpn)
    ctx.set(dut.asid, asid)
    ctx.set(dut.kind, KINDS[kind])
    ctx.set(dut.privilege, privilege)
    ctx.set(dut.sum, sum_)
    ctx.set(dut.mxr, mxr)
    return ctx.get(dut.ppn) if ctx.get(dut.hit) else None


@pytest.mark.parametrize("entries", [1, 3, 8])
@pytest.mark.parametrize("engine", ENGINES_AND_RUNNER)
def test_as_a_list(engine, entries):
    chooser = random.Random(entries)
    dut, model = Tlb(entries=entries), Model(entries)
    hits = 0

    def translation():
        flags = ALL if chooser.random() < 0.6 else chooser.getrandbits(8) | PTE_V
        flags = flags & ~PTE_G | chooser.choice((0, 0, PTE_G)) | chooser.choice((0, PTE_U))
        pte = chooser.getrandbits(22) << 10 | flags
        return Translation(
            chooser.choice(PAGES), chooser.randrange(3), pte, chooser.random() < 0.25, chooser.random() < 0.5
        )

    async def bench(ctx):
        nonlocal hits
        for _ in range(12_000 if engine is Runner else 700):
            action = chooser.random()
            if action < 0.4:
                new = translation()
                model.fill(new)
                await fill(ctx, dut, new)
            elif action < 0.55:
                vpn, asid = chooser.choice((None, *PAGES, *PAGES)), chooser.choice((None, 0, 1, 2))
                if chooser.random() < 0.3:  # of a fill in the same cycle nothing remains
                    set_fill(ctx, dut, translation())
                    ctx.set(dut.fill.valid, 1)
                model.flush(vpn, asid)
                await flush(ctx, dut, vpn, asid)
                ctx.set(dut.fill.valid, 0)
            vpn, asid, kind = chooser.choice(PAGES), chooser.randrange(3), chooser.choice("rwx")
            privilege = chooser.choice((Privilege.S, Privilege.U))
            sum_, mxr = chooser.getrandbits(1), chooser.getrandbits(1)
            place = model.find(vpn, asid)
            found = None if place is None else model.places[place]
            allowed = found and permits(found.pte, kind, privilege, sum_, mxr)
            expected = found.ppn(vpn) if allowed else None
            assert look_up(ctx, dut, vpn, asid, kind, privilege, sum_, mxr) == expected
            assert expected is None or ctx.get(dut.open) == found.open
            hits += expected is not None
        assert hits > 30

    simulate(dut, bench, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_four_forms_of_a_fence(engine):
    dut = Tlb()
    local, other = Translation(1, 1, 0x111 << 10 | ALL, False), Translation(1, 2, 0x222 << 10 | ALL, False)
    everywhere, large = (
        Translation(7, 1, 0x333 << 10 | ALL | PTE_G, False),
        Translation(1 << 10, 1, 4 << 20 | ALL, True),
    )

    async def remaining(ctx, **what):
        await flush(ctx, dut)
        for new in (local, other, everywhere, large):
            await fill(ctx, dut, new)
        await flush(ctx, dut, **what)
        asked = {"local": (1, 1), "other": (1, 2), "everywhere": (7, 3), "large": (1 << 10 | 77, 1)}
        return {name for name, page in asked.items() if look_up(ctx, dut, *page) is not None}

    async def bench(ctx):
        assert await remaining(ctx, vpn=99) == {"local", "other", "everywhere", "large"}
        assert await remaining(ctx) == set()
        assert await remaining(ctx, vpn=1) == {"everywhere", "large"}
        assert await remaining(ctx, vpn=7) == {"local", "other", "large"}
        assert await remaining(ctx, vpn=1 << 10 | 5) == {"local", "other", "everywhere"}
        assert await remaining(ctx, asid=1) == {"other", "everywhere"}
        assert await remaining(ctx, vpn=1, asid=1) == {"other", "everywhere", "large"}
        assert await remaining(ctx, vpn=7, asid=1) == {"local", "other", "everywhere", "large"}

    simulate(dut, bench, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_permissions_that_grow_replace_those_that_there_were(engine):
    dut = Tlb(entries=2)
    clean = Translation(5, 0, 9 << 10 | ALL & ~PTE_D, False)

    async def bench(ctx):
        await fill(ctx, dut, clean)
        assert look_up(ctx, dut, 5, 0, "r") == 9
        assert look_up(ctx, dut, 5, 0, "w") is None
        await fill(ctx, dut, Translation(5, 0, 9 << 10 | ALL, False))
        assert look_up(ctx, dut, 5, 0, "w") == 9
        await fill(ctx, dut, Translation(6, 0, 10 << 10 | ALL, False))
        assert look_up(ctx, dut, 5, 0, "w") == 9, "there was a free place"
        assert look_up(ctx, dut, 6, 0, "w") == 10
        ctx.set(dut.enable, 0)
        assert not ctx.get(dut.hit)

    simulate(dut, bench, engine)


def test_no_entries_are_refused():
    refused(Tlb, "a TLB has entries, not 0", entries=0)
