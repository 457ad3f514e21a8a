"""explain: what it counts is what happens, whoever's design it is."""

import json

import pytest
from amaranth.hdl import Array, ClockDomain, Elaboratable, Module, Print, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory

from benchmarks.designs import cpu
from rvsim.sim import Runner
from rvsim.sim.explain import explain, text
from rvsim.sim.explain.weights import COUNT_BITS, DIVISION, operations


class Timer(Elaboratable):
    """Counts; every eighth cycle something costly happens in a module of its own."""

    def elaborate(self, platform):
        m = Module()
        count = Signal(8, name="count")
        m.d.sync += count.eq(count + 1)
        m.submodules.inner = inner = Module()
        product = Signal(32, name="product", init=1)
        with inner.If(count[:3] == 0):
            inner.d.sync += product.eq(product * 5 + 1)
        return m


class Shared(Elaboratable):
    """A product that two seldom taken branches use, and a register that is stored and does not change."""

    def elaborate(self, platform):
        m = Module()
        count, a, b, still = (Signal(32, name=n) for n in ("count", "a", "b", "still"))
        product = Signal(32, name="product")
        m.d.sync += [count.eq(count + 1), still.eq((count & 1) * 0 + (a ^ a))]
        m.d.comb += product.eq(count * 0x12345)
        with m.If(count[:4] == 3):
            m.d.sync += a.eq(product)
        with m.If(count[4:8] == 3):
            m.d.sync += b.eq(b ^ product)
        return m


def report(design, cycles=1024, **options):
    return explain(Runner(design, **options), cycles)


def shown(found):
    return text({"target": "design", "inputs": "", **found})


def test_guards_are_counted_as_often_as_they_are_taken():
    found = report(Timer(), 1024)
    (guard,) = [g for g in found["guards"] if g["condition"] == "count[0:3] == 0"]
    assert guard["taken"] == pytest.approx(1 / 8)
    assert guard["operations"] == pytest.approx(guard["written"] / 8)
    assert guard["location"].endswith(str(Timer.elaborate.__code__.co_firstlineno + 6))


def test_work_belongs_to_modules_and_adds_up():
    found = report(Timer(), 1024)
    modules = {tuple(m["module"]): m for m in found["modules"]}
    assert set(modules) == {(), ("inner",)}
    assert modules[()]["operations"] == pytest.approx(found["operations"]["per_cycle"])
    assert modules[()]["operations"] == pytest.approx(modules[()]["own"] + modules["inner",]["operations"])
    assert modules[()]["share"] == 1
    assert sum(found["operations"]["needed_by"].values()) == pytest.approx(found["operations"]["per_cycle"])
    assert found["operations"]["in_every_cycle"] < found["operations"]["per_cycle"]


def test_values_that_two_branches_force_up_are_named_with_their_uses():
    found = report(Shared(), 1024)
    (cone,) = [c for c in found["ungated"] if c["value"] == "product"]
    assert cone["needed"] == pytest.approx(2 / 16)
    assert {use["condition"] for use in cone["used_if"]} == {"count[0:4] == 3", "count[4:8] == 3"}
    assert "product" in shown(found)


def test_registers_that_are_stored_and_do_not_change_are_named():
    (entry,) = [r for r in report(Shared(), 1024)["seldom"] if r["register"] == "still"]
    assert entry["stored"] == 1 and entry["changed"] == 0


def test_conditions_are_in_the_designers_words():
    m = Module()
    packet = Signal(data.StructLayout({"valid": 1, "kind": data.ArrayLayout(4, 2)}), name="packet")
    total = Signal(16, name="total")
    with m.If(packet.valid & (packet.kind[1] > total[3:7])):
        m.d.sync += total.eq(total * 7)
    with m.Switch(packet.kind[0]), m.Case(3, 5):
        m.d.sync += total.eq(total + 1)
    conditions = {g["condition"] for g in report(m, 10)["guards"]}
    assert "packet.kind[0] in {3, 5}" in conditions
    assert "packet.valid & (packet.kind[1] > total[3:7])" in conditions


