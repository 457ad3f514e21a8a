"""A twin is on the path of a warm start: it may not bring in what that start cannot afford."""

import importlib
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


@pytest.mark.parametrize("device", DEVICES)
def test_the_hardware_is_loaded_when_it_is_first_asked_for(device):
    before = modules_after(f"import rvsim.periph.{device}")
    assert not before & {"amaranth", f"rvsim.periph.{device}.hardware"}
    loaded = modules_after(f"from rvsim.periph.{device} import {device.capitalize()}")
    assert {"amaranth", f"rvsim.periph.{device}.hardware"} <= loaded


@pytest.mark.parametrize("device", DEVICES)
def test_a_package_exports_what_it_says_and_nothing_else(device):
    package = importlib.import_module(f"rvsim.periph.{device}")
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match=rf"^module 'rvsim.periph.{device}' has no attribute 'Nothing'$"):
        package.Nothing  # noqa: B018
