"""Aliases: other names of instructions with some operands fixed (assembly programmer's manual, "Pseudoinstructions").

Each is one line: the alias's template, ``=``, and the instruction with its operands filled in. A name on the
right that is an operand of the left stands for it; anything else is a constant. Within one instruction the
first that fits is printed, in GNU objdump's order of precedence.
"""

from __future__ import annotations

from .instruction import Instruction
from .syntax import CSR_NUMBERS, REGISTER_NUMBERS, Form, fence_value, form_of, operand_names
from .tables import BY_NAME

#: Printed by the disassembler, understood by the assembler. Lines with ``~`` name register-immediate instructions
#: as the register-register ones: GNU as takes them, objdump of binutils 2.40 prints them; older and newer ones
#: print the instruction's own name.
_PRINTED = """
nop                   = addi zero, zero, 0
li rd, imm            = addi rd, zero, imm
mv rd, rs1            = addi rd, rs1, 0
zext.b rd, rs1        = andi rd, rs1, 255
not rd, rs1           = xori rd, rs1, -1
~ add rd, rs1, imm    = addi rd, rs1, imm
~ and rd, rs1, imm    = andi rd, rs1, imm
~ or rd, rs1, imm     = ori rd, rs1, imm
~ xor rd, rs1, imm    = xori rd, rs1, imm
~ sll rd, rs1, shamt  = slli rd, rs1, shamt
~ srl rd, rs1, shamt  = srli rd, rs1, shamt
~ sra rd, rs1, shamt  = srai rd, rs1, shamt
~ ror rd, rs1, shamt  = rori rd, rs1, shamt
~ bset rd, rs1, shamt = bseti rd, rs1, shamt
~ bclr rd, rs1, shamt = bclri rd, rs1, shamt
~ binv rd, rs1, shamt = binvi rd, rs1, shamt
~ bext rd, rs1, shamt = bexti rd, rs1, shamt
seqz rd, rs1          = sltiu rd, rs1, 1
neg rd, rs2           = sub rd, zero, rs2
snez rd, rs2          = sltu rd, zero, rs2
sltz rd, rs1          = slt rd, rs1, zero
sgtz rd, rs2          = slt rd, zero, rs2
beqz rs1, target      = beq rs1, zero, target
bnez rs1, target      = bne rs1, zero, target
blez rs2, target      = bge zero, rs2, target
bgez rs1, target      = bge rs1, zero, target
bltz rs1, target      = blt rs1, zero, target
bgtz rs2, target      = blt zero, rs2, target
j target              = jal zero, target
jal target            = jal ra, target
ret                   = jalr zero, 0(ra)
jr rs1                = jalr zero, 0(rs1)
jr imm(rs1)           = jalr zero, imm(rs1)
jalr rs1              = jalr ra, 0(rs1)
jalr imm(rs1)         = jalr ra, imm(rs1)
jalr rd, rs1          = jalr rd, 0(rs1)
fence                 = fence iorw, iorw
unimp                 = csrrw zero, cycle, zero
csrw csr, rs1         = csrrw zero, csr, rs1
~ csrw csr, uimm      = csrrwi zero, csr, uimm
~ csrrw rd, csr, uimm = csrrwi rd, csr, uimm
csrwi csr, uimm       = csrrwi zero, csr, uimm
rdcycle rd            = csrrs rd, cycle, zero
rdtime rd             = csrrs rd, time, zero
rdinstret rd          = csrrs rd, instret, zero
rdcycleh rd           = csrrs rd, cycleh, zero
rdtimeh rd            = csrrs rd, timeh, zero
rdinstreth rd         = csrrs rd, instreth, zero
csrr rd, csr          = csrrs rd, csr, zero
csrs csr, rs1         = csrrs zero, csr, rs1
~ csrs csr, uimm      = csrrsi zero, csr, uimm
~ csrrs rd, csr, uimm = csrrsi rd, csr, uimm
csrsi csr, uimm       = csrrsi zero, csr, uimm
csrc csr, rs1         = csrrc zero, csr, rs1
~ csrc csr, uimm      = csrrci zero, csr, uimm
~ csrrc rd, csr, uimm = csrrci rd, csr, uimm
csrci csr, uimm       = csrrci zero, csr, uimm
sfence.vma            = sfence.vma zero, zero
sfence.vma rs1        = sfence.vma rs1, zero
nop                   = c.addi zero, 0
c.nop imm             = c.addi zero, imm
~ add rd, rd, imm     = c.addi rd, imm
addi rd, rd, imm      = c.addi rd, imm
c.li zero, imm        = c.li zero, imm
c.lui zero, imm       = c.lui zero, imm
c.slli64 rd           = c.slli rd, 0
c.slli zero, shamt    = c.slli zero, shamt
c.srli64 rd           = c.srli rd, 0
c.srai64 rd           = c.srai rd, 0
c.mv zero, rs2        = c.mv zero, rs2
mv rd, rs2            = c.mv rd, rs2
c.add zero, rs2       = c.add zero, rs2
"""

