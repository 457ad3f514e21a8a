"""One assembler statement to instruction words, by the same forms and aliases that the disassembler prints."""

from __future__ import annotations

import re
from collections.abc import Callable

from .aliases import ALIASES, COMPRESSED, WORDS, Alias, alias_for
from .expressions import Expression, Scope
from .instruction import Bits, Instruction
from .syntax import (
    CSR_NUMBERS,
    FENCE_OPERANDS,
    ORDERINGS,
    REGISTER_NUMBERS,
    REGISTER_OPERANDS,
    Form,
    fence_value,
    form_of,
    is_upper,
    operand_names,
)
from .tables import instructions
from .terms import signed

#: An operand of an instruction: its value, or how to find it.
Operand = int | Expression

_INDIRECT = re.compile(r"(.*)\(\s*(\w+)\s*\)", re.DOTALL)
_NO_VALUE = object()


class Candidate:
    """A way to read a mnemonic: form, instruction, and what the form's operands stand for."""

    __slots__ = ("bindings", "constants", "form", "insn")

    def __init__(self, form: Form, insn: Instruction, bindings: dict[str, str], constants: dict[str, int]) -> None:
        self.form, self.insn, self.bindings, self.constants = form, insn, bindings, constants

    def read(self, groups: list[str], expression: Callable[[str], Expression]) -> dict[str, Operand] | None:
        """The instruction's operands, or ``None`` if the operands written are not of this form."""
        if len(groups) != len(self.form.groups):
            return None
        operands: dict[str, Operand] = dict(self.constants)
        for written, group in zip(groups, self.form.groups, strict=True):
            parts = _match_group(written.strip(), group)
            if parts is None:
                return None
            for own, text in parts:
                value = _read_operand(own, text, expression)
                if value is _NO_VALUE:
                    return None
                name = self.bindings.get(own, own)
                if operands.setdefault(name, value) is not value and operands[name] != value:
                    return None
        return operands


def _match_group(written: str, group: str) -> list[tuple[str, str]] | None:
    """Pairs of operand and text in one group; ``None`` if it has another shape."""
    names = operand_names(group)
    if "(" not in group:
        if names[0] in REGISTER_NUMBERS:
            return [] if REGISTER_NUMBERS.get(written) == REGISTER_NUMBERS[names[0]] else None
        return [(names[0], written)]
    match = _INDIRECT.fullmatch(written)
    if match is None or match.group(2) not in REGISTER_NUMBERS:
        return None
    offset = match.group(1).strip() or "0"
    if len(names) == 1:
        return [(names[0], match.group(2))] if offset == "0" else None
    return [(names[0], offset), (names[1], match.group(2))]


def _read_operand(name: str, text: str, expression: Callable[[str], Expression]) -> object:
    if name in REGISTER_OPERANDS:
        return REGISTER_NUMBERS.get(text, _NO_VALUE)
    if name in FENCE_OPERANDS:
        value = fence_value(text)
        return _NO_VALUE if value is None else value
    if name == "csr" and text in CSR_NUMBERS:
        return CSR_NUMBERS[text]
    if text in REGISTER_NUMBERS or (text.endswith(")") and _indirect_register(text)):
        return _NO_VALUE
    return expression(text)


def _indirect_register(text: str) -> bool:
    match = _INDIRECT.fullmatch(text)
    return match is not None and match.group(2) in REGISTER_NUMBERS


def _implied(insn: Instruction) -> dict[str, int]:
    return {name: value for name, value in insn.fields.items() if isinstance(value, int)}


def _from_aliases(aliases: tuple[Alias, ...]) -> dict[str, list[Candidate]]:
    table: dict[str, list[Candidate]] = {}
    for alias in aliases:
        candidate = Candidate(alias.form, alias.insn, alias.bindings, _implied(alias.insn) | dict(alias.constants))
        table.setdefault(alias.form.name, []).append(candidate)
    return table


CANDIDATES = {insn.name: [Candidate(form_of(insn), insn, {}, _implied(insn))] for insn in instructions()}
for _name, _found in _from_aliases(ALIASES).items():
    CANDIDATES.setdefault(_name, []).extend(_found)
_PREFERRED = _from_aliases(COMPRESSED)
_WORDS = {(name, length): word for name, word, length, _ in WORDS}
_COMPRESSED: dict[str, list[Instruction]] = {}
for _insn in instructions():
    if _insn.expansion:
        _COMPRESSED.setdefault(_insn.expansion, []).append(_insn)


def limits(field: Bits) -> tuple[int, int, int]:
    """Least value, greatest value and step of what a field can hold."""
    zeros = -field.parts[-1][1] if field.parts[-1][1] < 0 else 0
    if field.signed:
        half = 1 << field.width - 1
        return -half, half - (1 << zeros), 1 << zeros
    return field.offset, field.offset + (1 << field.width) - (1 << zeros), 1 << zeros


