"""Order: which action comes when, and where the decision tree is entered.

Shared logic runs first, then stores with what only they need. A region is entered when most of what it waits for
is done, so that it is entered seldom more than once; all choices are made from counters that are kept up to
date, so the effort grows with the number of dependences.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..graph.paths import exclusive
from .regions import Region


@dataclass(eq=False)
class Action:
    """One thing to do in a region.

    Attributes
    ----------
    run
        Emits it.
    after
        Actions that must come before.
    reads
        States whose old value it reads.
    stores
        State that it changes; ``None``: none.
    is_sink
        Changes state or memory: nothing waits for it.
    uses
        Nodes whose values it needs, for the emitter.
    waits
        Nodes that must be complete before: those, and the conditions of its region.
    defines
        Node whose whole value it makes.
    fills
        Node whose value it makes in part, in the node's slot.
    module, location
        Where in the hierarchy and in the source it comes from, for reports.
    """

    region: Region
    run: Callable[[], None]
    after: set[Action] = field(default_factory=set)
    reads: set[int] = field(default_factory=set)
    stores: int | None = None
    is_sink: bool = False
    uses: set[int] = field(default_factory=set)
    waits: set[int] = field(default_factory=set)
    defines: int | None = None
    fills: int | None = None
    module: tuple[str, ...] = ()
    location: str = ""
    number: int = 0
    missing: int = 0
    before: list[Action] = field(default_factory=list)
    done: bool = False
    late: bool = False


@dataclass
class Branch:
    """A decision: visits of the regions that it leads to, all with literals about one bit or value."""

    visits: list[Visit]


@dataclass
class Visit:
    """One entry into a region: what is done there, in order."""

    region: Region
    items: list[Action | Branch | Part] = field(default_factory=list)


@dataclass
class Part:
    """Things done in a region one after the other that become a function of their own."""

    visit: Visit


def split(visit: Visit, limit: int) -> int:
    """Cut what has more than ``limit`` actions into parts; how many are left in its own function."""
    sizes = [sum(split(v, limit) for v in item.visits) if isinstance(item, Branch) else 1 for item in visit.items]
    if sum(sizes) <= limit:
        return sum(sizes)
    items, visit.items, room = visit.items, [], 0
    for item, size in zip(items, sizes):
        if size > room:
            visit.items.append(Part(Visit(visit.region)))
            room = limit
        visit.items[-1].visit.items.append(item)
        room -= size
    return len(visit.items)


class _Ready:
    """What can be done in a region now: stores that disturb nobody, then anything but stores, then the rest."""

    def __init__(self) -> None:
        self.quiet: deque[Action] = deque()
        self.others: deque[Action] = deque()
        self.loud: dict[Action, None] = {}

    def add(self, action: Action, quiet: bool) -> None:
        """One more; ``quiet``: it stores nothing that others still read."""
        if not action.is_sink:
            self.others.append(action)
        elif quiet:
            self.quiet.append(action)
        else:
            self.loud[action] = None

    def hush(self, action: Action) -> None:
        """Nobody reads any more what an action, if it is here, stores."""
        if action in self.loud:
            del self.loud[action]
            self.quiet.append(action)

    def take(self, *, may_disturb: bool) -> Action | None:
        """The next one."""
        if self.quiet or self.others:
            return (self.quiet or self.others).popleft()
        if self.loud and may_disturb:
            action = next(iter(self.loud))
            del self.loud[action]
            return action
        return None


class Scheduler:
    """Makes the tree of visits out of actions."""

    def __init__(self, root: Region, actions: list[Action], *, two_phases: bool = True) -> None:
        self.root, self.actions, self.two_phases = root, actions, two_phases
        self.ready: dict[Region, _Ready] = defaultdict(_Ready)
        self.ready_below: dict[Region, int] = defaultdict(int)
        #: Children of a region with something ready, those about one bit or value together.
        self.open: dict[Region, dict[tuple, dict[Region, None]]] = defaultdict(dict)
        #: Unmet dependences of actions in a region on actions outside of it.
        self.blocked: dict[Region, int] = defaultdict(int)
        #: Reads outside a region of states that are stored inside it.
        self.disturbed: dict[Region, int] = defaultdict(int)
        self.readers: dict[int, set[Action]] = defaultdict(set)
        self.storers: dict[int, list[Action]] = defaultdict(list)
        self.held: list[Action] = []
        self._known_apart: dict[tuple[Region, Region], bool] = {}
        self.second = False

    def run(self) -> Visit:
        """The program."""
        for number, action in enumerate(self.actions):
            action.number = number
        for action in self.actions:
            action.missing = len(action.after)
            for earlier in action.after:
                earlier.before.append(action)
                self._dependence(earlier, action, 1)
            for state in action.reads:
                self.readers[state].add(action)
            if action.stores is not None:
                self.storers[action.stores].append(action)
        if self.two_phases:
            self._classify()
        for state, storers in self.storers.items():
            for storer in storers:
                for reader in self.readers[state]:
                    self._disturbance(reader, storer, 1)
        for action in self.actions:
            if not action.missing:
                self._mark_ready(action)
        visit = Visit(self.root)
        self._visit(visit)
        self.second = True
        for action in self.held:
            self._mark_ready(action)
        self._visit(visit)
        assert all(a.done for a in self.actions), "an action was never scheduled"
        return visit

    def _classify(self) -> None:
        """Late: needed only by stores of one and the same region."""
        order, missing = [], {a: a.missing for a in self.actions}
        queue = [a for a in self.actions if not a.missing]
        while queue:
            action = queue.pop()
            order.append(action)
            for later in action.before:
                missing[later] -= 1
                if not missing[later]:
                    queue.append(later)
        home: dict[Action, Region | None] = {}
        for action in reversed(order):
            if action.is_sink:
                home[action] = action.region
                continue
            regions = {home[later] for later in action.before}
            home[action] = regions.pop() if len(regions) == 1 else None
        for action in self.actions:
            action.late = home[action] is not None

    def _dependence(self, earlier: Action, later: Action, amount: int) -> None:
        """Count a dependence at the regions that contain the later action but not the earlier one."""
        for region in later.region.up_to(earlier.region.common(later.region)):
            self.blocked[region] += amount

    def _disturbance(self, reader: Action, storer: Action, amount: int) -> None:
        if self._apart(reader.region, storer.region):
            return
        for region in storer.region.up_to(reader.region.common(storer.region)):
            self.disturbed[region] += amount

    def _apart(self, a: Region, b: Region) -> bool:
        """Whether at most one of two regions is entered in a step."""
        known = self._known_apart.get((a, b))
        if known is None:
            known = self._known_apart[a, b] = exclusive(a.path, b.path)
        return known

    def _mark_ready(self, action: Action) -> None:
        if action.late and not self.second:
            self.held.append(action)
            return
        self.ready[action.region].add(action, self._quiet(action))
        for region in action.region.up_to(None):
            self.ready_below[region] += 1
            if self.ready_below[region] == 1 and region.parent is not None:
                self.open[region.parent].setdefault(region.literal.key, {})[region] = None

    def _finish(self, action: Action) -> None:
        action.done = True
        for region in action.region.up_to(None):
            self.ready_below[region] -= 1
            if not self.ready_below[region] and region.parent is not None:
                groups = self.open[region.parent]
                del groups[region.literal.key][region]
                if not groups[region.literal.key]:
                    del groups[region.literal.key]
        for later in action.before:
            self._dependence(action, later, -1)
            later.missing -= 1
            if not later.missing:
                self._mark_ready(later)
        for state in action.reads:
            self.readers[state].discard(action)
            for storer in self.storers[state]:
                if not storer.done:
                    self._disturbance(action, storer, -1)
                    if self._quiet(storer):
                        self.ready[storer.region].hush(storer)

    def _quiet(self, action: Action) -> bool:
        """Whether nobody else still reads what the action stores."""
        return action.stores is None or not (self.readers[action.stores] - {action})

    def _visit(self, visit: Visit) -> None:
        region = visit.region
        while True:
            groups = self.open.get(region)
            action = self.ready[region].take(may_disturb=not groups)
            if action is not None:
                visit.items.append(action)
                self._finish(action)
                continue
            if not groups:
                return
            branch = Branch([])
            visit.items.append(branch)
            for child in self._cheapest(groups.values()):
                if self.ready_below[child]:
                    inner = Visit(child)
                    branch.visits.append(inner)
                    self._visit(inner)

    def _cheapest(self, groups: Iterable[Iterable[Region]]) -> list[Region]:
        """Children with something ready, all about one bit or value, that are best entered now; in a fixed order."""
        best, least = None, None
        for group in groups:
            cost = self._cost(group)
            if least is None or cost < least:
                best, least = group, cost
            if not any(cost):
                break
        return sorted(best, key=lambda child: child.number)

    def _cost(self, group: Iterable[Region]) -> tuple[int, int, int]:
        blocked = sum(self.blocked[r] for r in group)
        disturbed = sum(self.disturbed[r] for r in group) if self.second else 0
        return (blocked > 0, disturbed, blocked)
