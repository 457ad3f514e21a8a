"""What instructions, CSRs and traps mean. Imports nothing of ours but frozen records."""

from __future__ import annotations

# Names are imported when asked for: a warm start of the functional core needs none of the instruction tables.
_HOME = {
    "IsaConfig": "config",
    "decode": "disassembler",
    "disassemble": "disassembler",
    "Instruction": "instruction",
    "Operands": "instruction",
    "instructions": "tables",
    "find": "tables",
    "CSRS": "csr",
    "Cause": "traps",
    "assemble": "assembler",
    "ReferenceHart": "reference",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
