"""The CSR file against the reference hart: random accesses, traps, returns, interrupt lines and retirements."""

import functools
import itertools

import numpy
import pytest
from amaranth.hdl import Cat, Elaboratable, Module, ResetInserter, Signal, Value
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.cpu.pipeline.csr_file import EFFECTS, Action, CsrFile
from rvsim.cpu.pipeline.trap import SystemOperation
from rvsim.isa.config import MULTI, SINGLE, IsaConfig
from rvsim.isa.csr import MSTATUS, NUMBERS
from rvsim.isa.protection import PMP_L, PMP_NA4, PMP_NAPOT, PMP_OFF, PMP_R, PMP_TOR
from rvsim.isa.traps import Cause, Interrupt, Privilege
from rvsim.sim import CompiledEngine, Runner
from rvsim.sim.explain import explain
from tests.cpu.pipeline.csr_scenario import IDLE, Life, expected_words
from tests.isa.specification import MASK

ALL = frozenset((*SINGLE, *MULTI))
CONFIGURATIONS = {
    "everything": IsaConfig(),
    "no supervisor timer": IsaConfig(extensions=ALL - {"sstc"}),
    "no protection": IsaConfig(pmp_entries=0),
    "no compressed instructions": IsaConfig(extensions=ALL - {"c"}),
    "no counters": IsaConfig(extensions=ALL - {"zicntr"}),
    "as little as possible": IsaConfig(extensions=frozenset({"i", "zicsr"}), pmp_entries=0, asid_bits=0),
    **{f"{bits} bits of ASID": IsaConfig(asid_bits=bits) for bits in range(9)},
}
SIMULATORS = {"pysim": Simulator, "compiled": functools.partial(Simulator, engine=CompiledEngine)}


class Bench:
    """A CSR file with a reset, and its members by name."""

    def __init__(self, config):
        self.file = CsrFile(config)
        self.reset = Signal()
        self.design = ResetInserter(self.reset)(self.file)
        self.words = self.file.words

    def __getitem__(self, name):
        if name == "reset":
            return self.reset
        found = self.file
        for part in name.split("."):
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        return Value.cast(found)


def told(inputs):
    """What happens in a cycle, in short."""
    return ", ".join(f"{name}={value:#x}" for name, value in inputs.items() if value)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_random_life_on_a_bench(simulator):
    file = Bench(IsaConfig())

    async def bench(ctx):
        for inputs, outputs, hart in itertools.islice(Life(IsaConfig(), 1, episode=150).cycles(), 400):
            for name, value in inputs.items():
                ctx.set(file[name], value)
            for name, value in outputs.items():
                assert ctx.get(file[name]) == value, f"{name} with {told(inputs)}"
            await ctx.tick()
            for name, value in expected_words(hart, file.words).items():
                assert ctx.get(file.words[name]) == value, f"{name} after {told(inputs)}"

    sim = SIMULATORS[simulator](file.design)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


