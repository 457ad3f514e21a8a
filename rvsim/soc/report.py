"""The hart's state as text, for a guest that ran into nothing."""

from __future__ import annotations

from rvsim.isa import decode
from rvsim.isa.syntax import REGISTERS
from rvsim.isa.traps import INTERRUPT_BIT, NAMES, Privilege

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.cpu.functional import FunctionalCore

_CSRS = ("mstatus", "mtvec", "mepc", "mcause", "mtval", "mie", "mip", "satp", "stvec", "sepc", "scause", "stval")
_BEFORE, _AFTER = 4, 5


def trap_loop(core: FunctionalCore) -> str:
    """What happens again and again."""
    mode = _handler_mode(core)
    cause, vector = core.csr(f"{mode}cause"), core.csr(f"{mode}tvec")
    if cause & INTERRUPT_BIT:
        what = f"interrupt {cause ^ INTERRUPT_BIT}"
    else:
        what = NAMES.get(cause, f"trap {cause}")
    return f"{what} at pc {core.csr(f'{mode}epc'):#010x} again and again ({mode}tvec {vector:#010x})"


def _handler_mode(core: FunctionalCore) -> str:
    """First letter of the CSRs that the last trap wrote: it may be delegated."""
    return "s" if core.privilege == Privilege.S else "m"


def hart_report(core: FunctionalCore) -> str:
    """Registers, CSRs and a disassembly around ``pc``."""
    lines = [f"pc {core.pc:08x}  {Privilege(core.privilege).name}-mode, {core.instret} instructions retired"]
    for first in range(0, 32, 4):
        lines.append("  ".join(f"{REGISTERS[n]:>4} {core.x[n]:08x}" for n in range(first, first + 4)))
    for first in range(0, len(_CSRS), 4):
        lines.append("  ".join(f"{name:>7} {core.csr(name):08x}" for name in _CSRS[first : first + 4]))
    lines += _code(core, core.pc)
    trapped = core.csr(f"{_handler_mode(core)}epc")
    if trapped != core.pc:
        lines += _code(core, trapped)
    return "\n".join(lines)


def _code(core: FunctionalCore, pc: int) -> list[str]:
    words: list[tuple[int, int]] = []
    at = pc
    while len(words) < _AFTER and (word := _fetch(core, at)) is not None:
        words.append((at, word))
        at += 4 if word & 3 == 3 else 2
    if not words:
        return [f"at {pc:08x} there is no memory to execute"]
    # Backwards, instructions of two lengths cannot be told apart: only those that lead to pc exactly are shown.
    before = _before(core, pc)
    lines = [f"around {pc:08x}:"]
    for address, word in (*before, *words):
        mark = ">" if address == pc else " "
        shown = f"{word:08x}" if word & 3 == 3 else f"{word:04x}    "
        lines.append(f"{mark} {address:08x}: {shown}  {decode(word, address).text}")
    return lines


def _before(core: FunctionalCore, pc: int) -> list[tuple[int, int]]:
    for distance in range(4 * _BEFORE, 0, -2):
        at, found = pc - distance, []
        while at < pc and (word := _fetch(core, at)) is not None:
            found.append((at, word))
            at += 4 if word & 3 == 3 else 2
        if at == pc:
            return found
    return []


def _fetch(core: FunctionalCore, address: int) -> int | None:
    """The instruction at a virtual address, None where there is none."""
    word = 0
    for half in (0, 2):
        physical = core.translate((address + half) & 0xFFFF_FFFF, "x")
        if physical is None:
            return None
        try:
            word |= int.from_bytes(core.memory.read(physical, 2), "little") << 8 * half
        except ValueError:
            return None
        if word & 3 != 3:
            break
    return word
