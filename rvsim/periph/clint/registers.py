"""Registers of the core-local interruptor, at the offsets of SiFive's CLINT."""

from __future__ import annotations

from rvsim.regs.map import Field, Register, RegisterMap

SIZE = 0x1_0000
MAX_HARTS = 4095


def clint_map(harts: int = 1) -> RegisterMap:
    """The map for ``harts`` harts (1 to 4095).

    Raises
    ------
    ValueError
        The number of harts is out of range.
    """
    if type(harts) is not int or not 1 <= harts <= MAX_HARTS:
        raise ValueError(f"CLINT: harts must be an integer from 1 to {MAX_HARTS}, not {harts!r}")
    return RegisterMap(
        name="clint",
        size=SIZE,
        sizes=(4, 8),
        description="Core-local interruptor: software interrupts and the machine timer.",
        registers=(
            Register(
                name="msip",
                offset=0x0000,
                count=harts,
                fields=(Field(name="pending", bit=0, description="drives MSIP of the hart"),),
                description="machine software interrupt, one word per hart",
            ),
            Register(
                name="mtimecmp",
                offset=0x4000,
                width=64,
                count=harts,
                reset=0xFFFF_FFFF_FFFF_FFFF,
                description="MTIP of the hart is set while mtime ≥ mtimecmp (unsigned)",
            ),
            Register(
                name="mtime",
                offset=0xBFF8,
                width=64,
                hardware="rw",
                description="counts at 10 MHz, shared by all harts",
            ),
        ),
    )
