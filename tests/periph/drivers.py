"""Drivers of the devices: one interface for a functional twin and for the hardware in a simulator.

All accesses are coroutines. After one the hardware gets some cycles, so that what follows from it, as the documented
latency allows, has happened, as it has on a twin; how long it takes exactly has tests of its own.
"""

from rvsim.bus.simulation import Initiator
from rvsim.periph.finisher import FinisherTwin
from rvsim.periph.plic import PlicTwin
from rvsim.periph.rtc import RtcTwin
from rvsim.periph.uart import UartTwin

SETTLED = 3


class TwinPort:
    """Accesses to a twin."""

    twin = None

    async def read(self, offset, size):
        return self.twin.read(offset, size)

    async def write(self, offset, size, value):
        self.twin.write(offset, size, value)

    async def settle(self):
        """Nothing is under way on a twin."""

    def only_changes(self, name):
        """A callback that keeps a line's level in an attribute."""

        def changed(level):
            assert level != getattr(self, name), "only changes are reported"
            setattr(self, name, level)

        return changed


class HardwarePort:
    """Accesses to a component."""

    def __init__(self, bench, component):
        self.bench, self.component = bench, component

    @property
    def context(self):
        return self.bench.context

    async def read(self, offset, size):
        value = await Initiator(self.context, self.component.bus).read(offset, size)
        await self.settle()
        return value

    async def write(self, offset, size, value):
        await Initiator(self.context, self.component.bus).write(offset, size, value)
        await self.settle()

    async def settle(self):
        await self.context.tick().repeat(SETTLED)


# -- UART ------------------------------------------------------------------------------------------------------
class UartDriver:
    """Byte accesses, and the host at the other end of the line."""

    async def get(self, register):
        return await self.read(register, 1)

    async def put(self, register, value):
        await self.write(register, 1, value)

    async def take(self, count=None):
        """Read characters while there are any, at most ``count``."""
        found = bytearray()
        while await self.get(5) & 1 and (count is None or len(found) < count):
            found.append(await self.get(0))
        return bytes(found)


class TwinUart(TwinPort, UartDriver):
    def __init__(self):
        self.sent, self.line = bytearray(), False
        self.twin = UartTwin(self.sent.extend, self.only_changes("line"))

    async def receive(self, data):
        self.twin.receive(data)

    async def receive_break(self):
        self.twin.receive_break()

    @property
    def pending(self):
        return self.twin.pending

    @property
    def receiver_enabled(self):
        return self.twin.receiver_enabled


class HardwareUart(HardwarePort, UartDriver):
    """The host takes a character a cycle while ``accepts``, and offers what waits in ``queue``."""

    def __init__(self, bench, component):
        super().__init__(bench, component)
        self.sent, self.queue, self.accepts = bytearray(), bytearray(), True
        self.arrivals = []

    async def background(self, context):
        tx, rx, cycle = self.component.tx, self.component.rx, 0
        context.set(tx.ready, self.accepts)
        ends = (tx.valid, tx.ready, tx.payload, rx.valid, rx.ready)
        async for _, _, sent, taken, value, offered, received in context.tick().sample(*ends):
            cycle += 1
            if sent and taken:
                self.sent.append(value)
                self.arrivals.append(cycle)
            if offered and received:
                del self.queue[0]
            context.set(tx.ready, self.accepts)
            context.set(rx.valid, bool(self.queue))
            context.set(rx.payload, self.queue[0] if self.queue else 0)

    async def settle(self):
        await self.context.tick().repeat(SETTLED + (20 if self.queue else 0))

    async def receive(self, data):
        self.queue += data
        await self.settle()

    async def receive_break(self):
        self.context.set(self.component.rx_break, 1)
        await self.context.tick()
        self.context.set(self.component.rx_break, 0)
        await self.settle()

    @property
    def pending(self):
        return len(self.queue)

    @property
    def line(self):
        return bool(self.context.get(self.component.interrupt))

    @property
    def receiver_enabled(self):
        return bool(self.context.get(self.component.receiver_enabled))


# -- PLIC ------------------------------------------------------------------------------------------------------
class PlicDriver:
    """Word accesses, and what drivers do with them."""

    async def get(self, offset):
        return await self.read(offset, 4)

    async def put(self, offset, value):
        await self.write(offset, 4, value)

    async def enable_source(self, source, context=0, priority=1):
        await self.put(4 * source, priority)
        word = 0x2000 + 0x80 * context + source // 32 * 4
        await self.put(word, await self.get(word) | 1 << source % 32)

    async def claim_from(self, context=0):
        return await self.get(0x20_0004 + 0x1000 * context)

    async def complete(self, source, context=0):
        await self.put(0x20_0004 + 0x1000 * context, source)


class TwinPlic(TwinPort, PlicDriver):
    def __init__(self, contexts=2, sources=96):
        self.lines = [False] * contexts
        self.twin = PlicTwin([self._line(context) for context in range(contexts)], sources)

    def _line(self, context):
        def changed(level):
            assert level != self.lines[context], "only changes are reported"
            self.lines[context] = level

        return changed

    async def set_source(self, number, level):
        self.twin.set_source(number, level)


class HardwarePlic(HardwarePort, PlicDriver):
    async def set_source(self, number, level):
        levels = self.context.get(self.component.sources)
        self.context.set(self.component.sources, levels & ~(1 << number) | level << number)
        await self.settle()

    @property
    def lines(self):
        interrupts = self.component.interrupts
        value = self.context.get(interrupts)
        return [bool(value >> context & 1) for context in range(len(interrupts))]


# -- RTC -------------------------------------------------------------------------------------------------------
class RtcDriver:
    async def get(self, offset):
        return await self.read(offset, 4)

    async def put(self, offset, value):
        await self.write(offset, 4, value)

    async def set_alarm(self, time):
        await self.put(0x0C, time >> 32)
        await self.put(0x08, time & 0xFFFF_FFFF)

    async def get_time(self):
        low = await self.get(0x00)
        return await self.get(0x04) << 32 | low


class TwinRtc(TwinPort, RtcDriver):
    def __init__(self, now):
        self.now, self.line = now, False
        self.twin = RtcTwin(lambda: self.now, self.only_changes("line"))

    async def pass_time(self, nanoseconds):
        self.now += nanoseconds
        self.twin.poll()


class HardwareRtc(HardwarePort, RtcDriver):
    def __init__(self, bench, component, now):
        super().__init__(bench, component)
        self.now = now

    async def background(self, context):
        context.set(self.component.now, self.now)

    async def pass_time(self, nanoseconds):
        self.now += nanoseconds
        self.context.set(self.component.now, self.now)
        await self.settle()

    @property
    def line(self):
        return bool(self.context.get(self.component.interrupt))


# -- finisher --------------------------------------------------------------------------------------------------
class TwinFinisher(TwinPort):
    """``ends`` are the commands given: kind and code."""

    def __init__(self):
        self.ends = []
        self.twin = FinisherTwin(lambda kind, code: self.ends.append((kind, code)))


class HardwareFinisher(HardwarePort):
    @property
    def ends(self):
        if not self.context.get(self.component.done):
            return []
        value = self.context.get(self.component.value)
        return [(value & 0xFFFF, value >> 16)]
