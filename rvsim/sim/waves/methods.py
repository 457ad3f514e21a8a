"""What a runner offers to those who want to see what it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TextIO

from ..code.layout import MemoryPlace
from .hook import RECORD
from .observers import Observers
from .recorder import LAST, MEMORY, Recorder
from .trace import PERIOD, ROWS, Trace


class Waveforms:
    """A runner's methods for waveforms.

    Parameters
    ----------
    clocks
        Clock domains, and how many periods of each fall into one cycle; by default all domains once.
    """

    def __init__(self, clocks: Mapping[str, int] | None) -> None:
        self._clocks, self._observers = clocks, Observers()
        self._recorder: Recorder | None = None

    def _recorded(self, instant: Callable) -> tuple[Callable, int | None]:
        """An ``instant`` that the flight recorder sees, if there is one, and its context."""
        recorder = self._observers.active(RECORD)
        recorded = recorder and recorder.instant
        return (recorded, self._observers.address) if recorded else (instant, None)

    def _before_row(self, place: MemoryPlace, index: int) -> None:
        """A memory's row will be changed from outside."""
        recorder = self._observers.active(RECORD)
        if recorder is not None:
            recorder.keep_row(place, index)

    def trace(
        self,
        target: str | os.PathLike | TextIO,
        *signals: object,
        period: float = PERIOD,
        start: object = None,
        cycles: int | None = None,
        when: object = None,
        rows: int = ROWS,
    ) -> Trace:
        """Write a waveform of the cycles that are run in the context: ``with run.trace("out.vcd", "cpu.*"): run(100)``.

        Parameters
        ----------
        target
            A file's name, or a text stream.
        signals
            Hierarchical names, globs or Signal objects; by default everything.
        period
            Seconds that a cycle takes in the file. Clocks rise in the middle of their period.
        start
            The first cycle: its number, or a condition that is waited for (once).
        cycles
            Write so many from then on.
        when
            Write only cycles at the beginning of which this condition holds; in between values are unknown.
        rows
            Memories with more rows are left out.

        Raises
        ------
        KeyError
            Something matches no signal or memory; the message has near matches.
        ConditionError
            A condition cannot be understood.
        ValueError
            A number that makes no sense; a memory with too many rows.
        OSError
            The file cannot be written: on entering the context, while running or on leaving it. What is in it is
            valid up to the last moment that was complete.
        RuntimeError
            A trace is active already.
        """
        return Trace(
            self, target, signals, self._clocks, period=period, start=start, cycles=cycles, when=when, rows=rows
        )

    def record(self, *signals: object, last: int = LAST, memory: int = MEMORY) -> Recorder:
        """Keep the last cycles that are run in the context, for :meth:`write_vcd`.

        Recorded are registers, inputs and what the design writes into memories; everything else follows from them.
        Rows that the host changes through :meth:`memory` between runs are noticed in small memories that the design
        does not write itself, and in no others. :meth:`restore` starts the recording afresh.

        Parameters
        ----------
        signals
            What :meth:`write_vcd` is to show unless told otherwise.
        last
            Cycles to keep at most; ``recorder.cycles`` says how many there are.
        memory
            Bytes that the recording may take.

        Raises
        ------
        KeyError
            Something matches no signal or memory; the message has near matches.
        ValueError
            A number that makes no sense.
        RuntimeError
            On entering the context: a recorder is active already.
        """
        return Recorder(self, signals, self._clocks, last=last, memory=memory)

    def write_vcd(
        self,
        target: str | os.PathLike | TextIO,
        *signals: object,
        last: int | None = None,
        period: float = PERIOD,
        rows: int = ROWS,
    ) -> int:
        """Write what the flight recorder has kept as a waveform, within its context or behind it.

        Parameters
        ----------
        target, signals, period, rows
            See :meth:`trace`.
        last
            Only so many cycles.

        Returns
        -------
        int
            Cycles that were written.

        Raises
        ------
        ValueError
            Nothing was recorded, or the runner has been used since; and as in :meth:`trace`.
        KeyError, OSError
            As in :meth:`trace`.
        """
        if self._recorder is None:
            raise ValueError("nothing was recorded: run in the context of record()")
        return self._recorder.write_vcd(target, signals, last=last, period=period, rows=rows)
