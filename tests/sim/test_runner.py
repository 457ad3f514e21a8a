"""Running freely: cycles, conditions, looking, changing, snapshots, and what is refused."""

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Instance, Module, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory

from rvsim.sim import ConditionError, Runner, UnsupportedDesign


class Counter(Elaboratable):
    """Counts, writes what it counts into a memory, and says when it is at 200."""

    def __init__(self):
        self.enable = Signal(init=1)
        self.total = Signal(16)
        self.done = Signal()

    def elaborate(self, platform):
        m = Module()
        count = Signal(8, name="count")
        m.submodules.ram = ram = Memory(shape=16, depth=32, init=[3 * n for n in range(32)])
        port = ram.write_port()
        m.d.comb += [port.addr.eq(count), port.data.eq(count * 5), port.en.eq(self.enable), self.done.eq(count == 200)]
        with m.If(self.enable):
            m.d.sync += [count.eq(count + 1), self.total.eq(self.total + count)]
        return m


def test_cycles_run_and_values_are_seen():
    counter = Counter()
    run = Runner(counter)
    assert run(10) == 10
    assert (run["count"], run[counter.total], run["done"], run.cycle) == (10, 45, 0, 10)


def test_condition_stops_at_the_beginning_of_its_cycle():
    counter = Counter()
    run = Runner(counter)
    assert run.until(counter.done, max_cycles=1000)
    assert (run["count"], run["done"], run.cycle) == (200, 1, 200)


def test_condition_as_text():
    run = Runner(Counter())
    assert run.until("count[3:0] == 7 and total > 100 and not done", max_cycles=1000)
    assert run["count"] == 23


def test_condition_that_never_holds_gives_up():
    run = Runner(Counter())
    assert not run.until("count == 255 and total == 0", max_cycles=300)
    assert run.cycle == 300


def test_input_is_driven_from_outside():
    counter = Counter()
    run = Runner(counter)
    run(5)
    run[counter.enable] = 0
    run(5)
    assert run["count"] == 5


def test_memory_is_shared_not_copied():
    run = Runner(Counter())
    rows = run.memory("ram")
    assert list(rows[:4]) == [0, 3, 6, 9]
    run(3)
    assert list(rows[:4]) == [0, 5, 10, 9]


def test_rows_of_a_memory_by_name_and_by_object():
    class Holding(Elaboratable):
        def __init__(self):
            self.memory = Memory(shape=100, depth=3, init=[1, 1 << 99])

        def elaborate(self, platform):
            m = Module()
            m.submodules.rows = self.memory
            self.memory.read_port(domain="comb")
            return m

    holding = Holding()
    run = Runner(holding)
    assert (run["rows[0]"], run[holding.memory.data[1]]) == (1, 1 << 99)
    run["rows[2]"] = 77
    run[holding.memory.data[0]] = -1
    assert (run["rows[2]"], run["rows[0]"]) == (77, (1 << 100) - 1)
    with pytest.raises(IndexError, match="has 3 rows"):
        run["rows[3]"]
    with pytest.raises(ValueError, match="which has 100 bits"):
        run["rows[0]"] = 1 << 100
    with pytest.raises(KeyError, match="no signal is named"):
        run["row[0]"]


def test_fields_of_a_structure():
    class Holding(Elaboratable):
        def __init__(self):
            self.pair = Signal(data.StructLayout({"low": 4, "high": signed(4)}))

        def elaborate(self, platform):
            m = Module()
            m.d.sync += self.pair.low.eq(self.pair.low + 1)
            return m

    holding = Holding()
    run = Runner(holding)
    run[holding.pair.high] = -3
    run(5)
    assert (run[holding.pair], run[holding.pair.low], run[holding.pair.high]) == (0xD5, 5, 0xD)
    with pytest.raises(TypeError, match="is computed"):
        run[holding.pair.low + 1]


class Shaped(Elaboratable):
    """A structure with an array in it, and an array of its own."""

    def __init__(self):
        header = data.StructLayout({"kind": 2, "seq": 6})
        self.bus = Signal(data.StructLayout({"header": header, "rows": data.ArrayLayout(4, 3)}))
        self.counts = Signal(data.ArrayLayout(8, 2))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.bus.header.seq.eq(self.bus.header.seq + 1), self.counts[1].eq(self.counts[1] + 2)]
        return m


def test_fields_are_named_as_in_waveforms(tmp_path):
    run = Runner(Shaped())
    run["bus.rows[2]"] = 9
    assert run.until("bus.header.seq == 5 and counts[1] >= 10 and bus.rows[2] == 9", max_cycles=100)
    assert (run.cycle, run["bus.header.seq"], run["counts[1]"], run["counts[0]"]) == (5, 5, 10, 0)
    assert run["bus.rows[2]"] == 9
    for name in ("bus.header.sequence", "counts[2]", "bus.rows[1][0]", "bus.kind"):
        with pytest.raises(KeyError, match="no signal is named"):
            run[name]
    with run.trace(str(tmp_path / "a.vcd"), "bus.header.seq", "counts[1]"):
        run(2)
    assert "bus.header.seq" in (tmp_path / "a.vcd").read_text()


def test_conditions_of_one_design_are_not_taken_for_one_another():
    """The cache knows them by what they stand for: each in a runner of its own, as in processes of their own."""
    for number in (5, 9, 15, 3):
        run = Runner(Counter())
        assert run.until(f"count == {number}", max_cycles=1000)
        assert run["count"] == number


