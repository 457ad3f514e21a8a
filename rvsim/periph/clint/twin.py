"""Functional twin of the CLINT: a window onto state that lives in the harts and in the clock."""

from __future__ import annotations

from rvsim.isa.interrupts import MSI, MTI
from rvsim.periph.clint.registers import clint_map
from rvsim.regs.node import Node, reg
from rvsim.regs.twin import Twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class ClintHart(Protocol):
        """What the twin needs of a hart: the comparison with ``mtime`` is the hart's own."""

        mtimecmp: int
        msip: bool

    class Clock(Protocol):
        """What the twin needs of the owner of time."""

        mtime: int


class ClintTwin(Twin):
    """Core-local interruptor, functional.

    It keeps no state: a hart compares ``mtime`` with its ``mtimecmp`` itself, in compiled code.

    Parameters
    ----------
    harts : list[ClintHart]
        Each has the attributes ``mtimecmp`` (unsigned, 64 bits) and ``msip`` (bool), readable and writable.
    clock : Clock
        Has the attribute ``mtime`` (unsigned, 64 bits, 10 MHz), readable and writable.
    """

    def __init__(self, harts: list[ClintHart], clock: Clock) -> None:
        self._harts = harts
        self._clock = clock
        super().__init__(clint_map(len(harts)))

    def get_msip(self, index: int) -> int:
        return int(self._harts[index].msip)

    def set_msip(self, index: int, value: int) -> None:
        self._harts[index].msip = bool(value & 1)

    def get_mtimecmp(self, index: int) -> int:
        return self._harts[index].mtimecmp

    def set_mtimecmp(self, index: int, value: int) -> None:
        self._harts[index].mtimecmp = value

    def get_mtime(self) -> int:
        return self._clock.mtime

    def set_mtime(self, value: int) -> None:
        self._clock.mtime = value


def device_tree_node(base: int, size: int, *, hart_controllers: list[int]) -> Node:
    """The CLINT's node.

    Parameters
    ----------
    base, size : int
        Where it is.
    hart_controllers : list[int]
        Phandle of each hart's ``riscv,cpu-intc``, by hart number.
    """
    return Node(
        f"clint@{base:x}",
        {
            "interrupts-extended": [cell for phandle in hart_controllers for cell in (phandle, MSI, phandle, MTI)],
            "reg": reg(base, size),
            "compatible": ["sifive,clint0", "riscv,clint0"],
        },
    )
