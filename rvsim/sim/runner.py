"""Free-running simulation: a design, compiled, without a test bench around it."""

from __future__ import annotations

import ctypes
import functools
import operator
import struct
import time
from collections.abc import Callable, Mapping, Sequence

from . import private
from .clocks import follows_inputs, follows_registers, phases, watched
from .code.functions import Reason
from .code.layout import address_of, initial, peek_row, poke_row
from .graph.graph import SHIFT
from .graph.paths import Bits
from .messages import Messages, to_stdout
from .model import Model
from .options import DEFAULT, FEW_PASSES, Options
from .streams import Receiver, Sender, attach
from .waves import Waveforms

#: Seconds of compiled code after which Python has a look whether somebody pressed Ctrl-C.
PATIENCE = 0.05


def _count(name: str, number: object) -> int:
    """A number of cycles; 1e6 is one."""
    whole = int(number) if isinstance(number, float) and number.is_integer() else number
    if not isinstance(whole, int) or whole < 0:
        raise ValueError(f"{name}={number!r}: a whole number of cycles, 0 or more")
    return whole


class Runner(Waveforms):
    """Runs a design cycle by cycle in compiled code.

    The state belongs to one thread at a time; several runners are independent of each other, and the interpreter's
    lock is released while one runs.

    Parameters
    ----------
    design
        An elaboratable. Everything that it does not drive itself is an input.
    clocks
        Clock domains, and how many periods of each fall into one cycle of :meth:`__call__`; by default all domains
        once. They run as Amaranth's ``add_clock`` would start them: each rises in the middle of its period, and edges
        that coincide happen at the same instant.
    ports
        The host's ends of the design's streams (:class:`rvsim.sim.Receiver`, :class:`rvsim.sim.Sender`).
    options
        How it is translated; for tests and measurements.

    Raises
    ------
    UnsupportedDesign
        Something in the design cannot be simulated.
    KeyError, ValueError
        ``clocks`` names no domain, or a number of periods that is none or too large.
    """

    def __init__(
        self,
        design: object,
        *,
        clocks: Mapping[str, int] | None = None,
        ports: Sequence[Receiver | Sender] = (),
        options: Options = DEFAULT,
    ) -> None:
        self._ports = tuple(ports)
        try:
            self.model = Model(attach(design, self._ports) if self._ports else design, options)
        except private.ir.DriverConflict as error:
            if not self._ports:
                raise
            raise ValueError(
                f"ports: a Sender feeds a stream that the design takes, a Receiver takes one that it gives, and each "
                f"has one end: {error}"
            ) from None
        self._layout = self.model.layout
        self._phases = phases(self.model, clocks)
        #: The design makes clocks or asynchronous resets itself.
        self._general = follows_registers(self.model.design)
        self._buffer = initial(self.model.design, self._layout)
        self._address = address_of(self._buffer)
        self._loops: dict[tuple, object] = {}
        self._lookers: dict[Bits, object] = {}
        self._chunk = 1 << 12
        #: Gets the text of every ``Print`` (and of every ``Cover`` that has one), line ends included; may be changed.
        self.print: Callable[[str], object] = to_stdout
        self._messages = Messages(self.model.design, self._layout, self._buffer)
        self._triggers = watched(self.model.design)
        #: A change of any input may lead to an edge, not only that of a clock or a reset itself.
        self._derived = self._general or follows_inputs(self.model.design)
        self._watch = None
        if self._layout.watches:
            code = self.model.compile("watch", lambda program: program.watch(), FEW_PASSES)
            self._watch = code.function("watch", None, ctypes.c_void_p, ctypes.c_void_p)
        self._wanted = tuple(port.wanted for port in self._ports)
        super().__init__(clocks)
        self._loop(self._wanted)
        self._begin()
        for number, port in enumerate(self._ports):
            port.bind(self, f"host{number}")

    def _begin(self) -> None:
        """What follows from the initial values of clocks and resets that the design makes happens at once."""
        if self.model.begin_edges(self._buffer):
            self._settle()

    def _settle(self) -> None:
        """Edges that a change from outside, or the beginning, has led to."""
        instant, context = self._recorded(self._instant)
        while instant(self._address, context):
            pass

    @functools.cached_property
    def _instant(self) -> Callable[[int, None], int]:
        code = self.model.compile("instant", lambda program: program.instant(), FEW_PASSES)
        return code.function("instant", ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

    def _tell(self, *, ran: bool = False) -> None:
        """What ``Print`` and properties have to say."""
        if self._layout.log_bytes:
            self._messages.tell(self.print, f"cycle {self.cycle - 1}" if ran else f"before cycle {self.cycle}")

    def _loop(self, conditions: tuple, hooks: tuple = ()) -> object:
        """The compiled loop that ends at conditions, with observers in it."""
        key = (
            "run",
            self._phase_key(),
            tuple(self.model.condition_key(c) for c in conditions),
            *(h.key for h in hooks),
        )
        found = self._loops.get(key)
        if found is None:

            def write(program: object) -> None:
                stops = tuple(self.model.condition(c) for c in conditions)
                program.cycles(self._phases, stops, hooks, general=self._general)

            code = self.model.compile(key, write)
            found = code.function("run", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
            self._loops[key] = found
        return found

    def _phase_key(self) -> tuple:
        return tuple(tuple(sorted(phase.items())) for phase in self._phases)

    # -- running

    @property
    def cycle(self) -> int:
        """Cycles run since the beginning; part of the state, so :meth:`restore` brings it back."""
        return struct.unpack_from("<q", self._buffer, self._layout.cycle)[0]

    def __call__(self, cycles: int) -> int:
        """Run so many cycles; returns how many were run, which is fewer only after an exception in between.

        Raises
        ------
        AssertionError
            ``Assert`` or ``Assume`` was violated, in the cycle that has just ended: its text, where it stands and
            the cycle's number. Everything can be looked at and run on.
        KeyboardInterrupt
            Ctrl-C: between two cycles, so that everything can be looked at and run on.
        """
        return self._advance((), _count("cycles", cycles))[0]

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

        Raises
        ------
        ConditionError
            A text cannot be understood.
        AssertionError
            As in :meth:`__call__`.
        """
        if not conditions:
            raise ValueError("until() needs a condition: a signal or a text")
        for condition in conditions:
            self.model.condition(condition)
        _, stopped = self._advance(conditions, _count("max_cycles", max_cycles))
        return stopped or self._holds(conditions)

    def _advance(self, conditions: tuple, cycles: int) -> tuple[int, bool]:
        """Run in stretches that are short enough for Ctrl-C; how many cycles, and whether a condition ended it."""
        total, observers = 0, self._observers
        if self._watch is not None:
            self._watch(self._address, None)  # something may have been changed from outside
        self._tell()
        observers.enter()
        while total < cycles:
            asked, hooks, waits = observers.stretch(min(self._chunk, cycles - total))
            run = self._loop((*conditions, *self._wanted, *waits), hooks)
            started = time.perf_counter()
            try:
                done = run(self._address, asked, observers.address)
            finally:
                observers.ran()
                self._tell(ran=True)
            spent = time.perf_counter() - started
            total += done
            if done == self._chunk and not PATIENCE / 4 < spent < PATIENCE:
                self._chunk = max(1, min(1 << 40, self._chunk * 2 if spent < PATIENCE else self._chunk // 2))
            reason = struct.unpack_from("<q", self._buffer, self._layout.reason)[0]
            if reason == Reason.HOOK:
                observers.flush()
            elif reason == Reason.STOP:
                observers.stopped(self._holds)
                self._serve()
                if self._holds(conditions):
                    return total, True
                observers.enter()
        self._serve()
        observers.leave()
        return total, False

    def _serve(self) -> None:
        """Let the host's ends of streams do what is wanted of them."""
        for port in self._ports:
            if self[port.wanted]:
                port.serve()

    def _holds(self, conditions: tuple) -> bool:
        return any(self._peek((self.model.condition(c),), self.model.condition_key(c)) for c in conditions)

    # -- looking and changing

    def signals(self, pattern: str = "*") -> list[str]:
        """Hierarchical names that match a glob.

        Raises
        ------
        KeyError
            None does.
        """
        return self.model.names.matching(pattern)

    def __getitem__(self, signal: object) -> int:
        """The value of a signal, a field of one, or a memory's row now, unsigned.

        Raises
        ------
        KeyError
            There is no such signal; the message has near matches.
        """
        row = self.model.row(signal)
        if row is not None:
            return peek_row(self._buffer, *row)
        nets = self.model.nets(signal)
        return self._peek(self.model.design.value(nets), nets)

    def _peek(self, bits: Bits, key: object) -> int:
        value, layout, nodes = 0, self._layout, self.model.design.graph.nodes
        for position, bit in enumerate(bits):
            if bit < 2:
                value |= bit << position
                continue
            if nodes[bit >> SHIFT].op != "state":
                return self._look(bits, key)
            value |= layout.peek(self._buffer, bit) << position
        return value

    def _look(self, bits: Bits, key: object) -> int:
        """A combinational value, by a function that is compiled when it is first asked for: for all signals at once."""
        if bits not in self._lookers:
            design = self.model.design
            wanted = list(dict.fromkeys(design.value(nets) for nets in self.model.netlist.signals.values()))
            name: object = ("look", self.model.signals_digest)
            if bits not in wanted:
                wanted, name = [bits], ("look at", key)
            code = self.model.compile(name, lambda program: program.look(wanted), FEW_PASSES)
            function = code.function("look", None, ctypes.c_void_p, ctypes.c_void_p)
            places = [tuple(place) for place in code.extra]
            out = ctypes.create_string_buffer(max((offset + size for offset, size in places), default=8) + 8)
            for value, place in zip(wanted, places):
                self._lookers[value] = (function, place, out)
        function, (offset, size), out = self._lookers[bits]
        function(self._address, out)
        return int.from_bytes(out.raw[offset : offset + size], "little")

    def __setitem__(self, signal: object, value: int) -> None:
        """Change an input, a register, or a memory's row.

        What an edge of a clock or an asynchronous reset leads to happens at once.

        Raises
        ------
        ValueError
            The signal is computed from others, or the value does not fit into it.
        """
        row = self.model.row(signal)
        bits = () if row else self.model.bits(signal)
        width = row[0].width if row else len(bits)
        try:
            value = operator.index(value)
        except TypeError:
            raise TypeError(f"{signal!r} takes a number, not {value!r}") from None
        if row is None and self.model.is_computed(signal):
            raise ValueError(f"{signal!r} is combinational: change what it is computed from")
        if not -(1 << width) >> 1 <= value < 1 << width:
            raise ValueError(f"{value} does not fit into {signal!r}, which has {width} bits")
        if row is not None:
            self._before_row(*row)
            poke_row(self._buffer, *row, value)
        else:
            self._layout.poke(self._buffer, bits, value)
        if self._derived or not self._triggers.isdisjoint(bits):
            self._settle()
        self._tell()

    def memory(self, name: str) -> object:
        """Rows of a memory as a NumPy array that shares its storage; wide rows as words of 64 bits.

        Raises
        ------
        KeyError
            There is no such memory; the message has near matches.
        """
        import numpy

        place = self._layout.memories[self.model.memories[name]]
        kind = {1: numpy.uint8, 2: numpy.uint16, 4: numpy.uint32}.get(place.row_bytes, numpy.uint64)
        words = max(1, place.row_bytes // 8)
        array = numpy.frombuffer(self._buffer, kind, place.depth * words, place.offset)
        return array if words == 1 else array.reshape(place.depth, words)

    # -- snapshots

    def save(self) -> bytes:
        """The whole state, memories and the number of cycles included, as one buffer."""
        return b"".join((self._snapshot_head(), self._buffer[: self._layout.size]))

    def _snapshot_head(self) -> bytes:
        return b"rvsim.sim1" + bytes.fromhex(self.model.digest)

    def restore(self, state: bytes) -> None:
        """Go back to a saved state.

        Raises
        ------
        ValueError
            It is of another design, or no snapshot at all.
        """
        head, size = self._snapshot_head(), self._layout.size
        if state[: len(head)] != head or len(state) != len(head) + size:
            what = "of another design" if state[:10] == head[:10] else "not one of rvsim.sim's"
            raise ValueError(f"the snapshot ({len(state)} bytes) is {what}: this design's have {len(head) + size}")
        self._messages.take()
        self._buffer[:size] = state[len(head) :]
        self._messages.forget()
        self._observers.restart()
