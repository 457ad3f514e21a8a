"""``Print``, ``Assert``, ``Assume`` and ``Cover``: what they say, when, and in which order."""

import contextlib
import io
import signal
import traceback

import pytest
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Cover,
    Format,
    Module,
    Print,
    Signal,
    signed,
    unsigned,
)  # fmt: skip
from amaranth.lib import data, enum
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Runner
from rvsim.sim.code.layout import LOG_BYTES


class Color(enum.Enum, shape=2):
    """To be printed by name."""

    RED = 0
    BLUE = 2


class Pair(data.Struct):
    """To be printed field by field."""

    low: 4
    high: signed(4)


def runner(module, **options):
    """A runner of a module, and the list that its texts go to."""
    run, texts = Runner(module, **options), []
    run.print = texts.append
    return run, texts


def simulated(module, engine, ticks=8):
    """What a simulation prints, and the assertion that ended it."""
    simulator, error = Simulator(module, engine=engine), None
    simulator.add_clock(1e-6)

    async def ticking(ctx):
        for _ in range(ticks):
            await ctx.tick()

    simulator.add_testbench(ticking)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            simulator.run()
        except AssertionError as violated:
            error = violated
    return out.getvalue(), error


def counting(width=8):
    """A module that counts, and the counter."""
    m, count = Module(), Signal(width, name="count")
    m.d.sync += count.eq(count + 1)
    return m, count


def formats():
    """Values of all kinds under format specifications of all kinds."""
    m = Module()
    narrow, wide = Signal(5, init=3), Signal(130, init=0x3_0123_4567_89AB_CDEF_0123_4567_89AB_CDEF)
    minus, wide_minus = Signal(signed(7), init=-5), Signal(signed(100), init=-(10**20))
    nothing, text = Signal(0), Signal(96, init=int.from_bytes("abcdefgü\0x".encode(), "little"))
    color, other, pair = Signal(Color, init=Color.BLUE), Signal(2, init=1), Signal(Pair, init={"low": 3, "high": -2})
    m.submodules.rows = rows = Memory(shape=unsigned(80), depth=4, init=[1 << 79, 5, 6, 7])
    port = rows.read_port(domain="comb")
    several = Signal(data.ArrayLayout(3, 3), init=[1, 2, 3])
    m.d.sync += [
        narrow.eq(narrow * 3), wide.eq((wide << 1) ^ narrow), minus.eq(minus * -3), wide_minus.eq(~wide_minus * 3),
        color.eq(other), other.eq(other + 1), pair.as_value().eq(pair.as_value() + 17), text.eq(text >> 8),
        port.addr.eq(port.addr + 1), several[0].eq(several[2]), several[2].eq(several[0] + 1),
    ]  # fmt: skip
    specifications = ("", "b", "#b", "08b", "o", "d", "+d", "5d", "<5d", "*>9d", "x", "X", "#010x", "_b", "=+9", " d")
    for value in (narrow, wide, minus, wide_minus, nothing, other[0], Cat(minus, narrow), port.data, narrow - 9):
        line = "".join(f"|{{:{s}}}" for s in specifications)
        m.d.sync += Print(Format(line, *[value] * len(specifications)))
    m.d.sync += Print("{} {{}}\n  and } {", narrow, sep="|", end="!\n\n")
    m.d.sync += Print(Format("{:s}|{:>20s}|{:.<15s}|{:s}|{:c}", text, text, text, nothing, narrow + 64))
    m.d.sync += [Print(color, pair, several), Print(), Print(end=""), Print("only text")]
    m.d.sync += Cover(narrow[0], Format("{} }}{{", narrow))
    m.d.sync += [Cover(narrow[1]), Cover(narrow[0], ""), Assert(1), Assume(wide.any(), "never")]
    return m


def test_texts_are_those_of_amaranths_simulator():
    theirs, _ = simulated(formats(), "pysim")
    assert len(theirs) > 8000
    assert simulated(formats(), CompiledEngine) == (theirs, None)
    run, texts = runner(formats())
    run(8)
    assert "".join(texts) == theirs


def test_texts_go_to_standard_output(capsys):
    m, count = counting()
    m.d.sync += Print("count", count)
    run = Runner(m)
    run(2)
    run(1)
    assert capsys.readouterr().out == "count 0\ncount 1\ncount 2\n"


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (lambda count: Assert(count != 5, Format("{{it}} is {:#04x}", count)), "Assertion violated: {it} is 0x05"),
        (lambda count: Assert(count != 5), "Assertion violated"),
        (lambda count: Assert(count != 5, ""), "Assertion violated: "),
        (lambda count: Assume((count ^ 5)[:3], "hm"), "Assumption violated: hm"),
    ],
)
def test_violated_property_says_what_where_and_when(statement, text):
    m, count = counting()
    m.d.sync += statement(count)
    run = Runner(m)
    with pytest.raises(AssertionError) as caught:
        run(100)
    file, line = traceback.extract_tb(caught.value.__traceback__)[-1][:2]
    assert (file, str(caught.value)) == (__file__, f"{text} ({file}:{line}, cycle 5)")
    assert (run["count"], run.cycle) == (6, 6)
    assert run(3) == 3
    assert run["count"] == 9


