"""Register maps: what software sees of a device, written once as frozen data.

A :class:`RegisterMap` is read by the functional binder (:mod:`rvsim.regs.twin`), by the hardware binder
(:mod:`rvsim.regs.hardware`) and by the documentation (:mod:`rvsim.regs.markdown`). It holds no behaviour: a side
effect is only *named* here, and both binders look for something of that name in the device.

Access by software, per field:

====== =================================================================================================
``rw`` reads back what was written
``ro`` writes are ignored
``wo`` reads as zero
``w1c`` writing 1 clears the bit
``w1s`` writing 1 sets the bit
``rc`` a read clears the bits after looking at them; writes are ignored
====== =================================================================================================

Access by the hardware, per field, which also decides where the value lives:

====== =================================================================================================
``r``  held in the register; the hardware reads it
``rw`` held in the register; the hardware reads and changes it
``w``  not held: the hardware drives what software reads, and a write is only its side effect
``-``  the hardware neither reads nor drives it (scratch, constants; with ``wo`` a pure side effect)
====== =================================================================================================
"""

from __future__ import annotations

from rvsim.frozen import Frozen

SOFTWARE = ("rw", "ro", "wo", "w1c", "w1s", "rc")
HARDWARE = ("r", "rw", "w", "-")


def _number(value: object) -> bool:
    return type(value) is int and value >= 0


class Field(Frozen):
    """Some adjacent bits of a register.

    Parameters
    ----------
    name : str
        A lower-case identifier, unique in its register.
    bit : int
        Number of its lowest bit.
    width : int
        In bits.
    access : str
        What software may do, see the module.
    hardware : str
        What the hardware does, see the module.
    reset : int
        Value after reset; 0 where the hardware drives it.
    description : str
        One line for the documentation.
    """

    name: str
    bit: int
    width: int = 1
    access: str = "rw"
    hardware: str = "r"
    reset: int = 0
    description: str = ""

    def validate(self) -> None:
        """Raise ``ValueError`` for a field that cannot be."""
        name = self.name
        if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
            raise ValueError(f"field name must be a lower-case identifier, not {name!r}")
        if not _number(self.bit):
            raise ValueError(f"field {name!r}: bit must be a non-negative integer, not {self.bit!r}")
        if not _number(self.width) or self.width == 0:
            raise ValueError(f"field {name!r}: width must be a positive integer, not {self.width!r}")
        if self.access not in SOFTWARE:
            raise ValueError(f"field {name!r}: access must be one of {', '.join(SOFTWARE)}, not {self.access!r}")
        if self.hardware not in HARDWARE:
            raise ValueError(
                f"field {name!r}: hardware access must be one of {', '.join(HARDWARE)}, not {self.hardware!r}"
            )
        if not _number(self.reset) or self.reset >> self.width:
            raise ValueError(f"field {name!r}: reset value {self.reset!r} does not fit {self.width} bits")
        if self.reset and not self.held:
            raise ValueError(f"field {name!r}: a reset value needs a field that is held, not driven by hardware")

    @property
    def mask(self) -> int:
        """Its bits within the register."""
        return ((1 << self.width) - 1) << self.bit

    @property
    def held(self) -> bool:
        """Whether the register holds its value (and not the hardware behind it)."""
        return self.hardware != "w" and not (self.hardware == "-" and self.access == "wo")


