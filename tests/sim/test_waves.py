"""Waveforms of free runs: against Amaranth's own, in windows, and when something goes wrong."""

import contextlib
import enum
import errno
import io
import itertools
import os
import random
import re
import signal as signals
import subprocess
import sys
import threading
import warnings

import pytest
from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Const,
    Elaboratable,
    Format,
    Module,
    ShapeCastable,
    Signal,
    signed,
    unsigned,
)
from amaranth.lib import data
from amaranth.lib import enum as hdl_enum
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator
from vcdvcd import VCDVCD

from benchmarks.designs import cpu
from rvsim.sim import ConditionError, Runner

from .designs import RandomDesign

PERIOD = 10**9  # femtoseconds


def parsed(text):
    """A waveform with the changes of texts, which the parser passes over: as if they were numbers."""
    return VCDVCD(vcd_string=re.sub(r"^s", "b", text, flags=re.MULTILINE))


def waves(text, until=None, since=0):
    """Name → list of (time, value): the last value of each time, without repetitions."""
    made, seen = {}, parsed(text)
    for name in seen.references_to_ids:
        changes = []
        for time, value in seen[name].tv:
            value = value.lower()
            if until is not None and time >= until:
                break
            if changes and (changes[-1][0] == time or time <= since):
                changes.pop()
            if not changes or changes[-1][1] != value:
                changes.append((max(time, since), value))
        made[name] = changes
    return made


def pysim(design, cycles, stimulus=None, clocks=("sync",)):
    """The waveform that Amaranth's simulator writes; inputs change between cycles, when clocks fall."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator, out = Simulator(design), io.StringIO()
    for name in clocks:
        simulator.add_clock(1e-6, domain=name)

    async def bench(ctx):
        for cycle in range(cycles):
            for name, value in stimulus[cycle]:
                ctx.set(getattr(design, name), value)
            await ctx.delay(1e-6)

    if stimulus:
        simulator.add_testbench(bench)
    with simulator.write_vcd(out):
        simulator.run_until(cycles * 1e-6)
    return out.getvalue()


def ours(design, cycles, stimulus=None, *patterns, **options):
    """The same from a free run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run, out = Runner(design), io.StringIO()
    with run.trace(out, *patterns, **options):
        for cycle in range(cycles):
            for name, value in stimulus[cycle] if stimulus else ():
                run[getattr(design, name)] = value
            run(1)
    return out.getvalue()


def assert_same(theirs, mine, cycles):
    until = cycles * PERIOD
    theirs, mine = waves(theirs, until), waves(mine, until)
    assert sorted(mine) == sorted(theirs)
    for name in theirs:
        assert mine[name] == theirs[name], name


def declarations(text):
    """Kind, size and full name of every variable."""
    scope, found = [], []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scope.append(words[2])
        elif words[:1] == ["$upscope"]:
            scope.pop()
        elif words[:1] == ["$var"]:
            found.append((words[1], words[2], ".".join((*scope, words[4]))))
    return sorted(found)


class Colour(enum.Enum):
    RED, GREEN, BLUE = range(3)


class Operation(hdl_enum.Enum, shape=12):
    IDLE, LOAD, STORE, FENCE = 0, 5, 0x800, 7


class Scaled(ShapeCastable):
    """A shape that is shown as something that is no bits of the signal."""

    def as_shape(self):
        return unsigned(20)

    def const(self, init):
        return Const(init or 0, 20)

    def __call__(self, value):
        return value

    def from_bits(self, raw):
        return raw

    def format(self, value, spec):
        return Format("{}", value + 5)


class Worded(Scaled):
    def format(self, value, spec):
        return Format("at {:x} of it", value)


class Pair(data.Struct):
    low: signed(3)
    colour: Operation
    wide: 70
    flag: 1


