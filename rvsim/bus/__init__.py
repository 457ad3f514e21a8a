"""The functional bus. The Wishbone signature is in :mod:`rvsim.bus.wishbone`, which needs Amaranth."""

from rvsim.bus.functional import PAGE_SIZE, BusError, FunctionalBus

__all__ = ["PAGE_SIZE", "BusError", "FunctionalBus"]
