"""Walker, TLB and protection against the reference hart: random page tables, changed while in use."""

import random

import pytest

from rvsim.cpu.pipeline.pmp import Access
from rvsim.isa import IsaConfig
from rvsim.isa.protection import PMP_NAPOT, PMP_R, PTE_A, PTE_D, PTE_G, PTE_PPN_LOW, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from rvsim.isa.reference import PhysicalMemory, ReferenceHart
from rvsim.isa.reference.state import MXR, SUM
from rvsim.isa.reference.traps import Trap
from rvsim.isa.traps import Cause, Privilege
from rvsim.sim import Runner

from .benches import ENGINES, ENGINES_AND_RUNNER, simulate
from .translation import BASE, PAGE, PAGES, Translation, answer, drive, flush, store

KINDS = {"r": Access.READ, "w": Access.WRITE, "x": Access.EXECUTE}
PAGE_FAULTS = {Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT, Cause.INSTRUCTION_PAGE_FAULT}
INDICES = (0, 1, 0x3FF)
VPNS = [upper << 10 | lower for upper in INDICES for lower in INDICES]
ASIDS = (0, 5, 0x1FF)
FIRST = BASE // PAGE
FULL = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D


class Tables:
    """Page tables in the reference's memory, of which each address space has one root, or all have the same."""

    def __init__(self, chooser, shared):
        self.chooser, self.shared = chooser, shared
        self.ram = bytearray(PAGES * PAGE)
        self.hart = ReferenceHart(IsaConfig(), PhysicalMemory(ram={BASE: self.ram}))
        self.roots = {asid: FIRST + (0 if shared else number) for number, asid in enumerate(ASIDS)}

    def word(self, word):
        return int.from_bytes(self.ram[4 * word : 4 * word + 4], "little")

    def set_word(self, word, value):
        self.ram[4 * word : 4 * word + 4] = value.to_bytes(4, "little")

    def place(self):
        """A word that some walk may read."""
        return self.chooser.randrange(PAGES) * PAGE // 4 + self.chooser.choice(INDICES)

    def entry(self, word):
        """A page-table entry, more often useful in its place than not."""
        chooser = self.chooser
        common = PTE_G if self.shared and chooser.random() < 0.3 else 0
        if chooser.random() < 0.1:
            return chooser.getrandbits(32) & (0xFFFF_FFFF if self.shared else ~PTE_G)
        if (word < len(ASIDS) * PAGE // 4) == (chooser.random() < 0.8):
            page = FIRST + chooser.randrange(len(ASIDS), PAGES)
            if chooser.random() < 0.1:
                page = chooser.choice((FIRST + PAGES, FIRST, 0x3F_FFFF))  # the first one answers with an error
            return page << PTE_PPN_LOW | PTE_V | common | chooser.choice((0,) * 12 + (0x300, PTE_A, PTE_D, PTE_U))
        flags = FULL | common | chooser.choice((0, 0, PTE_U))
        if chooser.random() < 0.3:
            flags &= ~chooser.choice((PTE_V, PTE_R, PTE_W, PTE_R | PTE_W, PTE_W | PTE_X, PTE_X, PTE_A, PTE_D))
        return chooser.choice((chooser.getrandbits(12) << 10, chooser.getrandbits(22))) << PTE_PPN_LOW | flags

    def leaf(self, vpn, asid):
        """What translates a page, and at which level: only its change has to be followed by a fence."""
        table = self.roots[asid]
        for level, index in ((1, vpn >> 10), (0, vpn & 0x3FF)):
            word = (table - FIRST) * PAGE // 4 + index
            if not 0 <= word < PAGES * PAGE // 4:
                return None
            pte = self.word(word)
            if not pte & PTE_V or pte & (PTE_R | PTE_W) == PTE_W:
                return None
            if pte & (PTE_R | PTE_X):
                return None if level and pte >> PTE_PPN_LOW & 0x3FF else (pte, level)
            if pte & (PTE_A | PTE_D | PTE_U):
                return None
            table = pte >> PTE_PPN_LOW
        return None

    def leaves(self):
        return {(vpn, asid): self.leaf(vpn, asid) for vpn in VPNS for asid in ASIDS}

    def expected(self, vpn, asid, kind, privilege, sum_, mxr):
        hart = self.hart
        hart.satp = 1 << 31 | asid << 22 | self.roots[asid]
        hart.mstatus = sum_ * SUM | mxr * MXR
        try:
            return hart.mmu.translate(vpn << 12, kind, privilege) >> 12
        except Trap as trap:
            return "page" if trap.cause in PAGE_FAULTS else "access"


def only_grew(old, new):
    """A leaf with more permissions: no fence needed."""
    growing = PTE_R | PTE_W | PTE_X | PTE_A | PTE_D
    return old and new and old[1] == new[1] and old[0] & new[0] == old[0] and not (old[0] ^ new[0]) & ~growing


async def fence(ctx, dut, tables, before):
    """The weakest fences, or stronger ones, that cover what has changed."""
    chooser = tables.chooser
    after = tables.leaves()
    changed = [page for page, old in before.items() if old != after[page]]
    if chooser.random() < 0.3 and all(only_grew(before[page], after[page]) for page in changed):
        return
    form = chooser.choice(("all", "page", "space", "both"))
    touches_global = any(leaf and leaf[0] & PTE_G for page in changed for leaf in (before[page], after[page]))
    if form == "all" or (touches_global and form in ("space", "both")):
        await flush(ctx, dut)
    elif form == "page":
        for vpn in {vpn for vpn, _ in changed}:
            await flush(ctx, dut, vpn)
    elif form == "space":
        for asid in {asid for _, asid in changed}:
            await flush(ctx, dut, asid=asid)
    else:
        for vpn, asid in changed:
            await flush(ctx, dut, vpn, asid)


async def protect(ctx, dut, tables):
    """Hide a page from S-mode's reads, or none. A page table that PMP hides needs a fence, too."""
    hidden = tables.chooser.choice((None, tables.chooser.randrange(PAGES)))
    registers = [
        (0, 0) if hidden is None else (PMP_NAPOT, FIRST + hidden << 10 | 0x1FF),
        (PMP_NAPOT | PMP_R, 0xFFFF_FFFF),
    ]
    tables.hart.pmpcfg0 = registers[0][0] | registers[1][0] << 8
    for number, (cfg, addr) in enumerate(registers):
        ctx.set(dut.cfg[number], cfg)
        ctx.set(dut.addr[number], addr)
        setattr(tables.hart, f"pmpaddr{number}", addr)
    drive(ctx, dut, update=1)
    await flush(ctx, dut)
    drive(ctx, dut, update=0)


def choose_access(ctx, dut, tables):
    """Set the ports; the arguments of ``expected``."""
    chooser = tables.chooser
    vpn, asid, kind = chooser.choice(VPNS), chooser.choice(ASIDS), chooser.choice("rwx")
    privilege, sum_, mxr = (
        chooser.choice((Privilege.S, Privilege.S, Privilege.U)),
        chooser.getrandbits(1),
        chooser.getrandbits(1),
    )
    drive(
        ctx, dut, vpn=vpn, asid=asid, root=tables.roots[asid], kind=KINDS[kind], privilege=privilege, sum=sum_, mxr=mxr
    )
    return vpn, asid, kind, privilege, sum_, mxr


@pytest.mark.parametrize("shared", [False, True], ids=["a root each", "one root"])
@pytest.mark.parametrize("slow", [0, 1], ids=["quick", "slow"])
@pytest.mark.parametrize("engine", ENGINES_AND_RUNNER)
def test_as_in_the_reference(engine, slow, shared):
    chooser = random.Random(f"{slow} {shared}")
    dut, tables = Translation(chooser.choice((2, 8))), Tables(chooser, shared)
    outcomes = {"page": 0, "access": 0, "walk": 0, "hit": 0}

    async def change(ctx):
        word = tables.place()
        value = tables.entry(word)
        if tables.word(word) & (PTE_R | PTE_X) and chooser.random() < 0.3:  # permissions that grow
            value = tables.word(word) | chooser.choice((PTE_D, PTE_A, PTE_A | PTE_D, PTE_W, PTE_X))
        tables.set_word(word, value)
        await store(ctx, dut, word, value)

    async def bench(ctx):
        drive(ctx, dut, slow=slow)
        for _ in range(150):
            await change(ctx)
        await protect(ctx, dut, tables)
        for _ in range(8000 if engine is Runner else 600):
            action = chooser.random()
            if action < 0.12:
                before = tables.leaves()
                for _ in range(chooser.randrange(1, 3)):
                    await change(ctx)
                await fence(ctx, dut, tables, before)
            elif action < 0.16:  # a table changes under a walk, which a fence then abandons
                choose_access(ctx, dut, tables)
                drive(ctx, dut, request=1)
                for _ in range(chooser.randrange(8)):
                    await ctx.tick()
                await change(ctx)
                drive(ctx, dut, request=0)
                await flush(ctx, dut)
            elif action < 0.17:
                await protect(ctx, dut, tables)
            access = choose_access(ctx, dut, tables)
            result, cycles = await answer(ctx, dut)
            assert result == tables.expected(*access), access
            outcomes[result if isinstance(result, str) else "walk" if cycles else "hit"] += 1
        assert min(outcomes["hit"], outcomes["walk"], outcomes["page"]) > 8, outcomes
        assert outcomes["access"] > 8 or engine is not Runner, outcomes

    simulate(dut, bench, engine)


async def map_page(ctx, dut, leaf, superpage=False):
    if superpage:
        await store(ctx, dut, 1, leaf)
    else:
        await store(ctx, dut, 1, FIRST + 1 << PTE_PPN_LOW | PTE_V)
        await store(ctx, dut, PAGE // 4 + 5, leaf)
    drive(ctx, dut, vpn=1 << 10 | 5, root=FIRST, kind=Access.READ, privilege=Privilege.S)


async def open_memory(ctx, dut):
    drive(ctx, dut, update=1)
    ctx.set(dut.cfg[0], PMP_NAPOT | PMP_R)
    ctx.set(dut.addr[0], 0xFFFF_FFFF)
    await ctx.tick()
    drive(ctx, dut, update=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_how_long_a_walk_takes_with_quick_memory(engine):
    dut = Translation(entries=4)

    async def bench(ctx):
        await open_memory(ctx, dut)
        await map_page(ctx, dut, 0x12345 << PTE_PPN_LOW | FULL)
        assert await answer(ctx, dut) == (0x12345, 6), "it hits in the cycle after the walk"
        assert await answer(ctx, dut) == (0x12345, 0)
        await flush(ctx, dut)
        await map_page(ctx, dut, 7 << 20 | FULL, superpage=True)
        assert await answer(ctx, dut) == (7 << 10 | 5, 4)

    simulate(dut, bench, engine)


@pytest.mark.parametrize("delay", range(8))
@pytest.mark.parametrize("engine", ENGINES)
def test_a_walk_that_is_killed_leaves_nothing(engine, delay):
    dut = Translation(entries=4)

    async def bench(ctx):
        await open_memory(ctx, dut)
        await map_page(ctx, dut, 0x111 << PTE_PPN_LOW | FULL)
        drive(ctx, dut, request=1)
        for _ in range(delay):
            await ctx.tick()
        drive(ctx, dut, request=0, kill=1)
        ctx.set(dut.flush.valid, 1)
        await ctx.tick()
        drive(ctx, dut, kill=0)
        ctx.set(dut.flush.valid, 0)
        await map_page(ctx, dut, 0x222 << PTE_PPN_LOW | FULL)
        for _ in range(10):
            assert not ctx.get(dut.answered)
            await ctx.tick()
        assert not ctx.get(dut.walked)
        assert (await answer(ctx, dut))[0] == 0x222

    simulate(dut, bench, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_start_that_is_killed_in_its_cycle_does_not_begin(engine):
    dut = Translation(entries=4)

    async def bench(ctx):
        await open_memory(ctx, dut)
        await map_page(ctx, dut, 0x111 << PTE_PPN_LOW | FULL)
        drive(ctx, dut, request=1, kill=1)
        await ctx.tick()
        drive(ctx, dut, request=0, kill=0)
        assert not ctx.get(dut.walked)

    simulate(dut, bench, engine)
