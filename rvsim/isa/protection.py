"""Bits of page-table entries and of PMP configuration (privileged specification 1.12, sections 4.3.1 and 3.7.1)."""

from __future__ import annotations

#: Bytes of a page, and address bits that each level of Sv32 translates.
PAGE = 4096
LEVEL_BITS = 10

#: Bits of a page-table entry, and where its physical page number begins.
PTE_V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_G, PTE_A, PTE_D = (1 << bit for bit in range(8))
PTE_PPN_LOW = 10

#: Bits of a PMP entry's configuration byte.
PMP_R, PMP_W, PMP_X, PMP_A, PMP_L = 1 << 0, 1 << 1, 1 << 2, 3 << 3, 1 << 7
#: Values of its address-matching field ``A``, in place.
PMP_OFF, PMP_TOR, PMP_NA4, PMP_NAPOT = (mode << 3 for mode in range(4))
