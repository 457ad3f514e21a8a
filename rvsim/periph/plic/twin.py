"""Functional twin of the PLIC (RISC-V PLIC specification 1.0.0)."""

from __future__ import annotations

from rvsim.periph.plic.registers import SOURCES, plic_map
from rvsim.regs.node import Node, reg
from rvsim.regs.twin import Twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class PlicTwin(Twin):
    """Platform-level interrupt controller, functional.

    Every gateway is level-triggered: it forwards one request while its line is high and then none until completion;
    a request that was forwarded stays pending although the line falls (chapter 3, "Interrupt Gateways").

    Parameters
    ----------
    contexts : list[Callable[[bool], None]]
        The interrupt line of each context; called when it changes. Context 0 is M-mode of hart 0, 1 its S-mode, …
    sources : int
        Interrupt numbers including 0, which means "none".
    """

    def __init__(self, contexts: list[Callable[[bool], None]], sources: int = SOURCES) -> None:
        super().__init__(plic_map(len(contexts), sources))
        self._contexts = contexts
        self._lines = [False] * len(contexts)
        self.sources = sources

    def reset(self) -> None:
        """As of any twin; the lines of the sources stay as they are, for the devices drive them."""
        level = self.level
        super().reset()
        self.level = level
        self._forward()

    def set_source(self, number: int, level: bool) -> None:
        """Drive the line of source ``number`` (1 to sources - 1); ``ValueError`` for any other number."""
        if not 0 < number < self.sources:
            raise ValueError(f"PLIC: source must be from 1 to {self.sources - 1}, not {number!r}")
        bit = 1 << number
        if not level:
            self.level &= ~bit
        elif not self.level & bit:
            self.level |= bit
            self._forward()

    def _forward(self) -> None:
        pending = self.pending | self.level & ~self.claimed
        if pending != self.pending:
            self.pending = pending
            self.update()

    def _best(self, context: int) -> tuple[int, int]:
        """Priority and number of the source that a claim would get; the lowest number wins a tie."""
        waiting = self.pending & self.enable[context]
        best = number = 0
        while waiting:
            lowest = waiting & -waiting
            source = lowest.bit_length() - 1
            if self.priority[source - 1] > best:
                best, number = self.priority[source - 1], source
            waiting ^= lowest
        return best, number

    def update(self, *_: int) -> None:
        """Side effect of a write to ``priority``: bring all lines up to date."""
        for context in range(len(self._contexts)):
            self.update_context(context)

    def update_context(self, context: int, value: int = 0) -> None:
        """Side effect of a write to ``enable`` or ``threshold``."""
        level = self._best(context)[0] > self.threshold[context]
        if level != self._lines[context]:
            self._lines[context] = level
            self._contexts[context](level)

    def drive_claim(self, context: int) -> int:
        """What a read of ``claim`` finds: the number that it claims."""
        return self._best(context)[1]

    def claim_interrupt(self, context: int) -> None:
        """Side effect of a read of ``claim``."""
        number = self._best(context)[1]
        if number:
            self.pending &= ~(1 << number)
            self.claimed |= 1 << number
            self.update()

    def complete_interrupt(self, context: int, number: int) -> None:
        """Side effect of a write to ``claim``: ignored unless the source is enabled for the context."""
        if number < self.sources and self.enable[context] >> number & 1:
            self.claimed &= ~(1 << number)
            self._forward()

    def restored(self) -> None:
        """Bring all lines up to date."""
        self.update()


def device_tree_node(
    base: int, size: int, *, phandle: int, targets: list[tuple[int, int]], sources: int = SOURCES
) -> Node:
    """The PLIC's node.

    Parameters
    ----------
    base, size : int
        Where it is.
    phandle : int
        Its own, for the devices that interrupt through it.
    targets : list[tuple[int, int]]
        By context: phandle of a hart's ``riscv,cpu-intc`` and cause number there (11: M-mode, 9: S-mode).
    sources : int
        As for the twin.
    """
    return Node(
        f"plic@{base:x}",
        {
            "phandle": phandle,
            "riscv,ndev": sources - 1,
            "reg": reg(base, size),
            "interrupts-extended": [cell for target in targets for cell in target],
            "interrupt-controller": None,
            "compatible": ["sifive,plic-1.0.0", "riscv,plic0"],
            "#address-cells": 0,
            "#interrupt-cells": 1,
        },
    )
