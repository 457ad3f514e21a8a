"""What instructions carry through a pipeline: put in at one stage, taken out at another, by key."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Module, Shape, Signal, Value, ValueLike

__all__ = ["Key", "Pipeline", "Stage"]


class Key:
    """Something that an instruction carries.

    Parameters
    ----------
    name : str
        In waveforms it is ``<stage>_<name>``.
    shape : shape-like
        Of its values.
    """

    def __init__(self, name: str, shape: object) -> None:
        Shape.cast(shape)
        self.name, self.shape = name, shape

    def __repr__(self) -> str:
        return f"Key({self.name!r}, {self.shape!r})"


class Stage:
    """One stage: at most one instruction at a time.

    Attributes
    ----------
    name : str
        Prefix of its signals.
    valid : Signal, 1 bit
        There is an instruction; a register of the pipeline's, except in the first stage, where the user drives it.
    stalled : Signal, 1 bit
        It cannot go on by itself (:meth:`stall_on`).
    killed : Signal, 1 bit
        It will not have been there: what it does must not have an effect in this cycle (:meth:`kill_on`).
    ready : Signal, 1 bit
        Another one can come in at the end of this cycle.
    leaves : Signal, 1 bit
        The instruction goes on to the next stage, or out of the last one, at the end of this cycle.
    """

    def __init__(self, m: Module, name: str, previous: Stage | None) -> None:
        self.name, self._m, self._previous = name, m, previous
        self.valid, self.stalled, self.killed, self.ready, self.leaves = (
            Signal(name=f"{name}_{part}") for part in ("valid", "stalled", "killed", "ready", "leaves")
        )
        self._values: dict[Key, Value] = {}
        self._stalls: list[Value] = []
        self._kills: list[Value] = []

    def insert(self, key: Key, value: ValueLike) -> Signal:
        """The instruction carries ``value`` from here on; gives it back under the key's name.

        Raises
        ------
        ValueError
            It was put in or asked for here before.
        """
        if key in self._values:
            raise ValueError(f"{key.name!r} was put into stage {self.name!r}, or asked for there, before")
        made = self._values[key] = Signal(key.shape, name=f"{self.name}_{key.name}")
        self._m.d.comb += made.eq(value)
        return made

    def __getitem__(self, key: Key) -> Value:
        """What the instruction in this stage carries: from here, or through registers from where it was put in.

        Raises
        ------
        KeyError
            Nobody has put it in, here or before.
        """
        if key not in self._values:
            if self._previous is None:
                raise KeyError(f"nothing was put in as {key.name!r} in stage {self.name!r} or before")
            before = self._previous[key]
            made = self._values[key] = Signal(key.shape, name=f"{self.name}_{key.name}", reset_less=True)
            with self._m.If(self._previous.leaves):
                self._m.d.sync += made.eq(before)
        return self._values[key]

    def stall_on(self, condition: ValueLike) -> None:
        """The instruction stays while the condition holds."""
        self._stalls.append(Value.cast(condition).bool())

    def kill_on(self, condition: ValueLike) -> None:
        """The instruction vanishes, and all in earlier stages, if the condition holds."""
        self._kills.append(Value.cast(condition).bool())


class Pipeline:
    """Stages in order, and the registers between them.

    An instruction leaves a stage when nothing stalls it and the next one has room; registers take values only then.

    Parameters
    ----------
    m : Module
        Gets the logic, in the ``sync`` domain.
    names : str
        Names of the stages, the first one first.
    """

    def __init__(self, m: Module, *names: str) -> None:
        self._m, self._stages = m, []
        for name in names:
            self._stages.append(Stage(m, name, self._stages[-1] if self._stages else None))

    def __iter__(self) -> Iterator[Stage]:
        return iter(self._stages)

    def __getattr__(self, name: str) -> Stage:
        for stage in self.__dict__.get("_stages", ()):
            if stage.name == name:
                return stage
        raise AttributeError(f"there is no stage {name!r}")

    def connect(self) -> None:
        """Add what moves instructions, once everything has been said of stalls and kills."""
        m = self._m
        for number, stage in enumerate(self._stages):
            following = self._stages[number + 1] if number + 1 < len(self._stages) else None
            later_kills = [kill for later in self._stages[number:] for kill in later._kills]
            m.d.comb += [
                stage.stalled.eq(_any(stage._stalls)),
                stage.killed.eq(_any(later_kills)),
                stage.leaves.eq(
                    stage.valid & ~stage.stalled & ~stage.killed & (1 if following is None else following.ready)
                ),
                stage.ready.eq(~stage.valid | stage.leaves | stage.killed),
            ]
            if number:
                before = self._stages[number - 1]
                with m.If(before.leaves):
                    m.d.sync += stage.valid.eq(1)
                with m.Elif(stage.leaves | stage.killed):
                    m.d.sync += stage.valid.eq(0)


def _any(conditions: list[Value]) -> ValueLike:
    total: ValueLike = 0
    for condition in conditions:
        total |= condition
    return total
