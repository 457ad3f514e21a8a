"""Random programs that stay alive: code, data, page tables and registers that point into them.

Everything follows from one ``random.Random``. The trap handlers are real code and lead back into random code, so that
a program goes on by itself for as long as it is run.
"""

from rvsim.isa.csr import NUMBERS
from rvsim.isa.tables import BY_NAME, find
from tests.isa.specification import EDGES, expand

PAGE = 4096
RAM, RAM_SIZE = 0x8000_0000, 64 * PAGE
ROM, DEVICE = 0x1000, 0x1000_0000
#: A store here ends a run of the functional core; with :data:`S_PAUSE` set too, where S-mode may write as well.
PAUSE, S_PAUSE = 0x1000_2000, 0x40_0000
#: Pages by use.
M_HANDLER, S_HANDLER = RAM, RAM + 0x800
CODE, CODE_PAGES = RAM + PAGE, 8
DATA, DATA_PAGES = RAM + 16 * PAGE, 16
TABLES, ROOTS = RAM + 48 * PAGE, 3
#: Where the page tables map random pages.
WINDOW = 0x4000_0000
#: Where they have a page of 4 MiB.
SUPERPAGE = WINDOW + 0x40_0000

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))

#: Registers that keep pointing somewhere useful: plain arithmetic mostly leaves them alone.
POINTERS = (2, 3, 4, 8, 9, 18, 19, 27)

_COMPRESSED = [half for half in range(1 << 16) if half & 3 != 3 and expand(half) is not None]
_ALU = [i for i in BY_NAME.values() if i.unit in ("alu", "multiplier", "divider") and i.length == 4]
_ATOMIC = [i for i in BY_NAME.values() if i.extension == "a"]
_LOADS = ("lb", "lh", "lw", "lbu", "lhu")
_STORES = ("sb", "sh", "sw")
_BRANCHES = ("beq", "bne", "blt", "bge", "bltu", "bgeu")
_SYSTEM = ("ecall", "ebreak", "mret", "sret", "wfi", "sfence.w.inval", "sfence.inval.ir", "fence.i")
_CSRS = (
    *("mstatus", "sstatus") * 6,
    *("mie", "sie", "mip", "sip", "mideleg", "medeleg") * 3,
    *("satp", "mepc", "sepc", "stimecmp", "stimecmph", "menvcfgh") * 2,
    "mscratch", "sscratch", "mcause", "scause", "mtval", "stval", "scounteren", "mcountinhibit",
    "menvcfg", "senvcfg", "mcycle", "minstret", "mcycleh", "minstreth", "cycle", "instret", "time", "timeh", "instreth",
    "misa", "mhartid", "mhpmcounter3", "hpmcounter4", "pmpcfg1", "pmpcfg2", "pmpaddr5", "pmpaddr9", "pmpaddr10",
)  # fmt: skip


def asm(name, **operands):
    """An instruction word."""
    return BY_NAME[name].encode(**operands)


def csr(name, register, rd=0, rs1=0):
    """A CSR instruction with a register operand."""
    return asm(name, csr=NUMBERS[register], rd=rd, rs1=rs1)


