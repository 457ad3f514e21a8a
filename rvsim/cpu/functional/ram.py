"""Guest RAM and registers as Python and bus masters see them."""

from __future__ import annotations

import ctypes
import mmap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .core import FunctionalCore
    from .state import HartState


def anonymous(size: int) -> mmap.mmap:
    """Zeroed memory that takes room only where it is touched."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    return mmap.mmap(-1, size, flags=flags)


def prefer_huge_pages(memory: mmap.mmap) -> None:
    """A fifth faster on memory-bound guests, where the kernel has huge pages at all."""
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except (AttributeError, OSError):
        return


def address_of(memory: mmap.mmap) -> int:
    """Host address of a mapping."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class Memory:
    """Guest RAM as bus masters see it (DMA): what they write, the core executes and reads.

    Attributes
    ----------
    ram
        Writable ``memoryview`` of guest RAM. Writing through it while the hart has run goes past predecoded code:
        use :meth:`write`.
    base, size
        Physical address of RAM, and its size in bytes.
    """

    def __init__(self, core: FunctionalCore, base: int, size: int) -> None:
        self._core, self.base, self.size = core, base, size
        self.ram = memoryview(core._ram)[:size]

    def offset(self, address: int, length: int) -> int:
        """Where ``length`` bytes at a physical address are in :attr:`ram`; ``ValueError`` if not all of them are."""
        offset = address - self.base
        if length < 0 or offset < 0 or offset + length > self.size:
            raise ValueError(
                f"{length} bytes at {address:#x} are not all in RAM ({self.base:#x}, {self.size:#x} bytes)"
            )
        return offset

    def read(self, address: int, length: int) -> bytes:
        """``length`` bytes at a physical address.

        Raises
        ------
        ValueError
            Not all of them are in RAM.
        """
        start = self.offset(address, length)
        return bytes(self.ram[start : start + length])

    def write(self, address: int, data: bytes) -> None:
        """Write bytes at a physical address; predecoded instructions and reservations there are forgotten.

        Raises
        ------
        ValueError
            Not all of them are in RAM.
        """
        start = self.offset(address, len(data))
        if data:
            self.ram[start : start + len(data)] = data
            self._core.written(start, len(data))


class Registers:
    """``x[0]`` … ``x[31]``: reads and writes the hart's integer registers (32 bits)."""

    def __init__(self, state: HartState) -> None:
        self._x = state.x

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < 32:
            raise IndexError(f"x{index}: registers are x0 to x31")
        return self._x[index]

    def __setitem__(self, index: int, value: int) -> None:
        if not 0 <= index < 32:
            raise IndexError(f"x{index}: registers are x0 to x31")
        if index:
            self._x[index] = value & 0xFFFF_FFFF
