"""The one door to what Amaranth 0.5 keeps private.

The netlist (``amaranth.hdl._nir``), the function that builds it, and the interfaces of the simulator's engines may
change in any release: everything else in this package takes them from here, and :func:`check_version` refuses every
other Amaranth.
"""

from __future__ import annotations

import amaranth

SUPPORTED = "0.5."


def check_version() -> None:
    """Refuse an Amaranth that this package was not written for.

    Raises
    ------
    ImportError
        Not Amaranth 0.5.
    """
    if not amaranth.__version__.startswith(SUPPORTED):
        raise ImportError(
            f"rvsim.sim reads Amaranth's internal netlist and supports Amaranth {SUPPORTED}x; "
            f"this is {amaranth.__version__}: install 'amaranth>=0.5.10,<0.6'"
        )


check_version()

from amaranth.hdl import Signal, Value  # noqa: E402
from amaranth.hdl import _ast as ast  # noqa: E402
from amaranth.hdl import _ir as ir  # noqa: E402
from amaranth.hdl import _nir as nir  # noqa: E402
from amaranth.hdl._ast import Operator, SignalDict, Slice  # noqa: E402
from amaranth.hdl._mem import MemoryData, MemoryInstance  # noqa: E402
from amaranth.sim._async import (  # noqa: E402
    AsyncProcess,
    BrokenTrigger,
    ChangedTrigger,
    DelayTrigger,
    DomainReset,
    EdgeTrigger,
    ProcessContext,
    SampleTrigger,
    TestbenchContext,
    TickTrigger,
)
from amaranth.sim._base import BaseEngine, BaseEngineState, BaseMemoryState, BaseProcess, BaseSignalState  # noqa: E402
from amaranth.sim._pyeval import eval_assign, eval_format, eval_value  # noqa: E402
from amaranth.sim.pysim import _VCDWriter as VCDWriter  # noqa: E402


def whole_signal(value: Value) -> Signal:
    """The signal that a field of a structure is part of; a signal is its own.

    Raises
    ------
    TypeError
        Neither.
    """
    while not isinstance(value, Signal):
        if isinstance(value, Slice):
            value = value.value
        elif isinstance(value, Operator) and value.operator in ("u", "s"):
            (value,) = value.operands
        else:
            raise TypeError(f"{value!r} is no part of a signal")
    return value


__all__ = [
    "AsyncProcess",
    "BaseEngine",
    "BaseEngineState",
    "BaseMemoryState",
    "BaseProcess",
    "BaseSignalState",
    "BrokenTrigger",
    "ChangedTrigger",
    "DelayTrigger",
    "DomainReset",
    "EdgeTrigger",
    "MemoryData",
    "MemoryInstance",
    "Operator",
    "ProcessContext",
    "SampleTrigger",
    "SignalDict",
    "Slice",
    "TestbenchContext",
    "TickTrigger",
    "VCDWriter",
    "ast",
    "check_version",
    "eval_assign",
    "eval_format",
    "eval_value",
    "ir",
    "nir",
    "whole_signal",
]
