"""The flight recorder: what it writes is what a trace of the same cycles would have written."""

import io
import os
import random
import signal as signals
import threading
import warnings

import pytest
from amaranth.hdl import Assert, ClockDomain, Elaboratable, Module, Signal
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from benchmarks.designs import cpu, idle
from rvsim.sim import Runner, Sender
from rvsim.sim.options import Options
from rvsim.sim.waves import recorder

from .designs import RandomDesign
from .test_waves import PERIOD, SOME, Clocks, Divided, Quota, Shapes, waves


def disturb(run, r, inputs):
    """Change inputs and a register from outside."""
    for signal in inputs:
        run[signal] = r.choice([0, (1 << len(signal)) - 1, 1, r.getrandbits(140)]) & ((1 << len(signal)) - 1)


def both(make, cycles, *, last=None, memory=1 << 20, inputs=lambda design, run: (), options=None, step=3, clocks=None):
    """The same cycles traced and recorded: (waveform of the trace, of the recorder, first cycle kept)."""
    options = {} if options is None else {"options": options}
    made = []
    for recorded in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = make()
            run = Runner(design, clocks=clocks, **options)
        r, out, first = random.Random(1), io.StringIO(), 0
        with run.record(last=last or 10**6, memory=memory) if recorded else run.trace(out) as observer:
            done = 0
            while done < cycles:
                disturb(run, r, inputs(design, run))
                done += run(min(r.randrange(1, 2 * step), cycles - done))
        if recorded:
            state = run.save()
            first = cycles - observer.cycles
            assert run.write_vcd(out) == observer.cycles
            assert run.save() == state
            again = io.StringIO()
            run.write_vcd(again)
            assert waves(again.getvalue()) == waves(out.getvalue())
        made.append((out.getvalue(), first))
    return made[0][0], made[1][0], made[1][1]


def assert_same(theirs, mine, first, cycles):
    """The recorder's waveform is the trace's, from the first cycle that was kept."""
    until, since = cycles * PERIOD + 1, first * PERIOD
    theirs, mine = waves(theirs, until, since), waves(mine, until, since)
    assert sorted(theirs) == sorted(mine)
    for name in theirs:
        assert mine[name] == theirs[name], name


def driven(design, run):
    """Inputs of a random design that are part of it."""
    return [s for s in design.inputs if len(s) and s.name in run.model.names.table]


@pytest.mark.parametrize("size", [4, 12, 40])
def test_random_designs_are_recorded_as_traced(size):
    for seed in range(700, 703):
        theirs, mine, first = both(lambda seed=seed: RandomDesign(seed, size=size), 60, inputs=driven)
        assert first == 0
        assert_same(theirs, mine, first, 60)


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(n, marks=pytest.mark.slow) for n in range(5, 40))])
def test_recording_does_not_depend_on_how_a_design_is_translated(seed):
    options = Options(
        guards=None, in_place=None, two_phases=None, cut=None, switches=None, sharing=None, poison=True, seed=seed
    )
    theirs, mine, first = both(lambda: RandomDesign(seed, size=20), 40, inputs=driven, options=options)
    assert_same(theirs, mine, first, 40)


@pytest.mark.parametrize(
    ("make", "clocks"), [(Clocks, None), (Clocks, {"other": 2}), (Divided, None), (Shapes, None), (cpu.make, None)]
)
def test_designs_of_every_kind_are_recorded_as_traced(make, clocks):
    theirs, mine, first = both(make, 90, clocks=clocks)
    assert_same(theirs, mine, first, 90)


def test_two_random_clock_domains():
    for seed in range(800, 803):
        make = lambda seed=seed: RandomDesign(seed, size=24, domains=("sync", "other"))  # noqa: E731
        theirs, mine, first = both(make, 40, inputs=driven, clocks={"other": 3} if seed % 2 else None)
        assert_same(theirs, mine, first, 40)


def test_only_the_last_cycles_are_kept():
    theirs, mine, first = both(cpu.make, 2000, last=100, step=50)
    assert first == 1900
    assert_same(theirs, mine, first, 2000)


def test_memory_bounds_what_is_kept():
    theirs, mine, first = both(lambda: idle.Soc(2, 40), 3000, memory=1 << 14, step=300)
    assert 0 < first < 3000
    assert_same(theirs, mine, first, 3000)


def test_memory_bounds_changes_that_are_no_part_of_rows():
    theirs, mine, first = both(Bank, 2000, memory=1 << 14, step=300)
    assert 0 < first < 2000
    assert_same(theirs, mine, first, 2000)


