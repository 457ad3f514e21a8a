"""An engine for Amaranth's own simulator: the same test benches, the design in compiled code.

Delta cycles follow pysim: in each, triggers that fired are sampled and wake their processes, every process that can
run runs once, then what they set is committed. The design is one of those processes: at the edges of its clocks all
registers take their new values at once, from what was there before. Unlike pysim's, its combinational logic is
settled at every commit, not one signal after another: a glitch inside a delta cycle is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amaranth.hdl import ShapeCastable, Value

from . import private
from .state import Compiled, State
from .timeline import ClockProcess


class _Trigger:
    """A combination of triggers that a process waits for."""

    def __init__(self, engine: CompiledEngine, combination: object, active: dict, *, oneshot: bool) -> None:
        self._engine, self._combination, self._active, self._oneshot = engine, combination, active, oneshot
        self._result: tuple | None = None
        self._broken = False
        self._hit: set[object] = set()
        self._delays: list[tuple[Callable, int]] = []
        for trigger in combination._triggers:
            if isinstance(trigger, private.ChangedTrigger):
                engine.state.add_signal_waker(trigger.signal, self._changed)
            elif isinstance(trigger, private.EdgeTrigger):
                engine.state.add_signal_waker(trigger.signal, self._edge(trigger))
            elif isinstance(trigger, private.DelayTrigger):
                waker = self._delay(trigger)
                engine.state.set_delay_waker(trigger.interval_fs, waker)
                self._delays.append((waker, trigger.interval_fs))

    def _changed(self, old: int, new: int) -> bool:
        if self._broken:
            return False
        self._activate()
        return not self._oneshot

    def _edge(self, trigger: object) -> Callable[[int, int], bool]:
        def waker(old: int, new: int) -> bool:
            if self._broken:
                return False
            before, after = old >> trigger.bit & 1, new >> trigger.bit & 1
            if before == after or after != trigger.polarity:
                return True
            self._hit.add(trigger)
            self._activate()
            return not self._oneshot

        return waker

    def _delay(self, trigger: object) -> Callable[[], None]:
        def waker() -> None:
            if not self._broken:
                self._hit.add(trigger)
                self._activate()

        return waker

    def _activate(self) -> None:
        if self._combination._process.waits_on is self:
            self._active[self] = None
        else:
            self._broken = True

    def compute_result(self) -> None:
        """Sample what the process asked for."""
        result = []
        for trigger in self._combination._triggers:
            if isinstance(trigger, private.SampleTrigger | private.ChangedTrigger):
                value = self._engine.get_value(trigger.value)
                castable = isinstance(trigger.shape, ShapeCastable)
                result.append(trigger.shape.from_bits(value) if castable else value)
            else:
                result.append(trigger in self._hit)
        self._result = tuple(result)

    def run(self) -> None:
        """Wake the process."""
        self.compute_result()
        self._combination._process.runnable = True
        self._combination._process.waits_on = None
        self._hit.clear()
        for waker, interval in self._delays:
            self._engine.state.set_delay_waker(interval, waker)

    def initial_eligible(self) -> bool:
        """Whether the process is to see the values at time zero."""
        return not self._oneshot and any(isinstance(t, private.ChangedTrigger) for t in self._combination._triggers)

    def __await__(self) -> Iterator:
        self._result = None
        if self._broken:
            raise private.BrokenTrigger
        yield self
        if self._broken:
            raise private.BrokenTrigger
        return self._result


class CompiledEngine(private.BaseEngine):
    """``Simulator(dut, engine=CompiledEngine)``: see the module."""

    def __init__(self, design: object) -> None:
        self._design = design
        self._compiled = Compiled(design)
        self._state = State(self._compiled)
        self._processes: list[private.BaseProcess] = []
        self._testbenches: list[private.AsyncProcess] = []
        self._active: dict[_Trigger, None] = {}
        self._writers: list = []
        self._deltas = 0

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
        for process in (*self._processes, *self._testbenches):
            process.reset()

    def add_clock_process(self, clock: object, *, phase: int, period: int) -> None:
        """Drive a clock, times in femtoseconds.

        Raises
        ------
        DriverConflict
            The design drives the clock itself.
        """
        slot = self._state.slots[self._state.get_signal(clock)]
        if slot.is_comb:
            raise private.ir.DriverConflict("Clock signal is already driven by combinational logic")
        self._processes.append(ClockProcess(self._state, slot, phase, period))

    def add_async_process(self, simulator: object, process: Callable) -> None:
        """Add a process, which runs within delta cycles."""
        self._processes.append(private.AsyncProcess(self._design, self, process, testbench=False, background=True))

    def add_async_testbench(self, simulator: object, process: Callable, *, background: bool) -> None:
        """Add a test bench, which runs when everything has settled."""
        self._testbenches.append(
            private.AsyncProcess(self._design, self, process, testbench=True, background=background)
        )

    def add_trigger_combination(self, combination: object, *, oneshot: bool) -> _Trigger:
        """What a process awaits."""
        return _Trigger(self, combination, self._active, oneshot=oneshot)

    def get_value(self, expr: object) -> int:
        """The value of an expression."""
        return private.eval_value(self._state, Value.cast(expr))

    def set_value(self, expr: object, value: int) -> None:
        """Assign to an expression."""
        private.eval_assign(self._state, Value.cast(expr), value)

    def step_design(self) -> None:
        """Delta cycles until nothing changes."""
        changed = True
        while changed:
            for trigger in list(self._active):
                del self._active[trigger]
                trigger.run()
            for process in self._processes:
                if process.runnable:
                    process.runnable = False
                    process.run()
            before = [bytes(self._compiled.seen)] if self._writers else []
            fired = self._compiled.instant()
            changed, rows = self._state.commit(fired)
            changed |= bool(self._active)
            if before:
                self._record(before[0], rows)
            self._deltas += 1

    def _record(self, before: bytes, rows: list) -> None:
        """Hand changes to the waveform writers."""
        compiled = self._compiled
        if compiled.stale:
            compiled.look()
        after = compiled.seen
        for writer in self._writers:
            stamp = self._state.timeline.now + self._deltas * writer.fs_per_delta
            for signal, index in compiled.index.items():
                offset, size = compiled.places[index]
                if before[offset : offset + size] != after[offset : offset + size]:
                    writer.update_signal(stamp, signal)
            for memory, address in rows:
                writer.update_memory(stamp, memory, address)

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
        return any(p.critical for p in (*self._processes, *self._testbenches))

    @contextmanager
    def write_vcd(self, *, vcd_file: object, gtkw_file: object, traces: object, fs_per_delta: int) -> Iterator[None]:
        """Write a waveform while the context lasts."""
        writer = private.VCDWriter(
            self._state, self._design, vcd_file=vcd_file, gtkw_file=gtkw_file, traces=traces, fs_per_delta=fs_per_delta
        )
        try:
            self._writers.append(writer)
            yield
        finally:
            writer.close(self._state.timeline.now + self._deltas * writer.fs_per_delta)
            self._writers.remove(writer)
