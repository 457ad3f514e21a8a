"""Disassembler: instruction words as GNU objdump prints them, derived from the templates of the instruction table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from .aliases import WORDS, alias_for
from .instruction import Instruction
from .syntax import ORDERINGS, Form, form_of, is_upper, operand_names, operand_text
from .tables import BY_NAME, find, length_of

_MASK = 0xFFFF_FFFF
_GP, _TP = 3, 4
_PRINTED_WORDS = {(word, length): name for name, word, length, printed in WORDS if printed}
_FORMS: dict[str, Form] = {}


class Symbols:
    """Names of addresses.

    Parameters
    ----------
    names
        Address by name, or ``(address, name)`` pairs; of several names of an address the first one counts.
    """

    def __init__(self, names: Mapping[str, int] | Iterable[tuple[int, str]]) -> None:
        pairs = [(a, n) for n, a in names.items()] if isinstance(names, Mapping) else list(names)
        first: dict[int, str] = {}
        for address, name in pairs:
            first.setdefault(address & _MASK, name)
        self._addresses = sorted(first)
        self._names = [first[address] for address in self._addresses]

    def describe(self, address: int) -> str | None:
        """``name``, ``name+0x…`` or, before the first symbol, ``name-0x…``; ``None`` if there are no symbols."""
        if not self._addresses:
            return None
        index = max(bisect_right(self._addresses, address) - 1, 0)
        offset = address - self._addresses[index]
        return self._names[index] + (f"{'+' if offset > 0 else '-'}{abs(offset):#x}" if offset else "")

    def at(self, address: int) -> str | None:
        """The name of exactly this address."""
        index = bisect_right(self._addresses, address) - 1
        return self._names[index] if index >= 0 and self._addresses[index] == address else None


class Decoded:
    """A decoded instruction word; ``str()`` gives what objdump prints.

    Attributes
    ----------
    word
        The instruction word, 16 or 32 bits.
    pc
        Its address.
    instruction
        The declared instruction, or ``None``: illegal.
    operands
        Values of the operand fields by name; registers by number, immediates sign-extended.
    length
        2 or 4 bytes.
    text
        Mnemonic, a tab, operands.
    """

    __slots__ = ("instruction", "length", "operands", "pc", "text", "word")

    def __init__(self, word: int, pc: int, instruction: Instruction | None, text: str) -> None:
        self.word, self.pc, self.instruction, self.text = word, pc, instruction, text
        self.length = length_of(word)
        self.operands = instruction.operands(word) if instruction else {}

    @property
    def mnemonic(self) -> str:
        """The printed name: an alias's where one fits."""
        return self.text.partition("\t")[0]

    @property
    def target(self) -> int | None:
        """Absolute address that a branch or jump with an immediate goes to."""
        if self.instruction is None or "target" not in _template(self.instruction):
            return None
        return self.pc + self.operands["imm"] & _MASK

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decoded) and (self.word, self.pc) == (other.word, other.pc)

    def __hash__(self) -> int:
        return hash((self.word, self.pc))


def _template(insn: Instruction) -> str:
    return BY_NAME[insn.expansion or insn.name].template


