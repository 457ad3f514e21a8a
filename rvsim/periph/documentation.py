"""The page of all register maps: ``python -m rvsim.periph.documentation > docs/peripherals.md``."""

from __future__ import annotations

import sys

from rvsim.periph.clint import clint_map
from rvsim.periph.finisher import FINISHER
from rvsim.periph.plic import plic_map
from rvsim.periph.rtc import RTC
from rvsim.periph.uart import UART
from rvsim.regs.markdown import document

_HEAD = """\
# Peripherals

Generated from the register maps by `python -m rvsim.periph.documentation`; do not edit.

Each device has one register map, to which its functional twin and (where it exists) its hardware are bound; both pass
the same tests. Addresses and interrupt numbers belong to the machine, not to the device. Offsets without a register
read as zero and ignore writes.

**software**: `rw` reads back what was written, `ro` ignores writes, `wo` reads as zero, `w1c` writing 1 clears,
`w1s` writing 1 sets, `rc` a read clears what it has seen. **hardware**: what the device does with the bits: it reads
them, changes them, or drives them (then nothing is held in the register).
"""


def maps() -> list:
    """The maps of all devices, as a machine with one hart has them."""
    return [UART, clint_map(1), plic_map(2), FINISHER, RTC]


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *map(document, maps())])


if __name__ == "__main__":
    sys.stdout.write(render())
