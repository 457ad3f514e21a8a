"""Pseudo-instructions that become several instructions (assembly programmer's manual, "Pseudoinstructions")."""

from __future__ import annotations

from collections.abc import Callable

from .encoder import Encoding
from .expressions import Expression, Scope
from .instruction import Load, Store
from .syntax import REGISTER_NUMBERS
from .tables import BY_NAME

ZERO, RA, T1 = 0, 1, 6

#: One instruction of an expansion: name and operands.
Part = tuple[str, dict[str, int]]


def _split(value: int) -> tuple[int, int]:
    """Upper part with its twelve zeros and signed lower part, which add up to ``value`` modulo 2**32."""
    low = (value + 0x800 & 0xFFF) - 0x800
    high = value - low & 0xFFFF_FFFF
    return high - (1 << 32) if high >> 31 else high, low


def _li(rd: int, value: int) -> list[Part]:
    if not -(1 << 31) <= value < 1 << 32:
        raise ValueError(f"{value:#x} does not fit 32 bits")
    high, low = _split(value)
    if high == 0:
        return [("addi", {"rd": rd, "rs1": ZERO, "imm": low})]
    load = ("lui", {"rd": rd, "imm": high})
    return [load, ("addi", {"rd": rd, "rs1": rd, "imm": low})] if low else [load]


class Expansion:
    """A pseudo-instruction: its instructions follow from the value of one expression.

    Attributes
    ----------
    value
        The expression.
    parts
        The instructions for a value (``li``), or for an offset from the first of them.
    relative
        Whether ``parts`` takes the distance from ``pc``.
    rvc
        Whether the instructions are compressed where they can be.
    """

    def __init__(self, value: Expression, parts: Callable[[int], list[Part]], *, relative: bool, rvc: bool) -> None:
        self.value, self.parts, self.relative, self.rvc = value, parts, relative, rvc

    def bytes(self, scope: Scope, least: int) -> bytes:
        """The encoding; one that grew once is filled up with ``nop``."""
        value = self.value(scope)
        if self.relative:
            value -= scope.address
        data = b"".join(
            Encoding(BY_NAME[name], operands, self.rvc).bytes(scope, 0) for name, operands in self.parts(value)
        )
        while len(data) < least:
            filler = Encoding(BY_NAME["addi"], {"rd": ZERO, "rs1": ZERO, "imm": 0}, (least - len(data)) % 4 == 2)
            data += filler.bytes(scope, 0)
        return data


def _pair(rd: int, name: str, operands: dict[str, int]) -> Callable[[int], list[Part]]:
    """``auipc`` into ``rd`` and an instruction with that as ``rs1`` and the rest of the distance as immediate."""

    def parts(distance: int) -> list[Part]:
        high, low = _split(distance)
        return [("auipc", {"rd": rd, "imm": high}), (name, {**operands, "rs1": rd, "imm": low})]

    return parts


def read_pseudo(
    mnemonic: str, groups: list[str], expression: Callable[[str], Expression], *, rvc: bool
) -> Expansion | None:
    """Read a pseudo-instruction; ``None`` if the mnemonic with these operands is none.

    ``li rd, value``; ``la``, ``lla rd, symbol``; ``call [rd,] symbol``; ``tail symbol``; loads
    ``lw rd, symbol`` and stores ``sw rs, symbol, temporary``.
    """
    registers = [REGISTER_NUMBERS.get(group) for group in groups]
    match mnemonic, registers:
        case "li", [int() as rd, None]:
            return Expansion(expression(groups[1]), lambda value: _li(rd, value), relative=False, rvc=rvc)
        case "la" | "lla", [int() as rd, None]:
            parts = _pair(rd, "addi", {"rd": rd})
        case "call", [None]:
            parts = _pair(RA, "jalr", {"rd": RA})
        case "call", [int() as rd, None]:
            parts = _pair(rd, "jalr", {"rd": rd})
        case "tail", [None]:
            parts = _pair(T1, "jalr", {"rd": ZERO})
        case _, [int() as rd, None] if _plain_access(mnemonic, Load) and not groups[1].endswith(")"):
            parts = _pair(rd, mnemonic, {"rd": rd})
        case _, [int() as source, None, int() as temporary] if _plain_access(mnemonic, Store):
            parts = _pair(temporary, mnemonic, {"rs2": source})
            groups = [groups[1]]
        case _:
            return None
    return Expansion(expression(groups[-1]), parts, relative=True, rvc=rvc)


def _plain_access(mnemonic: str, kind: type) -> bool:
    insn = BY_NAME.get(mnemonic)
    return insn is not None and insn.length == 4 and insn.effect(kind) is not None and "imm(rs1)" in insn.template
