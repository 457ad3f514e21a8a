"""Goldfish real-time clock. :class:`Rtc` and :class:`WallTime` (the hardware) load Amaranth when first used."""

from rvsim.periph.rtc.registers import RTC
from rvsim.periph.rtc.twin import RtcTwin, device_tree_node

__all__ = ["RTC", "Rtc", "RtcTwin", "WallTime", "device_tree_node"]


def __getattr__(name: str) -> object:
    if name in ("Rtc", "WallTime"):
        from rvsim.periph.rtc import hardware

        return getattr(hardware, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
