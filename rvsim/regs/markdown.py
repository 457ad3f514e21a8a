"""Register maps as Markdown tables, for the documentation."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.regs.map import Field, Register, RegisterMap

_HARDWARE = {"r": "reads", "rw": "reads, changes", "w": "drives", "-": "–"}


def document(registers: RegisterMap) -> str:
    """The section of one device: its registers, their fields, and the state that no address shows."""
    sizes = ", ".join(map(str, registers.sizes))
    lines = [
        f"## {registers.name}",
        "",
        registers.description,
        "",
        f"{registers.size:#x} bytes; accesses of {sizes} bytes, naturally aligned; any other is an access fault.",
        "",
        "| offset | register | bits | software | hardware | reset | description |",
        "|---|---|---|---|---|---|---|",
    ]
    for register in sorted(registers.registers, key=lambda register: register.offset):
        lines += _register(registers, register)
    if registers.state:
        lines += ["", "State behind the registers:", "", "| name | bits | description |", "|---|---|---|"]
        lines += [
            f"| `{state.name}` | {f'{state.depth} × ' if state.depth else ''}{state.width} | {state.description} |"
            for state in registers.state
        ]
    return "\n".join(lines) + "\n"


def _register(registers: RegisterMap, register: Register) -> list[str]:
    offset = f"{register.offset:#06x}"
    if register.count:
        offset += f" + {register.pitch:#x}·n, n < {register.count}"
    if register.bank is not None:
        offset += f", `{registers.bank}` = {register.bank}"
    effects = [
        f"{when} `{name}`"
        for when, name in (("a read fires", register.on_read), ("a write fires", register.on_write))
        if name
    ]
    description = "; ".join([text for text in (register.description, *effects) if text])
    if register.fields:
        head = f"| {offset} | **{register.name}** | {register.width} | | | | {description} |"
        return [head, *(_field(register, field) for field in register.fields)]
    (field,) = register.parts
    return [
        f"| {offset} | **{register.name}** | {register.width} | {field.access} | {_HARDWARE[field.hardware]} "
        f"| {_reset(field)} | {description} |"
    ]


def _field(register: Register, field: Field) -> str:
    last = field.bit + field.width - 1
    bits = f"{field.bit}" if last == field.bit else f"{last}:{field.bit}"
    return (
        f"| | `{register.name}.{field.name}` | {bits} | {field.access} | {_HARDWARE[field.hardware]} "
        f"| {_reset(field)} | {field.description} |"
    )


def _reset(field: Field) -> str:
    return f"{field.reset:#x}" if field.held else "–"
