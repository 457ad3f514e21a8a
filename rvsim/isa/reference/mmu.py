"""Loads, stores and fetches: alignment, Sv32 translation, protection, physical memory (section 4.3)."""

from __future__ import annotations

from ..csr import SATP
from ..protection import LEVEL_BITS, PAGE, PTE_A, PTE_D, PTE_PPN_LOW, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X
from ..traps import Cause, Privilege
from .memory import AccessError, PhysicalMemory
from .pmp import Pmp
from .state import MXR, SUM, State
from .traps import Trap

_INDEX = (1 << LEVEL_BITS) - 1

# By kind of access: read, write, execute.
_PAGE_FAULT = {
    "r": Cause.LOAD_PAGE_FAULT,
    "w": Cause.STORE_PAGE_FAULT,
    "x": Cause.INSTRUCTION_PAGE_FAULT,
}
_ACCESS_FAULT = {
    "r": Cause.LOAD_ACCESS_FAULT,
    "w": Cause.STORE_ACCESS_FAULT,
    "x": Cause.INSTRUCTION_ACCESS_FAULT,
}
_MISALIGNED = {"r": Cause.LOAD_ADDRESS_MISALIGNED, "w": Cause.STORE_ADDRESS_MISALIGNED}


class Mmu:
    """A hart's way to memory. It keeps no translations: each access walks the page table afresh."""

    def __init__(self, state: State, memory: PhysicalMemory, pmp: Pmp) -> None:
        self.state, self.memory, self.pmp = state, memory, pmp

    def translate(self, address: int, access: str, privilege: int) -> int:
        """The physical address (34 bits) of virtual ``address`` for an access ``"r"``, ``"w"`` or ``"x"``.

        Raises
        ------
        Trap
            A page fault, or an access fault of the walk itself.
        """
        satp = self.state.satp
        if privilege == Privilege.M or not satp & SATP["MODE"].mask:
            return address
        page_fault = Trap(_PAGE_FAULT[access], address)
        table = (satp & SATP["PPN"].mask) * PAGE
        for level in (1, 0):
            pte = self._read_pte(table + 4 * (address >> 12 + LEVEL_BITS * level & _INDEX), access, address)
            if not pte & PTE_V or pte & (PTE_R | PTE_W) == PTE_W:
                raise page_fault
            if pte & (PTE_R | PTE_X):
                break
            if pte & (PTE_A | PTE_D | PTE_U):
                raise page_fault
            table = (pte >> PTE_PPN_LOW) * PAGE
        else:
            raise page_fault
        page_number = pte >> PTE_PPN_LOW
        if level == 1:
            if page_number & _INDEX:
                raise page_fault  # a misaligned superpage
            page_number |= address >> 12 & _INDEX
        if not self._permits(pte, access, privilege):
            raise page_fault
        return page_number * PAGE | address % PAGE

    def _read_pte(self, where: int, access: str, address: int) -> int:
        # An implicit access of supervisor mode, whatever the mode of the access that needs it (section 4.3.2).
        if self.memory.kind(where, 4) != "ram" or not self.pmp.allows(where, 4, "r", Privilege.S):
            raise Trap(_ACCESS_FAULT[access], address)
        return self.memory.read(where, 4)

    def _permits(self, pte: int, access: str, privilege: int) -> bool:
        status = self.state.mstatus
        if privilege == Privilege.U:
            if not pte & PTE_U:
                return False
        elif pte & PTE_U and (access == "x" or not status & SUM):
            return False
        if access == "x":
            allowed = pte & PTE_X
        elif access == "w":
            allowed = pte & PTE_W and pte & PTE_D
        else:
            allowed = pte & PTE_R or (status & MXR and pte & PTE_X)
        return bool(allowed and pte & PTE_A)

    def locate(self, address: int, size: int, access: str, *, atomic: bool = False) -> list[tuple[int, int]]:
        """Where a load or store goes: ``(physical address, size)``, two of them if it crosses a page.

        All checks are made here, the first page before the second, so that what follows cannot trap half-way;
        only a device may still refuse. ``atomic``: LR, SC and AMOs, which want alignment and RAM.

        Raises
        ------
        Trap
            Any exception of the access.
        """
        aligned = address % size == 0
        if not aligned and (atomic or not self.state.config.misaligned):
            raise Trap(_MISALIGNED[access], address)
        privilege = self.state.data_privilege
        first = min(size, PAGE - address % PAGE)
        portions = [(address, first)]
        if first < size:
            portions.append((address + first & 0xFFFF_FFFF, size - first))
        located = []
        for start, length in portions:
            physical = self.translate(start, access, privilege)
            kind = self.memory.kind(physical, length)
            device = kind is None and aligned and not atomic
            rom = kind == "rom" and access == "r" and not atomic
            if not self.pmp.allows(physical, length, access, privilege) or not (kind == "ram" or device or rom):
                raise Trap(_ACCESS_FAULT[access], start)
            located.append((physical, length))
        return located

    def load(self, address: int, located: list[tuple[int, int]]) -> int:
        """The bytes at the places that :meth:`locate` found, as one little-endian number."""
        value = shift = 0
        try:
            for physical, length in located:
                value |= self.memory.read(physical, length) << shift
                shift += 8 * length
        except AccessError:
            raise Trap(Cause.LOAD_ACCESS_FAULT, address) from None
        return value

    def store(self, address: int, located: list[tuple[int, int]], value: int) -> None:
        """Write ``value`` to the places that :meth:`locate` found, little-endian."""
        try:
            for physical, length in located:
                self.memory.write(physical, length, value)
                value >>= 8 * length
        except AccessError:
            raise Trap(Cause.STORE_ACCESS_FAULT, address) from None

    def fetch(self, address: int) -> int:
        """The instruction word at ``address``: 16 bits if it is compressed, else 32.

        Each half-word is an access of its own, so that a fault names the half that failed (section 3.1.16).
        """
        low = self._fetch_half(address)
        if low & 3 != 3:
            return low
        return low | self._fetch_half(address + 2 & 0xFFFF_FFFF) << 16

    def _fetch_half(self, address: int) -> int:
        privilege = self.state.privilege
        physical = self.translate(address, "x", privilege)
        if self.memory.kind(physical, 2) is None or not self.pmp.allows(physical, 2, "x", privilege):
            raise Trap(Cause.INSTRUCTION_ACCESS_FAULT, address)
        return self.memory.read(physical, 2)
