"""Control and status registers, declared once: number, fields, WARL rules, where the bits live.

Privileged specification 1.12, chapter 2 and the sections named at each register; Sstc 1.0. Access by privilege
and "read-only" follow from the number (section 2.1) and are not stated again. What a register does beyond
holding bits (flushing translations, comparing time, counting) is control, written by hand in every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

from .config import IsaConfig


@dataclass(frozen=True)
class Field:
    """Bits ``high``…``low`` of a register that software can write.

    ``legal``: the values that the field can hold (WARL); a write of another one keeps the old value. ``None``: all.
    """

    name: str
    high: int
    low: int
    legal: tuple[int, ...] | None = None

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << (self.high - self.low + 1)) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """One CSR.

    Attributes
    ----------
    name, number
        As in the specification; the number is 12 bits wide.
    fields
        Writable fields; every other bit reads as in ``constant``.
    storage
        Name of the word of hart state that holds the bits (``sstatus`` lives in ``mstatus``); ``None``: no state.
    visible
        Bits of the storage that reads show.
    constant
        Value of the bits that are not visible storage.
    extension
        Extension that brings the register; absent without it.
    section
        Where the specification describes it.
    """

    name: str
    number: int
    section: str
    fields: tuple[Field, ...] = ()
    storage: str | None = None
    visible: int = 0
    constant: int = 0
    extension: str = "zicsr"

    @property
    def writable(self) -> int:
        """Bits that a write can change."""
        mask = 0
        for field in self.fields:
            mask |= field.mask
        return mask

    @property
    def privilege(self) -> int:
        """Lowest privilege mode that may access it: bits 9:8 of the number."""
        return self.number >> 8 & 3

    @property
    def read_only(self) -> bool:
        """Whether every write is an illegal instruction: bits 11:10 of the number."""
        return self.number >> 10 == 3

    def legalize(self, old: int, new: int) -> int:
        """Storage after a write of ``new`` over ``old``: WARL rules field by field."""
        for field in self.fields:
            value = (new & field.mask) >> field.low
            if field.legal is None or value in field.legal:
                old = old & ~field.mask | value << field.low
        return old


ALL = (1 << 32) - 1

_MSTATUS = (
    Field("SIE", 1, 1),
    Field("MIE", 3, 3),
    Field("SPIE", 5, 5),
    Field("MPIE", 7, 7),
    Field("SPP", 8, 8),
    Field("MPP", 12, 11, legal=(0, 1, 3)),
    Field("MPRV", 17, 17),
    Field("SUM", 18, 18),
    Field("MXR", 19, 19),
    Field("TVM", 20, 20),
    Field("TW", 21, 21),
    Field("TSR", 22, 22),
)
_SSTATUS = tuple(f for f in _MSTATUS if f.name in ("SIE", "SPIE", "SPP", "SUM", "MXR"))
_SATP_MODE, _SATP_PPN = Field("MODE", 31, 31), Field("PPN", 21, 0)
_FIOM, _STCE = Field("FIOM", 0, 0), Field("STCE", 31, 31)  # bits 0 and 63 of menvcfg
_CY, _TM, _IR = Field("CY", 0, 0), Field("TM", 1, 1), Field("IR", 2, 2)
_TVEC = (Field("BASE", 31, 2), Field("MODE", 1, 0, legal=(0, 1)))

#: Fields by name: of ``mstatus`` (section 3.1.6), ``satp`` (4.1.11), ``menvcfgh`` (3.1.18), and of the
#: counter-enable and counter-inhibit registers (3.1.11, 3.1.12).
MSTATUS = {field.name: field for field in _MSTATUS}
SATP = {field.name: field for field in (_SATP_MODE, _SATP_PPN)}
MENVCFGH = {"STCE": _STCE}
COUNTERS = {field.name: field for field in (_CY, _TM, _IR)}

#: Synchronous exceptions that can be delegated: all but the environment call from M-mode.
DELEGABLE_EXCEPTIONS = 0xB3FF
#: Interrupts that can be delegated: SSI, STI, SEI.
DELEGABLE_INTERRUPTS = 0x222
#: Interrupts that exist.
INTERRUPTS = 0xAAA


def _whole(name: str, mask: int = ALL) -> tuple[Field, ...]:
    """The bits of ``mask``, one field a run of ones."""
    fields, low = [], 0
    while mask >> low:
        if mask >> low & 1:
            high = low
            while mask >> high + 1 & 1:
                high += 1
            fields.append(Field(name, high, low))
            low = high
        low += 1
    return tuple(fields)


def _register(name: str, number: int, section: str, mask: int = ALL, **more: object) -> Register:
    """A register whose writable bits are plain storage of its own."""
    return Register(name, number, section, _whole(name, mask), storage=name, visible=mask, **more)


def _fielded(name: str, number: int, section: str, *fields: Field) -> Register:
    """A register of which only these fields are storage."""
    return Register(name, number, section, fields, storage=name, visible=sum(field.mask for field in fields))


def _declare(config: IsaConfig) -> list[Register]:
    misa = 1 << 30 | sum(1 << ord(e) - ord("a") for e in config.extensions if len(e) == 1)
    misa |= 1 << 20 | 1 << 18  # U and S
    epc = ALL & (~1 if config.has("c") else ~3)
    asid = (Field("ASID", 21 + config.asid_bits, 22),) if config.asid_bits else ()
    registers = [
        # Unprivileged counters (sections 2.2 and 3.1.10): read-only shadows.
        *(
            Register(f"{name}{half}", base + index, "3.1.10", extension="zicntr")
            for half, base in (("", 0xC00), ("h", 0xC80))
            for index, name in enumerate(("cycle", "time", "instret"))
        ),
        *(
            Register(f"hpmcounter{n}{half}", base + n, "3.1.10", extension="zicntr")
            for half, base in (("", 0xC00), ("h", 0xC80))
            for n in range(3, 32)
        ),
        # Supervisor
        Register("sstatus", 0x100, "4.1.1", _SSTATUS, storage="mstatus", visible=sum(f.mask for f in _SSTATUS)),
        Register(
            "sie", 0x104, "4.1.3", _whole("sie", DELEGABLE_INTERRUPTS), storage="mie", visible=DELEGABLE_INTERRUPTS
        ),
        Register("stvec", 0x105, "4.1.2", _TVEC, storage="stvec", visible=ALL),
        _register("scounteren", 0x106, "4.1.5"),
        _fielded("senvcfg", 0x10A, "4.1.10", _FIOM),
        _register("sscratch", 0x140, "4.1.6"),
        _register("sepc", 0x141, "4.1.7", epc),
        _register("scause", 0x142, "4.1.8"),
        _register("stval", 0x143, "4.1.9"),
        Register("sip", 0x144, "4.1.3", _whole("SSIP", 1 << 1), storage="mip", visible=DELEGABLE_INTERRUPTS),
        _register("stimecmp", 0x14D, "Sstc 2.1.1", extension="sstc"),
        _register("stimecmph", 0x15D, "Sstc 2.1.1", extension="sstc"),
        _fielded("satp", 0x180, "4.1.11", _SATP_MODE, *asid, _SATP_PPN),
        # Machine information
        *(
            Register(name, 0xF11 + index, f"3.1.{2 + index}")
            for index, name in enumerate(("mvendorid", "marchid", "mimpid", "mhartid"))
        ),
        Register("mconfigptr", 0xF15, "3.1.17"),
        # Machine trap setup
        Register("mstatus", 0x300, "3.1.6", _MSTATUS, storage="mstatus", visible=sum(f.mask for f in _MSTATUS)),
        Register("misa", 0x301, "3.1.1", constant=misa),
        _register("medeleg", 0x302, "3.1.8", DELEGABLE_EXCEPTIONS),
        _register("mideleg", 0x303, "3.1.8", DELEGABLE_INTERRUPTS),
        _register("mie", 0x304, "3.1.9", INTERRUPTS),
        Register("mtvec", 0x305, "3.1.7", _TVEC, storage="mtvec", visible=ALL),
        _register("mcounteren", 0x306, "3.1.11"),
        _fielded("menvcfg", 0x30A, "3.1.18", _FIOM),
        Register("mstatush", 0x310, "3.1.6"),
        _fielded("menvcfgh", 0x31A, "3.1.18", *((_STCE,) if config.has("sstc") else ())),
        _fielded("mcountinhibit", 0x320, "3.1.12", _CY, _IR),
        *(Register(f"mhpmevent{n}", 0x320 + n, "3.1.10") for n in range(3, 32)),
        # Machine trap handling
        _register("mscratch", 0x340, "3.1.13"),
        _register("mepc", 0x341, "3.1.14", epc),
        _register("mcause", 0x342, "3.1.15"),
        _register("mtval", 0x343, "3.1.16"),
        Register("mip", 0x344, "3.1.9", _whole("mip", DELEGABLE_INTERRUPTS), storage="mip", visible=INTERRUPTS),
        # Physical memory protection: the lock and address-mode rules are control (section 3.7.1)
        *(
            _register(f"pmpcfg{n}", 0x3A0 + n, "3.7.1", 0x9F9F9F9F if config.pmp_entries > 4 * n else 0)
            for n in range(4)
        ),
        *(_register(f"pmpaddr{n}", 0x3B0 + n, "3.7.1", ALL if config.pmp_entries > n else 0) for n in range(16)),
        # Debug triggers: none
        *(
            Register(name, 0x7A0 + index, "Debug 5.2")
            for index, name in enumerate(("tselect", "tdata1", "tdata2", "tdata3"))
        ),
        # Machine counters
        *(
            _register(f"{name}{half}", base + index, "3.1.10")
            for half, base in (("", 0xB00), ("h", 0xB80))
            for index, name in ((0, "mcycle"), (2, "minstret"))
        ),
        *(
            Register(f"mhpmcounter{n}{half}", base + n, "3.1.10")
            for half, base in (("", 0xB00), ("h", 0xB80))
            for n in range(3, 32)
        ),
    ]
    return [r for r in registers if r.extension in config.extensions or r.extension == "zicsr"]


def registers(config: IsaConfig) -> dict[int, Register]:
    """The CSRs that ``config`` implements, by number.

    Raises
    ------
    ValueError
        Two registers with one number, or fields that overlap: a mistake in the declarations.
    """
    table: dict[int, Register] = {}
    for register in _declare(config):
        if register.number in table:
            raise ValueError(f"CSR {register.number:#x}: {register.name} and {table[register.number].name}")
        if sum(f.mask for f in register.fields) != register.writable:
            raise ValueError(f"{register.name}: fields overlap")
        table[register.number] = register
    return table


#: The default configuration's registers by number, and all numbers by name.
CSRS: dict[int, Register] = registers(IsaConfig())
NUMBERS: dict[str, int] = {register.name: number for number, register in CSRS.items()}
