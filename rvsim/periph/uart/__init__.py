"""UART 16550A."""

from rvsim.periph.uart.registers import UART
from rvsim.periph.uart.twin import UartTwin, device_tree_node

__all__ = ["UART", "UartTwin", "device_tree_node"]
