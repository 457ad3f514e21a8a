"""Why work is done that nobody needs in a cycle: values used in several branches, registers that seldom change.

A value lies in the deepest place of the decision tree that covers all its uses. If all of them are in branches
deeper still, it is computed though perhaps none of those is taken: what is lost is its cost, and that of everything
that only it needs (its cone), as often as none of its uses is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..code.regions import Region
from ..graph.graph import SHIFT
from .counting import Counters, Part

#: What a value is needed by: (kind, number of a node, state or action).
User = tuple[str, int]

DECISION: User = ("decision", 0)
SEVERAL: User = ("several", 0)


@dataclass
class Use:
    """Where a value is needed, by what, and how often (times in a cycle)."""

    region: Region
    user: User
    rate: float


@dataclass
class Cone:
    """A value or a store with everything that only it needs.

    Attributes
    ----------
    top
        The value or store.
    region, rate
        Where it is computed, and how often in a cycle.
    nodes, operations
        How many values, and what they cost in a cycle.
    needed
        The share of those times in which it was needed, at most.
    uses
        Where the value is used (:class:`Use`), in branches deeper than its own place.
    """

    top: User
    region: Region
    rate: float
    needed: float = 1.0
    nodes: int = 0
    operations: float = 0.0
    uses: list[Use] = field(default_factory=list)

    @property
    def wasted(self) -> float:
        """Operations of a cycle that were done for nothing, at least."""
        return self.operations * (1 - self.needed)


class Gating:
    """The analysis of one part of a program after a counted run."""

    def __init__(self, part: Part, counters: Counters) -> None:
        self.part, self.counters, self.step = part, counters, part.step
        self.cost: dict[User, float] = defaultdict(float)
        self.uses: dict[int, list[Use]] = defaultdict(list)
        self._rates: dict[Region, float] = {}
        self.decisions = 0.0
        self._collect()
        self.reasons: dict[User, float] = defaultdict(float)
        self.cones: dict[User, Cone] = {}
        self._assign()

    def rate(self, region: Region) -> float:
        """How often a region is entered in a cycle: its visits all see the same decision."""
        found = self._rates.get(region)
        if found is None:
            found = max((self.counters.rate(c) for c in self.part.visits.get(region, ())), default=None)
            if found is None:  # only passed through
                found = max((self.rate(child) for child in region.children.values()), default=0.0)
            self._rates[region] = found
        return found

    def _collect(self) -> None:
        made = {action: ("value", node) for node, actions in self.step._made.items() for action in actions}
        seen = set()
        for work in self.part.work:
            cost = work.operations * self.counters.rate(work.counter)
            action = work.action
            if action is None:
                self.decisions += cost
                continue
            user = made.get(action)
            if user is None:
                user = ("store", action.stores) if action.stores is not None else ("effect", action.number)
            self.cost[user] += cost
            if action in seen:  # with a cheap value in it, which has a line of its own
                continue
            seen.add(action)
            for node in action.uses:
                self.uses[node].append(Use(action.region, user, self.rate(action.region)))
        for region in self._regions():
            for bit in region.literal.bits:
                if bit >= 2:
                    self.uses[bit >> SHIFT].append(Use(region.parent, DECISION, self.rate(region.parent)))

    def _regions(self) -> Iterator[Region]:
        """All regions but the root."""
        stack = list(self.step.placement.root.children.values())
        while stack:
            region = stack.pop()
            yield region
            stack += region.children.values()

    def _assign(self) -> None:
        """Give every value to the one thing that makes it necessary where it is; users come before what they use."""
        leader: dict[User, User] = {}
        for user in self.cost:
            if user[0] != "value":
                leader[user] = user
        placed = self.step.placement.region
        for node in sorted(placed, reverse=True):
            region, uses = placed[node], self.uses.get(node, ())
            here = [use for use in uses if use.region is region]
            user: User = ("value", node)
            if uses and not here:
                leader[user] = user
                rate = self.rate(region)
                branches = {use.region: use.rate for use in uses}
                needed = min(1.0, sum(branches.values()) / rate) if rate else 1.0
                self.cones[user] = Cone(user, region, rate, needed, uses=list(uses))
                continue
            leaders = {leader.get(use.user, use.user) for use in here if use.user != user}
            leader[user] = leaders.pop() if len(leaders) == 1 else SEVERAL
        for user in self.cost:
            top = leader[user]
            if top[0] == "store" and top not in self.cones:
                self.cones[top] = self._store(top)
            if top in self.cones:
                cone = self.cones[top]
                cone.nodes += user[0] == "value"
                cone.operations += self.cost[user]
            self.reasons[top] += self.cost[user]
        self.reasons[DECISION] += self.decisions

    def _store(self, user: User) -> Cone:
        """The cone of a state's stores; needed as often as they changed something, at most."""
        stores = [store for store in self.part.stores if store.state == user[1]]
        visits = max(self.counters.rate(store.visits) for store in stores)
        changes = sum(self.counters.rate(store.changes) for store in stores)
        return Cone(user, stores[0].region, visits, min(1.0, changes / visits) if visits else 1.0)
