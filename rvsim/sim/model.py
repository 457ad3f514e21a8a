"""A translated design: its netlist, graph and layout, and what is compiled of it."""

from __future__ import annotations

import functools
import gc
import hashlib
import marshal
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import amaranth

from rvsim.native import cache, compiler, link
from rvsim.native.ir import Module

from . import netlist, private
from .code.functions import Program
from .code.layout import Buffer, Layout, MemoryPlace, lay_out
from .conditions import compile_condition
from .graph import lowering
from .graph.graph import SHIFT
from .graph.paths import Bit, Bits
from .names import Names, find_field, signal_names
from .options import DEFAULT, Options

#: Calls within each other that a translation may take; Python's own limit is meant for mistakes.
DEPTH = 1_000_000


class Model:
    """A design, ready to be compiled piece by piece.

    Parameters
    ----------
    design
        An elaboratable, a fragment, or a prepared design of Amaranth's.

    Attributes
    ----------
    netlist, design, layout
        What the steps of the translation made of it.
    names, memories
        Hierarchical name → signal, and → cell number of a memory.
    spent
        What its making took so far: seconds by step, bytes of machine code, programs from the cache and compiled.

    Raises
    ------
    UnsupportedDesign
        Something in the design cannot be simulated.
    """

    def __init__(self, design: object, options: Options = DEFAULT) -> None:
        self.options, self.spent = options, Counter()
        self._conditions: dict[str, tuple[Bit, tuple]] = {}
        with self._timed("netlist"):
            self.netlist = netlist.prepare(design)
        with self._timed("graph"):
            self.design = lowering.lower(self.netlist, options)
            self.layout: Layout = lay_out(self.design)
        known = ((s, self.netlist.names[s]) for s in self.netlist.signals if s in self.netlist.names)
        self.names = Names("signal", signal_names(known))
        self.memories = Names("memory", {_memory_name(c): n for n, c in self.design.memories.items()})

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started, collects, limit = time.perf_counter(), gc.isenabled(), sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, DEPTH))  # decisions are nested as deep as the design's
        gc.disable()  # all of the many small objects stay: looking for garbage takes a quarter of the time
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)
            if collects:
                gc.enable()
        self.spent[step] += time.perf_counter() - started

    # -- signals

    def value(self, signal: object) -> amaranth.Value:
        """A signal, or a field of one, given as object or by the name that waveforms show.

        Raises
        ------
        KeyError
            Nothing has this name; the message has near matches.
        """
        if not isinstance(signal, str):
            return amaranth.Value.cast(signal)
        known = self.names.table.get(signal)
        if known is None and signal in self.memories.table:
            raise KeyError(f"{signal!r} is a memory: give one of its rows, {signal}[0], or a port's signal")
        known = find_field(signal, self.names.table) if known is None else known
        return amaranth.Value.cast(self.names[signal] if known is None else known)

    def nets(self, signal: object) -> netlist.Nets:
        """The nets of what :meth:`value` takes.

        Raises
        ------
        KeyError
            There is no such signal; the message has near matches.
        TypeError
            It is computed from signals.
        """
        value = self.value(signal)
        if isinstance(value, private.Slice):  # a field of a structure
            return self.nets(value.value)[value.start : value.stop]
        if isinstance(value, private.Operator) and value.operator in ("u", "s"):
            return self.nets(value.operands[0])
        if not isinstance(value, amaranth.Signal):
            raise TypeError(f"{signal!r} is computed: give a signal, a field of one, or the name of a signal")
        try:
            return self.netlist.signals[value]
        except KeyError:
            raise KeyError(f"{value!r} is not part of this design") from None

    def bits(self, signal: object) -> Bits:
        """The same as bits of the graph."""
        return self.design.value(self.nets(signal))

    def is_computed(self, signal: object) -> bool:
        """Whether a signal is combinational, if only as another name for an input or a register."""
        nodes = self.design.graph.nodes
        return private.whole_signal(self.value(signal)) in self.netlist.combinational or any(
            bit < 2 or nodes[bit >> SHIFT].op != "state" for bit in self.bits(signal)
        )

    def condition(self, condition: object) -> Bit:
        """The bit that a condition stands for: a signal that is not zero, or a text (:mod:`rvsim.sim.conditions`)."""
        if isinstance(condition, str):
            return self._understand(condition)[0]
        return self.design.graph.operator("b", (self.bits(condition),), 1)[0]

    def condition_key(self, condition: object) -> object:
        """What names a condition in a cache: a text, and the nets of every signal that it names."""
        return self._understand(condition)[1] if isinstance(condition, str) else self.nets(condition)

    def _understand(self, text: str) -> tuple[Bit, tuple]:
        """The bit and the key of a condition, which is asked for at every stretch of a run."""
        known = self._conditions.get(text)
        if known is None:
            named: list[netlist.Nets] = []

            def signal(name: str) -> Bits:
                named.append(self.nets(name))
                return self.design.value(named[-1])

            bit = compile_condition(text, self.design.graph, signal)
            known = self._conditions[text] = bit, (text, *named)
        return known

    def begin_edges(self, buffer: Buffer) -> bool:
        """Say what clocks and resets are before the first instant; whether one of them rises in it.

        What is an input or a register has always been what it is; what logic makes of it begins at 0.
        """
        late, rises = {self.design.value((net,))[0] for net in self.netlist.passed_on}, False
        for bit, offset in self.layout.edges.items():
            is_state = self.design.graph.node(bit).op == "state"
            now = self.layout.peek(buffer, bit) if is_state else 0
            buffer[offset] = 0 if bit in late else now
            rises |= not is_state or now != buffer[offset]
        return rises

    def row(self, name: object) -> tuple[MemoryPlace, int] | None:
        """Place and number of a memory's row, given as ``memory.data[3]`` or by name, ``"ram[3]"``; ``None``: no row.

        Raises
        ------
        IndexError
            The memory has no such row.
        """
        if isinstance(name, private.MemoryData._Row):
            number, index = self.netlist.memories.get(name._memory), name._index
        elif isinstance(name, str) and name.endswith("]") and name not in self.names.table:
            memory, _, text = name[:-1].rpartition("[")
            if not text.isdecimal():
                return None
            number, index = self.memories.table.get(memory), int(text)
        else:
            return None
        if number is None:
            return None
        place = self.layout.memories[number]
        if not 0 <= index < place.depth:
            raise IndexError(f"{name!r}: the memory has {place.depth} rows")
        return place, index

    # -- compiling

    @functools.cached_property
    def digest(self) -> str:
        """A hash of everything that decides the machine code but the engine itself."""
        plain = [_plain(cell) for cell in self.netlist.cells]
        data = marshal.dumps((plain, self.options.key()), 2)  # without references: they depend on identity
        return _hash(data)

    @functools.cached_property
    def signals_digest(self) -> str:
        """A hash of which signals there are and what drives them, for code that looks at all of them."""
        return _hash(marshal.dumps(list(self.netlist.signals.values()), 2))

    def compile(self, key: object, write: Callable[[Program], object], passes: tuple[str, ...] = ()) -> cache.Code:
        """Functions of the design in machine code: from the cache, or written and compiled now.

        Parameters
        ----------
        key
            Plain data (numbers, texts, tuples) that, beside the design's cells, decides what is written. Signals stand
            in it as nets: their names are not in the cells, and numbers of nodes depend on what was asked before.
        write
            Adds functions to a program; what it returns (plain data) is kept along with the code as ``extra``.
        passes
            LLVM's passes, instead of the options' own.
        """
        with self._timed("cache"):
            stamp = f"{self.digest} {key!r} {passes}\n{_engine_stamp()}"
            code = None if _engine_changed() else cache.load("sim", stamp)
        self.spent["compiled" if code is None else "cached"] += 1
        if code is None:
            with self._timed("text"):
                program = Program(self.design, self.layout, self.options)
                extra = write(program)
                text = program.module.text()
            with self._timed("llvm"):
                data = compiler.compile_object(text, passes or self.options.passes, self.options.level)
                code = _link(data, tuple(program.module.exported()), extra, stamp)
        self.spent["code"] += code.size
        return code