class Register(Frozen):
    """A register, or an array of equal registers at a fixed distance.

    Parameters
    ----------
    name : str
        A lower-case identifier, unique in its map; twin attribute and hardware member are called so.
    offset : int
        Byte offset of the first (or only) one from the device's base address.
    width : int
        In bits, a multiple of 8; it may be wider than an access.
    count : int
        Number of registers in the array; 0 is a plain register, which has no index.
    stride : int
        Bytes from one register of the array to the next; 0 stands for ``width // 8``.
    fields : tuple[Field, ...]
        Bits that no field covers read as zero and ignore writes. Without fields the whole register is one field
        made of ``access``, ``hardware`` and ``reset``.
    access, hardware, reset : str, str, int
        Of the only field, where ``fields`` is empty.
    bank : int or None
        Visible only while the map's bank field has this value; None: always.
    on_read, on_write : str
        Name of the side effect, or "". It fires after all registers of the access were looked at or stored.
    description : str
        One line for the documentation.
    """

    name: str
    offset: int
    width: int = 32
    count: int = 0
    stride: int = 0
    fields: tuple[Field, ...] = ()
    access: str = "rw"
    hardware: str = "r"
    reset: int = 0
    bank: int | None = None
    on_read: str = ""
    on_write: str = ""
    description: str = ""

    def validate(self) -> None:
        """Raise ``ValueError`` for a register that cannot be."""
        name = self.name
        if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
            raise ValueError(f"register name must be a lower-case identifier, not {name!r}")
        if not _number(self.offset):
            raise ValueError(f"register {name!r}: offset must be a non-negative integer, not {self.offset!r}")
        if not _number(self.width) or self.width == 0 or self.width % 8:
            raise ValueError(f"register {name!r}: width must be a positive multiple of 8, not {self.width!r}")
        if not _number(self.count):
            raise ValueError(f"register {name!r}: count must be a non-negative integer, not {self.count!r}")
        if not _number(self.stride) or (self.stride and self.stride * 8 < self.width):
            raise ValueError(f"register {name!r}: stride must be at least {self.width // 8} bytes, not {self.stride!r}")
        if not self.fields:
            only = Field(
                name=name,
                bit=0,
                width=self.width,
                access=self.access,
                hardware=self.hardware,
                reset=self.reset,
                description=self.description,
            )
            object.__setattr__(self, "parts", (only,))
            return
        if (self.access, self.hardware, self.reset) != ("rw", "r", 0):
            raise ValueError(f"register {name!r}: access, hardware and reset belong to its fields")
        object.__setattr__(self, "parts", self.fields)
        used, names = 0, set()
        for field in self.fields:
            if field.name in names:
                raise ValueError(f"register {name!r}: two fields are called {field.name!r}")
            if field.bit + field.width > self.width:
                raise ValueError(
                    f"register {name!r}: field {field.name!r} ends at bit {field.bit + field.width - 1}, "
                    f"but the register has {self.width} bits"
                )
            if used & field.mask:
                other = next(f.name for f in self.fields if f.mask & field.mask)
                raise ValueError(f"register {name!r}: field {field.name!r} overlaps {other!r}")
            used |= field.mask
            names.add(field.name)

    @property
    def number(self) -> int:
        """How many there are."""
        return self.count or 1

    @property
    def pitch(self) -> int:
        """Bytes from one register of the array to the next."""
        return self.stride or self.width // 8

    @property
    def end(self) -> int:
        """Offset of the first byte behind the (last) register."""
        return self.offset + (self.number - 1) * self.pitch + self.width // 8

    def mask(self, *, access: tuple[str, ...] = SOFTWARE, held: bool | None = None) -> int:
        """The bits of fields with one of these accesses that are held (True), are not (False), or either (None)."""
        return sum(f.mask for f in self.parts if f.access in access and (held is None or f.held == held))

    @property
    def reset_value(self) -> int:
        """The held bits after reset."""
        return sum(field.reset << field.bit for field in self.parts)

    @property
    def readable(self) -> bool:
        """Whether a read finds anything here (or fires an effect)."""
        return bool(self.on_read) or any(field.access != "wo" for field in self.parts)

    @property
    def writable(self) -> bool:
        """Whether a write changes anything here (or fires an effect)."""
        return bool(self.on_write) or any(field.access not in ("ro", "rc") for field in self.parts)

    @property
    def held(self) -> bool:
        """Whether any of its bits are held in the register."""
        return any(field.held for field in self.parts)

    def __getitem__(self, name: str) -> Field:
        for field in self.parts:
            if field.name == name:
                return field
        raise KeyError(f"register {self.name!r} has no field {name!r}")


