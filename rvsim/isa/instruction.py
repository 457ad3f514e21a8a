"""How an instruction is declared: assembler template, encoding pattern, one pure function.

The function is called once, when the module is imported, with :class:`Operands` whose attributes are terms; what
it returns (:class:`Rd`, :class:`Load`, …) becomes the :class:`Effects` that every engine evaluates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from .terms import Term, const, var, variables
from .terms import signed as to_signed

XLEN = 32


# ---- effects: a small closed set --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rd:
    """Register ``rd`` receives ``value`` (XLEN bits)."""

    value: Term


@dataclass(frozen=True)
class Load:
    """``rd`` receives ``size`` bytes at ``address``, extended; ``reserve`` registers a reservation (LR)."""

    address: Term
    size: int
    signed: bool = True
    reserve: bool = False


@dataclass(frozen=True)
class Store:
    """The low ``size`` bytes of ``value`` go to ``address``.

    ``conditional`` (SC): only if the reservation holds; ``rd`` receives 0 on success, 1 on failure.
    """

    address: Term
    value: Term
    size: int
    conditional: bool = False


@dataclass(frozen=True)
class Amo:
    """Atomically: ``rd`` receives the word at ``address`` (variable ``memory``), memory receives ``value``."""

    address: Term
    value: Term
    size: int = 4


@dataclass(frozen=True)
class Jump:
    """``pc`` becomes ``target``, if ``when`` (one bit; ``None``: always) is set."""

    target: Term
    when: Term | None = None


@dataclass(frozen=True)
class Csr:
    """Read-modify-write of the CSR in the operand ``csr``: ``action`` is ``write``, ``set`` or ``clear``.

    ``operand`` (XLEN bits) comes from ``rs1`` or ``uimm``. Whether it reads or writes at all depends on the
    registers named (unprivileged specification, Zicsr).
    """

    action: str
    operand: Term


@dataclass(frozen=True)
class System:
    """Control written by hand in every engine: ``ecall``, ``ebreak``, ``mret``, ``sret``, ``wfi``, ``fence``…

    ``first`` and ``second`` are the operands of the address-translation fences: virtual address and ASID.
    """

    action: str
    first: Term | None = None
    second: Term | None = None


Effect = Rd | Load | Store | Amo | Jump | Csr | System


# ---- fields of an encoding --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bits:
    """A field gathered from an instruction word.

    Attributes
    ----------
    parts
        Most significant first: ``(high, low)`` bits of the word, or ``(0, -n)`` for ``n`` zero bits.
    signed
        Sign-extended from its top bit.
    offset
        Added to the value (compressed registers: 8).
    """

    parts: tuple[tuple[int, int], ...]
    signed: bool = False
    offset: int = 0

    @cached_property
    def width(self) -> int:
        """Width of the gathered value in bits."""
        return sum(high - low + 1 if low >= 0 else -low for high, low in self.parts)

    def extract(self, word: int) -> int:
        """The field's value: signed if declared so, else unsigned."""
        value = 0
        for high, low in self.parts:
            width = high - low + 1 if low >= 0 else -low
            value = value << width | (word >> low & ((1 << width) - 1) if low >= 0 else 0)
        if self.signed:
            value = to_signed(value, self.width)
        return value + self.offset

    def insert(self, value: int) -> int:
        """The word bits that make the field ``value``.

        Raises
        ------
        ValueError
            The field cannot hold the value.
        """
        word, rest, position = 0, value - self.offset, self.width
        for high, low in self.parts:
            width = high - low + 1 if low >= 0 else -low
            position -= width
            if low >= 0:
                word |= (rest >> position & ((1 << width) - 1)) << low
        if self.extract(word) != value:
            raise ValueError(f"{value:#x} does not fit the field")
        return word


def bits(spec: str, *, signed: bool = False, offset: int = 0) -> Bits:
    """A field from the manual's notation: ``"31 7 30:25 11:8 0*1"``, most significant first; ``0*n``: n zeros."""
    parts = []
    for item in spec.split():
        if item.startswith("0*"):
            parts.append((0, -int(item[2:])))
        else:
            high, _, low = item.partition(":")
            parts.append((int(high), int(low or high)))
    return Bits(tuple(parts), signed, offset)