#: What stays in the cache: entries, and bytes together. A processor takes about ten kilobytes.
KEPT, KEPT_BYTES = 1000, 256 << 20

_HERE = os.path.dirname(__file__)
#: Folders whose files decide the machine code.
_DIRECTORIES = (
    _HERE,
    *(os.path.join(_HERE, room) for room in ("netlist", "graph", "code", "engine", "waves")),
    os.path.dirname(cache.__file__),
)


def compile_alone(name: str, write: Callable[[Module], None]) -> cache.Code:
    """Functions that belong to no design, in machine code: from the cache, or written and compiled now."""
    stamp = f"{name}\n{_engine_stamp()}"
    code = None if _engine_changed() else cache.load("sim", stamp)
    if code is None:
        module = Module()
        write(module)
        data = compiler.compile_object(module.text(), DEFAULT.passes, DEFAULT.level)
        code = _link(data, tuple(module.exported()), None, stamp)
    return code


def _link(data: bytes, names: tuple[str, ...], extra: object, stamp: str) -> cache.Code:
    try:
        blob, symbols = link.link(data)
        base = cache.map_code(blob)
    except (link.CannotLink, OSError):
        addresses, keep = compiler.load_object(data, names)
        return cache.Code(0, addresses, extra, keep)
    symbols = {name: symbols[name] for name in names}
    if not _engine_changed():
        cache.store("sim", stamp, blob, symbols, extra, keep=KEPT, limit=KEPT_BYTES)
    return cache.Code(base, symbols, extra, None, len(blob))


@functools.cache
def _engine_stamp() -> str:
    versions = (amaranth.__version__, *compiler.VERSION)
    return "\n".join((*versions, cache.source_stamp(*_DIRECTORIES)))


@functools.cache
def _engine_changed() -> bool:
    return cache.changed_since_import(*_DIRECTORIES)


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _plain(cell: netlist.Cell) -> tuple:
    """A cell as plain data, without what changes no machine code: where it comes from, and contents of memories."""
    fields = {k: v for k, v in vars(cell).items() if k not in ("location", "module")}
    if isinstance(cell, netlist.Memory):
        del fields["init"]
    return (type(cell).__name__, *(_plain_field(v) for v in fields.values()))


def _plain_field(value: object) -> object:
    if isinstance(value, netlist.Assignment):
        return (value.condition, value.start, value.value)
    if isinstance(value, netlist.Chunk):
        return tuple(vars(value).values())
    if isinstance(value, tuple):
        return tuple(_plain_field(v) for v in value) if value and not isinstance(value[0], int) else value
    return value


def _memory_name(cell: netlist.Memory) -> str:
    return ".".join((*cell.module, cell.name))
