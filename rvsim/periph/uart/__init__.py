"""UART 16550A. :class:`Uart` (the hardware) loads Amaranth when first used."""

from rvsim.periph.uart.registers import UART
from rvsim.periph.uart.twin import UartTwin, device_tree_node

__all__ = ["UART", "Uart", "UartTwin", "device_tree_node"]


def __getattr__(name: str) -> object:
    if name == "Uart":
        from rvsim.periph.uart.hardware import Uart

        return Uart
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
