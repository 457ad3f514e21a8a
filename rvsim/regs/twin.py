"""The functional binder: a register map becomes plain attributes and methods of a Python object."""

from __future__ import annotations

from rvsim.bus.functional import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.regs.map import Register, RegisterMap


class Twin:
    """Base of functional twins. A subclass gives its map to this constructor and supplies what the map names:

    - A held register is the attribute of its name: an ``int``, or a list of them for an array. A subclass that keeps
      the value elsewhere defines ``get_<register>([index]) -> int`` and ``set_<register>([index,] value)``.
    - Bits that the hardware drives come from ``drive_<register>([index]) -> int``, which must change nothing.
    - The side effect ``on_read="pop"`` is the method ``pop([index])``; ``on_write="push"`` is
      ``push([index,] value)`` with the value as written (bytes that the access did not carry are zero).
    - :class:`~rvsim.regs.map.State` is the attribute of its name: an ``int``, or a list for a queue.

    ``index`` is passed for arrays only. A read looks at all registers it covers and then fires their effects; a write
    stores into all of them first. So the order of registers never matters.

    Parameters
    ----------
    registers : RegisterMap
        What software sees.

    Raises
    ------
    TypeError
        The subclass lacks a method that the map names (raised at the first access that needs it).
    """

    def __init__(self, registers: RegisterMap) -> None:
        self.registers = registers
        self._plans: dict[int | None, tuple[dict, dict]] = {}
        self._bank_of = registers.bank.partition(".")[0]
        self._reset_values()

    def reset(self) -> None:
        """Bring registers and state to their reset values; what is kept elsewhere is reset by its owner."""
        self._reset_values()
        self.restored()

    def _reset_values(self) -> None:
        for register in self.registers.registers:
            if register.held and not hasattr(type(self), f"set_{register.name}"):
                reset = register.reset_value
                setattr(self, register.name, [reset] * register.count if register.count else reset)
        for state in self.registers.state:
            setattr(self, state.name, [] if state.depth else state.reset)
        self._select_bank()

    # -- access ------------------------------------------------------------------------------------------------
    def read(self, offset: int, size: int) -> int:
        """Read ``size`` bytes at ``offset`` (little-endian, unsigned); :exc:`BusError` as the map says."""
        plan = self._reads.get((offset, size))
        if plan is None:
            plan = self._plan(offset, size, False)
            if plan is None:
                return 0
        return plan()

    def write(self, offset: int, size: int, value: int) -> None:
        """Write the low ``size`` bytes of ``value`` at ``offset``; :exc:`BusError` as the map says."""
        plan = self._writes.get((offset, size))
        if plan is None:
            plan = self._plan(offset, size, True)
            if plan is None:
                return
        plan(value)

    def _plan(self, offset: int, size: int, write: bool) -> Callable | None:
        """Compile an access once; None where no register is. Only accesses that reach registers are kept."""
        registers = self.registers
        if size not in registers.sizes:
            sizes = " or ".join(map(str, registers.sizes))
            raise BusError(f"{registers.name}: {size}-byte access at offset {offset:#x}; it takes {sizes} bytes")
        if offset < 0 or offset % size or offset + size > registers.size:
            raise BusError(f"{registers.name}: {size}-byte access at offset {offset:#x} is misaligned or outside")
        hits = registers.find(offset, size, write=write, bank=self._bank)
        if not hits:
            return None
        if write:
            plan = self._writer(hits, size)
            self._writes[offset, size] = plan
        else:
            plan = self._reader(hits, size)
            self._reads[offset, size] = plan
        return plan

    def _select_bank(self) -> None:
        bank = None
        if self._bank_of:
            register = self.registers[self._bank_of]
            field = register[self.registers.bank.partition(".")[2]]
            bank = (self._getter(register, 0)() & field.mask) >> field.bit
        self._bank = bank
        self._reads, self._writes = self._plans.setdefault(bank, ({}, {}))

    # -- compiling accesses ------------------------------------------------------------------------------------
    def _method(self, kind: str, register: Register, index: int) -> Callable:
        method = getattr(self, kind, None)
        if method is None:
            raise TypeError(f"{type(self).__name__} lacks {kind}(), which register {register.name!r} needs")
        if not register.count:
            return method
        return lambda *value: method(index, *value)

    def _getter(self, register: Register, index: int) -> Callable[[], int]:
        name = register.name
        if hasattr(self, f"get_{name}"):
            return self._method(f"get_{name}", register, index)
        if not register.count:
            return lambda: getattr(self, name)
        return lambda: getattr(self, name)[index]

    def _setter(self, register: Register, index: int) -> Callable[[int], None]:
        name = register.name
        if hasattr(self, f"set_{name}"):
            return self._method(f"set_{name}", register, index)
        if not register.count:
            return lambda value: setattr(self, name, value)

        def store(value: int) -> None:
            getattr(self, name)[index] = value

        return store

    def _looker(self, register: Register, index: int) -> Callable[[], int]:
        """What a read of the whole register finds; changes nothing."""
        readable = ("rw", "ro", "w1c", "w1s", "rc")
        held, driven = register.mask(access=readable, held=True), register.mask(access=readable, held=False)
        if driven:
            drive = self._method(f"drive_{register.name}", register, index)
            if not held:
                return drive
            get = self._getter(register, index)
            return lambda: get() & held | drive() & driven
        if not held:
            return lambda: 0
        get = self._getter(register, index)
        everything = register.mask(held=True)
        return get if held == everything else lambda: get() & held

    def _after_read(self, register: Register, index: int) -> list[Callable[[], None]]:
        effects = []
        clears = register.mask(access=("rc",), held=True)
        if clears:
            get, put = self._getter(register, index), self._setter(register, index)

            def clear() -> None:
                value = get()
                if value & clears:
                    put(value & ~clears)

            effects.append(clear)
        if register.on_read:
            effects.append(self._method(register.on_read, register, index))
        return effects

    def _reader(self, hits: list[tuple[Register, int, int]], size: int) -> Callable[[], int]:
        looks = [(self._looker(register, index), shift) for register, index, shift in hits]
        effects = [effect for register, index, _ in hits for effect in self._after_read(register, index)]
        whole = len(hits) == 1 and hits[0][2] == 0 and hits[0][0].width == size * 8
        if whole and not effects:
            return looks[0][0]
        if whole and len(effects) == 1:
            look, effect = looks[0][0], effects[0]

            def read_one() -> int:
                value = look()
                effect()
                return value

            return read_one
        lanes = (1 << size * 8) - 1

        def read() -> int:
            value = 0
            for look, shift in looks:
                value |= look() >> shift if shift >= 0 else look() << -shift
            for effect in effects:
                effect()
            return value & lanes

        return read

    def _storer(self, register: Register, index: int, lanes: int) -> Callable[[int], None] | None:
        """Stores into the held bits; ``lanes`` are the register's bits that the access carries."""
        plain = register.mask(access=("rw", "wo"), held=True) & lanes
        clear = register.mask(access=("w1c",), held=True) & lanes
        put_on = register.mask(access=("w1s",), held=True) & lanes
        if not plain | clear | put_on:
            return None
        get, put = self._getter(register, index), self._setter(register, index)
        if plain == register.mask(held=True):
            return lambda value: put(value & plain)
        return lambda value: put((get() & ~(plain | value & clear)) | value & (plain | put_on))

    def _writer(self, hits: list[tuple[Register, int, int]], size: int) -> Callable[[int], None]:
        stores, effects, rebank = [], [], False
        for register, index, shift in hits:
            access = (1 << size * 8) - 1
            lanes = (access << shift if shift >= 0 else access >> -shift) & ((1 << register.width) - 1)
            store = self._storer(register, index, lanes)
            if store is not None:
                stores.append((store, shift, lanes))
            if register.on_write:
                effects.append((self._method(register.on_write, register, index), shift, lanes))
            rebank |= register.name == self._bank_of

        def write(value: int) -> None:
            for store, shift, lanes in stores:
                store((value << shift if shift >= 0 else value >> -shift) & lanes)
            if rebank:
                self._select_bank()
            for effect, shift, lanes in effects:
                effect((value << shift if shift >= 0 else value >> -shift) & lanes)

        if rebank or len(hits) != 1 or hits[0][2] != 0:
            return write
        if not stores and len(effects) == 1:
            (effect, _, lanes), *_ = effects
            return lambda value: effect(value & lanes)
        if not effects and len(stores) == 1:
            (store, _, lanes), *_ = stores
            return lambda value: store(value & lanes)
        return write

    # -- checkpoints -------------------------------------------------------------------------------------------
    def state(self) -> dict[str, int | list[int]]:
        """Everything a checkpoint needs, by the names of the map's held registers and state."""
        values: dict[str, int | list[int]] = {}
        for register in self.registers.registers:
            if register.held:
                each = [self._getter(register, index)() for index in range(register.number)]
                values[register.name] = each if register.count else each[0]
        for state in self.registers.state:
            value = getattr(self, state.name)
            values[state.name] = list(value) if state.depth else value
        return values

    def restore(self, values: dict[str, int | list[int]]) -> None:
        """Take over what :meth:`state` returned; ``ValueError`` (and nothing changed) if it is not of this device."""
        self._check_state(values)
        for register in self.registers.registers:
            if register.held:
                value = values[register.name]
                for index, each in enumerate(value if register.count else [value]):
                    self._setter(register, index)(each)
        for state in self.registers.state:
            value = values[state.name]
            setattr(self, state.name, list(value) if state.depth else value)
        self._select_bank()
        self.restored()

    def restored(self) -> None:
        """Called after :meth:`restore` and :meth:`reset`: a subclass brings outputs and derived values up to date."""

    def _check_state(self, values: dict[str, int | list[int]]) -> None:
        device = self.registers.name
        shapes = {r.name: (r.width, r.count, r.count) for r in self.registers.registers if r.held}
        shapes.update((s.name, (s.width, 0, s.depth)) for s in self.registers.state)
        if set(values) != set(shapes):
            wrong = ", ".join(sorted(set(values) ^ set(shapes)))
            raise ValueError(f"{device}: a checkpoint with missing or unknown names: {wrong}")
        for name, (width, least, most) in shapes.items():
            value = values[name]
            each = value if most else [value]
            if most and not (isinstance(value, list) and least <= len(value) <= most):
                raise ValueError(f"{device}: {name} must be a list of {least} to {most} values, not {value!r}")
            for number in each:
                if type(number) is not int or number < 0 or number >> width:
                    raise ValueError(f"{device}: {name} must hold unsigned {width}-bit integers, not {number!r}")