def test_violated_property_is_raised_by_the_simulator_as_by_pysim():
    errors = []
    for engine in ("pysim", CompiledEngine):
        m, count = counting()
        m.d.sync += [Print("before", count), Assert(count != 3, Format("no {}", count)), Print("behind", count)]
        out, error = simulated(m, engine)
        errors.append((out, str(error), traceback.extract_tb(error.__traceback__)[-1][:2]))
    assert errors[0] == errors[1]
    assert errors[0][0].endswith("before 2\nbehind 2\nbefore 3\n")


def test_everything_of_the_cycle_comes_out_before_the_assertion():
    m, count = counting()
    m.d.sync += [Print("before", count), Assert(count != 1, "first"), Assert(count != 1, "second"), Print("behind")]
    run, texts = runner(m)
    with pytest.raises(AssertionError, match="first") as caught:
        run(9)
    assert [note.partition(" (")[0] for note in caught.value.__notes__] == ["Assertion violated: second"]
    assert texts == ["before 0\n", "behind\n", "before 1\n", "behind\n"]


def test_each_phase_of_a_cycle_speaks_in_order():
    m, count = counting()
    m.domains.fast = ClockDomain(reset_less=True)
    m.domains.neg = ClockDomain(clk_edge="neg", reset_less=True)
    quick = Signal(8, name="quick")
    m.d.fast += [quick.eq(quick + 1), Print("fast", quick), Assert(quick != 7, Format("{}", quick))]
    m.d.neg += Print("neg", count)
    m.d.sync += Print("sync", count)
    run, texts = runner(m, clocks={"fast": 3})
    run(2)
    said = "".join(texts).split()
    assert said[0::2][:5] == ["fast", "sync", "fast", "fast", "neg"]
    assert said[1::2] == ["0", "0", "1", "2", "1", "3", "1", "4", "5", "2"]
    with pytest.raises(AssertionError, match=r"violated: 7 .*cycle 2"):
        run(5)
    assert [text for text in texts if text.startswith("fast")][-3:] == ["fast 6\n", "fast 7\n", "fast 8\n"]


def test_domain_that_only_prints_sees_its_clock():
    m = Module()
    m.d.sync += Print("clock is", ClockSignal())
    run, texts = runner(m)
    run(2)
    assert texts == ["clock is 1\n"] * 2


def divided():
    """A clock made by a register, in whose domain things are said."""
    m, count = counting(width=4)
    m.domains.slow = slow = ClockDomain(local=True, reset_less=True)
    m.d.comb += slow.clk.eq(count[1])
    m.submodules.inner = inner = Module()
    total = Signal(8, name="total")
    inner.d.slow += [total.eq(total + 3), Print("slow", total, count)]
    inner.d.comb += Print("total is", total)
    return m


def test_clocks_made_by_the_design():
    theirs, _ = simulated(divided(), "pysim", ticks=20)
    assert simulated(divided(), CompiledEngine, ticks=20) == (theirs, None)
    run, texts = runner(divided())
    run(20)
    assert "".join(texts) == theirs


def test_clock_changed_from_outside_speaks_at_once():
    m = Module()
    m.domains.sync = ClockDomain(local=True, reset_less=True)
    enable, count = Signal(init=1), Signal(4)
    gated = Signal()
    m.domains.gated = ClockDomain(local=True, reset_less=True)
    m.d.comb += ClockSignal("gated").eq(gated & enable)
    m.d.gated += [count.eq(count + 1), Print("gated", count), Assert(count != 2)]
    run, texts = runner(m)
    for level in (1, 0, 1, 0):
        run[gated] = level
    assert texts == ["gated 0\n", "gated 1\n"]
    with pytest.raises(AssertionError, match="before cycle 0"):
        run[gated] = 1


# -- combinational ones


def test_combinational_print_speaks_when_it_changes():
    m, count = counting()
    chosen = Signal(8)
    m.d.comb += chosen.eq(count >> 1)
    m.d.comb += Print("always", chosen)
    with m.If(count[2]):
        m.d.comb += Print("some", chosen[0])
    m.d.comb += Print("once")
    run, texts = runner(m)
    run(10)
    said = ["always 0\n", "once\n", "always 1\n", "always 2\n", "some 0\n", "always 3\n", "some 1\n", "always 4\n"]
    assert texts == [*said, "always 5\n"]