class State(Frozen):
    """State of the device that no address shows: part of checkpoints, called alike in twin and hardware.

    Parameters
    ----------
    name : str
        Twin attribute and hardware signal are called so.
    width : int
        In bits, unsigned.
    depth : int
        0: one value. Otherwise a queue of at most so many values, oldest first; empty after reset.
    reset : int
        Value after reset, of what is no queue.
    description : str
        One line for the documentation.
    """

    name: str
    width: int
    depth: int = 0
    reset: int = 0
    description: str = ""


class RegisterMap(Frozen):
    """All registers of one device.

    Parameters
    ----------
    name : str
        Of the device.
    size : int
        Bytes of address space. Offsets where no register is read as zero and ignore writes.
    sizes : tuple[int, ...]
        Access sizes in bytes that the device answers; any other, or a misaligned access, is a bus error.
        A small access to a large register reaches the bytes it names, a large access all registers it covers.
    registers : tuple[Register, ...]
        They may share bytes only if they are in different banks, or if one is only read and the other only written.
    bank : str
        ``"register.field"`` that selects among banked registers, or "".
    state : tuple[State, ...]
        What a checkpoint needs beside the registers.
    description : str
        For the documentation.
    """

    name: str
    size: int
    sizes: tuple[int, ...] = (4,)
    registers: tuple[Register, ...] = ()
    bank: str = ""
    state: tuple[State, ...] = ()
    description: str = ""

    def validate(self) -> None:
        """Raise ``ValueError`` for a map that contradicts itself."""
        names = set()
        for entry in (*self.registers, *self.state):
            if entry.name in names:
                raise ValueError(f"map {self.name!r}: two registers are called {entry.name!r}")
            names.add(entry.name)
        before: list[Register] = []
        for register in sorted(self.registers, key=lambda register: register.offset):
            if register.end > self.size:
                raise ValueError(
                    f"map {self.name!r}: register {register.name!r} ends at {register.end:#x}, "
                    f"but the map has {self.size:#x} bytes"
                )
            if register.bank is not None and not self.bank:
                raise ValueError(f"map {self.name!r}: register {register.name!r} is banked, but no field selects banks")
            before = [other for other in before if other.end > register.offset]
            for other in before:
                if _collide(other, register):
                    raise ValueError(
                        f"map {self.name!r}: register {register.name!r} at {register.offset:#x} "
                        f"overlaps {other.name!r} at {other.offset:#x}..{other.end - 1:#x}"
                    )
            before.append(register)
        if self.bank:
            register, _, field = self.bank.partition(".")
            try:
                self[register][field]
            except KeyError as error:
                raise ValueError(f"map {self.name!r}: no field {self.bank!r} to select banks") from error

    def __getitem__(self, name: str) -> Register:
        for register in self.registers:
            if register.name == name:
                return register
        raise KeyError(f"map {self.name!r} has no register {name!r}")

    def find(self, offset: int, size: int, *, write: bool, bank: int | None = None) -> list[tuple[Register, int, int]]:
        """The registers that an access reaches, in the map's order.

        Returns
        -------
        list of (register, index, shift)
            ``index`` into the array (0 for a plain register); ``shift`` is the register's bit that the access's
            bit 0 stands for, negative where the register begins inside the access.
        """
        found = []
        for register in self.registers:
            if offset + size <= register.offset or offset >= register.end:
                continue
            if register.bank is not None and register.bank != bank:
                continue
            if not (register.writable if write else register.readable):
                continue
            pitch, length = register.pitch, register.width // 8
            first = max(0, (offset - register.offset) // pitch)
            last = min(register.number - 1, (offset + size - 1 - register.offset) // pitch)
            for index in range(first, last + 1):
                start = register.offset + index * pitch
                if offset < start + length:
                    found.append((register, index, (offset - start) * 8))
        return found


def _collide(a: Register, b: Register) -> bool:
    if a.bank is not None and b.bank is not None and a.bank != b.bank:
        return False
    if not (a.readable and b.readable) and not (a.writable and b.writable):
        return False
    if not a.count and not b.count:
        return True
    return any(
        a.offset + i * a.pitch < b.offset + j * b.pitch + b.width // 8
        and b.offset + j * b.pitch < a.offset + i * a.pitch + a.width // 8
        for i in range(a.number)
        for j in range(b.number)
    )