#: Fields of the 32-bit formats that stand at the same place in every instruction.
FIELDS = {
    "rd": bits("11:7"),
    "rs1": bits("19:15"),
    "rs2": bits("24:20"),
    "shamt": bits("24:20"),
    "csr": bits("31:20"),
    "uimm": bits("19:15"),
    "pred": bits("27:24"),
    "succ": bits("23:20"),
    "aq": bits("26"),
    "rl": bits("25"),
}

_I = bits("31:20", signed=True)

#: The immediate format that a major opcode (bits 6:0) implies.
IMMEDIATES = {
    0b0000011: _I,
    0b0010011: _I,
    0b1100111: _I,
    0b0001111: _I,
    0b0100011: bits("31:25 11:7", signed=True),
    0b1100011: bits("31 7 30:25 11:8 0*1", signed=True),
    0b0110111: bits("31:12 0*12", signed=True),
    0b0010111: bits("31:12 0*12", signed=True),
    0b1101111: bits("31 19:12 20 30:21 0*1", signed=True),
}


class Operands:
    """What the pure function sees: each attribute is a term of XLEN bits.

    ``rs1``, ``rs2`` are register values; ``imm``, ``shamt``, ``uimm`` immediates, extended; ``pc`` the
    address of the instruction; ``length`` its size in bytes (2 if it was compressed); ``memory`` an AMO's old word.
    """

    _NAMES = ("rs1", "rs2", "imm", "shamt", "uimm", "pc", "length", "memory")

    def __init__(self, xlen: int) -> None:
        for name in self._NAMES:
            setattr(self, name, var(name, xlen))
        self.xlen = xlen

    def const(self, value: int) -> Term:
        """A constant of XLEN bits."""
        return const(value, self.xlen)


@dataclass(frozen=True)
class Instruction:
    """One declared instruction.

    Attributes
    ----------
    name
        Mnemonic.
    template
        The rest of the assembler template: operand names and punctuation.
    pattern
        Encoding, most significant bit first: ``0``, ``1``, ``-``; spaces separate fields.
    extension
        Lower-case extension that brings it.
    length
        2 or 4 bytes.
    fields
        Operand name → where it stands in the word; constants for the implied operands of compressed ones.
    unless
        ``(operand, value)`` pairs: encodings with that value are not this instruction.
    expansion
        Name of the instruction that a compressed one stands for.
    effects
        What it does, traced.
    """

    name: str
    template: str
    pattern: str
    extension: str
    length: int
    fields: dict[str, Bits | int] = field(hash=False, compare=False)
    effects: tuple[Effect, ...] = field(hash=False, compare=False)
    unless: tuple[tuple[str, int], ...] = ()
    expansion: str | None = None

    @cached_property
    def mask(self) -> int:
        """Bits that the pattern fixes."""
        return int("".join("0" if c == "-" else "1" for c in self.pattern.replace(" ", "")), 2)

    @cached_property
    def match(self) -> int:
        """Values of the fixed bits."""
        return int(self.pattern.replace(" ", "").replace("-", "0"), 2)

    def matches(self, word: int) -> bool:
        """Whether ``word`` is an encoding of this instruction."""
        return word & self.mask == self.match and not any(self.operand(n, word) == v for n, v in self.unless)

    def operand(self, name: str, word: int) -> int:
        """Value of an operand field in ``word``."""
        where = self.fields[name]
        return where if isinstance(where, int) else where.extract(word)

    def operands(self, word: int) -> dict[str, int]:
        """All operand fields of ``word``."""
        return {name: self.operand(name, word) for name in self.fields}

    def encode(self, **operands: int) -> int:
        """The instruction word; operands not named are zero.

        Raises
        ------
        ValueError
            An operand that does not fit, or an encoding that is not this instruction.
        """
        word = self.match
        for name, value in operands.items():
            where = self.fields[name]
            if isinstance(where, Bits):
                word |= where.insert(value)
        # Operands can share bits of the word (a compressed rd and rs1) or be implied, and then contradict each other.
        if not self.matches(word) or any(self.operand(name, word) != value for name, value in operands.items()):
            raise ValueError(f"{self.name}: these operands encode another instruction ({operands})")
        return word

    def effect(self, kind: type) -> Effect | None:
        """The effect of that kind, if it has one."""
        return next((e for e in self.effects if isinstance(e, kind)), None)

    @property
    def reads(self) -> frozenset[str]:
        """Which of ``rs1``, ``rs2`` it reads: derived from the terms."""
        return frozenset(n for n in ("rs1", "rs2") if n in self._variables())

    @property
    def writes_rd(self) -> bool:
        """Whether it writes ``rd``."""
        return any(isinstance(e, Rd | Load | Amo | Csr) or getattr(e, "conditional", False) for e in self.effects)

    def _variables(self) -> frozenset[str]:
        terms = [t for e in self.effects for t in vars(e).values() if isinstance(t, Term)]
        return frozenset().union(*(variables(t) for t in terms))

    @property
    def unit(self) -> str:
        """Functional unit: ``alu``, ``multiplier``, ``divider``, ``branch``, ``memory``, ``csr`` or ``system``."""
        for effect in self.effects:
            if isinstance(effect, Load | Store | Amo):
                return "memory"
            if isinstance(effect, Jump):
                return "branch"
            if isinstance(effect, Csr | System):
                return type(effect).__name__.lower()
        ops = _operations(self.effect(Rd).value)
        if ops & {"udiv", "urem", "sdiv", "srem"}:
            return "divider"
        return "multiplier" if "mul" in ops else "alu"


