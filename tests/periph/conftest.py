"""One behaviour suite for every fidelity: a scenario is a coroutine that sees a device through one interface."""

import pytest
from amaranth.sim import Simulator

from rvsim.periph.uart import UartTwin


def run_functional(scenario):
    """Run a scenario of a twin, which never has to wait."""
    try:
        scenario.send(None)
    except StopIteration:
        return
    raise AssertionError("a functional twin answers at once")


def run_hardware(component, scenario):
    """Run a scenario, a function of the test bench's context, in Amaranth's simulator."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)

    async def testbench(context):
        await scenario(context)

    simulator.add_testbench(testbench)
    simulator.run()


@pytest.fixture(params=["twin", "hardware"])
def fidelity(request):
    return request.param


@pytest.fixture
def functional():
    return run_functional


@pytest.fixture
def hardware():
    return run_hardware


class Uart(UartTwin):
    """A UART between a host that collects what it sends and a driver that uses byte accesses."""

    def __init__(self):
        self.sent = bytearray()
        self.line = False
        self.edges = 0
        super().__init__(self._send, self._interrupted)

    def _send(self, data):
        self.sent += data

    def _interrupted(self, level):
        assert level != self.line, "only changes are reported"
        self.line = level
        self.edges += 1

    def get(self, register):
        return self.read(register, 1)

    def put(self, register, value):
        self.write(register, 1, value)

    def take(self, count=None):
        """Read characters while there are any, at most ``count``."""
        found = bytearray()
        while self.get(5) & 1 and (count is None or len(found) < count):
            found.append(self.get(0))
        return bytes(found)


@pytest.fixture
def uart():
    return Uart()
