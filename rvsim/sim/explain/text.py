"""The report as text for a terminal of a hundred columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .describing import base

WIDTH = 100


def text(report: dict, width: int = WIDTH) -> str:
    """All of a report of :func:`rvsim.sim.explain.explain`.

    Parameters
    ----------
    width
        Columns of the terminal; names that do not fit are shortened.
    """
    sections = (_head, _work, _modules, _lines, _guards, _ungated, _seldom)
    return "\n\n".join(part for part in ("\n".join(section(report, width)) for section in sections) if part)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, wide: int) -> list[str]:
    """Columns side by side: column ``wide`` is set left and shortened to what is left of the width."""
    sizes = [max(len(str(row[n])) for row in (heads, *rows)) for n in range(len(heads))]
    sizes[wide] = max(12, min(sizes[wide], width - 2 - sum(sizes) + sizes[wide] - 2 * (len(heads) - 1)))
    lines = []
    for row in (heads, *rows):
        cells = [
            _clip(cell, room).ljust(room) if n == wide else cell.rjust(room)
            for n, (cell, room) in enumerate(zip(row, sizes))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _clip_left(cell: str, size: int) -> str:
    return cell if len(cell) <= size else "…" + cell[1 - size :]


def _clip(cell: str, size: int) -> str:
    return cell if len(cell) <= size else cell[: size - 1] + "…"


def percent(share: float) -> str:
    """A share as a number of percent."""
    value = share * 100
    if value and value < 0.1:
        return "<0.1%"
    return f"{value:.1f}%" if value < 99.95 else f"{value:.0f}%"


def counted(number: float) -> str:
    """A number with a decimal if it is small."""
    return f"{number:.1f}" if number < 1000 else f"{number:,.0f}"


def many(number: int, name: str) -> str:
    """A number of things."""
    plural = name[:-1] + "ies" if name.endswith("y") else name + "s"
    return f"{number:,} {name if number == 1 else plural}"


def size(number: int) -> str:
    """A number of bytes."""
    return many(number, "byte") if number < 10_000 else f"{number / 1024:,.0f} KiB"


def _head(report: dict, width: int) -> list[str]:
    design, program, speed = report["design"], report["program"], report["speed"]
    memories = ", ".join(f"{m['name']} {m['rows']}×{m['width']}" for m in design["memories"][:6])
    more = len(design["memories"]) - 6
    rows = [
        ("design", f"{many(design['cells'], 'cell')}, {many(design['registers'], 'register')} "
                   f"({many(design['register_bits'], 'bit')}), {many(design['inputs'], 'input')} "
                   f"({many(design['input_bits'], 'bit')})"),
        ("state", f"{size(design['state_bytes'])} of registers and inputs; "
                  + (f"{'memory' if len(design['memories']) == 1 else 'memories'} {memories}"
                     + (f" and {more} more" if more > 0 else "") if memories else "no memories")),
        ("program", f"{many(design['nodes'], 'node')}, {program['values_computed']:,} of them computed, in "
                    f"{many(program['visits'], 'visit')} of {many(program['regions'], 'place')} of the decision tree"),
        ("", f"{many(program['values_computed_where_needed'], 'cheap value')} computed in each place that needs them, "
             f"{many(program['slots'], 'value')} passed on between visits, "
             f"{many(program['old_values_kept'], 'old value')} kept; {design['wide_values']} wider than 64 bits"),
    ]  # fmt: skip
    if design["wide_cells_cut"] or design["false_loops_cut_to_bits"]:
        rows.append((
            "", f"cut: {many(design['wide_cells_cut'], 'wide cell')} where they are used in parts, "
                f"{many(design['false_loops_cut_to_bits'], 'cell')} on false loops into bits",
        ))  # fmt: skip
    if design["clocks_of_its_own"]:
        rows.append(("clocks", "the design makes clocks or asynchronous resets itself: edges are looked for"))
    elif not design["instants_in_a_cycle"]:
        rows.append(("clocks", "none: nothing happens in a cycle"))
    elif design["instants_in_a_cycle"] != 1:
        rows.append(("clocks", f"{design['instants_in_a_cycle']} instants in a cycle"))
    seconds = program["seconds"]
    where = "loaded from the cache" if program["from_cache"] else f"compiled in {seconds['llvm']:.2f} s"
    rows.append((
        "code", f"{size(program['code_bytes'])}, {where}; netlist {seconds['netlist']:.2f} s, "
                f"translation {seconds['graph'] + seconds['text']:.2f} s",
    ))  # fmt: skip
    cycles = report["cycles"]
    rows.append(
        ("measured", f"cycles {cycles['first']:,} to {cycles['first'] + cycles['count']:,}; {report['inputs']}")
    )
    rows.append((
        "speed", f"{speed['cycles_per_second'] / 1e6:.2f} million cycles a second, "
                 f"{speed['nanoseconds_per_cycle']:.1f} ns each",
    ))  # fmt: skip
    known = speed["instructions_per_cycle"]
    rows.append(("", f"{known:.0f} instructions a cycle, by the processor's counter" if known else
                 f"instructions a cycle: about {report['operations']['per_cycle']:.0f}, estimated; "
                 f"{speed['instructions_unknown']}"))  # fmt: skip
    lines = [report["target"]]
    for name, value in rows:
        wrapped = textwrap.wrap(value, width - 11) or [""]
        lines += [f"{name:<9}  {wrapped[0]}", *(" " * 11 + rest for rest in wrapped[1:])]
    return lines


def _work(report: dict, width: int) -> list[str]:
    work = report["operations"]
    total = work["per_cycle"] or 1.0
    needed = work["needed_by"]
    said = (
        f"About {counted(work['per_cycle'])} operations a cycle: {counted(work['in_every_cycle'])} "
        f"({percent(work['in_every_cycle'] / total)}) are done in every cycle, the rest only when a decision leads to "
        f"them. Without decisions it would be {counted(work['if_nothing_were_gated'])}. "
        f"Each takes {report['speed']['nanoseconds_per_cycle'] / total * 1000:.0f} ps."
    )
    reasons = (
        ("to decide what is to be done", needed["decisions"]),
        ("for what a register or memory stores", needed["stores"]),
        ("for values that several branches use, computed before these", needed["branches"]),
        ("for more than one of those", needed["several"]),
    )
    rows = [(percent(value / total), counted(value), name) for name, value in reasons]
    return [*textwrap.wrap(said, width), *table(("share", "operations", "done"), rows, width, wide=2)]


def _modules(report: dict, width: int) -> list[str]:
    modules = report["modules"]
    shown = [m for m in modules if len(modules) <= 40 or m["share"] >= 0.005]
    rows = [
        (
            "  " * len(m["module"]) + (m["module"][-1] if m["module"] else "top"),
            percent(m["share"]), counted(m["operations"]), counted(m["own"]), counted(m["in_every_cycle"]),
            f"{m['operations_written']:,.0f}",
        )
        for m in shown
    ]  # fmt: skip
    heads = ("module", "share", "operations", "own", "every cycle", "if all were done")
    lines = ["By module, with those below it", *table(heads, rows, width, wide=0)]
    if len(shown) < len(modules):
        lines.append(f"  and {len(modules) - len(shown)} modules with less than 0.5% each")
    return lines


def _lines(report: dict, width: int) -> list[str]:
    rows = [
        (percent(e["share"]), counted(e["operations"]), f"{e['location']:<28}  {e['source']}") for e in report["lines"]
    ]
    if not rows:
        return []
    return ["By source line (of a value computed for several lines: the first)",
            *table(("share", "operations", "line"), rows, width, wide=2)]  # fmt: skip


def _guards(report: dict, width: int) -> list[str]:
    if not report["guards"]:
        return ["No decisions: everything is computed in every cycle."]
    room = width - 55
    rows = [
        (
            percent(e["taken"]), counted(e["operations"]), f"{e['written']:,}", counted(e["saved"]),
            base(e["location"]), _clip_left(e["condition"], room) + _times(e["times"]),
        )
        for e in report["guards"]
    ]  # fmt: skip
    heads = ("taken", "operations", "if done", "saved", "line", "condition")
    return [
        "Decisions with most work behind them, done or saved (×N: of so many instances)",
        *table(heads, rows, width, wide=5),
    ]


def _times(times: int) -> str:
    return f"  ×{times}" if times > 1 else ""


def _ungated(report: dict, width: int) -> list[str]:
    lines = ["What prevents gating: values computed for branches of which perhaps none is taken"]
    if not report["ungated"]:
        return [*lines, "  none: everything that is computed is needed"]
    rows, room = [], width - 55
    for e in report["ungated"]:
        value = _clip(e["value"], room) + _times(e["times"])
        rows.append((counted(e["wasted"]), counted(e["operations"]), percent(e["needed"]), base(e["location"]), value))
        rows += [("", "", "", percent(u["rate"]), f"if {_clip_left(u['condition'], room)}") for u in e["used_if"][:3]]
        if e["branches"] > 3:
            rows.append(("", "", "", "", f"and {e['branches'] - 3} more"))
    heads = ("for nothing", "operations", "needed", "line", "value, and the branches that use it")
    return [*lines, *table(heads, rows, width, wide=4)]


def _seldom(report: dict, width: int) -> list[str]:
    if not report["seldom"]:
        return []
    rows = [
        (
            counted(e["wasted"]), counted(e["operations"]), percent(e["stored"]), percent(e["stored"] * e["changed"]),
            f"{e['register']} ({e['location']})",
        )
        for e in report["seldom"]
    ]  # fmt: skip
    heads = ("for nothing", "operations", "stored", "changed", "register")
    return ["Registers that are stored though they seldom change", *table(heads, rows, width, wide=4)]
