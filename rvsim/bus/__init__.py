"""The functional bus. The Wishbone signature is in :mod:`rvsim.bus.wishbone`, which needs Amaranth."""

from rvsim.bus.functional import BusError, FunctionalBus

__all__ = ["BusError", "FunctionalBus"]
