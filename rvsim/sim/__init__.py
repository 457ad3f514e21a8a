"""A compiled simulation engine for any Amaranth design. It knows nothing of RISC-V."""

from .conditions import ConditionError
from .engine import CompiledEngine
from .netlist import UnsupportedDesign
from .runner import Runner

__all__ = ["CompiledEngine", "ConditionError", "Runner", "UnsupportedDesign"]
