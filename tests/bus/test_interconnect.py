"""Decoder, bridge and arbiter under random traffic: in order, each request answered once, by whom it was meant for."""

import random
import zlib

import pytest
from amaranth.sim import Simulator

from rvsim.bus.arbiter import Arbiter
from rvsim.bus.decoder import Bridge, Decoder, Region

REGIONS = {"ram": Region(0x8000_0000, 1 << 20), "uart": Region(0x1000_0000, 0x100), "odd": Region(0x2000_0010, 0x30)}
OUTSIDE = (0, 0x1000_0100, 0x2000_000C, 0x2000_0040, 0x7FFF_FFFC, 0x8010_0000)


def what(name, adr):
    """The word that a target answers at a word address of its own."""
    return zlib.crc32(f"{name} {adr}".encode()) if adr % 7 else None  # None: an error


def addresses(r):
    """Byte addresses, and who holds them with the word address there."""
    for name, region in REGIONS.items():
        word = r.randrange(region.size // 4)
        yield region.base + 4 * word, (name, word)
    yield r.choice(OUTSIDE), None


async def initiator(ctx, bus, r, count, log, *, deep):
    """Make random requests, up to ``deep`` at once, and note what is answered to each."""
    asked, wanted = [], None
    for _ in range(40 * count):
        if wanted is None and len(asked) < deep and count and r.random() < 0.8:
            wanted, count = r.choice(list(addresses(r))), count - 1
        ctx.set(bus.stb, wanted is not None)
        ctx.set(bus.cyc, wanted is not None or bool(asked))
        if wanted is not None:
            ctx.set(bus.adr, wanted[0] >> 2)
            ctx.set(bus.dat_w, wanted[0] ^ 0xFFFF_FFFF)
            ctx.set(bus.sel, 0xF)
        _, _, stall, ack, err, data = await ctx.tick().sample(bus.stall, bus.ack, bus.err, bus.dat_r)
        if ack or err:
            assert asked, "an answer that nobody asked for"
            log.append((asked.pop(0), data if ack else None))
        if wanted is not None and not stall:
            asked.append(wanted)
            wanted = None
        if not count and not asked and wanted is None:
            break
    ctx.set(bus.cyc, 0)
    ctx.set(bus.stb, 0)
    assert not asked and not count


async def pipelined(ctx, bus, r, name, log):
    """A target that takes requests when it likes, and answers in order when it likes."""
    queue, answer = [], False
    while True:
        stall = r.random() < 0.3
        answer = bool(queue) and r.random() < 0.7
        value = what(name, queue[0]) if answer else 0
        ctx.set(bus.stall, stall)
        ctx.set(bus.ack, answer and value is not None)
        ctx.set(bus.err, answer and value is None)
        ctx.set(bus.dat_r, value or 0)
        _, _, cyc, stb, adr, written = await ctx.tick().sample(bus.cyc, bus.stb, bus.adr, bus.dat_w)
        if answer:
            queue.pop(0)
        if cyc and stb and not stall:
            queue.append(adr)
            log.append((name, adr, written))


async def classic(ctx, bus, r, name, log):
    """A target that answers one access at a time, a random number of cycles later."""
    while True:
        await ctx.tick().until(bus.cyc & bus.stb)
        await ctx.tick().repeat(r.randrange(1, 4))
        value = what(name, ctx.get(bus.adr))
        log.append((name, ctx.get(bus.adr), ctx.get(bus.dat_w)))
        ctx.set(bus.ack, value is not None)
        ctx.set(bus.err, value is None)
        ctx.set(bus.dat_r, value or 0)
        await ctx.tick()
        ctx.set(bus.ack, 0)
        ctx.set(bus.err, 0)


def play(engine, dut, benches, targets):
    simulator = Simulator(dut, engine=engine)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    for target in targets:
        simulator.add_testbench(target, background=True)
    simulator.run()


def check(log, seen):
    """Every request was answered as the target that holds its address would, and reached it once."""
    for (_, holder), data in log:
        assert data == (None if holder is None else what(*holder))
    meant = [(holder[0], holder[1], address ^ 0xFFFF_FFFF) for (address, holder), _ in log if holder]
    assert sorted(seen) == sorted(meant)


@pytest.mark.parametrize(("make", "target"), [(Decoder, pipelined), (Bridge, classic)])
def test_requests_reach_who_holds_their_address(engine, make, target):
    for seed in range(4):
        r, dut, log, seen = random.Random(seed), make(REGIONS), [], []

        async def bench(ctx, dut=dut, r=r, log=log, deep=1 + seed):
            await initiator(ctx, dut.bus, r, 60, log, deep=deep)

        def answering(name, dut=dut, r=r, seen=seen):
            async def run(ctx):
                await target(ctx, getattr(dut, name), r, name, seen)

            return run

        play(engine, dut, [bench], [answering(name) for name in REGIONS])
        assert len(log) == 60
        check(log, seen)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_initiators_take_turns_and_get_their_own_answers(engine, count):
    for seed in range(3):
        r, dut, seen, logs = random.Random(seed), Arbiter(count), [], [[] for _ in range(count)]

        def asking(number, dut=dut, r=r, logs=logs):
            async def run(ctx):
                for _ in range(5):  # with pauses, in which it lets go
                    await initiator(ctx, dut.initiators[number], r, 8, logs[number], deep=3)
                    await ctx.tick().repeat(r.randrange(1, 5))

            return run

        async def target(ctx, dut=dut, r=r, seen=seen):
            await pipelined(ctx, dut.bus, r, "all", seen)

        play(engine, dut, [asking(number) for number in range(count)], [target])
        for log in logs:
            assert len(log) == 40
            assert [data for _, data in log] == [what("all", address >> 2) for (address, _), _ in log]
        assert len(seen) == 40 * count


def test_one_request_a_cycle(engine):
    """A fast target is asked and answers in every cycle: decoder and arbiter cost nothing."""
    for dut, asked, answering in (
        (Decoder({"ram": Region(0, 1 << 20)}), lambda d: d.bus, lambda d: d.ram),
        (Arbiter(1), lambda d: d.initiators[0], lambda d: d.bus),
    ):
        bus, target = asked(dut), answering(dut)
        answers = []

        async def bench(ctx, bus=bus, answers=answers):
            ctx.set(bus.cyc, 1)
            for n in range(20):
                ctx.set(bus.stb, 1)
                ctx.set(bus.adr, n)
                _, _, stall, ack, data = await ctx.tick().sample(bus.stall, bus.ack, bus.dat_r)
                assert not stall
                if ack:
                    answers.append(data)

        async def fast(ctx, target=target):
            while True:
                _, _, stb, adr = await ctx.tick().sample(target.stb & target.cyc, target.adr)
                ctx.set(target.ack, stb)
                ctx.set(target.dat_r, adr * 3)

        play(engine, dut, [bench], [fast])
        assert answers == [3 * n for n in range(19)]


@pytest.mark.parametrize("make", [Decoder, Bridge])
def test_map_that_makes_no_sense(make):
    with pytest.raises(ValueError, match=r"a at 0x1000\.\.0x1fff overlaps b at 0x1800"):
        make({"b": Region(0x1800, 0x1000), "a": Region(0x1000, 0x1000)})
    with pytest.raises(ValueError, match="is beyond 12 bits"):
        make({"a": Region(0x1000, 0x1000)}, addr_width=10)
    with pytest.raises(ValueError, match="called 'bus'"):
        make({"bus": Region(0, 4)})
    with pytest.raises(ValueError, match="multiples of 4"):
        Region(2, 8)
    with pytest.raises(ValueError, match="the size is not 0"):
        Region(0, 0)
    with pytest.raises(ValueError, match="nothing to do"):
        Arbiter(0)
