"""What Amaranth's simulator does at the edge of an asynchronous reset, and the netlist does not say."""

from __future__ import annotations

from ..private import ir as _ir
from ..private import nir as _nir


def passed_on(design: _ir.Design, signals: object, combinational: object) -> set[int]:
    """Nets of clocks and resets that logic drives: in Amaranth's simulator they begin at 0, and may rise at once.

    Parameters
    ----------
    signals, combinational
        Signal → its nets; signals that are driven combinationally.
    """
    found = set()
    for fragment in design.fragments:
        for domain in getattr(fragment, "domains", {}).values():
            for signal in (domain.clk, domain.rst):
                if signal is not None and signal in combinational and signal in signals:
                    found.update(signals[signal])
    return found


def complete(netlist: _nir.Netlist, design: _ir.Design, cells: list, signals: object) -> None:
    """Give clocked cells without a reset of their own the asynchronous reset of their domain as a second clock.

    In Amaranth's simulator everything in a domain with an asynchronous reset happens at the reset's rising edge too:
    registers with a reset are reset, those without, memory ports, ``Print`` and properties act as at a clock's edge.

    Parameters
    ----------
    cells
        Our cells, numbered like Amaranth's; ``also`` of those is set.
    signals
        Signal → its nets.
    """
    resets: dict[tuple[str, ...], dict[tuple[int, int], set[int]]] = {}
    for fragment, info in design.fragments.items():
        table = resets[tuple(info.name)] = {}
        for domain in getattr(fragment, "domains", {}).values():
            if domain.clk in signals:
                asynchronous = domain.async_reset and domain.rst is not None and domain.rst in signals
                reset = signals[domain.rst][0] if asynchronous else 0
                table.setdefault((signals[domain.clk][0], int(domain.clk_edge == "pos")), set()).add(reset)
    if not any(reset for table in resets.values() for found in table.values() for reset in found):
        return
    for number, cell in enumerate(cells):
        clock = getattr(cell, "clock", 0)
        if clock >= 2 and not (isinstance(netlist.cells[number], _nir.FlipFlop) and cell.reset >= 2):
            module = tuple(netlist.modules[netlist.cells[number].module_idx].name)
            found = resets.get(module, {}).get((clock, cell.edge), ())
            if len(found) == 1:  # of two domains with one clock we cannot tell which it is in
                (cell.also,) = found
