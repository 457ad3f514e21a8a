"""Everything that a process or test bench can wait for: with both engines the same bench sees the same, in order."""

import itertools

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.sim import BrokenTrigger, DomainReset, Simulator

from rvsim.sim import CompiledEngine

PERIOD = 1e-6

# Coroutines that a run leaves waiting within ``repeat`` or ``until`` complain when they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def background(bench):
    """A bench for whose end a run does not wait."""
    bench.background = True
    return bench


def log_of(engine, make, *, benches=(), processes=(), clocks=("sync",), until=None):
    """What the benches of a design log. Each is called with the context, the design and the log, and begins again when
    a trigger of it breaks."""
    dut, log = make(), []
    simulator = Simulator(dut, engine=engine)
    for domain in clocks:
        simulator.add_clock(PERIOD, domain=domain)

    def bound(bench):
        def note(*what):
            log.append((bench.__name__, *what, f"at {simulator._engine.now} fs"))

        async def run(ctx):
            for _ in range(9):
                try:
                    return await bench(ctx, dut, note)
                except BrokenTrigger:
                    note("broken")

        return run

    for process in processes:
        simulator.add_process(bound(process))
    for bench in benches:
        simulator.add_testbench(bound(bench), background=hasattr(bench, "background"))
    if until is None:
        simulator.run()
    else:
        simulator.run_until(until)
    return log


def same(make, *benches, **options):
    """The log, which is the same with both engines."""
    theirs, ours = (log_of(engine, make, benches=benches, **options) for engine in ("pysim", CompiledEngine))
    assert ours == theirs
    assert ours
    return ours


class Counter(Elaboratable):
    """Counts while enabled, in a domain with a reset of some kind."""

    def __init__(self, *, reset="sync", edge="pos"):
        self.domain = ClockDomain("sync", async_reset=reset == "async", reset_less=reset == "none", clk_edge=edge)
        self.enable, self.step = Signal(init=1), Signal(signed(5), init=3)
        self.count, self.double, self.odd = Signal(8, init=1), Signal(9), Signal()

    def elaborate(self, platform):
        m = Module()
        m.domains += self.domain
        with m.If(self.enable):
            m.d.sync += self.count.eq(self.count + self.step)
        m.d.comb += [self.double.eq(self.count << 1), self.odd.eq(self.count[0])]
        return m


def counters(**options):
    """What makes a counter."""
    return lambda: Counter(**options)


RESETS = pytest.mark.parametrize("reset", ["none", "sync", "async"])


# -- ticks


@RESETS
@pytest.mark.parametrize("edge", ["pos", "neg"])
def test_ticks_are_repeated_sampled_and_waited_for_until_a_condition(reset, edge):
    async def bench(ctx, dut, log):
        log(await ctx.tick())
        log(await ctx.tick().sample(dut.count, dut.double, dut.step))
        log(await ctx.tick().sample(dut.count).repeat(3), ctx.get(dut.count))
        log(await ctx.tick().sample(dut.count, dut.count + dut.double).until(dut.count >= 30), ctx.get(dut.count))
        ctx.set(dut.step, -7)
        log(await ctx.tick().sample(dut.count).sample(dut.odd).until(dut.odd))
        log(await ctx.tick().repeat(2))
        log(await ctx.tick(dut.domain).until(dut.enable))
        async for values in ctx.tick().sample(dut.count, dut.step):
            log(*values)
            if values[2] > 200:
                break
        for wrong in (0, -1):
            with pytest.raises(ValueError, match="positive integer"):
                await ctx.tick().repeat(wrong)

    same(counters(reset=reset, edge=edge), bench)


@pytest.mark.parametrize("reset", ["sync", "async"])
def test_a_reset_ends_a_repeated_wait(reset):
    async def bench(ctx, dut, log):
        for wait in (lambda tick: tick.repeat(9), lambda tick: tick.until(dut.count == 99), lambda tick: tick):
            try:
                log(await wait(ctx.tick().sample(dut.count)))
            except DomainReset:
                log("reset", ctx.get(dut.count))

    async def resets(ctx, dut, log):
        for number in range(3):
            await ctx.delay(3.3 * PERIOD)
            ctx.set(dut.domain.rst, 1)
            log(ctx.get(dut.count))
            await ctx.delay((0.1 if number == 1 else 1.2) * PERIOD)
            ctx.set(dut.domain.rst, 0)

    log = same(counters(reset=reset), bench, resets)
    assert [entry[:2] for entry in log].count(("bench", "reset")) == 2


@pytest.mark.parametrize("reset", ["sync", "async"])
def test_a_reset_that_is_active_when_a_repeated_wait_begins_ends_it(reset):
    async def bench(ctx, dut, log):
        for enable in (1, 0):
            ctx.set(dut.enable, enable)
            await ctx.tick().repeat(4)
            ctx.set(dut.domain.rst, 1)
            for wait in (lambda tick: tick.repeat(2), lambda tick: tick.until(dut.count == dut.count)):
                with pytest.raises(DomainReset):
                    await wait(ctx.tick())
                log(ctx.get(dut.count))
            log(await ctx.tick().sample(dut.count))
            ctx.set(dut.domain.rst, 0)

    same(counters(reset=reset), bench)


