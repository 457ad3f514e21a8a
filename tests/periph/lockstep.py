"""Twin and hardware side by side: random histories, and the state that the map declares."""

import random
from types import SimpleNamespace

from rvsim.bus import BusError
from rvsim.sim import Receiver, Runner, Sender
from tests.periph import drivers


# -- hardware that runs freely, behind the drivers of a test bench ------------------------------------------------
class _Cycles:
    def __init__(self, run, count=1):
        self._run, self._count = run, count

    def repeat(self, count):
        return _Cycles(self._run, count)

    def __await__(self):
        self._run(self._count)
        return
        yield


class FreeContext:
    """What drivers need of a test bench's context, on a :class:`Runner`; nothing ever waits."""

    def __init__(self, run):
        self.get, self.set = run.__getitem__, lambda signal, value: run.__setitem__(signal, int(value))
        self.tick = lambda: _Cycles(run)


def free(driver, component, *arguments):
    """A driver of a component that runs freely."""
    run = Runner(component)
    return driver(SimpleNamespace(context=FreeContext(run), run=run), component, *arguments)


class FreeUart(drivers.HardwareUart):
    """The host's ends are the engine's."""

    def __init__(self, component):
        self._rx, self._tx, self._sent = Sender(component.rx), Receiver(component.tx), bytearray()
        run = Runner(component, ports=[self._rx, self._tx])
        super().__init__(SimpleNamespace(context=FreeContext(run), run=run), component)

    @property
    def sent(self):
        self._sent += bytes(self._tx.read())
        return self._sent

    @sent.setter
    def sent(self, value):
        pass

    async def receive(self, data):
        self._rx.write(data)
        await self.settle()

    async def settle(self):
        await self.context.tick().repeat(drivers.SETTLED + 20)

    @property
    def pending(self):
        return self._rx.pending


def declared_state(run, registers, **inputs):
    """Registers and state of the hardware, by the names of the map, as a twin has them.

    ``inputs`` is state of the twin that stands outside of the hardware.
    """
    found = {}
    for register in registers.registers:
        if register.held:
            names = [f"__{index}" for index in range(register.count)] or [""]
            each = [run[f"registers.{register.name}{name}__value"] for name in names]
            found[register.name] = each if register.count else each[0]
    for state in registers.state:
        if state.name in inputs:
            found[state.name] = inputs[state.name]
        elif state.depth:
            queue = run.signals(f"*{state.name}.first")[0].removesuffix(".first")
            first, level = run[f"{queue}.first"], run[f"{queue}.level"]
            rows = run.memory(f"{queue}.rows")
            found[state.name] = [int(rows[(first + number) % state.depth]) for number in range(level)]
        else:
            found[state.name] = run[state.name]
    return found


# -- random histories ------------------------------------------------------------------------------------------
async def outcome(device, offset, size, value):
    """What an access gives: a value, None, or that it is a bus error."""
    try:
        if value is None:
            return await device.read(offset, size)
        return await device.write(offset, size, value)
    except BusError:
        return BusError


def access(rng, registers):
    """Any access at all, most to registers: offset, size, value or None for a read."""
    register = rng.choice(registers.registers)
    offset = register.offset + rng.randrange(register.number) * register.pitch
    size = rng.choice((*registers.sizes, *registers.sizes, 1, 2, 4))
    if rng.random() < 0.1:
        offset = rng.randrange(-8, registers.size + 8)
    elif rng.random() < 0.1:
        offset += rng.randrange(-4, 5)
    else:
        offset -= offset % size
    value = rng.choice((None, rng.getrandbits(8 * size), rng.getrandbits(3), (1 << 8 * size) - 1, 0))
    return offset, size, value


def seeded(seed):
    return random.Random(seed)