def test_conditions_of_designs_with_other_names_are_not_taken_for_one_another():
    def made(first, second):
        m = Module()
        x, y = Signal(4, name=first), Signal(4, name=second)
        m.d.sync += [x.eq(x + 1), y.eq(y + 3)]
        return Runner(m)

    for names, cycle in ((("x", "y"), 4), (("y", "x"), 2)):
        run = made(*names)
        assert run.until("x[2]", max_cycles=100)
        assert run.cycle == cycle


@pytest.mark.parametrize("number", [-1, 1.5, "5", None])
def test_cycles_are_whole_numbers(number):
    run = Runner(Counter())
    with pytest.raises(ValueError, match="a whole number of cycles"):
        run(number)
    with pytest.raises(ValueError, match="max_cycles="):
        run.until("done", max_cycles=number)
    assert run(1e2) == 100


def test_another_name_of_an_input_cannot_be_changed():
    m, a, b = Module(), Signal(8, name="a"), Signal(8, name="b")
    m.d.comb += b.eq(a)
    m.d.sync += Signal(8, name="c").eq(b)
    run = Runner(m)
    run["a"] = 5
    with pytest.raises(ValueError, match="combinational"):
        run["b"] = 7
    with pytest.raises(TypeError, match="takes a number"):
        run["a"] = "7"
    assert run["b"] == 5


@pytest.mark.parametrize("count", [60, 500])
def test_long_chains_and_wide_switches_are_translated(count):
    m, c, s, o, p = Module(), Signal(count), Signal(32), Signal(16), Signal(16)
    for n in range(count):
        with m.If(c[n]) if n == 0 else m.Elif(c[n]):
            m.d.sync += o.eq(n * 3)
    with m.Switch(s):
        for n in range(count):
            with m.Case(n * 1_000_003 & 0xFFFF_FFFF):
                m.d.sync += p.eq(n * 7)
    run = Runner(m)
    run[c], run[s] = 6 << count - 5, (count - 2) * 1_000_003 & 0xFFFF_FFFF
    run(1)
    assert (run[o], run[p]) == ((count - 4) * 3 & 0xFFFF, (count - 2) * 7 & 0xFFFF)


def test_snapshot_and_return():
    run = Runner(Counter())
    run(7)
    state = run.save()
    run(100)
    run.restore(state)
    assert run["count"] == 7
    with pytest.raises(ValueError, match="another design"):
        run.restore(state + b"x")


def test_names_are_found_by_pattern_and_near_ones_are_offered():
    run = Runner(Counter())
    assert "ram.port__addr" in run.signals("ram.*")
    with pytest.raises(KeyError, match="near: count"):
        run["cout"]
    with pytest.raises(KeyError, match="no signal"):
        run.signals("zebra*")
    with pytest.raises(KeyError, match="near: ram"):
        run.memory("rom")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count ==", "does not parse"),
        ("cout == 3", "near: count"),
        ("count + 1", "neither a signal, a number, nor a comparison"),
        ("count[9] == 1", "outside the 8 bits"),
        ("__import__('os')", "neither a signal"),
    ],
)
def test_condition_that_cannot_be_understood(text, message):
    with pytest.raises(ConditionError, match=message):
        Runner(Counter()).until(text, max_cycles=1)


def test_combinational_signal_cannot_be_changed():
    run = Runner(Counter())
    with pytest.raises(ValueError, match="combinational"):
        run["done"] = 1


def test_combinational_loop_is_named():
    class Loop(Elaboratable):
        def elaborate(self, platform):
            m = Module()
            a, b = Signal(name="alpha"), Signal(name="beta")
            m.d.comb += [a.eq(~b), b.eq(a)]
            return m

    with pytest.raises(UnsupportedDesign, match=r"(?s)alpha.*beta|beta.*alpha"):
        Runner(Loop())


def test_false_loop_between_words_is_cut_to_bits():
    class Ripple(Elaboratable):
        def __init__(self):
            self.a, self.b = Signal(8), Signal(8)

        def elaborate(self, platform):
            m = Module()
            chain = Signal(9)
            m.d.comb += chain[0].eq(1)
            for bit in range(8):
                m.d.comb += chain[bit + 1].eq(chain[bit] & self.a[bit])
            m.d.comb += self.b.eq(chain[1:])
            return m

    ripple = Ripple()
    run = Runner(ripple)
    run[ripple.a] = 0b0001_0111
    assert run[ripple.b] == 0b111


def test_black_box_is_refused_by_name():
    class Box(Elaboratable):
        def elaborate(self, platform):
            m = Module()
            m.submodules.pll = Instance("PLL", o_y=Signal())
            return m

    with pytest.raises(UnsupportedDesign, match=r"'PLL'.*black box"):
        Runner(Box())


def test_two_clocks_and_both_edges():
    class Two(Elaboratable):
        def __init__(self):
            self.slow, self.fast, self.falling = Signal(8), Signal(8), Signal(8)

        def elaborate(self, platform):
            m = Module()
            m.domains.fast = ClockDomain(reset_less=True)
            m.domains.neg = ClockDomain(clk_edge="neg", reset_less=True)
            m.d.sync += self.slow.eq(self.slow + 1)
            m.d.fast += self.fast.eq(self.fast + 1)
            m.d.neg += self.falling.eq(self.falling + self.slow)
            return m

    two = Two()
    run = Runner(two, clocks={"fast": 3})
    run(4)
    assert (run[two.slow], run[two.fast], run[two.falling]) == (4, 12, 1 + 2 + 3 + 4)