def _handler(prefix, count, mode_shift):
    """Go on behind the instruction that trapped, or somewhere in the code if it could not even be fetched.

    Interrupts are answered by disabling all of them. The mode to return to changes from time to time.
    """
    x, y = 31, 30
    cause, epc, save, status, enable = (prefix + name for name in ("cause", "epc", "scratch", "status", "ie"))
    somewhere = [
        csr("csrrs", count, x),
        asm("slli", rd=x, rs1=x, shamt=1),
        asm("slli", rd=x, rs1=x, shamt=17),
        asm("srli", rd=x, rs1=x, shamt=17),  # below 32 KiB: the code pages
        asm("lui", rd=y, imm=(CODE & 0xFFFF_F000) - (1 << 32)),
        asm("add", rd=x, rs1=x, rs2=y),
        csr("csrrw", epc, rs1=x),
    ]
    if prefix == "m":
        somewhere += [csr("csrrw", "satp"), asm("sfence.vma")]
    n = 4
    # The device ends the run of a block here, at some traps.
    pause = [
        asm("andi", rd=y, rs1=x, imm=3),
        asm("bne", rs1=y, rs2=0, imm=3 * n),
        asm("lui", rd=y, imm=PAUSE if prefix == "m" else PAUSE | S_PAUSE),
        asm("sw", rs2=x, rs1=y, imm=0),
    ]
    leave = [
        csr("csrrs", count, x),
        *pause,
        asm("andi", rd=y, rs1=x, imm=7),
        asm("bne", rs1=y, rs2=0, imm=3 * n),
        asm("slli", rd=x, rs1=x, shamt=mode_shift),
        csr("csrrw", status, rs1=x),
        csr("csrrw", save, x, rs1=x),
        asm(prefix + "ret"),
        asm("jal", rd=0, imm=0x1234),  # where mstatus.TSR has trapped the return: into the code, in the same mode
    ]
    after = [csr("csrrs", epc, x), asm("addi", rd=x, rs1=x, imm=4), csr("csrrw", epc, rs1=x)]
    return [
        csr("csrrw", save, x, rs1=x),
        csr("csrrs", cause, x),
        asm("bge", rs1=x, rs2=0, imm=3 * n),
        csr("csrrw", enable),
        asm("jal", rd=0, imm=(6 + len(after) + len(somewhere)) * n),
        # synchronous: causes 0, 1 and 12 are the fetch's own
        asm("addi", rd=y, rs1=x, imm=-12),
        asm("beq", rs1=y, rs2=0, imm=(4 + len(after)) * n),
        asm("sltiu", rd=y, rs1=x, imm=2),
        asm("bne", rs1=y, rs2=0, imm=(2 + len(after)) * n),
        *after,
        asm("jal", rd=0, imm=(1 + len(somewhere)) * n),
        *somewhere,
        *leave,
    ]


