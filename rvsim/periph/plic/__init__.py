"""Platform-level interrupt controller."""

from rvsim.periph.plic.registers import plic_map
from rvsim.periph.plic.twin import PlicTwin, device_tree_node

__all__ = ["PlicTwin", "device_tree_node", "plic_map"]
