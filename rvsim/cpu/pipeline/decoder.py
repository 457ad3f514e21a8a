"""The instruction decoder, derived from the encoding patterns of the declarations."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from rvsim.isa.config import IsaConfig
from rvsim.isa.instruction import Bits, Instruction
from rvsim.isa.tables import instructions

__all__ = ["Decoder", "Unit"]


class Unit(enum.Enum, shape=3):
    """Functional unit that an instruction goes to."""

    ALU = 0
    MULTIPLIER = 1
    DIVIDER = 2
    BRANCH = 3
    MEMORY = 4
    CSR = 5
    SYSTEM = 6


def gather(word: Value, field: Bits) -> Value:
    """An operand field of an instruction word, as wide as the field, signed if it is."""
    parts = [word[low : high + 1] if low >= 0 else Const(0, -low) for high, low in reversed(field.parts)]
    value = Cat(*parts)
    if field.signed:
        return value.as_signed()
    return value + field.offset if field.offset else value


class Decoder(wiring.Component):
    """Combinational decoder of 32-bit and compressed instructions.

    A compressed instruction decodes to the operation and operands of the one that it stands for.

    Parameters
    ----------
    config : :class:`IsaConfig`
        Instructions that exist; all others are not valid.

    Members
    -------
    insn : ``In(32)``
        Instruction word; only its low half counts if it is compressed.
    valid : ``Out(1)``
        It is an instruction of the configuration. If not, the other outputs are zero.
    compressed : ``Out(1)``
        It has 16 bits.
    operation : ``Out(range(len(names)))``
        Index of the instruction in :attr:`names`.
    unit : ``Out(Unit)``
        Where it goes.
    rd, rs1, rs2 : ``Out(5)``
        Register operands, zero where there is none.
    reads_rs1, reads_rs2, writes_rd : ``Out(1)``
        Whether it uses them; a write of ``x0`` counts.
    imm : ``Out(32)``
        Immediate, shift amount or ``uimm``, extended to 32 bits; zero if there is none.

    Attributes
    ----------
    names : tuple of str
        Mnemonics of the 32-bit instructions, by operation.
    """

    def __init__(self, config: IsaConfig | None = None) -> None:
        self._instructions = instructions(config or IsaConfig())
        self.names = tuple(insn.name for insn in self._instructions if insn.length == 4)
        super().__init__(
            {
                "insn": In(32),
                "valid": Out(1),
                "compressed": Out(1),
                "operation": Out(range(len(self.names))),
                "unit": Out(Unit),
                **{name: Out(5) for name in ("rd", "rs1", "rs2")},
                **{name: Out(1) for name in ("reads_rs1", "reads_rs2", "writes_rd")},
                "imm": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One condition an instruction; no two hold together, so that they need no priority."""
        m = Module()
        for insn in self._instructions:
            with m.If(self._matches(insn)):
                m.d.comb += [
                    self.valid.eq(1),
                    self.compressed.eq(insn.length == 2),
                    self.operation.eq(self.names.index(insn.expansion or insn.name)),
                    self.unit.eq(Unit[insn.unit.upper()]),
                    self.reads_rs1.eq("rs1" in insn.reads),
                    self.reads_rs2.eq("rs2" in insn.reads),
                    self.writes_rd.eq(insn.writes_rd),
                ]
                for name in insn.fields.keys() & {"rd", "rs1", "rs2"}:
                    m.d.comb += getattr(self, name).eq(self._operand(insn, name))
                for name in insn.fields.keys() & {"imm", "shamt", "uimm"}:
                    m.d.comb += self.imm.eq(self._operand(insn, name))
        return m

    def _operand(self, insn: Instruction, name: str) -> Value:
        where = insn.fields[name]
        return Value.cast(where) if isinstance(where, int) else gather(self.insn, where)

    def _matches(self, insn: Instruction) -> Value:
        matches = self.insn[: 8 * insn.length].matches(insn.pattern)
        for name, value in insn.unless:
            matches &= self._operand(insn, name) != value
        return matches