def test_positions_of_changes_have_more_than_32_bits():
    made = []
    for start in (0, (1 << 32) - 100):
        run, out = Runner(Bank()), io.StringIO()
        with run.record(last=300) as recording:
            recording._recording.short_pos = start
            run(1000)
            assert recording.cycles == 300
            run.write_vcd(out)
        made.append(waves(out.getvalue()))
    assert made[0] == made[1]


class Wide(Elaboratable):
    """Registers wider than words, some of which seldom change."""

    def elaborate(self, platform):
        m = Module()
        count = Signal(16, name="count", reset_less=True)
        m.d.sync += count.eq(count * 5 + 3)
        for n in range(6):
            wide = Signal(70 + 60 * n, name=f"wide{n}", reset_less=True)
            with m.If(count[n]), m.If(~count[n + 1]):
                m.d.sync += wide.eq(wide * 3 + count)
            with m.If(count[n + 2 : n + 5] == 5):
                m.d.sync += wide[-9:].eq(count)
        return m


def test_wide_registers_that_seldom_change():
    theirs, mine, first = both(Wide, 200)
    assert_same(theirs, mine, first, 200)


@pytest.mark.parametrize("make", [Wide, cpu.make, Clocks])
def test_states_too_large_for_short_records(make, monkeypatch):
    monkeypatch.setattr(recorder, "REACH", 0)
    theirs, mine, first = both(make, 200, last=150)
    assert first == 50
    assert_same(theirs, mine, first, 200)


def test_steps_that_are_cut_into_parts():
    for part in (1, 5):
        theirs, mine, first = both(lambda: idle.Soc(2, 40), 300, options=Options(part=part), step=40)
        assert_same(theirs, mine, first, 300)


def test_part_of_what_was_kept_can_be_written():
    run, whole, part = Runner(cpu.make()), io.StringIO(), io.StringIO()
    with run.record("pc", "retired") as recording:
        run(500)
        assert recording.cycles == 500
        assert run.write_vcd(part, last=20) == 20
        run(1)
        run(1)
    run.write_vcd(whole, "pc")
    assert set(waves(part.getvalue())) == {"bench.top.pc", "bench.top.retired"}
    changes = waves(whole.getvalue())["bench.top.pc"]
    assert set(waves(whole.getvalue())) == {"bench.top.pc"}
    inside = [(t, v) for t, v in changes if 480 * PERIOD < t <= 500 * PERIOD]
    assert waves(part.getvalue())["bench.top.pc"][1:] == inside


def test_long_recording_is_written_in_pieces(tmp_path):
    run, out = Runner(cpu.make()), tmp_path / "out.vcd"
    with run.record("pc"):
        run(300_000)
    assert run.write_vcd(out) == 300_000
    assert out.read_text().endswith(f"#{300_000 * PERIOD}\n")


class Trap(Elaboratable):
    """Finds something wrong after a while."""

    def elaborate(self, platform):
        m = Module()
        count = Signal(16, name="count")
        m.d.sync += [count.eq(count + 1), Assert(count != 1000, "too far")]
        return m


def test_what_led_to_a_failed_assertion():
    run, out = Runner(Trap()), io.StringIO()
    with pytest.raises(AssertionError, match="too far"), run.record("count", last=10):
        run(10**6)
    assert run.write_vcd(out) == 10
    seen = waves(out.getvalue())["bench.top.count"]
    assert int(seen[-1][1], 2) == run["count"] == run.cycle == 1001
    assert seen[-1][0] == run.cycle * PERIOD - PERIOD // 2


