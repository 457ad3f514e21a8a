"""Both binders read a map alike: the same accesses and events, seeded at random, leave the same state."""

import gc
import random

import pytest
from amaranth.sim import Simulator

from rvsim.bus import BusError
from rvsim.bus.simulation import Initiator
from rvsim.regs import Field, Register, RegisterMap, Twin
from rvsim.regs.hardware import Registers


def field(name, bit, access, hardware="r", width=4, reset=0):
    return Field(name=name, bit=bit, width=width, access=access, hardware=hardware, reset=reset)


MAP = RegisterMap(
    name="m",
    size=0x30,
    sizes=(1, 4),
    bank="select.bank",
    registers=(
        Register(
            name="mixed",
            offset=0,
            on_read="looked",
            on_write="stored",
            fields=(
                field("rw", 0, "rw", reset=5),
                field("ro", 4, "ro", reset=9),
                field("wo", 8, "wo"),
                field("w1c", 12, "w1c", "rw", reset=15),
                field("w1s", 16, "w1s"),
                field("rc", 20, "rc", "rw", reset=7),
                field("driven", 26, "ro", "w"),
            ),
        ),
        Register(name="select", offset=4, width=8, fields=(Field(name="bank", bit=2),)),
        Register(name="here", offset=5, width=8, bank=0),
        Register(name="there", offset=5, width=8, bank=1, reset=0x3C),
        Register(name="pop", offset=6, width=8, access="ro", hardware="w", on_read="popped"),
        Register(name="push", offset=6, width=8, access="wo", hardware="-", on_write="pushed"),
        Register(name="wide", offset=8, width=64, hardware="rw", reset=0x0123_4567_89AB_CDEF),
        Register(name="array", offset=0x11, width=16, count=3, stride=8, on_write="array_stored"),
    ),
)


class ExampleTwin(Twin):
    """Reports each side effect, and drives what the test tells it to."""

    def __init__(self):
        super().__init__(MAP)
        self.log = []
        self.driven = 0
        self.popped_value = 0

    def drive_mixed(self):
        return self.driven << 26

    def drive_pop(self):
        return self.popped_value

    def looked(self):
        self.log.append(("looked",))

    def stored(self, value):
        self.log.append(("stored", value))

    def popped(self):
        self.log.append(("popped",))

    def pushed(self, value):
        self.log.append(("pushed", value))

    def array_stored(self, index, value):
        self.log.append(("array_stored", index, value))


