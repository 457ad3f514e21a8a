"""Goldfish real-time clock."""

from rvsim.periph.rtc.registers import RTC
from rvsim.periph.rtc.twin import RtcTwin, device_tree_node

__all__ = ["RTC", "RtcTwin", "device_tree_node"]
