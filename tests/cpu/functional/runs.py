"""Random runs of a pair of engines: programs, and what happens to them from outside."""

import random

from rvsim.cpu.functional import Exit
from rvsim.cpu.functional.run import MARGIN
from tests.cpu.functional.lockstep import DEAD, Difference, Pair
from tests.cpu.functional.programs import (
    CODE,
    CODE_PAGES,
    DATA,
    DATA_PAGES,
    PAGE,
    RAM,
    SUPERPAGE,
    TABLES,
    Program,
    R,
    V,
    W,
    X,
    asm,
)

FENCE_AT = RAM + 0x700
#: The core goes one instruction at a time where a limit is as near as this, and a test wants it to go fast.
NEAR = MARGIN + 2


class Run:
    """One random program on a :class:`Pair`, kept going.

    Parameters
    ----------
    seed
        Decides everything.
    config, per_tick
        As for :class:`Pair`.
    """

    def __init__(self, seed, config=None, per_tick=1 << 60):
        self.seed, self.config, self.per_tick = seed, config, per_tick
        self.random = random.Random(seed)
        self.program = Program(self.random, 2 if config is None or config.has("c") else 4)
        self.pair = Pair(self.program.ram, config, per_tick)
        self.restarts = 0
        self.restart()

    def restart(self):
        """From reset, with fresh registers."""
        self.restarts += 1
        for address, words in self.program.handlers.items():
            self.write(address, b"".join(word.to_bytes(4, "little") for word in words))
        self.pair.start(self.program.start(), self.program.registers(), tables=TABLES)
        self.pair.set("mtime", 1 << 40)
        self.kick()
        for bit in (3, 9, 11):
            self.pair.both(lambda engine, bit=bit: engine.set_line(bit, False))

    def event(self):
        """Something from outside: an interrupt line, a timer, DMA, another page table entry, fresh registers."""
        pair, choice = self.pair, self.random
        kind = choice.random()
        if kind < 0.35:
            bit, level = choice.choice((3, 9, 11)), choice.random() < 0.4
            pair.both(lambda engine: engine.set_line(bit, level))
        elif kind < 0.45:
            pair.set("mtimecmp", pair.hart.mtime + choice.choice((-1, 0, 1, 3, 20, 100, 1 << 30)))
        elif kind < 0.50:
            pair.set("mtime", pair.hart.mtime + choice.randrange(1 << 20))
        elif kind < 0.62:
            self.dma()
        elif kind < 0.80:
            self.change_page_table()
        elif kind < 0.83:
            self.protect()
        elif kind < 0.90:
            pair.registers(self.program.registers())
        else:
            self.kick()

    def kick(self):
        """Another mode, place, address space and other delegations."""
        pair, choice = self.pair, self.random
        mode = choice.choice((0, 0, 1, 1, 1, 3))
        status = choice.getrandbits(32) & choice.getrandbits(32) & ~(3 << 11)
        status &= ~(1 << 17) if mode < 3 or choice.random() < 0.5 else -1
        status &= ~(7 << 20) if choice.random() < 0.8 else -1  # TVM, TW, TSR
        pair.set_csr("mcounteren", choice.choice((7, 7, 7, choice.getrandbits(3))))
        pair.set_csr("mstatus", status | choice.choice((0, 1, 3)) << 11)
        pair.set_csr("medeleg", choice.choice((0, 0xB3FF, choice.getrandbits(16))))
        pair.set_csr("mideleg", choice.choice((0, 0x222, choice.getrandbits(12))))
        pair.set_csr("mie", choice.choice((0, 0, 0xAAA, choice.getrandbits(12))))
        pair.set_csr("satp", choice.choice(self.program.satps[choice.random() < 0.8 :]))
        pair.set_mode(mode, self.program.start())

    def protect(self):
        """PMP entries that divide pages of code and data, or none."""
        pair, choice = self.pair, self.random
        for entry in (4, 5, 6):
            address = choice.choice((CODE + choice.randrange(CODE_PAGES * PAGE), DATA + choice.randrange(PAGE)))
            pair.set_csr(
                f"pmpaddr{entry}", address >> 2 & ~0xF | choice.choice((0xF, 0x7, 0x1FF, choice.randrange(16)))
            )
        rights = (0, 1, 3, 4, 5, 7, 7)
        entries = [choice.choice(rights) | choice.choice((0, 0, 8, 0x10, 0x18)) for _ in range(3)]
        locked = choice.random() < 0.03
        entries = [entry | 0x80 * locked for entry in entries]
        pair.set_csr("pmpcfg1", sum(entry << 8 * n for n, entry in enumerate(entries)) if choice.random() < 0.7 else 0)

    def dma(self):
        """A bus master writes data, or code."""
        choice = self.random
        if choice.random() < 0.5:
            address = DATA + choice.randrange(DATA_PAGES * PAGE - 64)
            data = choice.randbytes(choice.choice((1, 4, 60)))
        else:
            address = CODE + choice.randrange((CODE_PAGES * PAGE - 64) // 2) * 2
            data = self.program.code(choice.choice((4, 16, 64)))
        self.write(address, data)

    def write(self, address, data):
        """Bytes of RAM, from outside."""
        self.pair.core.memory.write(address, data)
        self.pair.hart.dma_write(address, data)

    def change_page_table(self):
        """Another entry in the tables, and the fence that the change asks for."""
        pair, choice = self.pair, self.random
        for _ in range(60):  # to where a fence is always legal
            if pair.hart.privilege == 3 or pair.step() in (None, Exit.STUCK):
                break
        if pair.hart.privilege != 3 or pair.hart.waiting:
            return
        where, address, entry = self.program.changed_entry(pair.used, pair.hart.satp)
        shared = self.superpage_is_a_pointer()
        self.write(where, entry.to_bytes(4, "little"))
        rs1, rs2 = choice.choice(((0, 0), (5, 0), (5, 0), (0, 6), (5, 6)))
        rs1 = 0 if shared else rs1
        self.write(FENCE_AT, asm(choice.choice(("sfence.vma", "sinval.vma")), rs1=rs1, rs2=rs2).to_bytes(4, "little"))
        pc, kept, mie = pair.hart.pc, pair.hart.x[5], pair.hart.mie
        # Not by the core's own CSR access from outside, which forgets all translations.
        pair.core.state.mie = pair.hart.mie = 0
        pair.core.x[5] = pair.hart.x[5] = address
        pair.set("pc", FENCE_AT)
        pair.step()
        pair.core.x[5] = pair.hart.x[5] = kept
        pair.core.state.mie = pair.hart.mie = mie
        pair.set("pc", pc)

    def superpage_is_a_pointer(self):
        """Whether the superpage's entry leads to the window's table, whose pages then have two addresses.

        A fence of one address is for the leaf that maps it (section 4.2.1): too little for the pointer and for both.
        """
        entry = ((self.pair.hart.satp & 0x3F_FFFF) << 12) + 4 * (SUPERPAGE >> 22)
        if self.pair.hart.memory.kind(entry, 4) != "ram":
            return False
        flags = self.pair.hart.memory.read(entry, 4)
        return bool(flags & V) and not flags & (R | W | X)

    def steps(self, count):
        """``count`` single steps; a :class:`Difference` names seed and step."""
        traps = waits = 0
        for n in range(count):
            if self.random.random() < 0.02:
                self.event()
            try:
                record = self.pair.step()
                if n % 512 == 511:
                    self.pair.compare(memory=True)
            except Difference as difference:
                raise Difference(f"seed {self.seed}, step {n}:\n{difference}") from None
            if record == Exit.STUCK:
                self.restart()
                continue
            waits = waits + 1 if record is None else 0
            if waits > 2:
                self.pair.wake()
            elif record is not None:
                traps = traps + 1 if record.trap else 0
            if traps > DEAD:
                self.restart()
                traps = 0
        self.pair.compare(memory=True)

    def blocks(self, instructions):
        """About so many instructions in blocks of random length, compared after each.

        Where a block differs, the run is repeated and that block is done in single steps, to find where it begins.
        """
        end = self.pair.hart.instret + instructions
        n = 0
        while self.pair.hart.instret < end:
            n += 1
            length = self._length()
            try:
                reason = self.pair.run(length)
                self.pair.compare(memory=True)
            except Difference as difference:
                again = self._again(n, self.pair.core.instret)
                where = f"seed {self.seed}, block {n} of {length}"
                raise Difference(f"{where}:\n{difference}\nin single steps: {again}") from None
            self._after(reason)

    def _length(self):
        near = 0 if self.random.random() < 0.2 else NEAR
        return near + self.random.choice((1, 2, 5, 20, 100, 400))

    def _after(self, reason):
        if reason == Exit.STUCK:
            self.restart()
        elif reason == Exit.WFI:
            self.pair.wake()
        elif reason == Exit.LIMIT:
            self.kick()  # it is in a loop, most likely
        for _ in range(self.random.randrange(5)):
            self.event()

    def _again(self, block, end):
        run = Run(self.seed, self.config, self.per_tick)
        for _ in range(1, block):
            run._after(run.pair.run(run._length()))
        try:
            while run.pair.hart.instret < end and run.pair.step() not in (None, Exit.STUCK):
                pass
            run.pair.compare(memory=True)
        except Difference as difference:
            return f"\n{difference}"
        return "no difference"
