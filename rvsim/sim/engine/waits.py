"""What processes and test benches wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from amaranth.hdl import Shape, ShapeCastable, Signal, ValueCastable, ValueLike

from .. import private
from .slots import DesignSlot, Slot

if TYPE_CHECKING:
    from .engine import CompiledEngine


class Wait:
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


class TickWait:
    """A process that waits for one tick of a clock domain without an asynchronous reset: by far the most frequent
    wait, so it is made once for each process and domain.

    Attributes
    ----------
    armed
        The process waits.
    """

    __slots__ = (
        "_active",
        "_clock",
        "_engine",
        "_polarity",
        "_process",
        "_reset",
        "_seen",
        "_watch",
        "armed",
        "sampled",
        "values",
    )

    def __init__(self, engine: CompiledEngine, process: private.AsyncProcess, domain: object) -> None:
        self._engine, self._process, self._active = engine, process, engine.active
        self._clock = engine.state.slot(domain.clk)
        self._reset = None if domain.rst is None else engine.state.slot(domain.rst)
        self._polarity = 1 if domain.clk_edge == "pos" else 0
        self._watch = type(self._clock) is DesignSlot
        self.armed, self._seen = False, 0
        self.sampled: tuple = ()
        self.values: tuple = ()

    def arm(self, sampled: tuple) -> None:
        """The process waits from now on."""
        self.armed, self.sampled = True, sampled
        self._clock.edges.append(self)
        if self._watch:
            self._engine.state.watch(self._clock)

    def edge(self, clock: Slot, level: int) -> None:
        """The clock has changed."""
        if level != self._polarity:
            clock.edges.append(self)
        elif self._process.waits_on is self:
            self._active[self] = None
            self._seen = clock.changes
        else:
            self.armed = False

    def check(self) -> None:
        """After one of several ticks.

        Raises
        ------
        BrokenTrigger
            There has been another tick since the last one that the process saw.
        """
        if self._clock.changes - self._seen >= 2:
            raise private.BrokenTrigger

    def compute_result(self) -> None:
        """Sample what the process asked for."""
        reset = self._reset is not None and bool(self._reset.curr)
        self.values = (True, reset, *(self._engine.sample(expr) for expr in self.sampled))

    def run(self) -> None:
        """Wake the process."""
        self.armed = False
        self.compute_result()
        self._process.runnable = True
        self._process.waits_on = None

    def initial_eligible(self) -> bool:
        """See :class:`Wait`."""
        return False


class Tick(private.TickTrigger):
    """``ctx.tick()``: Amaranth's own, with a shorter way through the engine."""

    def _wait(self) -> TickWait | None:
        """The process's wait for this domain, if the short way is open."""
        if self._domain.async_reset and self._domain.rst is not None:
            return None
        waits = self._process.ticks
        wait = waits.get(self._domain)
        if wait is None:
            wait = waits[self._domain] = TickWait(self._engine, self._process, self._domain)
        return None if wait.armed else wait

    def sample(self, *exprs: ValueLike) -> Tick:
        """See :class:`amaranth.sim.TickTrigger`."""
        return Tick(self._engine, self._process, domain=self._domain, sampled=(*self._sampled, *exprs))

    def __await__(self) -> Iterator:
        wait = self._wait()
        if wait is None:
            return (yield from super().__await__())
        wait.arm(self._sampled)
        yield wait
        return wait.values

    async def until(self, condition: ValueLike) -> tuple:
        """See :class:`amaranth.sim.TickTrigger`."""
        wait = self._wait()
        if wait is None:
            return await super().until(condition)
        if not isinstance(condition, ValueLike):
            raise TypeError(f"Condition must be a value-like object, not {condition!r}")
        if isinstance(condition, ValueCastable) and not isinstance(condition.shape(), Shape):
            raise TypeError(f"The shape of a condition may only be `signed` or `unsigned`, not {condition.shape()!r}")
        tick = self.sample(condition)
        while True:
            _, reset, *values, done = await tick
            wait.check()
            if reset:
                raise private.DomainReset
            if done:
                return tuple(values)

    async def repeat(self, count: int) -> tuple:
        """See :class:`amaranth.sim.TickTrigger`."""
        wait = self._wait()
        if wait is None:
            return await super().repeat(count)
        count = count.__index__()
        if count <= 0:
            raise ValueError(f"Repeat count must be a positive integer, not {count!r}")
        values: list = []
        for _ in range(count):
            _, reset, *values = await self
            wait.check()
            if reset:
                raise private.DomainReset
        return tuple(values)


class _Ticking:
    """What contexts of both kinds share: ticks that are made once."""

    def tick(self, domain: object = "sync", *, context: object = None) -> Tick:
        """See :class:`amaranth.sim.SimulatorContext`."""
        known = self._process.known_ticks
        found = known.get((domain, context)) if context is None else None
        if found is None:
            plain = super().tick(domain, context=context)
            found = Tick(self._engine, self._process, domain=plain._domain)
            if context is None:
                known[domain, context] = found
        return found


class ProcessContext(_Ticking, private.ProcessContext):
    """What a process gets."""


class TestbenchContext(_Ticking, private.TestbenchContext):
    """What a test bench gets."""

    def get(self, expr: ValueLike) -> object:
        """See :class:`amaranth.sim.SimulatorContext`."""
        slot = self._engine.plain.get(id(expr))
        if slot is not None:
            return slot.curr
        if type(expr) is Signal:
            return self._engine.remember(expr).curr
        return super().get(expr)

    def set(self, expr: ValueLike, value: object) -> None:
        """See :class:`amaranth.sim.SimulatorContext`."""
        slot = self._engine.plain.get(id(expr))
        if slot is None or not isinstance(value, int):
            if type(expr) is Signal:
                self._engine.remember(expr)
            super().set(expr, value)
        else:
            self._engine.set_slot(slot, value)


class Process(private.AsyncProcess):
    """A process or test bench of this engine."""

    def __init__(
        self, design: object, engine: CompiledEngine, constructor: Callable, *, testbench: bool, background: bool
    ) -> None:
        self.constructor = constructor
        self.context = (TestbenchContext if testbench else ProcessContext)(design, engine, self)
        self.background = background
        self.known_ticks: dict[tuple, Tick] = {}
        self.reset()

    def reset(self) -> None:
        """Back to the beginning."""
        self.ticks: dict[object, TickWait] = {}
        super().reset()