def encode(insn: Instruction, operands: dict[str, int]) -> int:
    """The instruction word.

    Raises
    ------
    ValueError
        An operand that does not fit, with what would.
    """
    # A compressed instruction is written with one of two registers that are the same field.
    for twin, other in (("rs1", "rd"), ("rd", "rs1")):
        if twin in insn.fields and twin not in operands:
            operands = {**operands, twin: operands[other]}
    for name, value in operands.items():
        field = insn.fields[name]
        if isinstance(field, int):
            if field != value:
                raise ValueError(f"{insn.name} implies {name} = x{field}")
            continue
        low, high, step = limits(field)
        if not low <= value <= high or value % step:
            if name in REGISTER_OPERANDS:
                raise ValueError(f"{insn.name} takes x{low} to x{high} as {name}, not x{value}")
            multiple = f" in steps of {step}" if step > 1 else ""
            if is_upper(field):
                raise ValueError(f"{name} {value >> 12:#x} does not fit 20 bits")
            raise ValueError(f"{name} {value} is not within {low} to {high}{multiple}")
    return insn.encode(**operands)


def compress(insn: Instruction, operands: dict[str, int]) -> int | None:
    """The 16-bit encoding of a 32-bit instruction, if it has one that is not a HINT."""
    for short in _COMPRESSED.get(insn.name, ()):
        word = short.match
        try:
            for name, value in operands.items():
                field = short.fields[name]
                word |= field.insert(value) if isinstance(field, Bits) else 0
        except ValueError:
            continue
        if not short.matches(word) or short.operands(word) != operands:
            continue
        alias = alias_for(short, operands)
        if alias is None or not alias.form.name.startswith("c."):
            return word
    return None


class Encoding:
    """An instruction statement: knows its words once the symbols have values."""

    def __init__(self, insn: Instruction, operands: dict[str, Operand], compressible: bool = False) -> None:
        self.insn, self.operands, self.compressible = insn, operands, compressible
        #: A compressed instruction that does the same and comes first where it fits.
        self.preferred: Encoding | None = None

    def values(self, scope: Scope) -> dict[str, int]:
        """Values of the instruction's operand fields at ``scope.address``."""
        values: dict[str, int] = {}
        for name, operand in self.operands.items():
            value = operand if isinstance(operand, int) else operand(scope)
            if name == "target":
                name, value = "imm", signed(value - scope.address & 0xFFFF_FFFF, 32)
            elif name == "imm" and is_upper(self.insn.fields["imm"]) and not isinstance(operand, int):
                if not -0x80000 <= value <= 0xFFFFF:
                    raise ValueError(f"imm {value:#x} does not fit 20 bits")
                value = signed(value << 12 & 0xFFFF_FFFF, 32)
            values[name] = value
        for name in self.insn.fields:
            if name in ("aq", "rl"):
                values.setdefault(name, 0)
        return values

    def bytes(self, scope: Scope, least: int) -> bytes:
        """The encoding, not shorter than ``least`` bytes (a branch that grew once stays long)."""
        values = self.values(scope)
        if self.compressible and least <= 2:
            short = self.preferred and self.preferred.quietly(scope)
            if short is None:
                short = compress(self.insn, values)
            if short is not None:
                return short.to_bytes(2, "little")
        return encode(self.insn, values).to_bytes(self.insn.length, "little")

    def quietly(self, scope: Scope) -> int | None:
        """The encoding, or ``None`` where an operand does not fit or the result is a HINT."""
        try:
            word = encode(self.insn, self.values(scope))
        except ValueError:
            return None
        alias = alias_for(self.insn, self.insn.operands(word))
        return None if alias is not None and alias.form.name.startswith("c.") else word


def read_instruction(
    mnemonic: str, groups: list[str], expression: Callable[[str], Expression], *, rvc: bool
) -> Encoding | bytes:
    """Read one instruction or single-instruction alias.

    Raises
    ------
    ValueError
        An unknown mnemonic, or operands that it does not take.
    """
    if not groups:
        for length in (2, 4) if rvc else (4, 2):
            if (mnemonic, length) in _WORDS and (length == 4 or rvc or mnemonic.startswith("c.")):
                return _WORDS[mnemonic, length].to_bytes(length, "little")
    name, ordering = mnemonic, (0, 0)
    if name not in CANDIDATES:
        for bits, suffix in ORDERINGS.items():
            base = mnemonic.removesuffix(suffix) if suffix else mnemonic
            if base != mnemonic and base in CANDIDATES and CANDIDATES[base][0].form.ordered:
                name, ordering = base, bits
    if name not in CANDIDATES:
        raise ValueError(f"unknown instruction {mnemonic!r}")
    for candidate in CANDIDATES[name]:
        operands = candidate.read(groups, expression)
        if operands is None:
            continue
        if candidate.form.ordered:
            operands |= dict(zip(("aq", "rl"), ordering))
        encoding = Encoding(candidate.insn, operands, rvc and candidate.insn.length == 4)
        for preferred in _PREFERRED.get(name, ()) if rvc else ():
            operands = preferred.read(groups, expression)
            if operands is not None and encoding.preferred is None:
                encoding.preferred = Encoding(preferred.insn, operands)
        return encoding
    forms = " or ".join(f"{name} {', '.join(c.form.groups)}".strip() for c in CANDIDATES[name])
    raise ValueError(f"operands do not fit; written as {forms}")
