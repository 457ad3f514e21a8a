"""Test finisher: power-off, failure and reset by one store."""

from rvsim.periph.finisher.registers import FAIL, FINISHER, PASS, RESET
from rvsim.periph.finisher.twin import FinisherTwin, device_tree_node, syscon_nodes

__all__ = ["FAIL", "FINISHER", "PASS", "RESET", "FinisherTwin", "device_tree_node", "syscon_nodes"]
