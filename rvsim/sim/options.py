"""What the translation may do to be fast. Every setting gives the same behaviour: tests compare them."""

from __future__ import annotations

import random
from dataclasses import dataclass

#: Passes that pay: what they leave is as fast as LLVM's own pipelines, and compiled in a third of the time.
PASSES = ("sroa", "simplifycfg", "sccp", "instcombine", "jump-threading", "simplifycfg", "dse", "dce", "simplifycfg")

#: For functions that run seldom.
FEW_PASSES = ("sroa", "instcombine", "simplifycfg")


@dataclass(frozen=True)
class Options:
    """Rewrites of the translation: on, off, or (``None``) on in some places, chosen by ``seed``.

    Attributes
    ----------
    guards
        Values are computed only where the decision tree needs them; else always.
    in_place
        Registers that keep their value are not touched; else all are stored at every edge.
    two_phases
        Shared logic comes first, then each store with what only it needs; else in any order.
    cut
        Values wider than a machine word are cut where they are used in parts.
    switches
        Comparisons of one value with several numbers become one decision.
    sharing
        Equal values are computed once.
    inline
        Cheap values that several places need, of which at most one is reached in a step, are computed in each of them.
    part
        Actions in one function where there are more than four times as many: they are cut into parts, since LLVM takes
        more than linear time for large functions. Parts pass values through memory.
    poison
        What is not yet computed is a pattern that would be noticed, instead of whatever the compiler likes.
    passes, level
        LLVM's passes, and its code generation level.
    """

    guards: bool | None = True
    in_place: bool | None = True
    two_phases: bool | None = True
    cut: bool | None = True
    switches: bool | None = True
    sharing: bool | None = True
    inline: bool | None = True
    part: int = 1000
    poison: bool = False
    passes: tuple[str, ...] = PASSES
    level: int = 2
    seed: int = 0

    def chosen(self, rewrite: str, place: object) -> bool:
        """Whether a rewrite is to be done at a place (a number or another hashable that names it)."""
        setting = getattr(self, rewrite)
        if setting is None:
            return random.Random(f"{self.seed} {rewrite} {place}").random() < 0.5
        return setting

    def key(self) -> tuple:
        """All of it as plain data."""
        return tuple(vars(self).values())


DEFAULT = Options()
