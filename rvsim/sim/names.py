"""Hierarchical names of signals and memories, and the nearest ones to a name that does not exist."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Mapping

from amaranth.hdl import Format


class Names:
    """A lookup by hierarchical name that explains what it does not find."""

    def __init__(self, kind: str, table: dict[str, object]) -> None:
        self.kind, self.table = kind, table

    def __getitem__(self, name: str) -> object:
        if name in self.table:
            return self.table[name]
        near = difflib.get_close_matches(name, self.table, n=3, cutoff=0.5)
        tail = [full for full in self.table if full.rsplit(".", 1)[-1] == name.rsplit(".", 1)[-1]]
        hint = list(dict.fromkeys([*tail[:3], *near]))[:4]
        said = f"; near: {', '.join(hint)}" if hint else ""
        raise KeyError(f"no {self.kind} is named {name!r}{said}")

    def matching(self, pattern: str) -> list[str]:
        """All names that match a glob, sorted; ``KeyError`` if there is none."""
        found = sorted(fnmatch.filter(self.table, pattern))
        if not found:
            self.table and self[pattern]
            raise KeyError(f"no {self.kind} matches {pattern!r}")
        return found


def signal_names(names: Iterable[tuple[object, list[tuple[str, ...]]]]) -> dict[str, object]:
    """Dotted name → signal; of several signals with one name the first keeps it."""
    table: dict[str, object] = {}
    for signal, paths in names:
        for path in paths:
            table.setdefault(".".join(path), signal)
    return table


def find_field(name: str, table: Mapping[str, object]) -> object | None:
    """The part of a structured signal that waveforms show under this name, ``bus.header.kind`` or ``counts[1]``.

    Parameters
    ----------
    table
        Hierarchical name → signal.

    Returns
    -------
    A value, or ``None``: there is no such signal, or no such field in it.
    """
    for end in sorted((match.start() for match in re.finditer(r"[.[]", name)), reverse=True):
        signal = table.get(name[:end])
        if signal is None or not re.fullmatch(r"(\.[^.[\]]+|\[\d+\])+", name[end:]):
            continue
        format = getattr(signal, "_format", None)
        for part in re.findall(r"\.([^.[]+)|\[(\d+)\]", name[end:]):
            if isinstance(format, Format.Struct) and part[0] in format._fields:
                format = format._fields[part[0]]
            elif isinstance(format, Format.Array) and part[1] and int(part[1]) < len(format._fields):
                format = format._fields[int(part[1])]
            else:
                return None
        if isinstance(format, Format):
            return format._chunks[0][0] if len(format._chunks) == 1 and not isinstance(format._chunks[0], str) else None
        return format._value
    return None
