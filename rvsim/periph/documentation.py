"""The page of all peripherals: ``python -m rvsim.periph.documentation > docs/peripherals.md``."""

from __future__ import annotations

import inspect
import re
import sys

from rvsim.periph.clint import Clint, clint_map
from rvsim.periph.finisher import FINISHER, Finisher
from rvsim.periph.plic import Plic, plic_map
from rvsim.periph.rtc import RTC, Rtc, WallTime
from rvsim.periph.uart import UART, Uart
from rvsim.regs.markdown import document

_HEAD = """\
# Peripherals

Generated from register maps and components by `python -m rvsim.periph.documentation`; do not edit.

Each device has one register map, to which its functional twin and its hardware, an Amaranth component, are bound; both
pass the same tests. Addresses and interrupt numbers belong to the machine, not to the device. Offsets without a
register read as zero and ignore writes.

**software**: `rw` reads back what was written, `ro` ignores writes, `wo` reads as zero, `w1c` writing 1 clears,
`w1s` writing 1 sets, `rc` a read clears what it has seen. **hardware**: what the device does with the bits: it reads
them, changes them, or drives them (then nothing is held in the register).

In hardware a device is a Wishbone target of 32 bits. It answers an access in the cycle after its request, with `ack`,
or with `err` where the twin has an access fault. No output depends on an input of the same cycle. Ports are given as
the device sees them: `In` is driven from outside.
"""


_ROLE = re.compile(r":\w+:`(?:[\w.]*\.)?(\w+)`")
_SECTION = re.compile(r"^(\w+)\n-+\n", re.MULTILINE)


def maps() -> list:
    """The maps of all devices, as a machine with one hart has them."""
    return [UART, clint_map(1), plic_map(2), FINISHER, RTC]


def components() -> list[tuple[type, ...]]:
    """The components of each device, in the order of :func:`maps`."""
    return [(Uart,), (Clint,), (Plic,), (Finisher,), (Rtc, WallTime)]


def describe(component: type) -> str:
    """A component's contract and ports, from its documentation."""
    text = _ROLE.sub(r"`\1`", inspect.cleandoc(component.__doc__)).replace("``", "`")
    introduction, *rest = _SECTION.split(text)
    sections = dict(zip(rest[::2], rest[1::2]))
    lines = [f"### `{component.__module__.removesuffix('.hardware')}.{component.__name__}`", "", introduction.rstrip()]
    for title, heading in (("Parameters", "parameter"), ("Members", "port")):
        if title in sections:
            lines += ["", f"| {heading} | | |", "|---|---|---|"]
            lines += [f"| **{name}** | {shape} | {said} |" for name, shape, said in _entries(sections[title])]
    return "\n".join(lines) + "\n"


def _entries(section: str) -> list[tuple[str, str, str]]:
    """Name, type and description of each entry of a section."""
    found = []
    for entry in re.split(r"\n(?=\S)", section.strip()):
        head, _, said = entry.partition("\n")
        name, _, shape = head.partition(" : ")
        found.append((name, shape, " ".join(said.split())))
    return found


def render() -> str:
    """The whole page."""
    pages = []
    for registers, hardware in zip(maps(), components()):
        pages += [document(registers), *map(describe, hardware)]
    return "\n".join([_HEAD, *pages])


if __name__ == "__main__":
    sys.stdout.write(render())