def _operations(term: Term) -> frozenset[str]:
    return frozenset((term.op,)).union(*(_operations(a) for a in term.args))


#: All declarations in order, filled by importing the modules of ``rvsim.isa.sets``.
DECLARED: list[Instruction] = []

_OPERANDS = ("rd", "rs1", "rs2", "shamt", "csr", "uimm", "pred", "succ", "imm")


def _template_operands(template: str) -> list[str]:
    words = template.replace("target", "imm").replace(",", " ").replace("(", " ").replace(")", " ").split()
    return [w for w in words if w in _OPERANDS]


def _check_pattern(name: str, pattern: str) -> int:
    squeezed = pattern.replace(" ", "")
    if len(squeezed) not in (16, 32) or set(squeezed) - set("01-"):
        raise ValueError(f"{name}: a pattern has 16 or 32 of '0', '1' and '-', not {pattern!r}")
    return len(squeezed) // 8


def insn(template: str, pattern: str, extension: str = "i") -> Callable:
    """Declare a 32-bit instruction; decorates its pure function.

    The function receives :class:`Operands` and returns one effect or a tuple of effects.
    """
    name, _, rest = template.partition(" ")
    length = _check_pattern(name, pattern)

    def declare(function: Callable[[Operands], Effect | tuple[Effect, ...]]) -> Callable:
        effects = function(Operands(XLEN))
        fields: dict[str, Bits | int] = {}
        opcode = int(pattern.replace(" ", "")[-7:], 2)
        for operand in _template_operands(rest):
            fields[operand] = IMMEDIATES[opcode] if operand == "imm" else FIELDS[operand]
        if "aqrl" in rest:
            fields |= {"aq": FIELDS["aq"], "rl": FIELDS["rl"]}
        declared = Instruction(
            name,
            rest,
            pattern,
            extension,
            length,
            fields,
            effects if isinstance(effects, tuple) else (effects,),
        )
        DECLARED.append(declared)
        return function

    return declare


def compressed(
    template: str,
    pattern: str,
    expansion: str,
    *,
    unless: tuple[tuple[str, int], ...] = (),
    **fields: Bits | int,
) -> None:
    """Declare a 16-bit instruction by what it expands to (C extension, "Compressed instruction formats").

    ``fields`` gives every operand of the expansion: where it stands, or the register it implies.
    """
    name, _, rest = template.partition(" ")
    length = _check_pattern(name, pattern)
    target = next(i for i in DECLARED if i.name == expansion)
    if set(target.fields) != set(fields):
        raise ValueError(f"{name}: operands {sorted(fields)} are not those of {expansion}: {sorted(target.fields)}")
    DECLARED.append(
        Instruction(name, rest, pattern, "c", length, dict(fields), target.effects, tuple(unless), expansion)
    )