class Shapes(Elaboratable):
    """Signals of every kind that a waveform knows."""

    def __init__(self):
        self.step = Signal(8, init=1)

    def elaborate(self, platform):
        m = Module()
        count = Signal(80, name="count")
        colour, operation = Signal(Colour), Signal(Operation)
        pair, array = Signal(Pair), Signal(data.ArrayLayout(Colour, 3))
        nested = Signal(data.ArrayLayout(Pair, 2))
        spoken = Signal(4, decoder=lambda value: f"is {value} now")
        coarse = Signal(8, decoder=lambda value: "big" if value > 99 else "small\t")
        long = Signal(signed(12), decoder=lambda value: f"long\\{value}")
        scaled, worded = Signal(Scaled(), name="scaled"), Signal(Worded(), name="worded")
        bracket = Signal(3, name="x[3]")
        nothing, clock, alias = Signal(0, name="nothing"), Signal(name="clock"), Signal(80, name="alias")
        m.d.sync += [count.eq(count * 3 + self.step), colour.eq(count[:2]), operation.eq(count[3:]), bracket.eq(count)]
        m.d.comb += [
            pair.as_value().eq(count), array.as_value().eq(count[5:]), nested.as_value().eq(count << 7),
            spoken.eq(count[2:]), coarse.eq(count), long.eq(count), scaled.eq(count), worded.eq(count[4:9]),
            clock.eq(ClockSignal()),
            alias.eq(count), nothing.eq(count),
        ]  # fmt: skip
        m.submodules.inner = inner = Module()
        below = Signal(80)
        inner.d.sync += below.eq(~count)
        m.submodules.wide = wide = Memory(shape=Pair, depth=4, init=[])
        m.submodules.narrow = narrow = Memory(shape=5, depth=7, init=[3, 2, 1])
        m.submodules.enums = enums = Memory(shape=Operation, depth=3, init=[])
        for memory in (wide, narrow, enums):
            port = memory.write_port()
            m.d.comb += [port.addr.eq(count[1:]), port.en.eq(count[4])]
            m.d.comb += (port.data if isinstance(port.data, Signal) else port.data.as_value()).eq(count[3:])
        return m


def shapes_stimulus(cycles):
    return [[("step", (cycle * 37) & 0xFF)] if cycle % 3 == 0 else [] for cycle in range(cycles)]


def test_every_kind_of_variable_equals_amaranths_own():
    cycles = 60
    theirs, mine = (make(Shapes(), cycles, shapes_stimulus(cycles)) for make in (pysim, ours))
    assert declarations(mine) == declarations(theirs)
    assert_same(theirs, mine, cycles)


def test_only_changes_are_written():
    for changes in (parsed(ours(Shapes(), 50))[n].tv for n in ("bench.top.coarse", "bench.top.scaled")):
        assert len(changes) > 1
        assert all(a[1] != b[1] for a, b in itertools.pairwise(changes))


@pytest.mark.parametrize("size", [4, 12, 40])
def test_random_designs_equal_amaranths_own(size):
    cycles = 30
    for seed in range(300, 304):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            designs = [RandomDesign(seed, size=size) for _ in range(2)]
        r = random.Random(seed)
        known = Runner(RandomDesign(seed, size=size)).model.names.table
        names = [s for s in designs[0].inputs if len(s) and s.name in known]
        for design in designs:
            for signal in design.inputs:
                setattr(design, signal.name, signal)
        stimulus = []
        for _ in range(cycles):
            values = []
            for signal in names:
                value = r.choice([0, -1, 1, r.getrandbits(140)]) & ((1 << len(signal)) - 1)
                negative = signal.shape().signed and value >> (len(signal) - 1)
                values.append((signal.name, value - (1 << len(signal)) if negative else value))
            stimulus.append(values)
        assert_same(pysim(designs[0], cycles, stimulus), ours(designs[1], cycles, stimulus), cycles)


class Clocks(Elaboratable):
    """Two domains and both edges."""

    def elaborate(self, platform):
        m = Module()
        m.domains.other = ClockDomain()
        m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True)
        for domain in ("sync", "other", "falling"):
            count = Signal(5, name=f"in_{domain}")
            m.d[domain] += count.eq(count + 1)
        return m


def test_two_clocks_and_both_edges_equal_amaranths_own():
    theirs = pysim(Clocks(), 20, clocks=("sync", "other", "falling"))
    assert_same(theirs, ours(Clocks(), 20), 20)


def test_faster_clock_is_shown_as_it_is_run():
    run, out = Runner(Clocks(), clocks={"other": 2}), io.StringIO()
    with run.trace(out):
        run(3)
    seen = waves(out.getvalue())
    quarter = PERIOD // 4
    rising = [time for time, value in seen["bench.top.other_clk"] if value == "1"]
    assert rising == [quarter * (2 * n + 1) for n in range(6)]
    assert [time for time, value in seen["bench.top.in_other"]][1:] == rising
    assert [time for time, value in seen["bench.top.clk"] if value == "1"] == [
        PERIOD // 2 * (2 * n + 1) for n in range(3)
    ]


class Divided(Elaboratable):
    """A clock that the design makes itself, and a memory in its domain."""

    def elaborate(self, platform):
        m = Module()
        m.domains.slow = slow = ClockDomain(reset_less=True)
        half, count = Signal(3), Signal(8, name="slow_count")
        m.d.sync += half.eq(half + 1)
        m.d.comb += slow.clk.eq(half[1])
        m.d.slow += count.eq(count + 1)
        m.submodules.memory = memory = Memory(shape=8, depth=4, init=[])
        port = memory.write_port(domain="slow")
        m.d.comb += [port.addr.eq(count), port.data.eq(count * 3), port.en.eq(1)]
        return m


