"""CLINT: software interrupts and machine timer. :class:`Clint` (the hardware) loads Amaranth when first used."""

from rvsim.periph.clint.registers import clint_map
from rvsim.periph.clint.twin import ClintTwin, device_tree_node

__all__ = ["Clint", "ClintTwin", "clint_map", "device_tree_node"]


def __getattr__(name: str) -> object:
    if name == "Clint":
        from rvsim.periph.clint.hardware import Clint

        return Clint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
