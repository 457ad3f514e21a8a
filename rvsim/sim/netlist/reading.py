"""Amaranth's netlist, read once into plain data that the rest of the package works on."""

from __future__ import annotations

import sys

import amaranth

from ..private import MemoryInstance, SignalDict
from ..private import ir as _ir
from ..private import nir as _nir
from . import loops, memories, resets
from .cells import (
    COMBINATIONAL,
    Assignment,
    AssignmentList,
    AsyncRead,
    Cell,
    Chunk,
    FlipFlop,
    Matches,
    Memory,
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
)  # fmt: skip


def prepare(design: object, ports: object = ()) -> Netlist:
    """The netlist of an elaboratable, a fragment or a prepared design.

    Raises
    ------
    UnsupportedDesign
        A combinational loop (with the signals and source lines on it) or a black box.
    TooWide
        A value has more than 65536 bits.
    """
    if not isinstance(design, _ir.Design):
        design = _ir.Fragment.get(design, None).prepare(ports=ports, hierarchy=("top",))
    if isinstance(design.fragment, MemoryInstance):
        raise UnsupportedDesign(
            f"{_location(design.fragment._data)}: a memory alone is no design: put it into a Module as a submodule"
        )
    wide = loops.too_wide(design.fragments)
    if wide is not None:
        raise TooWide(
            f"Value defined at {_location(wide)} is {len(wide)} bits wide, which is unlikely to simulate in "
            f"reasonable time"
        )
    netlist = _emit(design)
    loop = _loop_in(netlist) if loops.may_loop(netlist) else None
    if loop is not None and loops.connections_loop(netlist):
        raise UnsupportedDesign(loop)
    netlist.resolve_all_nets()
    made = _convert(netlist, design)
    made.loop = loop
    return made


def _loop_in(netlist: _nir.Netlist) -> str | None:
    """What Amaranth has to say of a combinational loop; it takes every condition for dependent on all others."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1_000_000))  # its check recurses once a cell
    try:
        netlist.check_comb_cycles()
    except _nir.CombinationalCycle as error:
        return str(error)
    finally:
        sys.setrecursionlimit(limit)
    return None


def _emit(design: _ir.Design) -> _nir.Netlist:
    """Amaranth's netlist; a port that the design drives itself, as it may a clock that nobody declared, is no input."""
    netlist, ports = _nir.Netlist(), design.ports
    design.ports = [(n, s, None if isinstance(s, amaranth.Signal) else way) for n, s, way in ports]
    try:
        _ir._emit_netlist(netlist, design, all_undef_to_ff=True)
    finally:
        design.ports = ports
    return netlist


def _location(cell: object) -> str:
    where = cell.src_loc
    return f"{where[0]}:{where[1]}" if where else "<unknown>"


def _nets(value: object) -> Nets:
    return tuple(int(net) for net in value)


def _message(text: _nir.Format | None) -> tuple[str | Chunk, ...]:
    if text is None:
        return ()
    chunks = (c if isinstance(c, str) else Chunk(_nets(c.value), c.format_desc, c.signed) for c in text.chunks)
    return tuple(chunks) or ("",)


def _convert(netlist: _nir.Netlist, design: _ir.Design) -> Netlist:
    cells = [_convert_cell(netlist, number, cell) for number, cell in enumerate(netlist.cells)]
    names = _names(design)
    signals = type(netlist.signals)()
    for signal, value in netlist.signals.items():
        signals[signal] = _nets(value)
    found = memories.find(netlist, design, cells, signals)
    resets.complete(netlist, design, cells, signals)
    driven = _combinational(design)
    passed_on = resets.passed_on(design, signals, driven)
    return Netlist(cells, signals, names, found, design=design, combinational=driven, passed_on=passed_on)


def _combinational(design: _ir.Design) -> object:
    """Signals with combinational drivers: statements, and what memories and instances put out."""
    driven = SignalDict()
    for fragment in design.fragments:
        for statement in getattr(fragment, "statements", {}).get("comb", ()):
            for signal in statement._lhs_signals():
                driven[signal] = True
        for port in getattr(fragment, "_read_ports", ()):
            if port._domain == "comb":
                for signal in port._data._lhs_signals():
                    driven[signal] = True
    return driven


