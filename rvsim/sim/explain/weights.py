"""What a line of LLVM text costs, in machine instructions: a rough table, good enough to say where the time goes.

Conversions and addresses mostly vanish when the code is optimised. Divisions are counted by the time that they take.
"""

from __future__ import annotations

import re

#: Lines whose result is nearly always part of another instruction, or kept in a register.
_FREE = {"trunc", "zext", "getelementptr", "alloca", "inttoptr", "ptrtoint", "ret"}
_DIVISIONS = {"udiv", "urem", "sdiv", "srem"}

#: In instructions; what is not listed counts 1.
_WEIGHT = {"switch": 6, "select": 2, "call": 2}
DIVISION, COUNT_BITS = 20, 12

_LINE = re.compile(r"^  (?:%\S+ = )?(\w+)(?: (.*))?$")
_TYPE = re.compile(r"\bi(\d+)\b")


def operations(line: str) -> int:
    """Machine instructions that a line stands for."""
    match = _LINE.match(line)
    if match is None:
        return 0  # a label
    name, rest = match[1], match[2] or ""
    if name in _FREE:
        return 0
    if name == "br":
        return 1 if rest.startswith("i1") else 0
    words = max(1, -(-int(found[1]) // 64)) if (found := _TYPE.search(rest)) else 1
    if name in _DIVISIONS:
        return DIVISION * words * words
    if name == "mul":
        return words * words
    if name == "call" and "llvm.ctpop" in rest:
        return COUNT_BITS
    return _WEIGHT.get(name, 1) * words
