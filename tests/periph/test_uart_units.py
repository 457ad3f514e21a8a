"""The units of the hardware UART alone: naive models, random stalls, and what only coincidences show."""

import random

import pytest
from amaranth.hdl import Elaboratable, Module, Signal

from rvsim.periph.uart.pace import Pace
from rvsim.periph.uart.queue import Queue
from rvsim.periph.uart.receiver import Receiver
from rvsim.periph.uart.registers import FIFO_DEPTH
from rvsim.periph.uart.transmitter import Transmitter
from rvsim.sim import Runner


@pytest.mark.parametrize("seed", range(3))
def test_queue_agrees_with_a_list(hardware, seed):
    queue, rng, model = Queue(8), random.Random(seed), []

    async def scenario(context):
        single = 0
        for _ in range(2000):
            assert context.get(queue.level) == len(model)
            assert context.get(queue.full) == (len(model) == (1 if single else FIFO_DEPTH))
            if model:
                assert context.get(queue.oldest) == model[0]
            push, pop, clear = rng.random() < 0.6, bool(model) and rng.random() < 0.4, rng.random() < 0.02
            value, changes = rng.getrandbits(8), len(model) < 2 and rng.random() < 0.2
            for signal, level in ((queue.push, push), (queue.pop, pop), (queue.clear, clear), (queue.value, value)):
                context.set(signal, level)
            if pop:
                del model[0]
            if push and len(model) < (1 if single else FIFO_DEPTH):
                model.append(value)
            elif push and single:
                model[0] = value
            if clear:
                model.clear()
            await context.tick()
            if changes and len(model) < 2:
                single = 1 - single
                context.set(queue.single, single)

    hardware(queue, scenario)


@pytest.mark.parametrize("seed", range(3))
def test_transmitter_keeps_order_and_its_flags_tell_the_truth_whatever_the_host_does(hardware, seed):
    """The THRE interrupt follows the flags: it is set by ``emptied`` and cleared by ``filled``."""
    transmitter, rng = Transmitter(timed=False), random.Random(seed)

    async def scenario(context):
        written, sent, offered = [], [], None
        for cycle in range(3000):
            write, value = rng.random() < (0.7 if cycle % 200 < 100 else 0.1), rng.getrandbits(8)
            ready = rng.random() < 0.4
            waits = not context.get(transmitter.empty)
            context.set(transmitter.tx.ready, ready)
            context.set(transmitter.write, write)
            context.set(transmitter.value, value)
            valid, payload = context.get(transmitter.tx.valid), context.get(transmitter.tx.payload)
            assert offered is None or (valid and payload == offered), "never withdrawn"
            offered = payload if valid and not ready else None
            if valid and ready:
                sent.append(payload)
            full = len(written) - len(sent) == FIFO_DEPTH + 1
            if write and not full:
                written.append(value)
            emptied, filled = context.get(transmitter.emptied), context.get(transmitter.filled)
            await context.tick()
            empty = context.get(transmitter.empty)
            assert emptied == (empty and (waits or write))
            assert filled <= (not empty)
            assert empty == (len(written) - len(sent) <= 1) and sent == written[: len(sent)]
            assert context.get(transmitter.idle) == (len(written) == len(sent))

    hardware(transmitter, scenario)


def test_a_looped_character_finds_the_room_that_a_read_makes_in_the_same_cycle(hardware):
    receiver = Receiver(timed=False)

    async def scenario(context):
        context.set(receiver.looped, 1)
        for value in range(FIFO_DEPTH + 1):
            context.set(receiver.value, value)
            context.set(receiver.pop, value == FIFO_DEPTH)
            assert not context.get(receiver.overrun)
            await context.tick()
        context.set(receiver.pop, 0)
        assert context.get(receiver.overrun) and context.get(receiver.level) == FIFO_DEPTH
        assert context.get(receiver.oldest) == 1

    hardware(receiver, scenario)


class Counted(Elaboratable):
    """Counts the ticks of a pace."""

    def __init__(self, pace):
        self.pace, self.ticks = pace, Signal(32)

    def elaborate(self, platform):
        m = Module()
        m.submodules.pace = self.pace
        m.d.comb += self.pace.running.eq(1)
        m.d.sync += self.ticks.eq(self.ticks + self.pace.tick)
        return m


@pytest.mark.parametrize("clock", [3_686_400, 3_686_401, 10_000_000])
def test_the_pace_is_exact_over_seconds(clock):
    counted = Counted(Pace(clock))
    run = Runner(counted)
    run(3 * clock)
    assert run[counted.ticks] == 3 * 3_686_400
