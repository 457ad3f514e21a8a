"""What all peers have in common: what is measured, and in which state a run must end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path


class Missing(Exception):
    """A package that a peer needs is not installed."""


@dataclass(frozen=True)
class Subject:
    """A design to be measured.

    Attributes
    ----------
    name, make
        What it is called, and makes a fresh one.
    outputs
        Output ports that are compared at the end of a run.
    memories
        Hierarchical name → rows (of at most 64 bits) of memories that are compared, by digest.
    """

    name: str
    make: Callable[[], object]
    outputs: tuple[str, ...]
    memories: dict[str, int]


@dataclass(frozen=True)
class Measurement:
    """A run: seconds, and the values of outputs and digests of memories at its end."""

    seconds: float
    state: tuple[int, ...]


@dataclass
class Built:
    """A subject, ready to run.

    Attributes
    ----------
    run
        Runs so many cycles from reset.
    stages
        What was done to build it → seconds.
    """

    run: Callable[[int], Measurement]
    stages: dict[str, float] = field(default_factory=dict)


class Peer:
    """A simulator. ``slow`` ones run fewer cycles."""

    name: str
    slow = False

    def build(self, subject: Subject, folder: Path) -> Built:
        """Make a subject ready to run; files go to an empty folder.

        Raises
        ------
        Missing
            A package is not installed.
        """
        raise NotImplementedError


def digest(rows: Iterable[int]) -> int:
    """64 bits of FNV-1a, a row at a time."""
    value = 0xCBF29CE484222325
    for row in rows:
        value = ((value ^ row) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
