"""Free-running simulation: a design, compiled, without a test bench around it."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from rvsim.native import cache, compiler, link

from . import lowering, netlist
from .conditions import compile_condition
from .functions import Program
from .graph import SHIFT
from .layout import Layout, initial
from .names import Names, signal_names
from .paths import Bit, Bits

#: Passes that pay: what they leave is as fast as LLVM's own pipelines, and compiled in a third of the time.
PASSES = ("sroa", "simplifycfg", "sccp", "instcombine", "jump-threading", "simplifycfg", "dse", "dce", "simplifycfg")


class Runner:
    """Runs a design cycle by cycle in compiled code.

    Parameters
    ----------
    design
        An elaboratable. Everything that it does not drive itself is an input.
    clocks
        Clock domains that run, and how many periods of each fall into one cycle of :meth:`__call__`; by default all
        domains once. Edges that coincide happen at the same instant.

    Raises
    ------
    UnsupportedDesign
        Something in the design cannot be simulated.
    """

    def __init__(self, design: object, *, clocks: Mapping[str, int] | None = None) -> None:
        self._netlist = netlist.prepare(design)
        self._design = lowering.lower(self._netlist)
        names = ((s, self._netlist.names[s]) for s in self._netlist.signals if s in self._netlist.names)
        self._names = Names("signal", signal_names(names))
        self._memories = Names("memory", {_memory_name(c): n for n, c in self._design.memories.items()})
        self._phases = self._make_phases(clocks)
        self._program = Program.of(self._design)
        self._layout: Layout = self._program.layout
        self._program.cycles("run", self._phases)
        self._functions = [self._compile(self._program)]
        self._cycles = self._function(0, "run", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
        self._buffer = initial(self._design, self._layout)
        self._address = ctypes.addressof((ctypes.c_char * len(self._buffer)).from_buffer(self._buffer))
        self._looker: tuple | None = None
        self._stops: dict[tuple, object] = {}
        #: Cycles run since the start or the last :meth:`restore`.
        self.cycle = 0

    # -- building

    def _make_phases(self, clocks: Mapping[str, int] | None) -> list[dict[Bit, int]]:
        design = self._design
        triggers = [*design.registers, *design.writes, *(m for m in design.messages if m.clock >= 2)]
        edges: dict[Bit, set[int]] = {}
        for trigger in triggers:
            if trigger.clock >= 2:
                edges.setdefault(trigger.clock, set()).add(trigger.edge)
        for clock in edges:
            if design.graph.node(clock).op != "state":
                raise netlist.UnsupportedDesign("a clock that the design makes itself needs the simulator's engine")
        counts = dict.fromkeys(edges, 1)
        for name, count in (clocks or {}).items():
            bits = self.bits(name if name in self._names.table else ("clk" if name == "sync" else f"{name}_clk"))
            counts[bits[0]] = count
        parts = max(counts.values(), default=1)
        phases: list[dict[Bit, int]] = []
        for part in range(parts):
            for value in (1, 0):
                phase = {
                    bit: value for bit, used in edges.items() if value in used and part % (parts // counts[bit]) == 0
                }
                if phase:
                    phases.append(phase)
        return phases

    def _compile(self, program: Program) -> tuple[int, dict[str, int]]:
        blob, symbols = link.link(compiler.compile_object(program.module.text(), PASSES, 2))
        return cache.map_code(blob), symbols

    def _function(self, index: int, name: str, result: object, *parameters: object) -> object:
        base, symbols = self._functions[index]
        return ctypes.CFUNCTYPE(result, *parameters)(base + symbols[name])

    def bits(self, signal: object) -> Bits:
        """The bits of a signal, given as Signal object or hierarchical name.

        Raises
        ------
        KeyError
            There is no such signal; the message has near matches.
        """
        if isinstance(signal, str):
            signal = self._names[signal]
        try:
            return self._design.value(self._netlist.signals[signal])
        except KeyError:
            raise KeyError(f"{signal!r} is not part of this design") from None

    # -- running

    def __call__(self, cycles: int) -> int:
        """Run so many cycles; returns how many were run."""
        done = self._cycles(self._address, cycles)
        self.cycle += done
        return done

    def until(self, *conditions: object, max_cycles: int) -> bool:
        """Run until one of the conditions holds at the beginning of a cycle.

        Parameters
        ----------
        conditions
            Signals (not zero), or texts (:mod:`rvsim.sim.conditions`); evaluated in compiled code.
        max_cycles
            Give up after so many.

        Returns
        -------
        bool
            Whether a condition holds.
        """
        stops = tuple(self._condition(c) for c in conditions)
        run = self._stops.get(stops)
        if run is None:
            program = Program(self._design, self._layout)
            program.cycles("run", self._phases, stops)
            self._functions.append(self._compile(program))
            run = self._function(-1, "run", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
            self._stops[stops] = run
        done = run(self._address, max_cycles)
        self.cycle += done
        return done < max_cycles or any(self._peek((bit,)) for bit in stops)

    def _condition(self, condition: object) -> Bit:
        if isinstance(condition, str):
            return compile_condition(condition, self._design.graph, self.bits)
        return self._design.graph.operator("b", (self.bits(condition),), 1)[0]

    # -- looking and changing

    def signals(self, pattern: str = "*") -> list[str]:
        """Hierarchical names that match a glob.

        Raises
        ------
        KeyError
            None does.
        """
        return self._names.matching(pattern)

    def __getitem__(self, signal: object) -> int:
        """The value of a signal now, unsigned."""
        return self._peek(self.bits(signal))

    def _peek(self, bits: Bits) -> int:
        value = 0
        for position, bit in enumerate(bits):
            if bit < 2:
                value |= bit << position
                continue
            if self._design.graph.nodes[bit >> SHIFT].op != "state":
                return self._look(bits)
            value |= self._layout.peek(self._buffer, bit) << position
        return value

    def _look(self, bits: Bits) -> int:
        """A combinational value: computed by a function that is compiled when it is first asked for."""
        if self._looker is None or bits not in self._looker[1]:
            wanted = dict.fromkeys(self._design.value(nets) for nets in self._netlist.signals.values())
            wanted = list(dict.fromkeys([*(self._looker[1] if self._looker else ()), *wanted, bits]))
            program = Program(self._design, self._layout)
            places = program.look("look", wanted)
            self._functions.append(self._compile(program))
            function = self._function(-1, "look", None, ctypes.c_void_p, ctypes.c_void_p)
            size = max(offset + length for offset, length in places) if places else 8
            self._looker = (function, dict(zip(wanted, places)), ctypes.create_string_buffer(size))
        function, places, out = self._looker
        function(self._address, out)
        offset, size = places[bits]
        return int.from_bytes(out.raw[offset : offset + size], "little")

    def __setitem__(self, signal: object, value: int) -> None:
        """Change an input or a register.

        Raises
        ------
        ValueError
            The signal is computed from others.
        """
        bits = self.bits(signal)
        if any(bit < 2 or self._design.graph.nodes[bit >> SHIFT].op != "state" for bit in bits):
            raise ValueError(f"{signal!r} is combinational: change what it is computed from")
        self._layout.poke(self._buffer, bits, value)

    def memory(self, name: str) -> object:
        """Rows of a memory as a NumPy array that shares its storage; wide rows as words of 64 bits."""
        import numpy

        place = self._layout.memories[self._memories[name]]
        kind = {1: numpy.uint8, 2: numpy.uint16, 4: numpy.uint32}.get(place.row_bytes, numpy.uint64)
        words = max(1, place.row_bytes // 8)
        array = numpy.frombuffer(self._buffer, kind, place.depth * words, place.offset)
        return array if words == 1 else array.reshape(place.depth, words)

    # -- snapshots

    def save(self) -> bytes:
        """The whole state."""
        return bytes(self._buffer)

    def restore(self, state: bytes) -> None:
        """Go back to a saved state.

        Raises
        ------
        ValueError
            It is of another design.
        """
        if len(state) != len(self._buffer):
            raise ValueError(f"a snapshot of {len(state)} bytes is of another design: this one has {len(self._buffer)}")
        self._buffer[:] = state


def _memory_name(cell: netlist.Memory) -> str:
    return ".".join((*cell.module, cell.name))