def test_an_asynchronous_reset_wakes_who_waits_for_a_tick():
    async def bench(ctx, dut, log):
        for _ in range(6):
            log(await ctx.tick().sample(dut.count), ctx.get(dut.count))

    @background
    async def iterating(ctx, dut, log):
        async for values in ctx.tick().sample(dut.count):
            log(values)

    async def resets(ctx, dut, log):
        for delay in (1.2, 0.1, 0.6, 0.1):
            await ctx.delay(delay * PERIOD)
            ctx.set(dut.domain.rst, 1 - ctx.get(dut.domain.rst))
        await ctx.delay(2 * PERIOD)

    same(counters(reset="async"), bench, resets, iterating)


# -- events that pass while a bench does something else


def clocked_by_hand(*, reset):
    """A counter, and benches of which one gives several edges before the other runs again."""

    async def edges(ctx, dut, log):
        for number in (1, 1, 3, 1, 2, 1, 1):
            await ctx.delay(PERIOD)
            for _ in range(number):
                ctx.set(dut.domain.clk, 1)
                ctx.set(dut.domain.clk, 0)
            log(number, ctx.get(dut.count))

    return counters(reset=reset), edges


@RESETS
@pytest.mark.parametrize("first", [True, False], ids=["waits-first", "clocks-first"])
@pytest.mark.parametrize("how", ["async-for", "until", "repeat", "await"])
def test_several_edges_before_a_bench_runs_again_break_its_trigger(reset, how, first):
    make, edges = clocked_by_hand(reset=reset)

    @background
    async def bench(ctx, dut, log):
        for _ in range(3):
            try:
                if how == "async-for":
                    async for values in ctx.tick().sample(dut.count):
                        log(values, ctx.get(dut.count))
                elif how == "until":
                    log(await ctx.tick().sample(dut.count).until(dut.count > 40), ctx.get(dut.count))
                elif how == "repeat":
                    log(await ctx.tick().sample(dut.count).repeat(4), ctx.get(dut.count))
                else:
                    for _ in range(3):
                        log(await ctx.tick().sample(dut.count), ctx.get(dut.count))
            except BrokenTrigger:
                log("broken", ctx.get(dut.count))

    order = (bench, edges) if first else (edges, bench)
    log = same(make, *order, clocks=())
    if how != "await":
        assert ("bench", "broken") in [entry[:2] for entry in log]


def test_an_event_while_the_body_of_a_loop_waits_breaks_it():
    async def slow(ctx, dut, log):
        for trigger in (ctx.changed(dut.count), ctx.tick(), ctx.posedge(dut.odd), ctx.delay(0.4 * PERIOD)):
            for body in (0.3, 1.7):
                seen = 0
                try:
                    async for values in trigger:
                        log(values)
                        seen += 1
                        if seen == 4:
                            break
                        await ctx.delay(body * PERIOD)
                except BrokenTrigger:
                    log("broken", seen)

    log = same(counters(), slow)
    assert ("slow", "broken", 1) in [entry[:3] for entry in log]


# -- changes, edges, delays


@RESETS
def test_combinations_say_which_of_their_triggers_it_was(reset):
    @background
    async def changes(ctx, dut, log):
        async for values in ctx.changed(dut.count, dut.enable).sample(dut.step):
            log(values)

    @background
    async def edges(ctx, dut, log):
        async for values in ctx.edge(dut.odd, 1).edge(dut.count[1], 0).delay(2.25 * PERIOD).sample(dut.count, dut.step):
            log(values)

    @background
    async def mixed(ctx, dut, log):
        for interval in (0.5, 0.25, 1.5, 1, 3, 0):
            log(await ctx.changed(dut.odd).negedge(dut.enable).delay(interval * PERIOD).posedge(dut.double[2]))
            log(await ctx.delay(interval * PERIOD).sample(dut.count))
            log(await ctx.changed(dut.count))

    async def drive(ctx, dut, log):
        for number in range(12):
            await ctx.delay(0.75 * PERIOD)
            ctx.set(dut.enable, number % 3 != 2)
            ctx.set(dut.step, number - 6)

    same(counters(reset=reset), drive, changes, edges, mixed)


