"""What a run did, in numbers: one dictionary, shown as a table or written as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from rvsim.soc.machine import Machine


def collect(machine: Machine, seconds: float) -> dict[str, object]:
    """The figures of a run of ``seconds`` of host time.

    The keys are stable: ``instructions``, ``cycles`` (None: the functional core has none), ``seconds``,
    ``seconds_to_ready`` (None: the guest has not said ``guest ready``), ``mips`` (million instructions per second
    of host time, waiting included), ``fidelity`` (of each block), and under ``detail`` what the core counts of
    traps, interrupts, translation and its code cache.
    """
    from rvsim.soc.description import PERIPHERALS

    instructions = machine.hart[0].instret
    ready = machine.seconds_to_ready
    return {
        "instructions": instructions,
        "cycles": None,
        "seconds": round(seconds, 6),
        "seconds_to_ready": None if ready is None else round(ready, 6),
        "mips": round(instructions / seconds / 1e6, 3) if seconds else None,
        "fidelity": dict.fromkeys(("cpu", *(block.name for block in PERIPHERALS)), "functional"),
        "detail": machine.hart[0].statistics(),
    }


def to_json(stats: dict[str, object]) -> bytes:
    """The figures as JSON text, one key a line."""
    import json

    return (json.dumps(stats, indent=2, default=str) + "\n").encode()


def print_table(stats: dict[str, object], stream: TextIO) -> None:
    """A table for people. Colours only where the stream is a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="rvsim", title_style="bold", show_header=False, box=None, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column(justify="right")
    for name, value in stats.items():
        if name == "fidelity":
            by_fidelity: dict[str, list[str]] = {}
            for block, fidelity in value.items():
                by_fidelity.setdefault(fidelity, []).append(block)
            for fidelity, blocks in by_fidelity.items():
                table.add_row(fidelity, " ".join(blocks))
        elif name != "detail":
            table.add_row(name.replace("_", " "), _show(value))
    for name, value in _flatten(_named(stats["detail"])):
        table.add_row(name.replace("_", " "), _show(value))
    # A pipe has no width: wide enough that no line is wrapped or cut.
    Console(file=stream, highlight=False, width=None if stream.isatty() else 120).print(table)


def _named(detail: dict[str, object]) -> dict[str, object]:
    """Traps and interrupts under their names instead of their numbers."""
    from rvsim.isa.traps import NAMES, Interrupt

    interrupts = {int(interrupt): interrupt.name for interrupt in Interrupt}
    named = dict(detail)
    for key, names in (("traps", NAMES), ("interrupts", interrupts)):
        named[key] = {str(names.get(number, number)): count for number, count in detail.get(key, {}).items()}
    return named


def _flatten(detail: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    rows = []
    for name, value in detail.items():
        if isinstance(value, dict):
            rows += _flatten(value, f"{prefix}{name} ")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def _show(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
