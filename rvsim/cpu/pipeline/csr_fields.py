"""Declared fields of the CSRs in hardware: layouts, and what a write makes of a register (WARL)."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Mux, Value
from amaranth.lib import data

from rvsim.isa.csr import CSRS, NUMBERS, Register
from rvsim.isa.protection import PMP_A, PMP_L, PMP_R, PMP_W, PMP_X
from rvsim.isa.traps import Interrupt

__all__ = ["INTERRUPTS", "SATP", "STATUS", "TVEC", "layout", "legalize", "legalize_pmpcfg"]


def layout(register: Register) -> data.Layout:
    """The register's fields by name, at their places in 32 bits."""
    fields = {field.name: data.Field(field.high - field.low + 1, field.low) for field in register.fields}
    return data.FlexibleLayout(32, fields)


#: ``mstatus``, ``mtvec`` and ``stvec``, ``satp`` with all of its ASID bits (those that are not implemented read zero).
STATUS, TVEC, SATP = (layout(CSRS[NUMBERS[name]]) for name in ("mstatus", "mtvec", "satp"))
#: ``mip``, ``mie``, ``mideleg``: a bit for each interrupt, by the names of :class:`rvsim.isa.traps.Interrupt`.
INTERRUPTS = data.FlexibleLayout(32, {cause.name: data.Field(1, int(cause)) for cause in Interrupt})


def legalize(register: Register, old: Value, new: Value) -> Value:
    """What ``register`` holds after a write of ``new`` over ``old``, field by field.

    The same as :meth:`rvsim.isa.csr.Register.legalize`: bits of no field, and fields that would get a value that they
    cannot hold, keep what they have.
    """
    free = sum(field.mask for field in register.fields if field.legal is None)
    result = old & ~free | new & free
    for field in register.fields:
        if field.legal is not None:
            value = new[field.low : field.high + 1]
            legal = reduce(or_, (value == possible for possible in field.legal))
            result = Mux(legal, result & ~field.mask | new & field.mask, result)
    return result[:32]


def legalize_pmpcfg(old: Value, new: Value) -> Value:
    """Four PMP configuration bytes after a write: locked ones stay, and W without R is dropped (section 3.7.1)."""
    merged = []
    for low in range(0, 32, 8):
        kept, byte = old[low : low + 8], new[low : low + 8]
        possible = PMP_R | PMP_X | PMP_A | PMP_L
        legal = Mux((byte & PMP_R).any(), byte & (possible | PMP_W), byte & possible)
        merged.append(Mux((kept & PMP_L).any(), kept, legal)[:8])
    return Cat(*merged)
