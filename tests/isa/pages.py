"""Sv32 page tables for tests, built in a hart's physical memory."""

from tests.isa.engines import RAM

V, R, W, X, U, G, A, D = (1 << bit for bit in range(8))
#: Everything allowed in supervisor mode.
FULL = V | R | W | X | A | D
SV32 = 1 << 31


class PageTable:
    """A root table at ``where``, with the second-level tables behind it."""

    def __init__(self, hart, where=RAM + 0x1_0000):
        self.hart, self.root, self.free = hart, where, where + 0x1000
        hart.write(where, bytes(0x1000))
        self.tables = {}

    @property
    def satp(self):
        """Value for ``satp``: Sv32, ASID 0."""
        return SV32 | self.root >> 12

    def slot(self, address, level=0):
        """Physical address of the entry for virtual ``address`` at ``level`` (1: the root)."""
        index = address >> 22
        if level == 1:
            return self.root + 4 * index
        if index not in self.tables:
            self.tables[index] = self.free
            self.hart.write(self.free, bytes(0x1000))
            self.hart.store_word(self.root + 4 * index, self.free >> 12 << 10 | V)
            self.free += 0x1000
        return self.tables[index] + 4 * (address >> 12 & 0x3FF)

    def map(self, address, physical, flags=FULL, level=0):
        """Translate the page (``level`` 1: the 4 MiB superpage) at ``address`` to ``physical``."""
        self.hart.store_word(self.slot(address, level), physical >> 12 << 10 | flags)
