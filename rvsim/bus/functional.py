"""Addresses to devices, one Python call an access."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_BITS = 12
PAGE_SIZE = 1 << PAGE_BITS
"""The bus remembers by page which device answers."""


class BusError(Exception):
    """An access that nothing answers: the hart takes an access-fault exception."""


class FunctionalBus:
    """Sends each access to the device at its address.

    A target has ``read(offset, size) -> int`` and ``write(offset, size, value)``, with offsets from its own base, and
    may raise :exc:`BusError`.
    """

    def __init__(self) -> None:
        self._regions: list[tuple[int, int, object, str]] = []
        # Filled as pages are used: page number -> (base, size, read, write). A page that two devices share is not
        # kept here and is searched at every access.
        self._pages: dict[int, tuple] = {}

    def add(self, base: int, size: int, target: object, name: str) -> None:
        """Put ``target`` at ``size`` bytes from address ``base``.

        Raises
        ------
        ValueError
            The range is empty, negative, or overlaps a device that is there already.
        TypeError
            ``target`` lacks ``read`` or ``write``.
        """
        if not (callable(getattr(target, "read", None)) and callable(getattr(target, "write", None))):
            raise TypeError(f"{name}: a target has read(offset, size) and write(offset, size, value)")
        if base < 0 or size <= 0:
            raise ValueError(f"{name}: base {base:#x} and size {size:#x} must be positive")
        for other, extent, _, owner in self._regions:
            if base < other + extent and other < base + size:
                raise ValueError(
                    f"{name} at {base:#x}..{base + size - 1:#x} overlaps {owner} at {other:#x}..{other + extent - 1:#x}"
                )
        self._regions.append((base, size, target, name))
        self._regions.sort(key=lambda region: region[0])
        self._pages.clear()

    def __iter__(self) -> Iterator[tuple[int, int, object, str]]:
        """``(base, size, target, name)`` by rising address."""
        return iter(self._regions)

    def read(self, address: int, size: int) -> int:
        """Read ``size`` bytes, unsigned little-endian; :exc:`BusError` where no device answers."""
        entry = self._pages.get(address >> PAGE_BITS)
        if entry is None:
            entry = self._find(address, size)
        base, extent, read, _ = entry
        offset = address - base
        if 0 <= offset <= extent - size:
            return read(offset, size)
        raise BusError(f"no device at {address:#x} ({size}-byte read)")

    def write(self, address: int, size: int, value: int) -> None:
        """Write the low ``size`` bytes of ``value``; :exc:`BusError` where no device answers."""
        entry = self._pages.get(address >> PAGE_BITS)
        if entry is None:
            entry = self._find(address, size)
        base, extent, _, write = entry
        offset = address - base
        if 0 <= offset <= extent - size:
            return write(offset, size, value)
        raise BusError(f"no device at {address:#x} ({size}-byte write)")

    def _find(self, address: int, size: int) -> tuple:
        page = address & ~(PAGE_SIZE - 1)
        here = [r for r in self._regions if r[0] < page + PAGE_SIZE and page < r[0] + r[1]]
        for base, extent, target, _ in here:
            if base <= address < base + extent or len(here) == 1:
                entry = (base, extent, target.read, target.write)
                if len(here) == 1:
                    self._pages[address >> PAGE_BITS] = entry
                return entry
        raise BusError(f"no device at {address:#x} ({size}-byte access)")