#: Understood by the assembler only.
_ASSEMBLED = """
move rd, rs1          = addi rd, rs1, 0
slt rd, rs1, imm      = slti rd, rs1, imm
sltu rd, rs1, imm     = sltiu rd, rs1, imm
sgt rd, rs1, rs2      = slt rd, rs2, rs1
sgtu rd, rs1, rs2     = sltu rd, rs2, rs1
bgt rs1, rs2, target  = blt rs2, rs1, target
bgtu rs1, rs2, target = bltu rs2, rs1, target
ble rs1, rs2, target  = bge rs2, rs1, target
bleu rs1, rs2, target = bgeu rs2, rs1, target
jalr rd, rs1, imm     = jalr rd, imm(rs1)
jr rs1, imm           = jalr zero, imm(rs1)
scall                 = ecall
sbreak                = ebreak
c.nop                 = c.addi zero, 0
move rd, rs2          = c.mv rd, rs2
add rd, rs2, rd       = c.add rd, rs2
and rd, rs2, rd       = c.and rd, rs2
or rd, rs2, rd        = c.or rd, rs2
xor rd, rs2, rd       = c.xor rd, rs2
"""

#: Words that no template spells: fences with a mode or a set that is empty, and the halfword of zeros.
#: Mnemonic, word, length in bytes, whether it is printed.
WORDS = (
    ("fence.tso", 0x8330000F, 4, True),
    ("pause", 0x0100000F, 4, False),  # needs Zihintpause to be printed
    ("c.unimp", 0x0000, 2, False),
    ("unimp", 0x0000, 2, True),
)


class Alias:
    """One alias.

    Attributes
    ----------
    form
        How it is written.
    insn
        The instruction it stands for.
    bindings
        Its operands → the instruction's.
    constants
        ``(operand of the instruction, value)`` pairs that it fixes.
    """

    __slots__ = ("bindings", "constants", "form", "insn")

    def __init__(self, line: str) -> None:
        left, _, right = (part.strip() for part in line.partition("="))
        name, _, template = left.partition(" ")
        target, _, arguments = right.partition(" ")
        self.form = Form(name, template)
        self.insn: Instruction = BY_NAME[target]
        self.bindings: dict[str, str] = {}
        constants = []
        own = {name for group in self.form.groups for name in operand_names(group)} - set(REGISTER_NUMBERS)
        arguments = [name for group in Form(target, arguments).groups for name in operand_names(group)]
        names = [name for group in form_of(self.insn).groups for name in operand_names(group)]
        for argument, name in zip(arguments, names, strict=True):
            if argument in own:
                self.bindings[argument] = name
            else:
                constants.append((("imm" if name == "target" else name), _constant(name, argument)))
        self.constants = tuple(constants)

    def fits(self, operands: dict[str, int]) -> bool:
        """Whether an instruction with these operands can be written so."""
        return all(operands[name] == value for name, value in self.constants)


def _constant(operand: str, text: str) -> int:
    if operand in ("pred", "succ"):
        return fence_value(text)
    for names in (REGISTER_NUMBERS, CSR_NUMBERS):
        if text in names:
            return names[text]
    return int(text, 0)


def _parse(table: str, *, short: bool = False) -> tuple[Alias, ...]:
    """The table's aliases in order; those marked ``~`` only if ``short``."""
    lines = (line for line in table.strip().splitlines() if short or line[0] != "~")
    return tuple(Alias(line.lstrip("~ ")) for line in lines)


_ALL = _parse(_PRINTED, short=True) + _parse(_ASSEMBLED)

#: What the assembler understands.
ALIASES: tuple[Alias, ...] = tuple(a for a in _ALL if a.insn.length == 4 or a.form.name.startswith("c."))

#: Compressed instructions under another name, as they are printed; the assembler prefers them where it compresses.
COMPRESSED: tuple[Alias, ...] = tuple(a for a in _ALL if a not in ALIASES)


def _by_instruction(aliases: tuple[Alias, ...]) -> dict[str, tuple[Alias, ...]]:
    table: dict[str, list[Alias]] = {}
    for alias in aliases:
        table.setdefault(alias.insn.name, []).append(alias)
    return {name: tuple(found) for name, found in table.items()}


_PRINTED_BY = {short: _by_instruction(_parse(_PRINTED, short=short)) for short in (False, True)}


def alias_for(insn: Instruction, operands: dict[str, int], *, short: bool = False) -> Alias | None:
    """The alias under which the instruction with these operands is printed, if there is one.

    ``short``: register-immediate instructions appear under the name of the register-register one.
    """
    return next((alias for alias in _PRINTED_BY[short].get(insn.name, ()) if alias.fits(operands)), None)
