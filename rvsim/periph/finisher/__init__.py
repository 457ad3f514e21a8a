"""Test finisher: power-off, failure and reset by one store. :class:`Finisher` (the hardware) loads Amaranth."""

from rvsim.periph.finisher.registers import FAIL, FINISHER, PASS, RESET
from rvsim.periph.finisher.twin import FinisherTwin, device_tree_node, syscon_nodes

__all__ = ["FAIL", "FINISHER", "PASS", "RESET", "Finisher", "FinisherTwin", "device_tree_node", "syscon_nodes"]


def __getattr__(name: str) -> object:
    if name == "Finisher":
        from rvsim.periph.finisher.hardware import Finisher

        return Finisher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
