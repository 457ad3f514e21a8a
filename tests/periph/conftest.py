"""One behaviour suite for every fidelity: a test is a coroutine that sees a device through one interface.

Tests that are coroutines run on the functional twin and on the hardware in each simulator; those that ask for a twin
by name run on it alone.
"""

import gc
import inspect

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from rvsim.periph.clint import Clint
from rvsim.periph.finisher import Finisher
from rvsim.periph.plic import Plic
from rvsim.periph.rtc import Rtc, WallTime
from rvsim.periph.uart import Uart
from rvsim.periph.uart.pace import Pace
from rvsim.sim import CompiledEngine
from tests.periph import drivers

ENGINES = {"pysim": "pysim", "compiled": CompiledEngine}
START = 0x1234_5678_FFFF_FFF0


def run_functional(scenario):
    """Run a coroutine of a twin, which never has to wait."""
    try:
        scenario.send(None)
    except StopIteration:
        return
    raise AssertionError("a functional twin answers at once")


def run_hardware(component, scenario, engine="pysim"):
    """Run a scenario, a function of the test bench's context, in a simulator of its own."""
    simulator = Simulator(component, engine=ENGINES[engine])
    simulator.add_clock(1e-6)

    async def testbench(context):
        await scenario(context)

    simulator.add_testbench(testbench)
    simulator.run()


class Bench:
    """Components under one simulator.

    Elaborating a design takes longer than most tests, so that tests of one design share a simulator, which is reset
    before each of them.
    """

    def __init__(self, components, engine):
        module = Module()
        module.submodules += components
        self.components, self.driver, self.context = components, None, None
        self._scenario, self._fresh = None, True
        self._simulator = Simulator(module, engine=engine)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._background, background=True)
        self._simulator.add_testbench(self._foreground)

    async def _background(self, context):
        if hasattr(self.driver, "background"):
            await self.driver.background(context)

    async def _foreground(self, context):
        self.context = context
        await self._scenario

    def run(self, scenario):
        self._scenario = scenario
        if not self._fresh:
            self._simulator.reset()
        self._fresh = False
        self._simulator.run()


class Fidelity:
    """Twin, or hardware in one of the simulators."""

    benches: dict = {}

    def __init__(self, name):
        self.name, self.is_twin = name, name == "twin"
        self.bench = None

    def hardware(self, key, make):
        """The component of a design and its bench, made once."""
        if (self.name, key) not in self.benches:
            self.benches[self.name, key] = Bench([make()], ENGINES[self.name])
        self.bench = self.benches[self.name, key]
        return self.bench, self.bench.components[0]

    def run(self, scenario):
        if self.bench is None:
            run_functional(scenario)
        else:
            self.bench.run(scenario)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test that is a coroutine."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    fidelity = pyfuncitem.funcargs.get("fidelity")
    run = run_functional if fidelity is None else fidelity.run
    run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(params=["twin", *ENGINES])
def fidelity(request):
    return Fidelity(request.param)


@pytest.fixture(params=list(ENGINES))
def engine(request):
    return request.param


@pytest.fixture
def functional():
    return run_functional


@pytest.fixture
def hardware(engine):
    return lambda component, scenario: run_hardware(component, scenario, engine)


# -- devices ---------------------------------------------------------------------------------------------------
def driven(fidelity, twin, driver, key, make, *arguments):
    """A driver of the twin, or of the hardware."""
    if fidelity.is_twin:
        return twin(*arguments)
    bench, component = fidelity.hardware(key, make)
    bench.driver = driver(bench, component, *arguments)
    return bench.driver


@pytest.fixture
def uart(fidelity):
    return driven(fidelity, drivers.TwinUart, drivers.HardwareUart, "uart", Uart)


@pytest.fixture
def uart_twin():
    return drivers.TwinUart()


@pytest.fixture
def plic(fidelity):
    return driven(fidelity, drivers.TwinPlic, drivers.HardwarePlic, "plic", Plic)


@pytest.fixture
def plic_twin():
    return drivers.TwinPlic()


@pytest.fixture
def rtc(fidelity):
    return driven(fidelity, drivers.TwinRtc, drivers.HardwareRtc, "rtc", Rtc, START)


@pytest.fixture
def rtc_twin():
    return drivers.TwinRtc(START)


@pytest.fixture
def finisher(fidelity):
    return driven(fidelity, drivers.TwinFinisher, drivers.HardwareFinisher, "finisher", Finisher)


@pytest.fixture
def unused_is_fine(monkeypatch):
    """A constructor that raises leaves an object that nobody elaborates; Amaranth would warn of it."""
    for component in (Clint, Finisher, Plic, Rtc, Uart, WallTime, Pace):
        monkeypatch.setattr(component, "_MustUse__silence", True)
    yield
    gc.collect()