def test_what_led_to_an_interrupt():
    run, out = Runner(cpu.make()), io.StringIO()
    threading.Timer(0.3, os.kill, (os.getpid(), signals.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), run.record(last=1000) as recording:
        run(10**12)
    assert recording.cycles == run.write_vcd(out, "retired") == 1000
    assert int(waves(out.getvalue())["bench.top.retired"][-1][1], 2) == run["retired"]


def test_restored_state_starts_the_recording_afresh():
    run = Runner(cpu.make())
    state = run.save()
    with run.record("pc") as recording:
        run(50)
        run.restore(state)
        assert recording.cycles == 0
        run(7)
        assert recording.cycles == 7


def test_recorder_and_trace_at_once():
    run, traced, recorded = Runner(cpu.make()), io.StringIO(), io.StringIO()
    with run.record(), run.trace(traced):
        run(40)
        run(60)
    run.write_vcd(recorded)
    assert waves(traced.getvalue()) == waves(recorded.getvalue())


def test_recording_changes_nothing():
    run, plain = Runner(idle.Soc(2, 40)), Runner(idle.Soc(2, 40))
    with run.record():
        run(1000)
        run.write_vcd(io.StringIO(), "pc")
        run(1000)
    run(100), plain(2100)
    assert run.save() == plain.save()


def test_program_loaded_by_the_host_is_recorded():
    run, out = Runner(cpu.make()), io.StringIO()
    with run.record():
        run(10)
        run.memory("imem")[3] = 0x13
        run(10)
    run.write_vcd(out, "imem")
    times = [time for time, _ in waves(out.getvalue())["bench.top.\\imem[3]"]]
    assert times == [0, 10 * PERIOD]


def test_rows_changed_by_the_host_by_name_are_recorded():
    theirs, mine = io.StringIO(), io.StringIO()
    for recorded in (False, True):
        run = Runner(Bank())
        with run.record() if recorded else run.trace(theirs):
            for n in range(20):
                run[f"byte[{n % 16}]"], run[f"wide[{n % 5}]"] = n, (1 << 199) + n
                run(2)
    run.write_vcd(mine)
    assert_same(theirs.getvalue(), mine.getvalue(), 0, 40)


class Sum(Component):
    """Adds up what it is sent."""

    numbers: In(stream.Signature(8))
    total: Out(16)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.numbers.ready.eq(1)
        with m.If(self.numbers.valid):
            m.d.sync += self.total.eq(self.total + self.numbers.payload)
        return m


def test_items_of_a_host_stream_are_recorded():
    made = []
    for recorded in (False, True):
        design, out = Sum(), io.StringIO()
        sender = Sender(design.numbers, depth=8)
        run = Runner(design, ports=[sender])
        with run.record() if recorded else run.trace(out):
            sender.write(list(range(1, 60)))
            run(100)
        if recorded:
            run.write_vcd(out)
        made.append(waves(out.getvalue()))
    assert made[0]["bench.top.total"] == made[1]["bench.top.total"]
    assert made[0] == made[1]


# -- mistakes and trouble


@pytest.mark.parametrize(
    ("patterns", "options", "error", "message"),
    [
        (["cpu.*"], {}, KeyError, "no signal or memory matches"),
        ([], {"last": 0}, ValueError, "last=0"),
        ([], {"memory": 5}, ValueError, "memory=5"),
    ],
)
def test_mistake_is_told_at_once(patterns, options, error, message):
    with pytest.raises(error, match=message):
        Runner(cpu.make()).record(*patterns, **options)


def test_nothing_recorded_and_used_since():
    run = Runner(cpu.make())
    with pytest.raises(ValueError, match=r"in the context of record\(\)"):
        run.write_vcd(io.StringIO())
    with run.record():
        run(10)
        with pytest.raises(ValueError, match="last=0"):
            run.write_vcd(io.StringIO(), last=0)
    run.write_vcd(io.StringIO())
    run(1)
    with pytest.raises(ValueError, match="ended in cycle 10, and the runner has been used since"):
        run.write_vcd(io.StringIO())


def test_two_recorders_at_once_are_refused():
    run = Runner(cpu.make())
    with run.record(), pytest.raises(RuntimeError, match="active already"), run.record():
        pass


def test_full_disk_leaves_the_state_as_it_was():
    run, out = Runner(cpu.make()), Quota()
    with run.record():
        run(60_000)
    state = run.save()
    with pytest.raises(OSError, match="No space left"):
        run.write_vcd(out, *SOME)
    assert run.save() == state
    assert run.write_vcd(io.StringIO(), "pc") == 60_000


class Bank(Elaboratable):
    """Memories whose rows are narrow, wide, and written through two ports at once."""

    def elaborate(self, platform):
        m = Module()
        m.domains.other = ClockDomain(clk_edge="neg", reset_less=True)
        count = Signal(16, name="count", reset_less=True)
        m.d.sync += count.eq(count * 5 + 3)
        for name, width, depth in (("one", 1, 9), ("byte", 7, 16), ("half", 12, 8), ("wide", 200, 5), ("long", 64, 4)):
            m.submodules[name] = memory = Memory(shape=width, depth=depth, init=[])
            for number, domain in enumerate(("sync", "sync", "other")):
                port = memory.write_port(domain=domain)
                m.d.comb += [
                    port.addr.eq(count[number:]), port.data.eq(~(count * (number + 7)) << 9 * number),
                    port.en.eq(count[number + 2]),
                ]  # fmt: skip
        return m


def test_edges_made_by_the_host_are_recorded():
    def edges(design, run):
        run["clk"] = 1
        run["clk"] = 0
        return ()

    for make in (Bank, Divided):
        theirs, mine, first = both(make, 50, inputs=edges)
        assert_same(theirs, mine, first, 50)


def test_rows_of_every_size_and_several_ports():
    theirs, mine, first = both(Bank, 200, last=70)
    assert first == 130
    assert_same(theirs, mine, first, 200)