def _names(design: _ir.Design) -> object:
    """Signal → list of hierarchical names, outermost first."""
    names = type(design.signal_lca)()
    for info in design.fragments.values():
        for signal, name in info.signal_names.items():
            if signal not in names:
                names[signal] = []
            names[signal].append((*info.name[1:], name))
    return names


def _convert_cell(netlist: _nir.Netlist, number: int, cell: _nir.Cell) -> Cell:
    module = tuple(netlist.modules[cell.module_idx].name[1:]) if number else ()
    ports = _nir.SyncWritePort | _nir.AsyncReadPort | _nir.SyncReadPort  # they come from Amaranth's library
    source = netlist.cells[cell.memory] if isinstance(cell, ports) else cell
    place = {"module": module, "location": _location(source)}
    if isinstance(cell, _nir.Operator):
        operands = tuple(_nets(v) for v in cell.inputs)
        return Operator(**place, width=cell.width, operator=cell.operator, operands=operands)
    if isinstance(cell, _nir.Part):
        return Part(
            **place, width=cell.width, value=_nets(cell.value), offset=_nets(cell.offset),
            stride=cell.stride, signed=cell.value_signed,
        )  # fmt: skip
    if isinstance(cell, _nir.Matches):
        return Matches(**place, width=1, value=_nets(cell.value), patterns=cell.patterns)
    if isinstance(cell, _nir.PriorityMatch):
        return PriorityMatch(**place, width=len(cell.inputs), enable=int(cell.en), candidates=_nets(cell.inputs))
    if isinstance(cell, _nir.AssignmentList):
        assignments = tuple(Assignment(int(a.cond), a.start, _nets(a.value), _location(a)) for a in cell.assignments)
        return AssignmentList(**place, width=len(cell.default), default=_nets(cell.default), assignments=assignments)
    if isinstance(cell, _nir.FlipFlop):
        return FlipFlop(
            **place, width=len(cell.data), clock=int(cell.clk), edge=int(cell.clk_edge == "pos"),
            data=_nets(cell.data), init=cell.init, reset=int(cell.arst),
        )  # fmt: skip
    if isinstance(cell, _nir.Memory):
        return Memory(**place, width=cell.width, name=cell.name, depth=cell.depth, init=tuple(cell.init))
    if isinstance(cell, _nir.SyncWritePort):
        return WritePort(
            **place, clock=int(cell.clk), edge=int(cell.clk_edge == "pos"), memory=cell.memory,
            address=_nets(cell.addr), data=_nets(cell.data), enable=_nets(cell.en),
        )  # fmt: skip
    if isinstance(cell, _nir.AsyncReadPort):
        return AsyncRead(**place, width=cell.width, memory=cell.memory, address=_nets(cell.addr))
    if isinstance(cell, _nir.SyncReadPort):
        return SyncRead(
            **place, width=cell.width, clock=int(cell.clk), edge=int(cell.clk_edge == "pos"), memory=cell.memory,
            address=_nets(cell.addr), enable=int(cell.en), transparent=tuple(cell.transparent_for),
        )  # fmt: skip
    if isinstance(cell, _nir.AsyncPrint | _nir.SyncPrint):
        clock = (int(cell.clk), int(cell.clk_edge == "pos")) if isinstance(cell, _nir.SyncPrint) else (0, COMBINATIONAL)
        return Statement(
            **place, clock=clock[0], edge=clock[1], kind="print", enable=int(cell.en), message=_message(cell.format)
        )
    if isinstance(cell, _nir.AsyncProperty | _nir.SyncProperty):
        clock = (
            (int(cell.clk), int(cell.clk_edge == "pos")) if isinstance(cell, _nir.SyncProperty) else (0, COMBINATIONAL)
        )
        return Statement(
            **place, clock=clock[0], edge=clock[1], kind=cell.kind, enable=int(cell.en), test=int(cell.test),
            message=_message(cell.format),
        )  # fmt: skip
    if isinstance(cell, _nir.Top):
        return Outside(**place, ports=tuple((start, width, 0) for start, width in cell.ports_i.values()))
    if isinstance(cell, _nir.Instance):
        raise UnsupportedDesign(
            f"{_location(cell)}: Instance {cell.type!r} ({'.'.join((*module, cell.name))}) is a black box without a "
            f"model: replace it by an Amaranth model for simulation"
        )
    kind = type(cell).__name__
    raise UnsupportedDesign(f"{_location(cell)}: {kind} in {'.'.join(module) or 'top'} cannot be simulated")