class Disassembler:
    """Disassembles words one after another, as objdump does: pairs of ``lui`` or ``auipc`` and the
    instruction that uses the register give the address in a comment.

    Parameters
    ----------
    symbols
        Names for targets and addresses.
    short
        Print register-immediate instructions under the name of the register-register one (``add t0,t0,10``),
        as binutils 2.40 does; older and newer versions, and the manual, say ``addi``.
    gp
        Value of ``gp`` (``__global_pointer$``), for comments on what is addressed relative to it.
    """

    def __init__(
        self, symbols: Symbols | Mapping[str, int] | None = None, *, short: bool = False, gp: int | None = None
    ):
        self.symbols = symbols if symbols is None or isinstance(symbols, Symbols) else Symbols(symbols)
        self.short = short
        self.gp = gp
        self._upper: dict[int, int] = {}

    def address(self, address: int) -> str:
        """An address as it stands among operands: hexadecimal, with the symbol if there is one."""
        name = self.symbols.describe(address) if self.symbols else None
        return f"{address:#x}" if name is None else f"{address:x} <{name}>"

    def decode(self, word: int, pc: int = 0) -> Decoded:
        """Decode the instruction in ``word`` (its low half if that is compressed) at address ``pc``."""
        length = length_of(word)
        word &= (1 << 8 * length) - 1
        insn = find(word)
        named = _PRINTED_WORDS.get((word, length))
        if named is not None:
            return Decoded(word, pc, insn, named)
        if insn is None or not _spelled(insn, word):
            return Decoded(word, pc, insn, f".{length}byte\t{word:#x}")
        operands = insn.operands(word)
        base = BY_NAME[insn.expansion] if insn.expansion else insn
        alias = alias_for(insn, operands, short=self.short)
        if alias is None and base is not insn:
            alias = alias_for(base, operands, short=self.short)
        form = alias.form if alias else _form(base)
        text = self._text(form, alias.bindings if alias else {}, insn, operands, pc)
        comment = self._comment(form, insn, operands, pc)
        return Decoded(word, pc, insn, text if comment is None else f"{text} # {self.address(comment)}")

    def _text(self, form: Form, bindings: dict[str, str], insn: Instruction, operands: dict[str, int], pc: int) -> str:
        name = form.name
        if form.ordered:
            name += ORDERINGS[operands["aq"], operands["rl"]]
        groups = []
        for group in form.groups:
            for own in operand_names(group):
                operand = bindings.get(own, own)
                if operand == "target":
                    group = self.address(pc + operands["imm"] & _MASK)
                elif operand in operands:  # else the form names a fixed register
                    group = group.replace(own, operand_text(operand, operands[operand], insn.fields[operand]))
            groups.append(group)
        return f"{name}\t{','.join(groups)}" if groups else name

    def _comment(self, form: Form, insn: Instruction, operands: dict[str, int], pc: int) -> int | None:
        """The address that ``rs1 + imm`` makes, where ``rs1`` is known: from an upper immediate, or ``gp``, or zero.

        As in objdump ``tp`` counts as zero (offsets into thread-local storage), a known register is used
        once, and of the compressed instructions only ``c.addi`` takes part.
        """
        found = None
        adds = insn.name in ("addi", "c.addi") and operands["rs1"] != 0
        if adds or (form.groups and _addresses_memory(insn)):
            register, offset = operands["rs1"], operands["imm"]
            if insn.name == "addi" and "imm" not in form.groups:
                pass  # printed as a move
            else:
                found = self._known(register, offset)
                if insn.name == "jalr" and "imm(rs1)" in form.groups:  # objdump asks again for the register
                    found = self._known(register, offset, found)
        if insn.fields.get("imm") is not None and is_upper(insn.fields["imm"]):
            upper = operands["imm"] + (pc if insn.name == "auipc" else 0)
            self._upper[operands["rd"]] = upper if operands["rd"] else 0
        return None if found is None else found & _MASK

    def _known(self, register: int, offset: int, otherwise: int | None = None) -> int | None:
        if register in self._upper:
            return self._upper.pop(register) + offset
        if register == _GP and self.gp is not None:
            return self.gp + offset
        return offset if register in (0, _TP) else otherwise


def _addresses_memory(insn: Instruction) -> bool:
    return insn.length == 4 and "imm(rs1)" in insn.template


def _form(insn: Instruction) -> Form:
    if insn.name not in _FORMS:
        _FORMS[insn.name] = form_of(insn)
    return _FORMS[insn.name]


def _spelled(insn: Instruction, word: int) -> bool:
    """Whether the operands say all of the word: reserved fields that are ignored have no notation."""
    operands = insn.operands(word)
    return insn.encode(**operands) == word


def decode(word: int, pc: int = 0, symbols: Symbols | Mapping[str, int] | None = None) -> Decoded:
    """Decode one instruction word.

    Parameters
    ----------
    word
        Instruction bits; only the low half counts where that is a compressed instruction.
    pc
        Its address, from which targets follow.
    symbols
        Names for the targets.

    Raises
    ------
    ValueError
        Not a word of 32 bits.
    """
    if not 0 <= word < 1 << 32:
        raise ValueError(f"an instruction word has 32 bits, not {word:#x}")
    return Disassembler(symbols).decode(word, pc)


def disassemble(word: int, pc: int = 0, symbols: Symbols | Mapping[str, int] | None = None) -> str:
    """What GNU objdump prints for ``word`` at ``pc``: ``addi\\tt0,t0,10``; unknown words as data."""
    return decode(word, pc, symbols).text
