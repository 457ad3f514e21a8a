"""Amaranth's netlist as plain data: cells, and where they are read from what Amaranth keeps private."""

from .cells import (
    COMBINATIONAL,
    Assignment,
    AssignmentList,
    AsyncRead,
    Cell,
    Chunk,
    Clocked,
    FlipFlop,
    Matches,
    Memory,
    Net,
    Netlist,
    Nets,
    Operator,
    Outside,
    Part,
    PriorityMatch,
    Statement,
    SyncRead,
    TooWide,
    UnsupportedDesign,
    WritePort,
    bit_of,
    cell_of,
)
from .reading import prepare

__all__ = [
    "COMBINATIONAL", "Assignment", "AssignmentList", "AsyncRead", "Cell", "Chunk", "Clocked", "FlipFlop", "Matches",
    "Memory", "Net", "Netlist", "Nets", "Operator", "Outside", "Part", "PriorityMatch", "Statement", "SyncRead",
    "TooWide", "UnsupportedDesign", "WritePort", "bit_of", "cell_of", "prepare",
]  # fmt: skip
