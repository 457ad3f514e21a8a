"""Physical memory as the reference hart sees it: RAM, ROM, and whatever else answers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Protocol


class AccessError(Exception):
    """A physical access that nothing answers."""


class Mmio(Protocol):
    """Devices outside RAM and ROM; naturally aligned accesses of 1, 2 or 4 bytes."""

    def read(self, address: int, size: int) -> int:
        """``size`` bytes, unsigned little-endian."""

    def write(self, address: int, size: int, value: int) -> None:
        """Write ``size`` bytes."""


class PhysicalMemory:
    """RAM and ROM ranges, with devices beside them.

    Parameters
    ----------
    ram
        Base address → contents; each range starts and ends on a 4 KiB boundary.
    rom
        Base address → contents: readable and executable.
    mmio
        Devices for all other addresses, or ``None``.
    mmio_error
        The exception by which ``mmio`` says that nothing answers.

    Raises
    ------
    ValueError
        Ranges overlap.
    """

    def __init__(
        self,
        ram: Mapping[int, bytearray],
        rom: Mapping[int, bytes] | None = None,
        mmio: Mmio | None = None,
        mmio_error: type[Exception] = AccessError,
    ) -> None:
        self.ram, self.rom = dict(ram), dict(rom or {})
        self.mmio, self.mmio_error = mmio, mmio_error
        ranges = sorted((base, base + len(data)) for base, data in (*self.ram.items(), *self.rom.items()))
        for (_, end), (base, _) in pairwise(ranges):
            if base < end:
                raise ValueError(f"memory ranges overlap at {base:#x}")

    def kind(self, address: int, size: int) -> str | None:
        """``"ram"`` or ``"rom"`` if all ``size`` bytes at ``address`` lie in one such range, else ``None``."""
        for base, data in self.ram.items():
            if base <= address and address + size <= base + len(data):
                return "ram"
        for base, data in self.rom.items():
            if base <= address and address + size <= base + len(data):
                return "rom"
        return None

    def _find(self, address: int, size: int, ranges: Mapping[int, bytes]) -> tuple[bytes, int] | None:
        for base, data in ranges.items():
            if base <= address and address + size <= base + len(data):
                return data, address - base
        return None

    def read(self, address: int, size: int) -> int:
        """``size`` bytes as an unsigned little-endian number.

        Raises
        ------
        AccessError
            Nothing answers there.
        """
        found = self._find(address, size, self.ram) or self._find(address, size, self.rom)
        if found:
            data, offset = found
            return int.from_bytes(data[offset : offset + size], "little")
        if self.mmio is None or address >> 32:
            raise AccessError(f"nothing at {address:#x}")
        try:
            return self.mmio.read(address, size) & ((1 << 8 * size) - 1)
        except self.mmio_error as error:
            raise AccessError(str(error)) from error

    def write(self, address: int, size: int, value: int) -> None:
        """Write the low ``size`` bytes of ``value``, little-endian.

        Raises
        ------
        AccessError
            Nothing answers there, or it is ROM.
        """
        value &= (1 << 8 * size) - 1
        found = self._find(address, size, self.ram)
        if found:
            data, offset = found
            data[offset : offset + size] = value.to_bytes(size, "little")
            return
        if self.mmio is None or address >> 32 or self._find(address, size, self.rom):
            raise AccessError(f"nothing writable at {address:#x}")
        try:
            self.mmio.write(address, size, value)
        except self.mmio_error as error:
            raise AccessError(str(error)) from error