def test_the_runner_is_as_before():
    run, other = Runner(cpu.make()), Runner(cpu.make())
    run(500)
    other(500)
    explain(run, 300)
    assert run.save() == other.save()
    run(1000)
    other(1000)
    assert run.save() == other.save()


def test_counting_does_not_change_what_happens():
    from rvsim.sim.explain.counting import count

    run, other = Runner(cpu.make()), Runner(cpu.make())
    counters = count(run, 2000)
    other(2000)
    assert run.save() == other.save() and counters.cycles == 2000


def test_two_clocks_are_counted_per_cycle():
    m = Module()
    m.domains.fast = ClockDomain()
    m.domains.sync = ClockDomain()
    fast, slow = Signal(8, name="quick"), Signal(8, name="slow")
    m.d.fast += fast.eq(fast + 1)
    m.d.sync += slow.eq(slow + 1)
    once, thrice = (report(m, 100, clocks=c)["operations"]["per_cycle"] for c in ({}, {"fast": 3}))
    assert once < thrice < 3 * once


def test_clocks_of_the_designs_own_and_messages_and_memories():
    m = Module()
    m.domains.slow = slow = ClockDomain(reset_less=True)
    count, index = Signal(3), Signal(4)
    m.submodules.rows = rows = Memory(shape=70, depth=16, init=[])
    port = rows.write_port(domain="slow")
    m.d.sync += count.eq(count + 1)
    m.d.comb += [slow.clk.eq(count[2]), port.en.eq(1), port.addr.eq(index), port.data.eq(index)]
    m.d.slow += index.eq(index + 1)
    with m.If(count == 0):
        m.d.sync += Print("zero")
    found = report(m, 800)
    assert found["cycles"]["count"] == 800
    assert found["design"]["clocks_of_its_own"] and found["design"]["messages"] == 1
    assert found["design"]["memories"] == [{"name": "rows", "rows": 16, "width": 70, "bytes": 256}]
    assert found["operations"]["per_cycle"] > 0


def test_what_the_design_prints_stays_out_of_the_report(capsys):
    m, count = Module(), Signal(2)
    m.d.sync += [count.eq(count + 1), Print("here")]
    report(m, 50)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("clocked", [False, True])
def test_designs_without_anything_to_do(clocked):
    m = Module()
    if clocked:
        m.d.sync += Signal(4, name="still").eq(3)
    else:
        m.d.comb += Signal(4, name="wire").eq(Signal(4, name="from_outside"))
    found = report(m, 10)
    assert found["cycles"]["count"] == 10
    assert "design" in shown(found)


def test_the_report_is_plain_data_and_its_text_fits():
    found = report(cpu.make(), 2000)
    json.dumps(found)
    assert max(map(len, shown(found).splitlines())) <= 100


def test_false_loops_and_wide_values_are_told():
    m = Module()
    bits, wide, out = Signal(8, name="bits"), Signal(200, name="wide"), Array(Signal(9) for _ in range(3))
    m.d.comb += [bits[n].eq(bits[n - 1] ^ out[0][n]) for n in range(1, 8)]
    m.d.sync += [wide.eq(wide + 1), out[0].eq(out[0] + bits), out[1].eq(wide[100:110])]
    design = report(m, 10)["design"]
    assert design["wide_cells_cut"] >= 1 and design["false_loops_cut_to_bits"] >= 1


@pytest.mark.parametrize(
    ("line", "cost"),
    [
        ("  %v1 = add i32 %v2, 1", 1),
        ("  %v1 = add i128 %v2, 1", 2),
        ("  %v1 = udiv i32 %v2, 3", DIVISION),
        ("  %v1 = call i64 @llvm.ctpop.i64(i64 %v2)", COUNT_BITS),
        ("  %v1 = zext i8 %v2 to i32", 0),
        ("  br label %m1", 0),
        ("  br i1 %v1, label %b1, label %m1", 1),
        ("m1:", 0),
    ],
)
def test_lines_are_weighed(line, cost):
    assert operations(line) == cost
