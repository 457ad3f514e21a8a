"""The functional core: a threaded interpreter generated from the instruction terms and cached as machine code.

Importing it on a warm start loads neither the instruction tables nor LLVM.
"""

from .core import Exit, FunctionalCore

__all__ = ["Exit", "FunctionalCore"]
