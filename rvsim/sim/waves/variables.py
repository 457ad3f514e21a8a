"""Variables of a waveform: what Amaranth's own writer would declare, for chosen signals and memories.

Structures and arrays are declared whole and field by field; enumerations, formats and decoders as texts.
"""

from __future__ import annotations

import difflib
import enum
import fnmatch
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from amaranth.hdl import Format, ShapeCastable, Signal, Value

from .. import private
from ..model import Model
from ..names import find_field

Name = tuple[str, ...]

#: Written in front of every hierarchical name, as Amaranth does.
BENCH = "bench"

#: Rings between the design and the host, which are not shown unless they are asked for.
RING = re.compile(r"host\d+\.ring")


#: What pyvcd does to texts.
_ESCAPES = {9: "\\t", 10: "\\n", 13: "\\r", 32: "\\x20", 92: "\\\\"}


@dataclass
class Field:
    """One variable: some bits of a signal or row.

    Attributes
    ----------
    names
        (Scope, name), and more of them for aliases.
    start, width
        Bits that it depends on.
    kind, size
        As declared: ``wire`` of so many bits, or ``string``.
    render
        What stands in the file for a value of those bits; ``None``: the number.
    ident
        The identifier in the file.
    """

    names: list[tuple[Name, str]]
    start: int
    width: int
    kind: str = "wire"
    size: int = 0
    render: Callable[[int], str] | None = None
    ident: str = ""


@dataclass
class Variables:
    """Everything that goes into one waveform.

    Attributes
    ----------
    signals
        Signal → its fields.
    memories
        Cell number of a memory → the fields of each of its rows.
    """

    signals: object = field(default_factory=private.SignalDict)
    memories: dict[int, list[list[Field]]] = field(default_factory=dict)

    def all(self) -> Iterator[Field]:
        """Every variable, in the order of declaration."""
        for fields in self.signals.values():
            yield from fields
        for rows in self.memories.values():
            for row in rows:
                yield from row


class _Source:
    """What Amaranth's evaluator sees: one signal or memory row with a value, everything else zero."""

    def __init__(self, owner: object) -> None:
        self.owner, self.curr, self.slots = owner, 0, (self,)
        self._top = 1 << (len(owner) - 1) if owner.shape().signed and len(owner) else 0

    def set(self, raw: int) -> None:
        self.curr = raw - 2 * self._top if raw & self._top else raw

    def get_signal(self, signal: object) -> int:
        return 0

    def get_memory(self, memory: object) -> int:
        return 0

    def read(self, row: int) -> int:
        return self.curr


def _place(value: object, owner: object) -> tuple[int, int] | None:
    """First bit and width of an expression in its signal; ``None``: it is not simply some bits of it."""
    value = Value.cast(value)
    if value is owner:
        return 0, len(value)
    if hasattr(value, "start") and hasattr(value, "stop") and hasattr(value, "value"):
        inner = _place(value.value, owner)
        return None if inner is None else (inner[0] + value.start, len(value))
    if getattr(value, "operator", None) in ("u", "s") and len(value.operands) == 1:
        return _place(value.operands[0], owner)
    return None


class _Fields:
    """Collects the fields of one signal or row."""

    def __init__(self, owner: object, name: Callable[[tuple], list[tuple[Name, str]]]) -> None:
        self.owner, self.name, self.made = owner, name, []

    def wire(self, path: tuple, value: object) -> None:
        value = Value.cast(value)
        place, width = _place(value, self.owner), len(value)
        if place is not None:
            self.made.append(Field(self.name(path), *place, size=width))
            return
        number = self._evaluated(lambda source: private.eval_value(source, value) & ((1 << width) - 1))
        self.made.append(Field(self.name(path), 0, len(self.owner), size=width, render=lambda raw: f"b{number(raw):b}"))

    def text(self, path: tuple, place: tuple[int, int], evaluate: Callable[[_Source], str]) -> None:
        text = self._evaluated(evaluate, place[0])
        render = lambda raw: "s" + str(text(raw)).translate(_ESCAPES)  # noqa: E731
        self.made.append(Field(self.name(path), *place, "string", 1, render))

    def _evaluated(self, evaluate: Callable[[_Source], object], start: int = 0) -> Callable[[int], object]:
        def run(raw: int) -> object:
            source = _Source(self.owner)
            source.set(raw << start)
            return evaluate(source)

        return run

    def format(self, path: tuple, shown: object) -> None:
        """See Amaranth's writer."""
        if isinstance(shown, Format.Struct):
            self.wire(path, shown._value)
            for name, inner in shown._fields.items():
                self.format((*path, name), inner)
        elif isinstance(shown, Format.Array):
            self.wire(path, shown._value)
            for index, inner in enumerate(shown._fields):
                self.format((*path, index), inner)
        elif isinstance(shown, Format) and len(shown._chunks) == 1 and shown._chunks[0][1:] == ("",):
            self.wire(path, shown._chunks[0][0])
        else:
            place = _place(shown._value, self.owner) if isinstance(shown, Format.Enum) else None
            self.text(path, place or (0, len(self.owner)), lambda source: private.eval_format(source, shown))


