"""An engine for Amaranth's own simulator: the same test benches, the design in compiled code.

Delta cycles follow pysim: in each, triggers that fired are sampled and wake their processes, every process that can
run runs once, then what they set is committed. The design is one of those processes: at the edges of its clocks all
registers take their new values at once, from what was there before. Unlike pysim's, its combinational logic is
settled at every commit, not one signal after another: a glitch inside a delta cycle is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amaranth.hdl import ShapeCastable, Value, ValueCastable

from .. import private
from ..messages import to_stdout
from .compiled import Compiled
from .slots import InputSlot, Slot
from .state import State
from .timeline import ClockProcess
from .waits import Process, TickWait, Wait


class CompiledEngine(private.BaseEngine):
    """The engine of a ``Simulator``: ``Simulator(dut, engine=CompiledEngine)`` instead of ``Simulator(dut)``.

    Test benches, processes, clocks and ``write_vcd`` are Amaranth's; docs/simulation.md says what is exact.

    Attributes
    ----------
    active
        Waits that have been fulfilled, and are to be run in the next delta cycle.
    plain
        ``id`` of a signal that a test bench has used → its slot, which keeps the signal alive.
    """

    def __init__(self, design: object) -> None:
        self._design = design
        self._compiled = Compiled(design)
        self._state = State(self._compiled)
        self._processes: list[private.BaseProcess] = []
        self._testbenches: list[Process] = []
        self.active: dict[Wait | TickWait, None] = {}
        self.plain: dict[int, Slot] = {}
        self._writers: list = []
        self._deltas = 0
        #: Contents of memories when they were last handed to a waveform writer.
        self._rows: dict[int, bytes] = {}

    @property
    def state(self) -> State:
        """See :class:`State`."""
        return self._state

    @property
    def now(self) -> int:
        """Time in femtoseconds."""
        return self._state.timeline.now

    def reset(self) -> None:
        """Back to time zero, processes and test benches from their beginning."""
        self._state.reset()
        self.active.clear()
        for process in (*self._processes, *self._testbenches):
            process.reset()

    def add_clock_process(self, clock: object, *, phase: int, period: int) -> None:
        """Drive a clock, times in femtoseconds.

        Raises
        ------
        DriverConflict
            The design drives the clock itself.
        """
        slot = self._state.slot(clock)
        if slot.is_comb:
            raise private.ir.DriverConflict("Clock signal is already driven by combinational logic")
        self._processes.append(ClockProcess(self._state, slot, phase, period))

    def add_async_process(self, simulator: object, process: Callable) -> None:
        """Add a process, which runs within delta cycles."""
        self._processes.append(Process(self._design, self, process, testbench=False, background=True))

    def add_async_testbench(self, simulator: object, process: Callable, *, background: bool) -> None:
        """Add a test bench, which runs when everything has settled."""
        self._testbenches.append(Process(self._design, self, process, testbench=True, background=background))

    def add_trigger_combination(self, combination: object, *, oneshot: bool) -> Wait:
        """What a process awaits."""
        return Wait(self, combination, self.active, oneshot=oneshot)

    # -- values

    def get_value(self, expr: object) -> int:
        """The value of an expression."""
        return private.eval_value(self._state, Value.cast(expr))

    def set_value(self, expr: object, value: int) -> None:
        """Assign to an expression."""
        private.eval_assign(self._state, Value.cast(expr), value)

    def sample(self, expr: object) -> object:
        """The value of an expression, in its own shape."""
        slot = self.plain.get(id(expr))
        if slot is not None:
            return slot.curr
        value = self.get_value(expr)
        shape = expr.shape() if isinstance(expr, ValueCastable) else None
        return shape.from_bits(value) if isinstance(shape, ShapeCastable) else value

    def remember(self, signal: object) -> Slot:
        """The slot of a signal, which is found at once from now on."""
        slot = self.plain[id(signal)] = self._state.slot(signal)
        return slot

    def set_slot(self, slot: Slot, value: int) -> None:
        """Assign to a signal from a test bench, and let everything settle.

        Raises
        ------
        DriverConflict
            The design drives the signal combinationally.
        """
        if slot.is_comb:
            raise private.ir.DriverConflict("Combinationally driven signals cannot be overriden by testbenches")
        value = slot.fit(value)
        if type(slot) is InputSlot and not (
            slot.is_trigger
            or slot.wakers
            or slot.edges
            or self._state.watched
            or self._writers
            or self._compiled.watches
        ):
            slot.put(value)  # nobody is waiting for anything that could follow
        else:
            slot.update(value)
            self.step_design()

    # -- time

    def step_design(self) -> None:
        """Delta cycles until nothing changes."""
        state, compiled, active = self._state, self._compiled, self.active
        while True:
            if active:
                for wait in list(active):
                    wait.run()
                active.clear()
            for process in self._processes:
                if process.runnable:
                    process.runnable = False
                    process.run()
            before = bytes(compiled.seen) if self._writers else b""
            fired = compiled.armed and compiled.instant()
            changed = state.commit() if state.pending else ()
            if state.watched and (fired or changed):
                state.look()
            if self._writers:
                self._record(before, changed)
            self._deltas += 1
            if compiled.talks and (fired or changed or compiled.unwatched):
                self._talk()
            if not active and not compiled.armed and not (self._writers and (fired or changed)):
                return

    def _talk(self) -> None:
        """What ``Print`` and properties have to say: first those at edges, then those that follow from them."""
        compiled = self._compiled
        compiled.unwatched = compiled.watches
        compiled.messages.tell(to_stdout)
        if compiled.watches:
            compiled.watch()
            compiled.messages.tell(to_stdout)

    def _record(self, before: bytes, changed: list) -> None:
        """Hand changes to the waveform writers."""
        compiled = self._compiled
        if compiled.stale:
            compiled.look()
        after, rows = compiled.seen, list(self._changed_rows())
        for writer in self._writers:
            stamp = self._state.timeline.now + self._deltas * writer.fs_per_delta
            for signal, index in compiled.index.items():
                offset, size = compiled.places[index]
                if before[offset : offset + size] != after[offset : offset + size]:
                    writer.update_signal(stamp, signal)
            for item in changed:
                if type(item) is Slot:  # the test bench's own
                    writer.update_signal(stamp, item.signal)
                elif isinstance(item, tuple) and item[0] not in compiled.netlist.memories:
                    writer.update_memory(stamp, *item)
            for memory, address in rows:
                writer.update_memory(stamp, memory, address)

    def _changed_rows(self) -> Iterator[tuple[object, int]]:
        """Rows of the design's memories that are not what they were the last time."""
        for memory, number in self._compiled.netlist.memories.items():
            place = self._compiled.layout.memories[number]
            now = self._compiled.buffer[place.offset : place.offset + place.depth * place.row_bytes]
            before = self._rows.get(number)
            self._rows[number] = now
            if before is not None and before != now:
                size = place.row_bytes
                for row in range(place.depth):
                    if before[row * size : (row + 1) * size] != now[row * size : (row + 1) * size]:
                        yield memory, row

    def advance(self) -> bool:
        """Run everything of this moment, then go on to the next one; whether somebody still has something to do."""
        self.step_design()
        again = True
        while again:
            again = False
            for bench in self._testbenches:
                if bench.runnable:
                    bench.runnable = False
                    bench.run()
                    again = True
        self._state.timeline.advance()
        for bench in self._testbenches:
            if bench.critical:
                return True
        return any(process.critical for process in self._processes)

    @contextmanager
    def write_vcd(self, *, vcd_file: object, gtkw_file: object, traces: object, fs_per_delta: int) -> Iterator[None]:
        """Write a waveform while the context lasts."""
        writer = private.VCDWriter(
            self._state, self._design, vcd_file=vcd_file, gtkw_file=gtkw_file, traces=traces, fs_per_delta=fs_per_delta
        )
        try:
            self._writers.append(writer)
            self._rows.clear()
            list(self._changed_rows())
            yield
        finally:
            writer.close(self._state.timeline.now + self._deltas * writer.fs_per_delta)
            self._writers.remove(writer)
