"""What Amaranth's netlist does not say of memories: which cell is whose, and what their read ports begin with."""

from __future__ import annotations

import amaranth

from ..private import MemoryInstance
from ..private import ir as _ir
from ..private import nir as _nir


def find(netlist: _nir.Netlist, design: _ir.Design, cells: list, signals: object) -> dict[object, int]:
    """Amaranth's memory data object → cell number; what is missing in the cells of memories is filled in.

    Parameters
    ----------
    cells
        Our cells, numbered like Amaranth's.
    signals
        Signal → its nets.
    """
    numbers = {  # a memory's cell is named and placed like its fragment
        (*netlist.modules[cell.module_idx].name, cell.name): number
        for number, cell in enumerate(netlist.cells)
        if isinstance(cell, _nir.Memory)
    }
    found = {}
    for fragment, info in design.fragments.items():
        if isinstance(fragment, MemoryInstance):
            data = fragment._data
            number = numbers.get(tuple(info.name))
            if number is not None:
                found[data] = number
                cells[number].signed = amaranth.Shape.cast(data.shape).signed
            for port in fragment._read_ports:
                if port._domain != "comb":
                    _begin(port, fragment.domains[port._domain], cells, signals)
    return found


def _begin(port: object, domain: amaranth.ClockDomain, cells: list, signals: object) -> None:
    """Initial and reset value of a synchronous read port's output.

    Amaranth's RFC 54: "The read port's ``data`` signal will hold the initial value at startup and whenever a domain
    reset occurs." The netlist of Amaranth 0.5 leaves both open; its simulator resets the output, unless the port
    reads, while a reset is active at an edge, and so do we.
    """
    output = port._data
    if isinstance(output, amaranth.Signal) and len(output):
        cell = cells[signals[output][0] >> 16]
        cell.init = output.init & ((1 << len(output)) - 1)
        if domain.rst is not None and not output.reset_less:
            (cell.reset,) = signals[domain.rst]
