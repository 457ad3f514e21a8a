"""Source text of the assembler to statements: comments, labels, mnemonic, operands."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*|\d+)\s*:")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*(.*)", re.DOTALL)
_SKIPPED = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*"|'\\.'|'[^\\\n]'?)|(?P<block>/\*.*?\*/)|(?P<line>(?:\#|//)[^\n]*)""",
    re.DOTALL | re.VERBOSE,
)


class Statement:
    """One statement.

    Attributes
    ----------
    line, text
        Where it stands, from 1, and how it reads.
    labels
        Names of the labels before it; numeric ones as ``"1\\0n"``, the n-th of them.
    mnemonic
        Instruction or directive; empty if there are only labels.
    operands
        Its operands, split at commas outside parentheses and quotes.
    """

    __slots__ = ("_counts", "labels", "line", "mnemonic", "operands", "text")

    def __init__(self, line: int, text: str, counts: dict[str, int]) -> None:
        self.line, self.text = line, text
        self.labels: list[str] = []
        rest = text
        while match := _LABEL.match(rest):
            name = match.group(1)
            if name.isdigit():
                counts[name] = counts.get(name, 0) + 1
                name = f"{name}\0{counts[name]}"
            self.labels.append(name)
            rest = rest[match.end() :]
        self._counts = dict(counts)
        if match := _ASSIGNMENT.fullmatch(rest):
            self.mnemonic, self.operands = ".set", [match.group(1), match.group(2).strip()]
            return
        words = rest.split(None, 1)
        self.mnemonic = words[0].lower() if words else ""
        self.operands = split_operands(words[1]) if len(words) > 1 else []

    def local(self, reference: str) -> str:
        """The symbol that ``1f`` or ``1b`` stands for in this statement."""
        number, direction = reference[:-1], reference[-1]
        return f"{number}\0{self._counts.get(number, 0) + (direction == 'f')}"


def split_operands(text: str) -> list[str]:
    """Operands separated by commas, those in parentheses or quotes left whole."""
    operands, depth, start, quoted, position = [], 0, 0, "", 0
    while position < len(text):
        char = text[position]
        if char == "\\" and quoted:
            position += 1
        elif quoted:
            quoted = "" if char == quoted else quoted
        elif char == '"':
            quoted = char
        elif char == "'":
            position += 2 if text[position + 1 : position + 2] == "\\" else 1
            position += text[position + 1 : position + 2] == "'"
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and depth == 0:
            operands.append(text[start:position].strip())
            start = position + 1
        position += 1
    operands.append(text[start:].strip())
    return operands


def read_source(text: str) -> Iterator[Statement]:
    """The statements of a source text."""

    def blank(match: re.Match) -> str:
        if match.lastgroup == "string":
            return match.group()
        return " " + "\n" * match.group().count("\n")

    counts: dict[str, int] = {}
    for number, line in enumerate(_SKIPPED.sub(blank, text).split("\n"), 1):
        for part in _statements(line):
            if part.strip():
                yield Statement(number, part.strip(), counts)


def _statements(line: str) -> list[str]:
    """The line's parts between semicolons outside quotes."""
    parts, start = [], 0
    for match in re.finditer(r""""(?:\\.|[^"\\])*"|'\\?.'?|;""", line):
        if match.group() == ";":
            parts.append(line[start : match.start()])
            start = match.end()
    parts.append(line[start:])
    return parts