class Row:
    """Fields of a memory's row, by name."""

    def __init__(self, signals):
        self.signals, self.places, low = signals, {}, 0
        for name, signal in signals.items():
            self.places[name] = low
            low += len(signal)
        self.width = low
        self.bytes = -(-low // 64) * 8

    def pack(self, values):
        return sum(value << self.places[name] for name, value in values.items()).to_bytes(self.bytes, "little")

    def mask(self, names):
        return self.pack({name: (1 << len(self.signals[name])) - 1 for name in names})

    def unpack(self, data):
        row = int.from_bytes(bytes(data), "little")
        return {name: row >> low & (1 << len(self.signals[name])) - 1 for name, low in self.places.items()}


class Recorded(Elaboratable):
    """A CSR file that gets its inputs from the rows of a memory, and writes its outputs and words into another.

    The words of a row are those at the beginning of its cycle, before what the row's inputs change.
    """

    DEPTH = 1000

    def __init__(self, config):
        self.bench = bench = Bench(config)
        lines = ("msip", "mtip", "seip", "meip", "time")
        self.inputs = Row({name: bench[name] for name in (*IDLE, *lines)})
        outputs = [*Life(config, 0).outputs(), "access.value", "target", "next_privilege"]
        self.outputs = Row(bench.words | {name: bench[name] for name in outputs})

    def elaborate(self, platform):
        m = Module()
        m.submodules.file = self.bench.design
        m.submodules.given = given = Memory(shape=self.inputs.bytes * 8, depth=self.DEPTH, init=[])
        m.submodules.taken = taken = Memory(shape=self.outputs.bytes * 8, depth=self.DEPTH, init=[])
        read, write = given.read_port(domain="comb"), taken.write_port()
        position = Signal(range(self.DEPTH), name="position")
        m.d.comb += [
            Cat(*self.inputs.signals.values()).eq(read.data),
            read.addr.eq(position),
            write.addr.eq(position),
            write.data.eq(Cat(*self.outputs.signals.values())),
            write.en.eq(1),
        ]
        m.d.sync += position.eq(position + 1)
        return m


def live(config, seed, rounds):
    """Compare so many thousand cycles: every output and every stored bit in each."""
    design = Recorded(config)
    run, life, words = Runner(design), Life(config, seed), design.bench.words
    before, cycles = expected_words(life.hart, words), life.cycles()
    for _ in range(rounds):
        given, wanted, cared, told_of = [], [], [], []
        for inputs, outputs, hart in itertools.islice(cycles, design.DEPTH):
            given.append(design.inputs.pack(inputs))
            wanted.append(design.outputs.pack(before | outputs))
            cared.append(design.outputs.mask(before | outputs))
            told_of.append(inputs)
            before = expected_words(hart, words)
        run["position"] = 0
        rows = run.memory("given")
        rows[:] = numpy.frombuffer(b"".join(given), numpy.uint64).reshape(rows.shape)
        run(design.DEPTH)
        found = run.memory("taken")
        expected, mask = (
            numpy.frombuffer(b"".join(lines), numpy.uint64).reshape(found.shape) for lines in (wanted, cared)
        )
        wrong = ((found ^ expected) & mask).any(axis=1)
        if wrong.any():
            _explain(design, int(wrong.argmax()), found, expected, mask, told_of)


def _explain(design, row, found, expected, mask, told_of):
    found, expected, mask = (design.outputs.unpack(rows[row].tobytes()) for rows in (found, expected, mask))
    different = [
        f"{name} is {found[name]:#x}, not {expected[name]:#x}"
        for name in found
        if mask[name] and found[name] != expected[name]
    ]
    raise AssertionError(f"{', '.join(different)}; with {told(told_of[row])}; after {told(told_of[max(0, row - 1)])}")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_random_life(name):
    live(CONFIGURATIONS[name], name, {"everything": 20}.get(name, 1 if "ASID" in name else 5))


@pytest.mark.slow
def test_long_random_life():
    live(IsaConfig(), "long", 200)


# ---- single rules, to be read ---------------------------------------------------------------------------------------


class Machine:
    """A CSR file that runs freely; reads and writes by a register's name."""

    def __init__(self, config=None):
        self.bench = Bench(config or IsaConfig())
        self.run = Runner(self.bench.design)

    def __getitem__(self, name):
        return self.run[self.bench[name]]

    def drive(self, **values):
        for name, value in values.items():
            self.run[self.bench[name.replace("__", ".")]] = value

    def access(self, name, action=Action.WRITE, operand=0, *, writes=True, retire=True):
        """What it reads, or ``None`` if it is illegal."""
        self.drive(access__valid=1, access__number=NUMBERS[name], access__action=action.value)
        self.drive(access__operand=operand, access__writes=writes, retire=retire)
        value = None if self["access.illegal"] else self["access.value"]
        self.effects = {effect for effect in EFFECTS.members if self[f"access.effects.{effect}"]}
        self.run(1)
        self.drive(access__valid=0, retire=0)
        return value

    def read(self, name):
        return self.access(name, Action.SET, writes=False)

    def enter(self, privilege):
        """Return to a mode."""
        self.drive(mstatus=privilege << MSTATUS["MPP"].low, system__operation=SystemOperation.MRET.value)
        self.drive(system__valid=1)
        self.run(1)
        self.drive(system__valid=0)


def test_after_reset_only_the_timer_comparator_is_not_zero():
    machine = Machine()
    words = {name: machine.run[word] for name, word in machine.bench.words.items()}
    assert {name: value for name, value in words.items() if value} == {"stimecmp": MASK, "stimecmph": MASK}
    assert machine["privilege"] == Privilege.M


def test_set_of_pending_interrupts_leaves_the_line_out():
    machine = Machine()
    machine.drive(seip=1)
    assert machine.access("mip", Action.SET, 1 << Interrupt.SSI) == 1 << Interrupt.SEI
    machine.drive(seip=0)
    assert machine.read("mip") == 1 << Interrupt.SSI


def test_interrupt_is_taken_before_the_instruction_behind_the_one_that_enables_it():
    machine = Machine()
    machine.drive(mtip=1)
    machine.access("mie", Action.SET, 1 << Interrupt.MTI)
    assert machine["wake"]
    assert not machine["interrupt"]
    machine.access("mstatus", Action.SET, MSTATUS["MIE"].mask)
    assert machine["interrupt"]
    assert machine["interrupt_cause"] == Interrupt.MTI


def test_instruction_that_writes_minstret_is_not_counted():
    machine = Machine()
    machine.access("minstret", operand=100)
    assert machine.read("minstret") == 100
    assert machine.read("minstret") == 101


def test_instruction_that_inhibits_counting_is_counted():
    machine = Machine()
    machine.access("mcountinhibit", operand=5)
    assert machine.read("minstret") == 1
    assert machine.read("minstret") == 1
    assert machine.read("mcycle") == 1


def test_mcycle_counts_cycles_whatever_retires():
    machine = Machine()
    machine.run(10)
    assert machine.read("mcycle") == 10
    assert machine.read("instret") == 1


def test_trap_wins_over_an_illegal_access_in_the_same_cycle():
    machine = Machine()
    machine.access("mtvec", operand=0x8000_0000)
    machine.enter(Privilege.U)
    machine.drive(trap__valid=1, trap__cause=Cause.ILLEGAL_INSTRUCTION, trap__epc=0x1234, trap__tval=0x3400_1073)
    assert machine.access("mscratch", operand=1, retire=False) is None
    machine.drive(trap__valid=0)
    assert [machine.read(name) for name in ("mepc", "mcause", "mtval", "mscratch")] == [0x1234, 2, 0x3400_1073, 0]


@pytest.mark.parametrize(
    "effect, names",
    {
        "translation": ("satp",),
        "protection": ("pmpcfg0", "pmpcfg3", "pmpaddr0", "pmpaddr15"),
        "status": ("mstatus", "sstatus"),
        "interrupts": ("mie", "sie", "mip", "sip", "mideleg", "stimecmp", "stimecmph", "menvcfgh"),
        None: ("mtvec", "mscratch", "mepc", "minstret", "mcounteren", "medeleg", "misa"),
    }.items(),
)
def test_write_tells_what_it_changes_for_instructions_behind_it(effect, names):
    machine = Machine()
    for name in names:
        machine.read(name)
        assert machine.effects == set(), name
        machine.access(name, operand=0)
        assert machine.effects == ({effect} if effect else set()), name


def test_access_that_is_illegal_tells_of_no_effect():
    machine = Machine()
    machine.enter(Privilege.U)
    assert machine.access("satp") is None
    assert machine.effects == set()


def test_satp_is_illegal_in_supervisor_mode_under_tvm():
    machine = Machine()
    for trapped in (0, MSTATUS["TVM"].mask):
        machine.enter(Privilege.S)
        machine.drive(mstatus=trapped)
        assert (machine.access("satp", operand=5) is None) == bool(trapped)
        machine.drive(privilege=Privilege.M)
        assert machine.access("satp") is not None


@pytest.mark.parametrize("enabled, counted", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_supervisor_needs_two_bits_for_its_timer(enabled, counted):
    machine = Machine()
    machine.access("menvcfgh", operand=enabled << 31)
    machine.access("mcounteren", operand=counted << 1)
    assert machine.access("stimecmp", operand=7) is not None
    machine.enter(Privilege.S)
    assert machine.read("stimecmp") == (7 if enabled and counted else None)


@pytest.mark.parametrize("mode, below", [(PMP_OFF, False), (PMP_TOR, True), (PMP_NA4, False), (PMP_NAPOT, False)])
def test_lock_holds_the_entry_and_with_tor_the_address_below(mode, below):
    machine = Machine()
    machine.access("pmpcfg0", operand=(PMP_L | mode) << 24 | PMP_R << 16)
    machine.access("pmpcfg0", operand=0)
    assert machine.read("pmpcfg0") == (PMP_L | mode) << 24
    for entry, locked in ((1, False), (2, below), (3, True), (4, False)):
        machine.access(f"pmpaddr{entry}", operand=MASK)
        assert machine.read(f"pmpaddr{entry}") == (0 if locked else MASK), entry


def test_change_of_protection_is_told_in_the_cycle_after():
    machine = Machine()
    machine.access("pmpaddr3", operand=5)
    assert (machine["pmp_changed"], machine["pmpaddr.3"]) == (1, 5)
    machine.run(1)
    assert machine["pmp_changed"] == 0


@pytest.mark.parametrize("name", ("mstatus", "mie", "mideleg", "mepc", "mtvec", "satp", "stimecmp", "mip"))
def test_stored_registers_have_their_names_in_the_hierarchy(name):
    machine = Machine()
    machine.run[name] = 0x20
    assert machine.read(name) == 0x20


class Trapping(Elaboratable):
    """What write-back does with an illegal instruction: a trap in the same cycle, which must be no loop."""

    def __init__(self):
        self.file = CsrFile()

    def elaborate(self, platform):
        m = Module()
        m.submodules.file = file = self.file
        m.d.comb += [
            file.trap.valid.eq(file.access.illegal | file.system.illegal | file.interrupt),
            file.trap.cause.eq(Cause.ILLEGAL_INSTRUCTION),
            file.trap.epc.eq(0x1234),
        ]
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_illegal_access_becomes_a_trap_in_the_same_cycle(simulator):
    design = Trapping()
    file = design.file

    async def bench(ctx):
        ctx.set(file.access.number, NUMBERS["mhartid"])
        ctx.set(file.access.writes, 1)
        ctx.set(file.access.valid, 1)
        assert ctx.get(file.access.illegal)
        await ctx.tick()
        ctx.set(file.access.valid, 0)
        assert ctx.get(file.words["mepc"]) == 0x1234

    sim = SIMULATORS[simulator](design)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


def test_idle_costs_a_simulation_next_to_nothing():
    # A guest runs in S-mode with its timer set: only lines, comparator, counters and "nothing is asked" are looked at.
    design = Trapping()
    run = Runner(design)
    for name, value in {"mie": 0x222, "mideleg": 0x222, "menvcfgh": 1 << 31, "privilege": 1, "mstatus": 2}.items():
        run[f"file.{name}"] = value
    found = explain(run, 1000)["operations"]
    assert found["per_cycle"] < 120