def test_processes_see_what_triggered_them_and_not_what_follows():
    async def registered(ctx, dut, log):
        async for _, reset, count, double in ctx.tick().sample(dut.count, dut.double):
            log(reset, count, double)
            ctx.set(dut.step, count & 7)

    async def combinational(ctx, dut, log):
        async for count, step in ctx.changed(dut.count, dut.step):
            log(count, step)
            ctx.set(dut.enable, count % 5 != 4)

    async def bench(ctx, dut, log):
        for _ in range(14):
            await ctx.tick()
            log(*(ctx.get(signal) for signal in (dut.count, dut.double, dut.step, dut.enable)))

    # Within a delta cycle Amaranth's simulator runs processes in any order: each one's log is compared by itself.
    logs = []
    for engine in ("pysim", CompiledEngine):
        log = log_of(engine, counters(), benches=[bench], processes=[registered, combinational])
        logs.append({who: [entry for entry in log if entry[0] == who] for who, *_ in log})
    assert logs[0] == logs[1]
    assert len(logs[0]) == 3


# -- the end of a run


def test_a_run_ends_with_the_last_critical_one():
    @background
    async def eager(ctx, dut, log):
        async for _, _, count in ctx.tick().sample(dut.count):
            log(count)
            if count == 10:
                with ctx.critical():
                    await ctx.tick().repeat(4)
                log("done")
                return

    async def process(ctx, dut, log):
        await ctx.tick().repeat(2)
        with ctx.critical():
            await ctx.tick().repeat(5)
            log("critical until here")
        await ctx.tick().repeat(3)
        log("never, unless others still run")

    async def short(ctx, dut, log):
        await ctx.tick().repeat(3)
        log("short")

    make = counters()
    log = same(make, short, eager, processes=[process])
    assert [entry[1] for entry in log if isinstance(entry[1], str)] == ["short", "critical until here", "done"]
    log = same(make, short, eager)
    assert [entry[1] for entry in log if isinstance(entry[1], str)] == ["short"]


def test_benches_interact_within_an_instant_in_the_order_in_which_they_were_added():
    class Wires(Elaboratable):
        def __init__(self):
            self.ask, self.answer, self.sum, self.total = Signal(4), Signal(4), Signal(5), Signal(8)

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.sum.eq(self.ask + self.answer)
            m.d.sync += self.total.eq(self.total + self.sum)
            return m

    async def asking(ctx, dut, log):
        for number in range(8):
            ctx.set(dut.ask, number)
            log(ctx.get(dut.answer), ctx.get(dut.sum), ctx.get(dut.total))
            if number % 2:
                log(await ctx.changed(dut.answer))
            await ctx.tick()

    async def answering(ctx, dut, log):
        async for ask in ctx.changed(dut.ask):
            log(*ask, ctx.get(dut.sum))
            ctx.set(dut.answer, 15 - ask[0])

    async def watching(ctx, dut, log):
        async for (total,) in ctx.changed(dut.sum):
            log(total)

    async def ticking(ctx, dut, log):
        for _ in range(8):
            await ctx.tick()
            log(ctx.get(dut.sum), ctx.get(dut.total))
            ctx.set(dut.ask, ctx.get(dut.ask) ^ 1)

    for benches in itertools.permutations((asking, ticking, answering, watching)):
        same(Wires, *benches, until=20 * PERIOD)


# -- parts of what the design drives


class Shared(Elaboratable):
    """A structure and rows of a memory that the design drives in parts."""

    def __init__(self):
        self.pair = Signal(data.StructLayout({"mine": 8, "theirs": signed(8)}))
        self.seen = Signal(17)
        self.memory = Memory(shape=16, depth=4, init=[0x1100, 0x2200, 0x3300, 0x4400])

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.pair.mine.eq(self.pair.mine + 1)
        m.d.comb += self.seen.eq(self.pair.mine + self.pair.theirs)
        m.submodules.memory = self.memory
        port = self.memory.write_port(granularity=8)
        m.d.comb += [port.addr.eq(self.pair.mine), port.data.eq(self.pair.mine), port.en.eq(0b01)]
        return m


def test_a_process_drives_one_field_and_the_design_another():
    async def process(ctx, dut, log):
        async for _, _, mine in ctx.tick().sample(dut.pair.mine):
            ctx.set(dut.pair.theirs, 2 * (mine + 1))

    async def bench(ctx, dut, log):
        for _ in range(6):
            await ctx.tick()
            log(ctx.get(dut.pair.mine), ctx.get(dut.pair.theirs), ctx.get(dut.seen))

    log = same(Shared, bench, processes=[process])
    assert [entry[1:3] for entry in log[:3]] == [(1, 2), (2, 4), (3, 6)]


def test_a_process_and_the_design_write_halves_of_one_row():
    async def process(ctx, dut, log):
        async for _, _, mine in ctx.tick().sample(dut.pair.mine):
            ctx.set(dut.memory.data[mine & 3][8:], 0xA0 + mine)

    async def bench(ctx, dut, log):
        for _ in range(7):
            await ctx.tick()
            log(*(hex(ctx.get(dut.memory.data[row])) for row in range(4)))

    log = same(Shared, bench, processes=[process])
    assert log[0][1] == "0xa000" and log[4][1] == "0xa404"
