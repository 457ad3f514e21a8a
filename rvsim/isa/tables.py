"""All instructions, and finding the one that a word encodes."""

from __future__ import annotations

from importlib import import_module

from .config import IsaConfig
from .instruction import DECLARED, Instruction

# Importing a set declares it; C comes last, since it names what it expands to.
for _name in ("i", "m", "a", "zb", "privileged", "c"):
    import_module(f"{__package__}.sets.{_name}")


def instructions(config: IsaConfig | None = None) -> tuple[Instruction, ...]:
    """The declared instructions that ``config`` implements (``None``: all of them)."""
    if config is None:
        return tuple(DECLARED)
    return tuple(insn for insn in DECLARED if insn.extension in config.extensions)


BY_NAME: dict[str, Instruction] = {insn.name: insn for insn in DECLARED}


def _index() -> dict[tuple[int, int], list[Instruction]]:
    """Candidates by what decides most: quadrant and bits 15:13, or major opcode and bits 14:12."""
    table: dict[tuple[int, int], list[Instruction]] = {}
    for insn in DECLARED:
        low_bits, shift = (2, 13) if insn.length == 2 else (7, 12)
        for minor in range(8):
            if (minor << shift ^ insn.match) & insn.mask & (7 << shift) == 0:
                table.setdefault((insn.match & ((1 << low_bits) - 1), minor), []).append(insn)
    return table


_CANDIDATES = _index()


def length_of(halfword: int) -> int:
    """Length in bytes of the instruction that begins with this half-word: 4 if its two low bits are set."""
    return 4 if halfword & 3 == 3 else 2


def find(word: int, config: IsaConfig | None = None) -> Instruction | None:
    """The instruction that ``word`` encodes, or ``None`` (illegal).

    Only the low half-word counts where the two low bits say that it is compressed.
    """
    if word & 3 == 3:
        candidates = _CANDIDATES.get((word & 0x7F, word >> 12 & 7), ())
    else:
        word &= 0xFFFF
        candidates = _CANDIDATES.get((word & 3, word >> 13 & 7), ())
    for insn in candidates:
        if insn.matches(word) and (config is None or insn.extension in config.extensions):
            return insn
    return None