def test_clock_made_by_the_design_equals_amaranths_own():
    assert_same(pysim(Divided(), 40), ours(Divided(), 40), 40)


# -- choosing


def test_chosen_signals_are_all_there_is():
    design = Shapes()
    run, out = Runner(design), io.StringIO()
    with run.trace(out, "narrow.*", design.step, "x[3]"):
        run(5)
    names = set(waves(out.getvalue()))
    assert names >= {"bench.top.step", "bench.top.x[3]", "bench.top.narrow.clk"}
    assert not any("count" in name or "wide" in name for name in names)


def test_memory_is_chosen_by_name_and_bounded_by_rows():
    run = Runner(cpu.make())
    out = io.StringIO()
    with run.trace(out, "regs"):
        run(40)
    assert len(waves(out.getvalue())) == 32
    with pytest.raises(ValueError, match=r"'dmem' has 4096 rows: say rows=4096"):
        run.trace(out, "dmem", rows=100)


def test_rows_changed_by_the_host_are_seen():
    run, out = Runner(cpu.make()), io.StringIO()
    with run.trace(out, "dmem"):
        run(3)
        run.memory("dmem")[4000] = 99
        run(3)
    assert waves(out.getvalue())["bench.top.\\dmem[4000]"] == [(0, "0"), (3 * PERIOD, "1100011")]


@pytest.mark.parametrize(
    ("patterns", "options", "error", "message"),
    [
        (["cpu.*"], {}, KeyError, r"no signal or memory matches 'cpu.\*'"),
        (["retird"], {}, KeyError, "near: retired"),
        ([], {"start": -1}, ValueError, "start=-1"),
        ([], {"cycles": 0}, ValueError, "cycles=0"),
        ([], {"when": "pc =="}, ConditionError, "does not parse"),
        ([], {"start": "pcc == 1"}, ConditionError, "near: pc"),
        ([], {"period": 0}, ValueError, "period"),
        ([], {"rows": -1}, ValueError, "rows=-1"),
        ([Signal(name="stranger")], {}, KeyError, "not part of this design"),
    ],
)
def test_mistake_is_told_before_anything_is_written(tmp_path, patterns, options, error, message):
    run = Runner(cpu.make())
    with pytest.raises(error, match=message):
        run.trace(str(tmp_path / "out.vcd"), *patterns, **options)
    assert not list(tmp_path.iterdir())


def test_target_that_is_neither_name_nor_stream():
    with pytest.raises(TypeError, match="file's name or a text stream"), Runner(cpu.make()).trace(3):
        pass


def test_time_that_does_not_fit_is_refused():
    run = Runner(cpu.make())
    with pytest.raises(ValueError, match="shorter period"), run.trace(io.StringIO(), period=1e6, start=10):
        pass


def test_two_traces_at_once_are_refused():
    run = Runner(cpu.make())
    with run.trace(io.StringIO()), pytest.raises(RuntimeError, match="active already"), run.trace(io.StringIO()):
        pass
    with run.trace(io.StringIO()):
        run(1)


# -- windows


def traced(*patterns, **options):
    run, out = Runner(cpu.make()), io.StringIO()
    with run.trace(out, *patterns, **options):
        run(300)
    return waves(out.getvalue()), run


def test_window_of_cycles():
    everything, _ = traced("pc", "clk", "retired")
    window, _ = traced("pc", "clk", "retired", start=100, cycles=50)
    for name, changes in everything.items():
        inside = [(t, v) for t, v in changes if 100 * PERIOD < t <= 150 * PERIOD]
        assert window[name][0][0] == 100 * PERIOD
        assert window[name][1:] == inside


def test_window_that_begins_with_a_condition():
    everything, _ = traced("pc", "retired")
    window, _ = traced("pc", "retired", start="retired == 77 and pc != 0", cycles=10)
    first = next(t for t, v in everything["bench.top.retired"] if v == f"{77:b}") // PERIOD + 1
    for name, changes in everything.items():
        assert window[name][1:] == [(t, v) for t, v in changes if first * PERIOD < t <= (first + 10) * PERIOD]


def test_file_of_a_window_is_complete_when_the_window_is():
    run, out = Runner(cpu.make()), io.StringIO()
    with run.trace(out, "retired", cycles=10):
        run(10)
        before = out.getvalue()
        assert before.endswith(f"#{10 * PERIOD}\n")
        run(10)
    assert out.getvalue() == before