class Program:
    """The contents of memory for one run, and the means to keep it going.

    Attributes
    ----------
    random
        Source of all choices.
    alignment
        Of instructions, in bytes: 4 without the C extension.
    ram
        Contents of RAM.
    satps
        Useful values for ``satp``.
    handlers
        Code of the trap handlers by address, to be put back whenever a run starts.
    """

    def __init__(self, random, alignment=2):
        self.random, self.alignment = random, alignment
        self.ram = bytearray(random.randbytes(RAM_SIZE))
        self.satps = [0, *((1 << 31 | random.choice((0, n)) << 22 | TABLES + n * 4 * PAGE >> 12) for n in range(ROOTS))]
        self.handlers = {M_HANDLER: _handler("m", "minstret", 8), S_HANDLER: _handler("s", "sepc", 5)}
        for page in range(CODE_PAGES):
            self._put(CODE + page * PAGE, self.code(PAGE))
        for n in range(ROOTS):
            self._tables(TABLES + n * 4 * PAGE)

    def _put(self, address, words):
        data = words if isinstance(words, bytes) else b"".join(w.to_bytes(4, "little") for w in words)
        self.ram[address - RAM : address - RAM + len(data)] = data[: RAM + RAM_SIZE - address]

    # ---- page tables --------------------------------------------------------------------------------------------

    def entry(self):
        """A random leaf for a random page of code or data, now and then malformed."""
        random = self.random
        page = random.choice((CODE + random.randrange(CODE_PAGES) * PAGE, DATA + random.randrange(DATA_PAGES) * PAGE))
        flags = V | R | W | X | A | D | random.choice((0, U))
        kind = random.random()
        if kind < 0.12:
            flags ^= 1 << random.randrange(8)
        elif kind < 0.16:
            flags &= ~(R | W)  # what MXR makes readable
        elif kind < 0.22:
            flags = random.getrandbits(8)
        if random.random() < 0.03:
            page = random.choice((ROM, DEVICE, 0x4000_0000, 0x1_8000_0000))
        return page >> 12 << 10 | flags | random.getrandbits(2) << 8

    def _tables(self, root):
        """A root with: RAM mapped to itself, a window of random pages, a superpage, ROM and the device."""
        random, put = self.random, self._put
        identity, window, low = root + PAGE, root + 2 * PAGE, root + 3 * PAGE
        put(root, bytes(4 * PAGE))
        for slot, table in ((RAM >> 22, identity), (WINDOW >> 22, window), (0, low)):
            put(root + 4 * slot, [table >> 12 << 10 | V | random.choice((0, 0, G))])
        put(root + 4 * (SUPERPAGE >> 22), [self.superpage(root)])
        device = DEVICE >> 12 << 10 | V | R | W | A | D
        put(root + 4 * (DEVICE >> 22), [device | U, device])
        for page in range(RAM_SIZE // PAGE):
            flags = V | R | W | X | A | D | (random.choice((0, U)) if page else 0)
            if page and random.random() < 0.06:
                flags ^= 1 << random.randrange(8)
            put(identity + 4 * (RAM >> 12 & 0x3FF) + 4 * page, [RAM + page * PAGE >> 12 << 10 | flags])
        for page in range(32):
            put(window + 4 * page, [self.entry()])
        put(low + 4 * (ROM >> 12), [ROM >> 12 << 10 | V | R | X | A | random.choice((0, U))])

    def superpage(self, root):
        """A random leaf of 4 MiB for RAM, or the table of the window in its place."""
        random = self.random
        if random.random() < 0.1:
            return root + 2 * PAGE >> 12 << 10 | V
        entry = RAM >> 12 << 10 | V | R | W | X | A | D | random.choice((0, U, U))
        return entry ^ 1 << random.choice((0, 1, 2, 3, 6, 7, 10, 15)) if random.random() < 0.2 else entry

    def changed_entry(self, used, satp):
        """Physical address, virtual address and new value of an entry of the window's table, or of the superpage.

        Rather for an address that was ``used``, in the tables that ``satp`` names.
        """
        random = self.random
        roots = [TABLES + 4 * n * PAGE for n in range(ROOTS)]
        address, root, current = WINDOW + random.randrange(36) * PAGE, random.choice(roots), (satp & 0x3F_FFFF) << 12
        if used and current in roots and random.random() < 0.8:
            address, root = random.choice(used), current
        if address >= SUPERPAGE or random.random() < 0.1:
            address = SUPERPAGE | random.getrandbits(22)  # a fence of any address in it is a fence of the whole
            return root + 4 * (SUPERPAGE >> 22), address, self.superpage(root)
        return root + 2 * PAGE + 4 * (address - WINDOW >> 12), address, self.entry()

    # ---- values -------------------------------------------------------------------------------------------------

    def pointer(self):
        """An address worth using: data near the ends of pages, code, the window, a device, nothing."""
        random = self.random
        kind = random.random()
        offset = random.choice((0, 4, 8, 0x7FC, 0xFF0, 0xFF8, 0xFFC, 0xFFD, 0xFFE, 0xFFF, random.randrange(PAGE)))
        if kind < 0.45:
            return DATA + random.randrange(DATA_PAGES) * PAGE + offset
        if kind < 0.60:
            return CODE + random.randrange(CODE_PAGES) * PAGE + offset
        if kind < 0.85:
            return WINDOW + random.randrange(33) * PAGE + offset
        if kind < 0.93:
            return SUPERPAGE + random.randrange(40) * PAGE + offset
        if kind < 0.98:
            return random.choice((DEVICE, ROM)) + (offset & 0xFF)
        return random.choice((RAM - 4, RAM + RAM_SIZE - 2, 0, 0xFFFF_FFFE, 0x2000_0000, RAM + RAM_SIZE))

    def value(self):
        """Any operand: edges, pointers, values for ``satp`` and ``mstatus``, noise."""
        random = self.random
        kind = random.random()
        if kind < 0.3:
            return random.choice(EDGES)
        if kind < 0.6:
            return random.getrandbits(32)
        if kind < 0.8:
            return self.pointer()
        if kind < 0.9:
            return random.choice(self.satps)
        return 1 << random.randrange(32)

    def registers(self):
        """Fresh contents for ``x1`` to ``x31``."""
        values = [self.value() for _ in range(31)]
        for register in POINTERS:
            values[register - 1] = self.pointer()
        values[27 - 1] = self.random.choice(self.satps)
        return values

    def start(self):
        """An address in the code."""
        return CODE + self.random.randrange(CODE_PAGES * PAGE // self.alignment) * self.alignment

    # ---- instructions -------------------------------------------------------------------------------------------

    def code(self, size):
        """``size`` bytes of random instructions."""
        code = bytearray()
        while len(code) < size:
            for word in self.instructions():
                code += word.to_bytes(4, "little")[: 4 if word & 3 == 3 else 2]
        return bytes(code[:size])

    def _register(self):
        return self.random.randrange(32)

    def _destination(self):
        register = self.random.randrange(32)
        return register if register not in POINTERS or self.random.random() < 0.05 else self.random.choice((0, 1, 5))

    def _compressed(self):
        """A compressed instruction that mostly keeps the pointers and mostly goes forward."""
        while True:
            half = self.random.choice(_COMPRESSED)
            operands = find(half).operands(half)
            strays = operands.get("rd") in POINTERS or find(half).name in ("c.jr", "c.jalr")
            if find(half).unit == "branch" and not 0 < operands["imm"] < 100:
                strays = True
            if not strays or self.random.random() < 0.04:
                return half

    def instructions(self):
        """One instruction, or a few that belong together."""
        random = self.random
        kind = random.random()
        base = random.choice(POINTERS)
        near = random.choice((0, 0, 4, 8, 12, -4, 1, 2, 3, -1, -3, random.randrange(-64, 64)))
        if kind < 0.27:
            insn = random.choice(_ALU)
            operands = {name: self._register() for name in ("rs1", "rs2", "shamt") if name in insn.fields}
            if "imm" in insn.fields:
                upper = insn.name in ("lui", "auipc")
                operands["imm"] = random.randrange(-8, 8) << 12 if upper else random.randrange(-2048, 2048)
            return [insn.encode(rd=self._destination(), **operands)]
        if kind < 0.47:
            return [self._compressed()]
        if kind < 0.60:
            return [asm(random.choice(_LOADS), rd=self._destination(), rs1=base, imm=near)]
        if kind < 0.70:
            return [asm(random.choice(_STORES), rs2=self._register(), rs1=base, imm=near)]
        if kind < 0.80:
            # mostly forward, lest a program spends its life in one loop
            distance = random.choice((4, 6, 8, 10, 12, 16, 24, 40, random.randrange(-30, 256) * 2))
            if random.random() < 0.7:
                return [asm(random.choice(_BRANCHES), rs1=self._register(), rs2=self._register(), imm=distance)]
            if random.random() < 0.7:
                return [asm("jal", rd=random.choice((0, 1, 5)), imm=distance)]
            return [asm("auipc", rd=6, imm=0), asm("jalr", rd=1, rs1=6, imm=random.randrange(4, 64))]
        if kind < 0.85:
            insn = random.choice(_ATOMIC)
            operands = {"rs2": self._register()} if "rs2" in insn.fields else {}
            word = insn.encode(rd=self._destination(), rs1=base, **operands)
            return [word, asm("sc.w", rd=5, rs1=base, rs2=6)] if insn.name == "lr.w" else [word]
        if kind < 0.93:
            return self._point(base)
        if kind < 0.95:
            return self._csr()
        if kind < 0.99:
            return self._system()
        return [random.choice((random.getrandbits(16), 0, 0xFFFF_FFFF, random.getrandbits(32) | 3))]

    def _point(self, register):
        """Make a register point somewhere again."""
        address = self.pointer()
        low = (address & 0xFFF) - (0x1000 if address & 0x800 else 0)
        upper = address - low & 0xFFFF_F000
        return [
            asm("lui", rd=register, imm=upper - (1 << 32 if upper >> 31 else 0)),
            asm("addi", rd=register, rs1=register, imm=low),
        ]

    def _csr(self):
        random = self.random
        if random.random() < 0.15:
            return self._toggle()
        name = random.choice(_CSRS)
        register = 27 if name == "satp" else self._register()
        if random.random() < 0.25:
            operation = random.choice(("csrrwi", "csrrsi", "csrrci"))
            return [asm(operation, csr=NUMBERS[name], rd=self._destination(), uimm=self._register())]
        operation = random.choice(("csrrw", "csrrs", "csrrc"))
        if name == "satp":
            operation = "csrrw"
        words = [csr(operation, name, rd=self._destination(), rs1=register)]
        # without the fence, what was cached under the same ASID may or may not be used
        return [*words, asm("sfence.vma")] if name == "satp" else words

    def _toggle(self):
        """The same load with SUM or MXR set, and clear again."""
        load = asm("lw", rd=6, rs1=self.random.choice(POINTERS))
        bit = asm("lui", rd=5, imm=self.random.choice((1 << 18, 1 << 19)))
        return [bit, csr("csrrs", "sstatus", rs1=5), load, csr("csrrc", "sstatus", rs1=5), load]

    def _system(self):
        random = self.random
        if random.random() < 0.5:
            where = PAUSE | random.choice((0, S_PAUSE, S_PAUSE))
            return [asm("lui", rd=5, imm=where), asm("sw", rs2=6, rs1=5, imm=0)]
        kind = random.random()
        if kind < 0.2:
            name = random.choice(("sfence.vma", "sinval.vma"))
            return [asm(name, rs1=random.choice((0, *POINTERS)), rs2=random.choice((0, 5)))]
        if kind < 0.3:
            return [asm("fence", pred=random.randrange(16), succ=random.randrange(16))]
        if kind < 0.5:  # machine mode sends itself somewhere else
            return [csr("csrrw", random.choice(("mepc", "sepc")), rs1=random.choice(POINTERS))]
        return [asm(random.choice(_SYSTEM))]
