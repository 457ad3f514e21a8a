"""The hardware binder: a register map becomes registers behind a Wishbone target."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rvsim.bus import wishbone
from rvsim.regs.map import Register, RegisterMap

__all__ = ["RegisterSignature", "Registers", "layout_of"]

DATA_WIDTH = 32
_READABLE = ("rw", "ro", "w1c", "w1s", "rc")


def layout_of(register: Register) -> unsigned | data.FlexibleLayout:
    """Shape of a register: an unsigned number, or its fields at their places."""
    if not register.fields:
        return unsigned(register.width)
    fields = {field.name: data.Field(unsigned(field.width), field.bit) for field in register.fields}
    return data.FlexibleLayout(register.width, fields)


def _events(register: Register) -> int:
    """Bits that the hardware sets and software clears."""
    return sum(f.mask for f in register.parts if f.hardware == "rw" and f.access in ("rc", "w1c"))


def _updated(register: Register) -> int:
    """Bits that the hardware changes in any other way."""
    return sum(f.mask for f in register.parts if f.hardware == "rw") & ~_events(register)


class RegisterSignature(wiring.Signature):
    """The device's side of one register, as :class:`Registers` offers it.

    Only the members that the map calls for exist.

    Parameters
    ----------
    register : Register
        What it is for; shapes below are :func:`layout_of` it.

    Members
    -------
    value : ``Out``, if bits are held
        What the register holds; zero in other bits.
    driven : ``In``, if the hardware drives bits
        What software reads there.
    update, next : ``In(1)``, ``In``, if the hardware changes held bits
        With ``update`` the bits that hardware changes take their values from ``next``; software that writes the same
        bits in the same cycle wins.
    events : ``In``, if the hardware sets bits that software clears
        A 1 sets the bit, also in the cycle in which software clears it.
    read : ``Out(1)``, if a read has a side effect
        High for the cycle at whose end the read takes effect.
    written, data : ``Out(1)``, ``Out(width)``, if a write has a side effect
        High for the cycle at whose end the write takes effect, with the value written (zero in bytes that the access
        does not carry); ``value`` still shows what was there before.
    """

    def __init__(self, register: Register) -> None:
        layout = layout_of(register)
        members = {}
        if register.held:
            members["value"] = Out(layout, init=_init(register))
        if register.mask(held=False, access=_READABLE):
            members["driven"] = In(layout)
        if _updated(register):
            members.update(update=In(1), next=In(layout))
        if _events(register):
            members["events"] = In(layout)
        if register.on_read:
            members["read"] = Out(1)
        if register.on_write:
            members.update(written=Out(1), data=Out(register.width))
        super().__init__(members)


def _init(register: Register) -> int | dict[str, int]:
    if not register.fields:
        return register.reset
    return {field.name: field.reset for field in register.fields}


class Registers(wiring.Component):
    """Registers of a map in hardware, for a device to connect to.

    An access takes effect in the cycle after its request and is answered in that cycle, from registers: no
    combinational path leads from the bus to the bus. All registers of an access are looked at in the cycle before any
    side effect shows, so their order never matters. Accesses that the map does not allow are answered with ``err``.

    Parameters
    ----------
    registers : RegisterMap
        What software sees.

    Members
    -------
    bus : ``In(wishbone.Signature(addr_width=…, data_width=32, granularity=8, features={"err"}))``
        Where software gets at them; the address covers the map's size.
    <register> : ``Out(RegisterSignature(register))``, for an array ``.array(count)``
        The device's side of each register, by its name in the map.

    Raises
    ------
    ValueError
        The map allows no access of at most 32 bits, or a register has the name of a member here.
    """

    def __init__(self, registers: RegisterMap) -> None:
        if min(registers.sizes) > DATA_WIDTH // 8:
            raise ValueError(f"map {registers.name!r}: no access fits a data width of {DATA_WIDTH} bits")
        for register in registers.registers:
            if register.name in ("bus", "map") or hasattr(type(self), register.name):
                raise ValueError(f"map {registers.name!r}: in hardware no register may be called {register.name!r}")
        self.map = registers
        self._lanes = Signal(DATA_WIDTH // 8)
        self._written = Signal(DATA_WIDTH)
        members = {"bus": In(bus_signature(registers))}
        for register in registers.registers:
            member = Out(RegisterSignature(register))
            members[register.name] = member.array(register.count) if register.count else member
        super().__init__(members)

    def element(self, register: Register, index: int = 0) -> wiring.PureInterface:
        """The device's side of one register of an array, or of a plain one."""
        member = getattr(self, register.name)
        return member[index] if register.count else member

    def elaborate(self, platform: object) -> Module:
        """Registers follow the hardware unless the access of this cycle says otherwise."""
        m = Module()
        bus = self.bus
        legal = Signal()
        request = Signal()
        m.d.comb += legal.eq(self._legal())
        # Where every access is a whole word this is no logic at all.
        whole = min(self.map.sizes) == DATA_WIDTH // 8
        m.d.comb += self._lanes.eq(-1 if whole else bus.sel)
        m.d.comb += self._written.eq(bus.dat_w if whole else bus.dat_w & _lane_bits(bus.sel))
        m.d.comb += request.eq(bus.cyc & bus.stb & ~bus.ack & ~bus.err)
        m.d.sync += [bus.ack.eq(request & legal), bus.err.eq(request & ~legal)]
        for register in self.map.registers:
            for index in range(register.number):
                self._follow_hardware(m, register, index)
        with m.If(request & legal):
            m.d.sync += bus.dat_r.eq(0)
            with m.Switch(bus.adr):
                for word in self._words():
                    with m.Case(word):
                        self._access(m, word)
        return m

    def _legal(self) -> Value:
        """Whether the select lines name a size that the map allows, inside the map."""
        lanes = DATA_WIDTH // 8
        sizes = [size for size in self.map.sizes if size <= lanes]
        patterns = [((1 << size) - 1) << at for size in sizes for at in range(0, lanes, size)]
        return self.bus.sel.matches(*patterns) & (self.bus.adr < -(-self.map.size // lanes))

    def _words(self) -> list[int]:
        """Addresses of the bus at which there is a register."""
        lanes = DATA_WIDTH // 8
        words = set()
        for register in self.map.registers:
            for index in range(register.number):
                start = register.offset + index * register.pitch
                words.update(range(start // lanes, (start + register.width // 8 - 1) // lanes + 1))
        return sorted(words)

    def _access(self, m: Module, word: int) -> None:
        """One word of the map: in each bank, what a write and what a read does."""
        if not self.map.bank:
            self._access_bank(m, word, None)
            return
        register, _, field = self.map.bank.partition(".")
        with m.Switch(getattr(self, register).value[field]):
            for bank in sorted({r.bank for r in self.map.registers if r.bank is not None}):
                with m.Case(bank):
                    self._access_bank(m, word, bank)

    def _access_bank(self, m: Module, word: int, bank: int | None) -> None:
        lanes = DATA_WIDTH // 8
        with m.If(self.bus.we):
            for hit in self.map.find(word * lanes, lanes, write=True, bank=bank):
                self._write(m, *hit)
        with m.Else():
            seen: ValueLike = Const(0)
            for hit in self.map.find(word * lanes, lanes, write=False, bank=bank):
                seen |= self._read(m, *hit)
            m.d.sync += self.bus.dat_r.eq(seen)

    def _selected(self, register: Register, shift: int) -> Value:
        """The register's bits that the access carries."""
        whole = min(self.map.sizes) == DATA_WIDTH // 8
        return _place(Const(-1, DATA_WIDTH) if whole else _lane_bits(self._lanes), register, shift)

    def _touched(self, register: Register, shift: int) -> Value:
        """Whether the access carries any byte of the register."""
        first, lanes = max(0, -shift // 8), register.width // 8 - max(0, shift) // 8
        return self._lanes[first : first + lanes].any()

    def _write(self, m: Module, register: Register, index: int, shift: int) -> None:
        element = self.element(register, index)
        selected = self._selected(register, shift)
        written = _place(self._written, register, shift)
        plain = register.mask(access=("rw", "wo"), held=True)
        set_on = register.mask(access=("w1s",), held=True)
        clear_on = register.mask(access=("w1c",), held=True)
        if plain | set_on | clear_on:
            kept = self._followed(register, index, cleared=written & clear_on) & ~(selected & _mask(register, plain))
            m.d.sync += Value.cast(element.value).eq(kept | written & (plain | set_on))
        if register.on_write:
            m.d.comb += [element.written.eq(self._touched(register, shift)), element.data.eq(written)]

    def _read(self, m: Module, register: Register, index: int, shift: int) -> Value:
        element = self.element(register, index)
        selected = self._selected(register, shift)
        held, driven = (register.mask(access=_READABLE, held=held) for held in (True, False))
        seen: ValueLike = Const(0)
        if held:
            seen |= Value.cast(element.value) & held
        if driven:
            seen |= Value.cast(element.driven) & driven
        clears = register.mask(access=("rc",), held=True)
        if clears:
            cleared = Mux(self._touched(register, shift), _mask(register, clears), 0)
            m.d.sync += Value.cast(element.value).eq(self._followed(register, index, cleared=cleared))
        if register.on_read:
            m.d.comb += element.read.eq(self._touched(register, shift))
        found = seen & selected
        return found[shift:] if shift >= 0 else Cat(Const(0, -shift), found)

    def _followed(self, register: Register, index: int, *, cleared: ValueLike = 0) -> Value:
        """What the held bits become by the hardware alone, after software cleared some."""
        element = self.element(register, index)
        value = Value.cast(element.value)
        updated, events = _updated(register), _events(register)
        if updated:
            taken = (value & ~_mask(register, updated)) | (Value.cast(element.next) & updated)
            value = Mux(element.update, taken, value)
        value = value & ~cleared
        return value | (Value.cast(element.events) & events) if events else value

    def _follow_hardware(self, m: Module, register: Register, index: int) -> None:
        """Only when the hardware changes something: a simulator need not store what stays."""
        element = self.element(register, index)
        changes = [element.update] if _updated(register) else []
        if _events(register):
            changes.append((Value.cast(element.events) & _events(register)).any())
        if changes:
            with m.If(Cat(changes).any()):
                m.d.sync += Value.cast(element.value).eq(self._followed(register, index))


def _mask(register: Register, bits: int) -> Const:
    """A constant as wide as the register, so that its complement is too."""
    return Const(bits, register.width)


def _lane_bits(lanes: Value) -> Value:
    """A bit for each bit of the bus."""
    return Cat(lane.replicate(8) for lane in lanes)


def _place(word: Value, register: Register, shift: int) -> Value:
    """Bits of a bus word at their places in a register that begins ``-shift`` bits into it; as wide as the register."""
    placed = Cat(Const(0, shift), word) if shift >= 0 else word[-shift:]
    return Cat(placed, Const(0, register.width))[: register.width]


def bus_signature(registers: RegisterMap) -> wishbone.Signature:
    """The Wishbone signature of a device with this map."""
    words = -(-registers.size * 8 // DATA_WIDTH)
    return wishbone.Signature(
        addr_width=(words - 1).bit_length(),
        data_width=DATA_WIDTH,
        granularity=8,
        features={wishbone.Feature.ERR},
    )
