"""Waveforms of free runs: ``with run.trace("out.vcd", "cpu.*"): run(1_000_000)``."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from ..clocks import moments
from .hook import TRACE, TraceHook, condition, look_at, writer
from .sink import Sink
from .tables import Tables
from .variables import declare, select

if TYPE_CHECKING:
    from ..runner import Runner

#: Memories with more rows are not written unless asked for.
ROWS = 4096

#: Seconds of a cycle, for the file.
PERIOD = 1e-6

#: Femtoseconds that fit into a file's time.
LAST_TIME = (1 << 63) - 1


def femtoseconds(period: float) -> int:
    """A period in femtoseconds.

    Raises
    ------
    ValueError
        It is not at least two of them, as a clock has two edges in it.
    """
    if not (isinstance(period, int | float) and math.isfinite(period)) or round(period * 1e15) < 2:
        raise ValueError(f"the period of a clock cannot be {period!r} seconds")
    return round(period * 1e15)


class Writer:
    """What a trace and a flight recorder's waveform have in common: tables, compiled code, and a file.

    Parameters
    ----------
    address
        Of the runner's state.
    time
        Of the first cycle, in femtoseconds.
    """

    def __init__(
        self, run: Runner, wanted: tuple, clocks: Mapping[str, int] | None, period: float, rows: int, address: int
    ) -> None:
        if not isinstance(rows, int) or rows < 0:
            raise ValueError(f"rows={rows!r}: a number of memory rows")
        self.period = femtoseconds(period)
        model = run.model
        variables, self.header = declare(model, select(model, wanted, rows))
        self.tables = Tables(model, variables, moments(model, clocks, self.period), self.period, address)
        context = self.tables.context
        self._look = look_at(model, self.tables.values)
        code = writer()
        context.look = self._look.symbols["look"]
        context.observe, context.begin, context.dump = (code.symbols[n] for n in ("observe", "begin", "dump"))
        self._dump = code.function("dump", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self.address, self.pointer = address, ctypes.addressof(context)
        self.sink: Sink | None = None

    def open(self, target: str | os.PathLike | TextIO, cycle: int) -> None:
        """Begin a file, in a certain cycle.

        Raises
        ------
        OSError
            It cannot be written.
        """
        self.check_time(cycle)
        self.sink = Sink(target)
        try:
            self.sink.write(self.header.encode())
        except BaseException:
            self.sink.remove()
            raise

    def check_time(self, cycle: int) -> None:
        """Refuse a cycle whose time does not fit into the file."""
        if cycle * self.period > LAST_TIME:
            raise ValueError(
                f"cycle {cycle} would be {cycle * self.period} fs from the beginning, which does not fit into the "
                f"64 bits that viewers have: choose a shorter period than {self.period * 1e-15:g} seconds"
            )

    def first(self, cycle: int) -> None:
        """Write all values, as they are at the beginning of a cycle."""
        context = self.tables.context
        context.time = cycle * self.period
        context.on = 1
        stamp = b"#%d\n$dumpvars\n" % context.time
        ctypes.memmove(context.pos, stamp, len(stamp))
        context.pos += len(stamp)
        context.stamped = context.time
        self._dump(self.address, self.pointer, 1)
        ctypes.memmove(context.pos, b"$end\n", 5)
        context.pos += 5

    def changed(self) -> None:
        """Write what has changed between cycles."""
        if self.tables.context.on:
            self._dump(self.address, self.pointer, 0)

    def flush(self) -> None:
        """Bring the text to the file.

        Raises
        ------
        OSError
            It cannot be written; with the cycle that was reached.
        """
        data = self.tables.text()
        try:
            self.sink.write(data)
        except OSError as error:
            cycle = self.tables.context.time // self.period
            message = f"{error.strerror}; the waveform ends before cycle {cycle}"
            raise type(error)(error.errno, message, error.filename) from None
        self.tables.clear()

    def full(self) -> bool:
        """Whether there may be too little room for another cycle."""
        return self.tables.context.pos > self.tables.context.limit

    def room(self) -> None:
        """Make room if need be."""
        if self.full():
            self.flush()

    def abandon(self) -> None:
        """Something went wrong on the way: what there is, is to be in the file."""
        try:
            self.flush()
        except Exception:
            return
        finally:
            self.sink.close()

    def finish(self) -> None:
        """The last time, and the end of the file."""
        context = self.tables.context
        try:
            if context.stamped >= 0 and context.stamped != context.time:
                stamp = b"#%d\n" % context.time
                ctypes.memmove(context.pos, stamp, len(stamp))
                context.pos += len(stamp)
            self.flush()
        finally:
            self.sink.close()


class Trace:
    """A waveform being written; see :meth:`rvsim.sim.Runner.trace`."""

    kind, hook = TRACE, TraceHook()

    def __init__(
        self,
        run: Runner,
        target: str | os.PathLike | TextIO,
        wanted: tuple,
        clocks: Mapping[str, int] | None,
        *,
        period: float = PERIOD,
        start: object = None,
        cycles: int | None = None,
        when: object = None,
        rows: int = ROWS,
    ) -> None:
        if isinstance(start, int) and start < 0:
            raise ValueError(f"start={start}: the number of a cycle, or a condition")
        if cycles is not None and (not isinstance(cycles, int) or cycles < 1):
            raise ValueError(f"cycles={cycles!r}: a waveform has at least one cycle")
        self._run, self._target = run, target
        self.start, self.cycles = start, cycles
        if not isinstance(start, int | None):
            run.model.condition(start)
        self._writer = Writer(run, wanted, clocks, period, rows, run._address)
        context = self._writer.tables.context
        self._when = None
        if when is not None:
            bit = run.model.condition(when)
            self._when = condition(run.model, bit, run.model.condition_key(when))
            context.when = self._when.symbols["look"]
        self._state = "new"
        self._end: int | None = None

    @property
    def pointer(self) -> int:
        """For the loop's context."""
        return self._writer.pointer

    def __enter__(self) -> Trace:
        """Begin: from here on cycles are written."""
        self._run._observers.add(self)
        try:
            self._writer.open(self._target, max(self._run.cycle, self.start if isinstance(self.start, int) else 0))
            self._state = "waiting"
        except BaseException:
            self._run._observers.remove(self)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the file."""
        self._run._observers.remove(self)
        state, self._state = self._state, "ended"
        if state in ("failed", "ended"):
            return
        try:
            if state == "running":
                self._writer.changed()
            self._writer.finish()
        except OSError:
            if error is None:
                raise

    # -- for the runner

    def stretch(self, cycles: int) -> tuple[int, bool, object]:
        """How many of the next cycles are alike, whether they are written, and a condition that is waited for."""
        if self._state == "waiting":
            if self.start is not None and not isinstance(self.start, int):
                return cycles, False, self.start
            if self.start is not None and self.start > self._run.cycle:
                return min(cycles, self.start - self._run.cycle), False, None
            self.begin()
        if self._state != "running":
            return cycles, False, None
        self._room()
        context, period = self._writer.tables.context, self._writer.period
        if self._end is not None and context.time >= self._end:
            self._state = "ended"
            self._writer.finish()
            return cycles, False, None
        last = LAST_TIME if self._end is None else self._end
        if last - context.time < period:
            self._writer.check_time(context.time // period + 1)
        return min(cycles, (last - context.time) // period), True, None

    def begin(self) -> None:
        """The first cycle that is wanted is next."""
        self._writer.first(self._run.cycle)
        self._end = None if self.cycles is None else (self._run.cycle + self.cycles) * self._writer.period
        self._state = "running"

    def enter(self) -> None:
        """Cycles are about to be run, by somebody who may have changed something before."""
        if self._state == "running":
            self._room()
            self._writer.changed()

    def ran(self) -> None:
        """See :class:`rvsim.sim.waves.observers.Observer`."""

    def leave(self) -> None:
        """Cycles have been run."""
        if self._state == "running" and self._end is not None:
            self.stretch(1)

    def _room(self) -> None:
        if self._writer.full():
            self.flush()

    def restart(self) -> None:
        """The state is another one: what differs is seen when cycles are run, and time goes on."""

    def flush(self) -> None:
        """Make room in the buffer."""
        try:
            self._writer.flush()
        except BaseException as error:
            if isinstance(error, Exception):
                self._state = "failed"
                self._writer.sink.close()
            raise
