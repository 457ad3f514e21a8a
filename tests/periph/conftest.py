"""One behaviour suite for every fidelity: a scenario is a coroutine that sees a device through one interface."""

import pytest
from amaranth.sim import Simulator


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