def test_combinational_print_sees_what_was_changed_from_outside():
    m, value = Module(), Signal(70)
    m.d.comb += Print(value)
    run, texts = runner(m)
    run[value] = 1 << 69
    run(2)
    run[value] = 1
    run[value] = 2
    run(0)
    assert texts == [f"{1 << 69}\n", "2\n"]


def test_combinational_assertion_is_said_once():
    m, count = counting()
    m.d.comb += Assert(count < 5, Format("{}", count[7]))
    run = Runner(m)
    with pytest.raises(AssertionError, match=r"violated: 0 .*cycle 4\)"):
        run(100)
    assert run["count"] == 5
    assert run(100) == 100
    with pytest.raises(AssertionError, match=r"violated: 1 .*cycle 127\)"):
        run(100)


def test_combinational_assertion_at_the_beginning():
    m, value = Module(), Signal(4)
    m.d.comb += Assert(value != 0)
    with pytest.raises(AssertionError, match="before cycle 0"):
        Runner(m)(1)
    run = Runner(m)
    run[value] = 1  # before anything is looked at
    run(1)
    simulator = Simulator(m, engine=CompiledEngine)
    with pytest.raises(AssertionError, match=r"Assertion violated$"):
        simulator.advance()


# -- with everything else that a run can do


def test_condition_and_messages_together():
    m, count = counting()
    m.d.sync += [Print(count), Assert(count != 5)]
    run, texts = runner(m)
    assert run.until("count == 3", max_cycles=100)
    assert texts == ["0\n", "1\n", "2\n"]
    with pytest.raises(AssertionError):
        run.until("count == 9", max_cycles=100)
    assert run.until("count == 9", max_cycles=100)
    assert len(texts) == 9


def test_more_than_the_log_holds_over_many_cycles():
    m, count = counting(width=20)
    m.d.sync += Print(count)
    run, texts = runner(m)
    cycles = LOG_BYTES // 24 * 2
    run(cycles)
    assert texts == [f"{n}\n" for n in range(cycles)]


def test_more_than_the_log_holds_in_one_cycle_is_an_error(monkeypatch):
    monkeypatch.setattr("rvsim.sim.code.layout.LOG_BYTES", 0)  # there is room for eight of each
    m = Module()
    m.domains.fast = ClockDomain(reset_less=True)
    count = Signal(8)
    m.d.fast += [count.eq(count + 1), Print("much to say", count)]
    m.d.sync += Print("slow")
    run, texts = runner(m, clocks={"fast": 20})
    with pytest.raises(RuntimeError, match="more to say in one cycle"):
        run(1)
    assert len(texts) > 8
    assert run["count"] == 20


def test_ctrl_c_loses_nothing():
    m, count = counting(width=32)
    m.d.sync += Print(count)
    run, texts = runner(m)

    def interrupt(text):
        texts.append(text)
        if len(texts) == 100:
            signal.raise_signal(signal.SIGINT)

    run.print = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(10**9)
    run(1)
    assert texts == [f"{n}\n" for n in range(run.cycle)]


def test_print_that_fails_leaves_the_rest_for_later():
    m, count = counting()
    m.d.sync += [Print(count), Assert(count != 3)]
    run, texts = runner(m)

    def full(text):
        raise OSError("disk full")

    run.print = full
    with pytest.raises(OSError, match="disk full"):
        run(4)
    run.print = texts.append
    with pytest.raises(AssertionError, match="cycle"):
        run(0)
    assert texts == ["1\n", "2\n", "3\n"]


def test_snapshot_says_neither_more_nor_less():
    m, count = counting()
    m.d.sync += Print(count)
    m.d.comb += Print("top", count[1:])
    run, texts = runner(m)
    run(2)
    state = run.save()
    run(2)
    later, texts[:] = texts[-3:], []
    run.restore(state)
    run(2)
    assert texts == later == ["2\n", "3\n", "top 2\n"]


def test_simulation_that_is_reset_speaks_again():
    m, count = counting()
    m.d.comb += Print("comb", count)
    m.d.sync += Print("sync", count)
    simulator = Simulator(m, engine=CompiledEngine)
    simulator.add_clock(1e-6)

    async def bench(ctx):
        await ctx.tick()

    simulator.add_testbench(bench)
    for _ in range(2):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            simulator.run()
        assert out.getvalue() == "comb 0\nsync 0\ncomb 1\n"
        simulator.reset()


def test_what_is_no_text_is_an_error_as_in_pysim():
    for engine in ("pysim", CompiledEngine):
        m = Module()
        m.d.sync += Print(Format("{:s}", Const(0xFF, 8)))
        with pytest.raises(UnicodeDecodeError):
            simulated(m, engine)
