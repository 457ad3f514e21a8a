"""Register maps as data, and their binders: :mod:`rvsim.regs.twin` and :mod:`rvsim.regs.hardware`."""

from rvsim.regs.map import Field, Register, RegisterMap, State
from rvsim.regs.node import Node
from rvsim.regs.twin import Twin

__all__ = ["Field", "Node", "Register", "RegisterMap", "State", "Twin"]
