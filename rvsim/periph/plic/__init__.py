"""Platform-level interrupt controller. :class:`Plic` (the hardware) loads Amaranth when first used."""

from rvsim.periph.plic.registers import plic_map
from rvsim.periph.plic.twin import PlicTwin, device_tree_node

__all__ = ["Plic", "PlicTwin", "device_tree_node", "plic_map"]


def __getattr__(name: str) -> object:
    if name == "Plic":
        from rvsim.periph.plic.hardware import Plic

        return Plic
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
