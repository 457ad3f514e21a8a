"""How operands are written: registers, CSRs, fence sets, and the groups of an assembler template.

The disassembler and the assembler both work on :class:`Form`, which is read off the templates of the
instruction table, so that an operand's notation is stated once.
"""

from __future__ import annotations

from .csr import NUMBERS
from .instruction import Bits, Instruction

#: ABI names of the integer registers by number (calling convention, "Integer Register Convention").
REGISTERS = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{n}" for n in range(8)),
    *(f"s{n}" for n in range(2, 12)),
    *(f"t{n}" for n in range(3, 7)),
)
REGISTER_NUMBERS = {name: n for n, name in enumerate(REGISTERS)} | {f"x{n}": n for n in range(32)} | {"fp": 8}

#: Standard CSRs that no configuration of ours implements but that a listing should name all the same
#: (unprivileged, privileged, debug, AIA and Smstateen specifications): first number, then consecutive names.
_OTHER_CSRS = {
    0x001: "fflags frm fcsr",
    0x008: "vstart vxsat vxrm",
    0x00F: "vcsr",
    0x015: "seed",
    0x10C: "sstateen0 sstateen1 sstateen2 sstateen3",
    0x114: "sieh",
    0x150: "siselect sireg",
    0x154: "siph",
    0x15C: "stopei",
    0x200: "vsstatus",
    0x204: "vsie vstvec",
    0x214: "vsieh",
    0x240: "vsscratch vsepc vscause vstval vsip",
    0x24D: "vstimecmp",
    0x250: "vsiselect vsireg",
    0x254: "vsiph",
    0x25C: "vstopei vstimecmph",
    0x280: "vsatp",
    0x308: "mvien mvip",
    0x30C: "mstateen0 mstateen1 mstateen2 mstateen3",
    0x313: "midelegh mieh",
    0x318: "mvienh mviph",
    0x31C: "mstateen0h mstateen1h mstateen2h mstateen3h",
    0x34A: "mtinst mtval2",
    0x350: "miselect mireg",
    0x354: "miph",
    0x35C: "mtopei",
    0x3A4: " ".join(f"pmpcfg{n}" for n in range(4, 16)),
    0x3C0: " ".join(f"pmpaddr{n}" for n in range(16, 64)),
    0x5A8: "scontext",
    0x600: "hstatus",
    0x602: "hedeleg hideleg hie htimedelta hcounteren hgeie hvien hvictl henvcfg",
    0x60C: "hstateen0 hstateen1 hstateen2 hstateen3",
    0x613: "hidelegh",
    0x615: "htimedeltah",
    0x618: "hvienh",
    0x61A: "henvcfgh",
    0x61C: "hstateen0h hstateen1h hstateen2h hstateen3h",
    0x643: "htval hip hvip hviprio1 hviprio2",
    0x64A: "htinst",
    0x655: "hviph hviprio1h hviprio2h",
    0x680: "hgatp",
    0x6A8: "hcontext",
    0x723: " ".join(f"mhpmevent{n}h" for n in range(3, 32)),
    0x747: "mseccfg",
    0x757: "mseccfgh",
    0x7A4: "tinfo tcontrol",
    0x7A8: "mcontext",
    0x7AA: "mscontext",
    0x7B0: "dcsr dpc dscratch0 dscratch1",
    0xC20: "vl vtype vlenb",
    0xDA0: "scountovf",
    0xDB0: "stopi",
    0xE12: "hgeip",
    0xEB0: "vstopi",
    0xFB0: "mtopi",
}
CSR_NUMBERS = dict(NUMBERS) | {
    name: first + n for first, names in _OTHER_CSRS.items() for n, name in enumerate(names.split())
}
CSR_NAMES = {number: name for name, number in CSR_NUMBERS.items()}

#: Fence sets, most significant bit first (section 2.7): device input, output, memory reads, writes.
_FENCE_LETTERS = "iorw"

#: Suffixes of the atomics by ``aq`` and ``rl`` (chapter "A").
ORDERINGS = {(0, 0): "", (1, 0): ".aq", (0, 1): ".rl", (1, 1): ".aqrl"}

REGISTER_OPERANDS = frozenset(("rd", "rs1", "rs2"))
FENCE_OPERANDS = frozenset(("pred", "succ"))
#: Operands that are numbers in the source text.
EXPRESSION_OPERANDS = frozenset(("imm", "uimm", "shamt", "target"))


def fence_text(value: int) -> str:
    """A fence set as letters; the empty set, which has no notation, reads ``unknown``."""
    return "".join(c for n, c in enumerate(_FENCE_LETTERS) if value >> 3 - n & 1) or "unknown"


def fence_value(text: str) -> int | None:
    """The fence set that ``text`` names (``None``: none)."""
    if text in ("unknown", "0"):
        return 0
    places = [_FENCE_LETTERS.find(c) for c in text]
    if -1 in places or places != sorted(set(places)):
        return None
    return sum(8 >> place for place in places)


def is_upper(field: Bits | int) -> bool:
    """Whether an immediate is the upper 20 bits of a word (U format), which is written without its twelve zeros."""
    return isinstance(field, Bits) and field.parts[-1] == (0, -12)


class Form:
    """Assembler syntax of an instruction or alias, read off its template.

    Attributes
    ----------
    name
        Mnemonic.
    groups
        Between commas: an operand's name, ``imm(rs1)``, ``(rs1)``, or the name of a fixed register.
    ordered
        Whether the mnemonic takes ``.aq``, ``.rl`` or ``.aqrl``.
    """

    __slots__ = ("groups", "name", "ordered")

    def __init__(self, name: str, template: str) -> None:
        words = template.split()
        self.name = name
        self.ordered = words[:1] == ["aqrl"]
        text = "".join(words[1:] if self.ordered else words)
        self.groups = tuple(text.split(",")) if text else ()


def operand_names(group: str) -> list[str]:
    """The operands in one group of a form."""
    return [name for name in group.replace("(", " ").replace(")", " ").split() if name]


def form_of(insn: Instruction) -> Form:
    """The instruction's form.

    A compressed instruction whose ``rs1`` is its ``rd`` is written with one of them.
    """
    form = Form(insn.name, insn.template)
    if insn.length == 2 and "rd" in insn.fields and insn.fields["rd"] == insn.fields.get("rs1"):
        form.groups = tuple(group for group in form.groups if group != "rs1")
    return form


def operand_text(name: str, value: int, field: Bits | int) -> str:
    """An operand's value as it is printed; targets are left to the caller, who knows addresses."""
    if name in REGISTER_OPERANDS:
        return REGISTERS[value]
    if name == "csr":
        return CSR_NAMES.get(value, f"{value:#x}")
    if name in FENCE_OPERANDS:
        return fence_text(value)
    if name == "shamt":
        return f"{value:#x}"
    if name == "imm" and is_upper(field):
        return f"{value >> 12 & 0xFFFFF:#x}"
    return str(value)
