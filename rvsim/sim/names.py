"""Hierarchical names of signals and memories, and the nearest ones to a name that does not exist."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable


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
