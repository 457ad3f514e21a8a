"""Functional twin of the test finisher."""

from __future__ import annotations

from rvsim.periph.finisher.registers import FAIL, FINISHER, PASS, RESET
from rvsim.regs.node import Node, reg
from rvsim.regs.twin import Twin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class FinisherTwin(Twin):
    """Test finisher, functional.

    Parameters
    ----------
    finish : Callable[[int, int], None]
        Called with the kind (``PASS``, ``FAIL`` or ``RESET``) and the 16-bit code beside it.
    """

    def __init__(self, finish: Callable[[int, int], None]) -> None:
        super().__init__(FINISHER)
        self._finish = finish

    def command(self, value: int) -> None:
        """Side effect of a write to ``finish``."""
        kind = value & 0xFFFF
        if kind in (PASS, FAIL, RESET):
            self._finish(kind, value >> 16)


def device_tree_node(base: int, size: int, *, phandle: int) -> Node:
    """The finisher's node; ``phandle`` is its own, for :func:`syscon_nodes`."""
    return Node(
        f"test@{base:x}",
        {
            "phandle": phandle,
            "reg": reg(base, size),
            "compatible": ["sifive,test1", "sifive,test0", "syscon"],
        },
    )


def syscon_nodes(phandle: int) -> list[Node]:
    """The nodes ``poweroff`` and ``reboot`` of the root, which write to the finisher with this phandle."""
    return [
        Node(name, {"value": value, "offset": 0, "regmap": phandle, "compatible": f"syscon-{name}"})
        for name, value in (("poweroff", PASS), ("reboot", RESET))
    ]
