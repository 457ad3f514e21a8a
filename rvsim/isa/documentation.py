"""The table of CSRs in ``docs/implementation-defined.md``: ``python -m rvsim.isa.documentation``."""

from __future__ import annotations

import re

from .config import IsaConfig
from .csr import Register, registers

_HEAD = (
    "| number | register | accessible from | writable bits | reset | section |",
    "|---|---|---|---|---|---|",
)


def _series(registers: list[Register]) -> list[list[Register]]:
    """Registers that differ only by a number in their name and stand side by side, together."""
    groups: list[list[Register]] = []
    for register in registers:
        last = groups[-1][-1] if groups else None
        alike = last is not None and (
            re.sub(r"\d+", "#", last.name) == re.sub(r"\d+", "#", register.name)
            and last.name != register.name
            and last.number + 1 == register.number
            and (last.writable, last.section) == (register.writable, register.section)
        )
        if alike:
            groups[-1].append(register)
        else:
            groups.append([register])
    return groups


def _writable(register: Register) -> str:
    if register.read_only:
        return "read-only"
    if not register.fields:
        return "none: writes are ignored"
    if len(register.fields) == 1 and register.writable == 0xFFFF_FFFF:
        return "all"
    if register.name.startswith("pmpcfg"):
        return "in each byte L (7), A (4:3), X (2), W (1), R (0)"
    fields = []
    for field in register.fields:
        bits = f"{field.high}" if field.high == field.low else f"{field.high}:{field.low}"
        legal = f" ∈ {{{', '.join(map(str, field.legal))}}}" if field.legal else ""
        named = field.name != register.name and field.name.isupper()
        fields.append(f"{field.name} ({bits}){legal}" if named else bits)
    return ", ".join(fields)


def _reset(register: Register) -> str:
    if register.name.startswith("stimecmp"):
        return "0xffffffff"
    return f"{register.constant:#x}" if register.constant else "0"


def csr_table(config: IsaConfig | None = None) -> str:
    """The CSRs of a configuration as a Markdown table, by number."""
    table = registers(config or IsaConfig())
    rows = list(_HEAD)
    for group in _series([table[number] for number in sorted(table)]):
        first, last = group[0], group[-1]
        number = f"0x{first.number:03x}" + (f"…0x{last.number:03x}" if len(group) > 1 else "")
        name = f"`{first.name}`" + (f"…`{last.name}`" if len(group) > 1 else "")
        mode = {0: "U", 1: "S", 3: "M"}[first.privilege]
        rows.append(f"| {number} | {name} | {mode} | {_writable(first)} | {_reset(first)} | {first.section} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(csr_table())
