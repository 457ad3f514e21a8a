"""What holds for the register maps of all devices."""

from pathlib import Path

import pytest
from amaranth.back import rtlil

from rvsim.periph.documentation import maps, render
from rvsim.regs.hardware import Registers

PAGE = Path(__file__).parents[2] / "docs" / "peripherals.md"


def test_the_page_is_in_step_with_the_register_maps():
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m rvsim.periph.documentation > docs/peripherals.md"
    )


def test_every_register_field_and_state_is_described():
    for registers in maps():
        assert registers.description
        for register in registers.registers:
            assert register.description, f"{registers.name}.{register.name}"
            for field in register.fields:
                assert field.description, f"{registers.name}.{register.name}.{field.name}"
        for state in registers.state:
            assert state.description, f"{registers.name}.{state.name}"


@pytest.mark.parametrize("registers", maps(), ids=lambda registers: registers.name)
def test_every_map_can_become_hardware(registers):
    text = rtlil.convert(Registers(registers), name=registers.name)
    for register in registers.registers:
        assert register.name in text
