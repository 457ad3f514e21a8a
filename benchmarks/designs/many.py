"""Several of the CPU-like cores side by side, each with memories of its own: how effort grows with size."""

from functools import reduce
from operator import xor

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from .cpu import Cpu, program


class Cores(wiring.Component):
    """``count`` cores; ``mixed`` depends on all of them."""

    mixed: Out(32)

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cores = [Cpu(program()) for _ in range(self.count)]
        for n, core in enumerate(cores):
            m.submodules[f"core{n}"] = core
        m.d.comb += self.mixed.eq(reduce(xor, (core.retired + core.pc + n for n, core in enumerate(cores))))
        return m


def make(count: int = 4) -> Cores:
    """The benchmark's instance."""
    return Cores(count)


__all__ = ["Cores", "make"]