def test_condition_that_never_holds_leaves_a_header():
    run, out = Runner(cpu.make()), io.StringIO()
    with run.trace(out, "pc", start="pc == 3"):
        run(100)
    assert out.getvalue().endswith("$enddefinitions $end\n")


def test_only_cycles_in_which_a_condition_holds():
    everything, _ = traced("pc", "retired")
    window, _ = traced("pc", "retired", when="pc[3:2] == 1")

    def at(changes, time):
        value = None
        for when, new in changes:
            if when > time:
                break
            value = new
        return value

    for cycle in range(1, 299):
        before = int(at(everything["bench.top.pc"], cycle * PERIOD), 2)
        for name in everything:
            shown = at(window[name], cycle * PERIOD + PERIOD // 2)
            wanted = at(everything[name], cycle * PERIOD + PERIOD // 2)
            assert shown == (wanted if before >> 2 & 3 == 1 else "x"), (cycle, name)


# -- trouble


#: Enough to fill a small disk.
SOME = ("pc", "retired", "fetch*")


class Quota(io.StringIO):
    """A stream on a disk with little room, which keeps what fits."""

    room = 20_000

    def write(self, text):
        left = self.room - self.tell()
        if len(text) > left:
            super().write(text[:left])
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_full_stream_is_an_error_and_stays_valid():
    run, out = Runner(cpu.make()), Quota()
    with pytest.raises(OSError, match=r"No space left on device; the waveform ends before cycle \d+"):  # noqa: SIM117
        with run.trace(out, *SOME):
            run(20_000)
    assert len(out.getvalue()) <= Quota.room
    assert_prefix(out.getvalue())
    run(10)


def assert_prefix(text):
    """The file is what another run wrote, up to a moment that is complete."""
    whole = io.StringIO()
    run = Runner(cpu.make())
    with run.trace(whole, *SOME):
        run(20_000)
    body, other = (t[t.index("$enddefinitions") :] for t in (text, whole.getvalue()))
    assert other.startswith(body) and (len(body) == len(other) or other[len(body)] in "#$")


_LIMITED = """
import resource, signal, sys
from benchmarks.designs import cpu
from rvsim.sim import Runner
run = Runner(cpu.make())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
target = sys.argv[1] if sys.argv[2] == "name" else open(sys.argv[1], "w")
try:
    with run.trace(target, "pc", "retired", "fetch*"):
        run(20_000)
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["name", "stream"])
def test_full_disk_leaves_a_valid_file(tmp_path, kind):
    out = tmp_path / "out.vcd"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(out), kind], capture_output=True, text=True, check=True, cwd=os.getcwd()
    )
    assert "File too large; the waveform ends before cycle" in done.stdout and str(out) in done.stdout
    assert 900_000 < out.stat().st_size <= 1_000_000
    assert_prefix(out.read_text())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_device_without_room_is_an_error_at_once():
    run = Runner(cpu.make())
    with pytest.raises(OSError, match="No space left"), run.trace("/dev/full"):
        pytest.fail("not reached")
    assert os.path.exists("/dev/full")


def test_name_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere"), Runner(cpu.make()).trace(tmp_path / "nowhere" / "x.vcd"):
        pytest.fail("not reached")


def test_interrupted_run_leaves_a_valid_file(tmp_path):
    run, out = Runner(cpu.make()), tmp_path / "out.vcd"
    threading.Timer(0.3, os.kill, (os.getpid(), signals.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), run.trace(out, "pc", "retired", "clk"):
        run(10**12)
    with open(out) as file:
        assert file.read(9) == "$comment "
    with open(out) as file:
        file.seek(max(0, out.stat().st_size - 200))
        assert file.read().endswith(f"#{run.cycle * PERIOD}\n0#\n")


def test_decoder_that_fails_is_told():
    class Failing(Elaboratable):
        def elaborate(self, platform):
            m = Module()
            count = Signal(4, decoder=lambda value: {0: "zero", 1: "one"}[value])
            m.d.sync += count.eq(count + 1)
            return m

    run = Runner(Failing())
    with run.trace(io.StringIO()):
        run(1)
    with pytest.raises(KeyError), run.trace(io.StringIO()):
        run(1)


def test_tracing_leaves_nothing_behind():
    run, plain = Runner(cpu.make()), Runner(cpu.make())
    with run.trace(io.StringIO()):
        run(100)
    run(100), plain(200)
    assert run.save() == plain.save()
    with contextlib.suppress(ValueError), run.trace(io.StringIO()):
        run(-1)
