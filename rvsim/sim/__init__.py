"""A compiled simulation engine for any Amaranth design. It knows nothing of RISC-V."""

from .conditions import ConditionError
from .engine.engine import CompiledEngine
from .netlist import UnsupportedDesign
from .ram import Ram
from .runner import Runner
from .streams import Receiver, Sender

__all__ = ["CompiledEngine", "ConditionError", "Ram", "Receiver", "Runner", "Sender", "UnsupportedDesign"]