def stimuli(seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        size = rng.choice((1, 4, 1, 4, 2))
        yield {
            "offset": rng.randrange(0, 0x34, 1 if size == 1 else size),
            "size": size,
            "value": rng.choice((None, rng.getrandbits(8 * size))),
            "driven": rng.getrandbits(4),
            "popped": rng.getrandbits(8),
            "events": rng.choice((0, rng.getrandbits(32))),
            "next": rng.choice((None, rng.getrandbits(64))),
        }


async def monitor(context, registers, log):
    """Log the side effects that the hardware names, at the end of the cycle in which they take effect."""
    names = [("looked",), ("popped",), ("stored",), ("pushed",), *(("array_stored", i) for i in range(3))]
    strobes = [registers.mixed.read, registers.pop.read]
    written = [registers.mixed, registers.push, *registers.array]
    samples = [*strobes, *(element.written for element in written)]
    async for _, _, *values in context.tick().sample(*samples, *(element.data for element in written)):
        for number, name in enumerate(names):
            if values[number]:
                log.append(name if number < 2 else (*name, values[number + len(written)]))


def held(context, registers):
    def value(interface):
        result = context.get(interface.value)
        return result if isinstance(result, int) else result.as_bits()

    return {
        **{name: value(getattr(registers, name)) for name in ("mixed", "select", "here", "there", "wide")},
        "array": [value(element) for element in registers.array],
    }


@pytest.mark.parametrize("seed", range(4))
def test_twin_and_hardware_agree_on_random_accesses_and_events(seed, engine):
    twin, registers, log = ExampleTwin(), Registers(MAP), []

    async def testbench(context):
        initiator = Initiator(context, registers.bus)
        for step in stimuli(seed, 300):
            events = step["events"] & 0x00F0_F000
            context.set(registers.mixed.driven, {"driven": step["driven"]})
            context.set(registers.pop.driven, step["popped"])
            twin.driven, twin.popped_value = step["driven"], step["popped"]
            # The hardware's own changes: in a cycle of their own, as a twin makes them between two accesses.
            context.set(registers.mixed.events, {"w1c": events >> 12 & 15, "rc": events >> 20 & 15})
            twin.mixed |= events
            if step["next"] is not None:
                context.set(registers.wide.next, step["next"])
                context.set(registers.wide.update, 1)
                twin.wide = step["next"]
            await context.tick()
            context.set(registers.mixed.events, {})
            context.set(registers.wide.update, 0)
            twin.log.clear()
            log.clear()
            assert await outcome_in_hardware(initiator, step) == outcome_in_twin(step), step
            assert sorted(log) == sorted(twin.log), step
            assert held(context, registers) == twin.state(), step

    async def outcome_in_hardware(initiator, step):
        try:
            if step["value"] is None:
                return await initiator.read(step["offset"], step["size"])
            return await initiator.write(step["offset"], step["size"], step["value"])
        except BusError:
            return BusError

    def outcome_in_twin(step):
        try:
            if step["value"] is None:
                return twin.read(step["offset"], step["size"])
            return twin.write(step["offset"], step["size"], step["value"])
        except BusError:
            return BusError

    async def watch(context):
        await monitor(context, registers, log)

    simulator = Simulator(registers, engine=engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch, background=True)
    simulator.add_testbench(testbench)
    simulator.run()


def simulate(registers, testbench, engine):
    simulator = Simulator(registers, engine=engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_an_event_in_the_cycle_of_the_read_that_clears_it_is_not_lost(engine):
    registers = Registers(MAP)

    async def testbench(context):
        initiator = Initiator(context, registers.bus)
        await initiator.read(0, 4)
        assert await initiator.read(0, 4) >> 20 & 15 == 0
        await context.tick()
        context.set(registers.mixed.events, {"rc": 0b0110})
        assert await initiator.read(0, 4) >> 20 & 15 == 0, "a read sees what was there before"
        context.set(registers.mixed.events, {})
        assert await initiator.read(0, 4) >> 20 & 15 == 0b0110

    simulate(registers, testbench, engine)


def test_an_access_is_answered_in_the_next_cycle_and_once(engine):
    registers = Registers(MAP)

    async def testbench(context):
        bus = registers.bus
        context.set(bus.adr, 8 // 4)
        context.set(bus.sel, 0b1111)
        context.set(bus.cyc, 1)
        context.set(bus.stb, 1)
        await context.delay(1e-7)
        assert not context.get(bus.ack), "no combinational path from request to answer"
        await context.tick()
        assert context.get(bus.ack) and not context.get(bus.err)
        assert context.get(bus.dat_r) == 0x89AB_CDEF
        context.set(bus.stb, 0)
        await context.tick()
        assert not context.get(bus.ack)

    simulate(registers, testbench, engine)


def test_no_request_without_both_cyc_and_stb(engine):
    registers = Registers(MAP)

    async def testbench(context):
        bus = registers.bus
        context.set(bus.sel, 0b1111)
        for cyc, stb in ((0, 1), (1, 0), (0, 0)):
            context.set(bus.cyc, cyc)
            context.set(bus.stb, stb)
            ack, err = await context.tick().sample(bus.ack, bus.err).repeat(3)
            assert not ack and not err

    simulate(registers, testbench, engine)


@pytest.fixture
def unused_is_fine(monkeypatch):
    """A constructor that raises leaves an object that nobody elaborates; Amaranth would warn of it."""
    monkeypatch.setattr(Registers, "_MustUse__silence", True)
    yield
    gc.collect()


@pytest.mark.parametrize("name", ["bus", "map", "elaborate", "signature"])
def test_hardware_refuses_register_names_of_its_own_members(name, unused_is_fine):
    clash = RegisterMap(name="m", size=4, registers=(Register(name=name, offset=0),))
    with pytest.raises(ValueError) as caught:
        Registers(clash)
    assert str(caught.value) == f"map 'm': in hardware no register may be called {name!r}"


def test_hardware_refuses_a_map_without_an_access_that_fits_the_bus(unused_is_fine):
    wide = RegisterMap(name="m", size=8, sizes=(8,), registers=(Register(name="a", offset=0, width=64),))
    with pytest.raises(ValueError, match=r"^map 'm': no access fits a data width of 32 bits$"):
        Registers(wide)


def test_a_read_looks_at_all_registers_before_any_side_effect():
    class Counter(Twin):
        """Each read of either register changes both."""

        def __init__(self):
            side = {"width": 8, "access": "ro", "hardware": "w", "on_read": "count"}
            registers = (Register(name="a", offset=0, **side), Register(name="b", offset=1, **side))
            super().__init__(RegisterMap(name="m", size=2, sizes=(1, 2), registers=registers))
            self.counter = 1

        def drive_a(self):
            return self.counter

        drive_b = drive_a

        def count(self):
            self.counter += 1

    twin = Counter()
    assert twin.read(0, 2) == 0x0101
    assert twin.read(0, 2) == 0x0303
    assert twin.read(1, 1) == 5


def test_a_twin_without_a_method_that_the_map_names_says_which():
    class Incomplete(Twin):
        pass

    twin = Incomplete(MAP)
    with pytest.raises(TypeError, match=r"^Incomplete lacks drive_pop\(\), which register 'pop' needs$"):
        twin.read(6, 1)


def test_a_checkpoint_of_another_device_changes_nothing():
    twin = ExampleTwin()
    good = twin.state()
    for bad, message in (
        ({**good, "extra": 1}, "m: a checkpoint with missing or unknown names: extra"),
        ({k: v for k, v in good.items() if k != "wide"}, "m: a checkpoint with missing or unknown names: wide"),
        ({**good, "here": 256}, "m: here must hold unsigned 8-bit integers, not 256"),
        ({**good, "here": -1}, "m: here must hold unsigned 8-bit integers, not -1"),
        ({**good, "array": [1, 2]}, "m: array must be a list of 3 to 3 values, not [1, 2]"),
    ):
        with pytest.raises(ValueError) as caught:
            twin.restore(bad)
        assert str(caught.value) == message
        assert twin.state() == good


def test_a_checkpoint_brings_back_the_selected_bank():
    twin = ExampleTwin()
    twin.write(4, 1, 4)
    other = ExampleTwin()
    other.restore(twin.state())
    assert other.read(5, 1) == 0x3C
