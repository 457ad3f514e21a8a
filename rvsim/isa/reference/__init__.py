"""The integer reference: a hart in plain Python, the oracle that the other engines are checked against."""

from .hart import ReferenceHart
from .memory import PhysicalMemory
from .record import Retired
from .traps import Trap

__all__ = ["PhysicalMemory", "ReferenceHart", "Retired", "Trap"]