def _suffix(path: tuple) -> str:
    return "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path)


def _signal_fields(signal: Signal, names: list[Name]) -> list[Field]:
    def named(path: tuple) -> list[tuple[Name, str]]:
        lead = "\\" if path else ""
        return [((BENCH, "top", *scope), f"{lead}{name}{_suffix(path)}") for *scope, name in names]

    fields = _Fields(signal, named)
    decoder = signal._decoder
    if decoder is not None and not isinstance(decoder, enum.EnumMeta):
        fields.text((), (0, len(signal)), lambda source: decoder(source.curr))
    else:
        fields.format((), signal._format)
    return fields.made


def _memory_fields(memory: object, scope: Name) -> list[list[Field]]:
    """The fields of each row; all rows look like the first."""
    if not memory.depth:
        return []
    row = Value.cast(memory[0])
    fields = _Fields(row, lambda path: [((), _suffix(path))])
    if isinstance(memory.shape, ShapeCastable):
        fields.format((), memory.shape.format(memory.shape(row), ""))
    else:
        fields.wire((), row)
    place = (BENCH, "top", *scope[:-1])
    return [
        [replace(shown, names=[(place, f"\\{scope[-1]}[{index}]{shown.names[0][1]}")]) for shown in fields.made]
        for index in range(memory.depth)
    ]


# -- choosing


@dataclass
class Selection:
    """Signals, each with the names it was asked for by, and memories."""

    signals: object = field(default_factory=private.SignalDict)
    memories: list[int] = field(default_factory=list)


def select(model: Model, wanted: Iterable[object], max_rows: int) -> Selection:
    """Find signals and memories.

    Parameters
    ----------
    wanted
        Hierarchical names, globs or Signal objects; none for everything.
    max_rows
        Memories with more rows are left out.

    Raises
    ------
    KeyError
        Something is not there; the message has near matches.
    ValueError
        What was asked for is only a memory with too many rows.
    """
    made, wanted = Selection(), list(wanted)
    names = model.netlist.names
    for pattern in wanted or ["*"]:
        if isinstance(pattern, str):
            field = find_field(pattern, model.names.table)
            pattern = pattern if field is None else field
        if not isinstance(pattern, str):
            model.nets(pattern)
            signal = private.whole_signal(Value.cast(pattern))
            made.signals[signal] = names.get(signal, [(signal.name,)])
            continue
        table = model.names.table
        found = [pattern] if pattern in table else fnmatch.filter(table, pattern)
        for name in found:
            paths = made.signals.setdefault(table[name], [])
            paths += [path for path in names[table[name]] if ".".join(path) == name and path not in paths]
        memories = {pattern} & set(model.memories.table) or fnmatch.filter(model.memories.table, pattern)
        if not wanted:
            memories = [name for name in memories if not RING.fullmatch(name)]
        rows = {name: model.design.memories[model.memories.table[name]].depth for name in memories}
        fit = [name for name in sorted(rows) if rows[name] <= max_rows]
        made.memories += [model.memories.table[name] for name in fit]
        if not found and not fit and rows:
            name, depth = next(iter(rows.items()))
            raise ValueError(f"memory {name!r} has {depth} rows: say rows={depth} to have them all in the waveform")
        if not found and not rows and wanted:
            both = [*table, *model.memories.table]
            near = difflib.get_close_matches(pattern.replace("*", "").replace("..", "."), both, n=4, cutoff=0.4)
            hint = f"; near: {', '.join(near)}" if near else ""
            raise KeyError(f"no signal or memory matches {pattern!r}{hint}")
    if not wanted:
        made.signals = names
    made.memories = list(dict.fromkeys(made.memories))
    return made


def declare(model: Model, selection: Selection) -> tuple[Variables, str]:
    """The variables of a selection, and a VCD header that declares them."""
    import vcd

    made, out = Variables(), io.StringIO()
    writer = vcd.VCDWriter(out, timescale="1 fs", comment="Generated by rvsim.sim")
    for signal, names in selection.signals.items():
        made.signals[signal] = _signal_fields(signal, names)
    known = {number: data for data, number in model.netlist.memories.items()}
    for number in selection.memories:
        cell, data = model.design.memories[number], known.get(number)
        if data is not None:
            made.memories[number] = _memory_fields(data, (*cell.module, cell.name))
    for shown in made.all():
        (scope, name), *others = shown.names
        init = "" if shown.kind == "string" else 0
        variable = writer.register_var(scope, name, shown.kind, size=shown.size, init=init)
        shown.ident = variable.ident
        for scope, name in others:
            writer.register_alias(scope, name, variable)
    writer.close()
    head, end, _ = out.getvalue().partition("$enddefinitions $end\n")
    return made, head + end
