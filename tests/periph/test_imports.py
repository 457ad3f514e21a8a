"""A twin is on the path of a warm start: it may not bring in what that start cannot afford."""

import subprocess
import sys

import pytest

DEVICES = ("uart", "clint", "plic", "finisher", "rtc")
# Measured at 5 to 160 ms each, of the 16 ms that a warm start has.
DEAR = ("amaranth", "numpy", "llvmlite", "dataclasses", "typing", "re", "enum", "inspect", "json", "pathlib", "logging")


def modules_after(statement):
    """Names of the modules that a statement loads into a fresh interpreter without site packages' own hooks."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("device", DEVICES)
def test_importing_a_twin_never_imports_amaranth_nor_anything_else_that_is_dear(device):
    loaded = modules_after(f"import rvsim.periph.{device}.twin, rvsim.bus")
    assert f"rvsim.periph.{device}.twin" in loaded
    assert not loaded & set(DEAR)


def test_the_hardware_is_loaded_when_it_is_first_asked_for():
    loaded = modules_after("from rvsim.periph.clint import Clint")
    assert {"amaranth", "rvsim.periph.clint.hardware"} <= loaded
