"""Physical memory protection (privileged specification, section 3.7)."""

from __future__ import annotations

from ..protection import PMP_A, PMP_L, PMP_NA4, PMP_OFF, PMP_R, PMP_TOR, PMP_W, PMP_X
from ..traps import Privilege
from .state import State

_NEEDED = {"r": PMP_R, "w": PMP_W, "x": PMP_X}


class Pmp:
    """The protection unit over the ``pmpcfg`` and ``pmpaddr`` registers of a hart's state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.entries = state.config.pmp_entries
        self._cache_key: tuple[int, ...] | None = None
        self._regions: list[tuple[int, int, int]] = []

    def configuration(self, entry: int) -> int:
        """The configuration byte of an entry."""
        return getattr(self.state, f"pmpcfg{entry // 4}") >> 8 * (entry % 4) & 0xFF

    def address_is_locked(self, entry: int) -> bool:
        """Whether writes of ``pmpaddr<entry>`` are ignored (section 3.7.1, "Locking")."""
        if self.configuration(entry) & PMP_L:
            return True
        above = self.configuration(entry + 1) if entry + 1 < self.entries else 0
        return bool(above & PMP_L) and above & PMP_A == PMP_TOR

    def legalize_configuration(self, register: int, old: int, new: int) -> int:
        """``pmpcfg<register>`` after a write of ``new`` over ``old``: locked bytes stay, R=0 drops W."""
        for low in range(0, 32, 8):
            if old >> low & PMP_L:
                continue
            byte = new >> low & (PMP_R | PMP_W | PMP_X | PMP_A | PMP_L)
            if not byte & PMP_R:
                byte &= ~PMP_W
            old = old & ~(0xFF << low) | byte << low
        return old

    def regions(self) -> list[tuple[int, int, int]]:
        """Active entries in order: first address, address after the last, configuration byte."""
        state = self.state
        key = (state.pmpcfg0, state.pmpcfg1, state.pmpcfg2, state.pmpcfg3)
        key += tuple(getattr(state, f"pmpaddr{n}") for n in range(16)) if any(key) else ()
        if key == self._cache_key:
            return self._regions
        self._cache_key, self._regions = key, []
        for entry in range(self.entries):
            byte = self.configuration(entry)
            address = getattr(state, f"pmpaddr{entry}")
            mode = byte & PMP_A
            if mode == PMP_OFF:
                continue
            if mode == PMP_TOR:
                start = getattr(state, f"pmpaddr{entry - 1}") << 2 if entry else 0
                end = address << 2
            elif mode == PMP_NA4:
                start = address << 2
                end = start + 4
            else:
                ones = (address ^ address + 1) >> 1  # the trailing ones, which say how long it is
                start = (address & ~ones) << 2
                end = start + (ones + 1 << 3)
            if start < end:  # an empty range matches nothing
                self._regions.append((start, end, byte))
        return self._regions

    def allows(self, address: int, size: int, access: str, privilege: int) -> bool:
        """Whether ``privilege`` may access (``"r"``, ``"w"``, ``"x"``) ``size`` bytes at physical ``address``."""
        for start, end, byte in self.regions():
            if address < end and start < address + size:
                if address < start or end < address + size:
                    return False
                if privilege == Privilege.M and not byte & PMP_L:
                    return True
                return bool(byte & _NEEDED[access])
        return privilege == Privilege.M or not self.entries
