"""Streams and memory between a design and the host."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from rvsim.sim import CompiledEngine, Ram, Receiver, Runner, Sender


class Adding(wiring.Component):
    """Adds one to every item, through a FIFO, with a pause now and then."""

    def __init__(self, shape=8, pause=0):
        self.pause = pause
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFO(width=len(self.i.p), depth=4)
        count = Signal(range(self.pause + 1))
        m.d.sync += count.eq(count == 0 if self.pause == 0 else (count + 1) % (self.pause + 1))
        go = 1 if self.pause == 0 else count == 0
        m.d.comb += [
            fifo.w_data.eq(self.i.p), fifo.w_en.eq(self.i.valid & go), self.i.ready.eq(fifo.w_rdy & go),
            self.o.valid.eq(fifo.r_rdy), fifo.r_en.eq(self.o.ready), self.o.p.eq(fifo.r_data + 1),
        ]  # fmt: skip
        return m


@pytest.mark.parametrize(("pause", "depth"), [(0, 1024), (3, 4), (1, 2)])
def test_items_pass_through_in_order(pause, depth):
    dut = Adding(pause=pause)
    rx, tx = Sender(dut.i, depth=depth), Receiver(dut.o, depth=depth)
    run = Runner(dut, ports=[rx, tx])
    sent = [n * 7 % 256 for n in range(500)]
    rx.write(sent)
    run(500 * (pause + 1) + 20)
    assert tx.read() == [(n + 1) % 256 for n in sent]
    assert (rx.pending, tx.read()) == (0, [])


def test_bytes_are_items():
    dut = Adding()
    rx, tx = Sender(dut.i), Receiver(dut.o)
    run = Runner(dut, ports=[rx, tx])
    rx.write(b"HAL")
    run(20)
    assert bytes(tx.read()) == b"IBM"


def test_callback_is_entered_when_something_arrives_and_only_then():
    dut = Adding()
    rx, tx = Sender(dut.i), Receiver(dut.o)
    run = Runner(dut, ports=[rx, tx])
    calls = []
    tx.listen(lambda items: calls.append((run.cycle, items)))
    run(1000)
    assert calls == []
    rx.write([4])
    run(1000)
    assert [items for _, items in calls] == [[5]]
    assert 1000 < calls[0][0] < 1010
    assert run.cycle == 2000


def test_callback_may_answer():
    dut = Adding()
    rx, tx = Sender(dut.i), Receiver(dut.o)
    run = Runner(dut, ports=[rx, tx])
    seen = []

    def answer(items):
        seen.extend(items)
        rx.write(items)

    tx.listen(answer)
    rx.write([0])
    assert run.until("host1.inner == 10", max_cycles=10_000)
    assert seen[:9] == list(range(1, 10))


def test_condition_of_the_user_still_ends_the_run():
    dut = Adding()
    rx, tx = Sender(dut.i, depth=4), Receiver(dut.o, depth=4)
    run = Runner(dut, ports=[rx, tx])
    rx.write(range(200))
    assert run.until("o__valid and o__payload == 100", max_cycles=10_000)
    assert tx.read() == list(range(1, 100))


def test_ring_that_nobody_empties_loses_nothing():
    class Counting(wiring.Component):
        o: Out(stream.Signature(16, always_ready=True))

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.o.valid.eq(1)
            m.d.sync += self.o.p.eq(self.o.p + 1)
            return m

    dut = Counting()
    tx = Receiver(dut.o, depth=8)
    run = Runner(dut, ports=[tx])
    run(1000)
    assert tx.read() == list(range(1000))


@pytest.mark.parametrize("shape", [signed(5), signed(64), 100, data.StructLayout({"a": 3, "b": signed(70)})])
def test_payloads_of_any_shape(shape):
    class Through(wiring.Component):
        def __init__(self):
            super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

        def elaborate(self, platform):
            m = Module()
            wiring.connect(m, wiring.flipped(self.i), wiring.flipped(self.o))
            return m

    dut = Through()
    rx, tx = Sender(dut.i), Receiver(dut.o)
    run = Runner(dut, ports=[rx, tx])
    if isinstance(shape, data.StructLayout):
        rx.write([{"a": n % 8, "b": -n << 60} for n in range(9)])
        run(20)
        assert [(item.a, item.b) for item in tx.read()] == [(n % 8, -n << 60) for n in range(9)]
        return
    items = [-5, 3, 0] if shape in (signed(5), signed(64)) else [5, 1 << 99, 0]
    rx.write(items)
    run(20)
    assert tx.read() == items
    with pytest.raises(ValueError, match="does not fit"):
        rx.write([1 << 100])


def test_other_clock_domain():
    from amaranth.hdl import ClockDomain, DomainRenamer

    class Two(wiring.Component):
        i: In(stream.Signature(8))
        o: Out(stream.Signature(8))

        def elaborate(self, platform):
            m = Module()
            m.domains.fast = ClockDomain()
            m.domains.sync = ClockDomain()
            m.submodules.inner = inner = DomainRenamer("fast")(Adding())
            wiring.connect(m, wiring.flipped(self.i), inner.i)
            wiring.connect(m, inner.o, wiring.flipped(self.o))
            count = Signal(8)
            m.d.sync += count.eq(count + 1)
            return m

    dut = Two()
    rx, tx = Sender(dut.i, domain="fast"), Receiver(dut.o, domain="fast")
    run = Runner(dut, ports=[rx, tx], clocks={"fast": 4})
    rx.write(range(20))
    run(8)
    assert tx.read() == list(range(1, 21))


def test_what_is_no_stream_is_refused():
    with pytest.raises(TypeError, match="not a stream"):
        Receiver(Signal(8))
    with pytest.raises(ValueError, match="at least 2"):
        Sender(Adding().i, depth=1)


def test_callback_may_be_given_at_once_and_what_it_does_not_take_stays():
    dut, calls = Adding(), []

    def take(items):
        calls.append(items)
        raise OverflowError

    rx, tx = Sender(dut.i), Receiver(dut.o, callback=take)
    run = Runner(dut, ports=[rx, tx])
    rx.write([1])
    with pytest.raises(OverflowError):
        run(100)
    assert calls == [[2]]
    assert tx.read() == [2]
    with pytest.raises(TypeError, match="cannot be called"):
        tx.listen(5)


def test_callback_may_run_the_design_and_gets_nothing_twice():
    dut, seen = Adding(), []
    rx, tx = Sender(dut.i), Receiver(dut.o)
    run = Runner(dut, ports=[rx, tx])

    def go_on(items):
        seen.extend(items)
        if len(seen) < 8:
            rx.write([items[-1]])
            run(20)

    tx.listen(go_on)
    rx.write([0])
    run(50)
    assert seen == list(range(1, 9))
    assert tx.read() == []


def test_ports_that_are_none():
    dut = Adding()
    with pytest.raises(TypeError, match="5 is neither a Receiver nor a Sender"):
        Runner(dut, ports=[5])
    port = Receiver(dut.o)
    with pytest.raises(ValueError, match="there twice"):
        Runner(dut, ports=[port, port])
    with pytest.raises(ValueError, match="a Sender feeds a stream that the design takes"):
        Runner(Adding(), ports=[Sender(dut.o), Sender(dut.o)])
    with pytest.raises(RuntimeError, match="has no design yet"):
        Sender(dut.i).write([1])


def test_rings_are_not_in_waveforms_unless_asked_for(tmp_path):
    dut = Adding()
    run = Runner(dut, ports=[Sender(dut.i)])
    with run.trace(str(tmp_path / "all.vcd")):
        run(3)
    assert "ring[0]" not in (tmp_path / "all.vcd").read_text()
    with run.trace(str(tmp_path / "ring.vcd"), "host0.ring"):
        run(3)
    assert "ring[0]" in (tmp_path / "ring.vcd").read_text()


# -- RAM


class Model:
    """What a RAM does, in Python."""

    def __init__(self, depth, width, granularity):
        self.rows, self.depth, self.width, self.granularity = [0] * depth, depth, width, granularity

    def request(self, address, write, value, enable):
        old = self.rows[address] if address < self.depth else 0
        if write and address < self.depth:
            for part in range(self.width // self.granularity):
                if enable >> part & 1:
                    mask = ((1 << self.granularity) - 1) << part * self.granularity
                    self.rows[address] = self.rows[address] & ~mask | value & mask
        return old


@pytest.mark.parametrize("engine", ["pysim", CompiledEngine])
@pytest.mark.parametrize(("latency", "busy"), [(1, 0), (1, 0.5), (3, 0), (3, 0.7), (20, 0.3)])
def test_ram_answers_in_order_and_in_time(engine, latency, busy):
    r = random.Random(latency)
    ram = Ram(depth=11, width=16, latency=latency)
    model, taken, expected, seen = Model(11, 16, 8), [], [], []
    simulator = Simulator(ram, engine=engine)
    simulator.add_clock(1e-6)
    time = 0

    async def ask(ctx):
        nonlocal time
        while len(taken) < 200:
            valid = r.random() > busy / 2
            request = (r.randrange(16), r.randrange(2), r.getrandbits(16), r.randrange(4))
            ctx.set(ram.request.valid, valid)
            ctx.set(ram.request.payload, dict(zip(("address", "write", "data", "enable"), request)))
            ctx.set(ram.response.ready, r.random() >= busy)
            ready = ctx.get(ram.request.ready)
            if ctx.get(ram.response.valid) and ctx.get(ram.response.ready):
                seen.append((time, ctx.get(ram.response.payload)))
            if valid and ready:
                taken.append(time)
                expected.append(model.request(*request))
            await ctx.tick()
            time += 1

    simulator.add_testbench(ask)
    simulator.run()
    assert len(seen) > 100
    assert [value for _, value in seen] == expected[: len(seen)]
    waits = [at - asked for (at, _), asked in zip(seen, taken)]
    assert min(waits) == latency
    if not busy:
        assert set(waits) == {latency}
        assert taken == list(range(200))


def test_ram_is_shared_with_numpy():
    ram = Ram(depth=64, width=32, latency=2, init=[9, 8, 7])
    ask, answers = Sender(ram.request), Receiver(ram.response)
    run = Runner(ram, ports=[ask, answers])
    run.memory("rows")[5] = 1234
    ask.write([{"address": n, "write": 0, "data": 0, "enable": 0} for n in (0, 2, 5)])
    ask.write([{"address": 6, "write": 1, "data": 0xAABBCCDD, "enable": 0b0110}])
    run(10)
    assert answers.read() == [9, 7, 1234, 0]
    assert run.memory("rows")[6] == 0x00BBCC00


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 4, "width": 8, "latency": 0}, "latency is 0"),
        ({"depth": 4, "width": 12, "granularity": 8}, "granularity 8 does not divide the width 12"),
        ({"depth": 0, "width": 8}, "depth 0"),
    ],
)
def test_ram_that_cannot_be_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        Ram(**arguments)
