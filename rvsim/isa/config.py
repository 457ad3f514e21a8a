"""The privileged and ISA choices that both cores read: one frozen object."""

from __future__ import annotations

from rvsim.frozen import Frozen

#: Single-letter extensions in canonical order (unprivileged specification, "ISA Extension Naming Conventions").
SINGLE = "imac"

#: Multi-letter extensions in the order of the ISA string: Z extensions by category, then supervisor ones.
MULTI = ("zicntr", "zicsr", "zifencei", "zba", "zbb", "zbs", "sstc", "svade", "svinval")


class IsaConfig(Frozen):
    """What the hart implements.

    Attributes
    ----------
    xlen
        Width of an integer register in bits; 32 is implemented.
    extensions
        Lower-case names. ``i`` and ``zicsr`` are always there.
    misaligned
        Misaligned loads and stores are done natively; ``False``: they trap as address-misaligned.
    pmp_entries
        Number of PMP entries: 0, 16.
    asid_bits
        Implemented bits of ``satp.ASID`` (0..9 on RV32).

    Raises
    ------
    ValueError
        An unknown extension or a combination that is not implemented.
    """

    xlen: int = 32
    extensions: frozenset = frozenset((*SINGLE, *MULTI))
    misaligned: bool = True
    pmp_entries: int = 16
    asid_bits: int = 9

    def validate(self) -> None:
        """Check the fields (see the class)."""
        if self.xlen != 32:
            raise ValueError(f"xlen {self.xlen}: only 32 is implemented")
        known = {*SINGLE, *MULTI}
        unknown = sorted(set(self.extensions) - known)
        if unknown:
            raise ValueError(f"unknown extension {unknown[0]!r} (implemented: {' '.join(sorted(known))})")
        for needed in ("i", "zicsr"):
            if needed not in self.extensions:
                raise ValueError(f"extension {needed!r} cannot be left out: the privileged architecture needs it")
        if self.pmp_entries not in (0, 16):
            raise ValueError(f"pmp_entries {self.pmp_entries}: 0 or 16")
        if not 0 <= self.asid_bits <= 9:
            raise ValueError(f"asid_bits {self.asid_bits}: 0 to 9 on RV32")

    def has(self, extension: str) -> bool:
        """Whether the extension is implemented."""
        return extension in self.extensions

    @property
    def isa_string(self) -> str:
        """The ISA string of ``riscv,isa``: canonical order, e.g. ``rv32imac_zicntr_zicsr_…``."""
        single = "".join(letter for letter in SINGLE if letter in self.extensions)
        return "_".join((f"rv{self.xlen}{single}", *(name for name in MULTI if name in self.extensions)))

    @classmethod
    def parse(cls, text: str, **fields: object) -> IsaConfig:
        """The configuration that an ISA string such as ``rv32imac_zba_zbb`` names.

        ``zicsr`` is implied. A string that names neither ``zicsr`` nor ``zifencei`` has ``zifencei`` too, since ``i``
        held both when such strings were written. Other fields are passed on.

        Raises
        ------
        ValueError
            A malformed string or an extension that is not implemented.
        """
        lower = text.strip().lower()
        if not lower.startswith("rv32"):
            raise ValueError(f"ISA string {text!r} does not start with 'rv32'")
        first, *multi = lower[4:].split("_")
        for name in multi:
            if len(name) < 2 or name[0] not in "zs":
                raise ValueError(f"ISA string {text!r}: {name!r} is no multi-letter extension (z… or s…)")
        implied = {"zicsr"} if {"zicsr", "zifencei"} & set(multi) else {"zicsr", "zifencei"}
        return cls(extensions=frozenset((*first, *multi, *implied)), **fields)
