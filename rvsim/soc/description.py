"""The SoC description: every block with its base, size and interrupt number, in one place only.

Addresses and interrupt numbers are those of QEMU's ``virt`` board. What a block's registers are stands in its own
room (:mod:`rvsim.periph`); what is built from this table is the machine, the device tree and the documentation.
"""

from __future__ import annotations

from rvsim.frozen import Frozen


class Block(Frozen):
    """A block of the SoC.

    Parameters
    ----------
    name : str
        Lower case; for a peripheral, also its room below :mod:`rvsim.periph`.
    base, size : int
        Physical address and extent in bytes.
    interrupt : int
        PLIC source number, 0 where it has none.
    """

    name: str
    base: int
    size: int
    interrupt: int = 0

    def validate(self) -> None:
        """Raise ``ValueError`` for a block that cannot be."""
        if self.base < 0 or self.size <= 0 or self.end > 1 << 32:
            raise ValueError(f"{self.name}: {self.base:#x} + {self.size:#x} is outside of the 32-bit address space")
        if not 0 <= self.interrupt < 1024:
            raise ValueError(f"{self.name}: interrupt {self.interrupt} is not a number that a PLIC can have")

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.size


BOOT_ROM = Block(name="rom", base=0x0000_1000, size=0xF000)
FINISHER = Block(name="finisher", base=0x0010_0000, size=0x1000)
RTC = Block(name="rtc", base=0x0010_1000, size=0x1000, interrupt=11)
CLINT = Block(name="clint", base=0x0200_0000, size=0x1_0000)
PLIC = Block(name="plic", base=0x0C00_0000, size=0x60_0000)
UART = Block(name="uart", base=0x1000_0000, size=0x100, interrupt=10)

PERIPHERALS = (FINISHER, RTC, CLINT, PLIC, UART)
"""What every machine has on its bus, by rising address."""

VIRTIO_SLOTS = tuple(
    Block(name=f"virtio{n}", base=0x1000_1000 + 0x1000 * n, size=0x1000, interrupt=1 + n) for n in range(8)
)
"""Where virtio-mmio devices go, where the machine has any."""

RAM_BASE = 0x8000_0000

TIMEBASE = 10_000_000
"""Frequency of ``mtime`` in Hz."""

RESET_VECTOR = BOOT_ROM.base
