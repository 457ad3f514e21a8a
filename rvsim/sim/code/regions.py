"""Where values are needed: a tree of conditions, and for each node the deepest place in it that covers all its uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..graph.graph import SHIFT, Arm, Graph
from ..graph.paths import Bits, Literal, Path, exclusive, extend
from ..options import DEFAULT, Options


class Region:
    """A place in the decision tree: everything in it runs only if its path is taken."""

    __slots__ = ("children", "depth", "literal", "number", "parent", "path")

    def __init__(self, parent: Region | None, literal: Literal | None) -> None:
        self.parent, self.literal = parent, literal
        self.children: dict[Literal, Region] = {}
        #: Its place among the children of its parent.
        self.number = 0 if parent is None else len(parent.children)
        self.depth = 0 if parent is None else parent.depth + 1
        self.path: Path = () if parent is None else extend(parent.path, [literal]) or ()

    def child(self, literal: Literal) -> Region:
        """The region one literal deeper."""
        found = self.children.get(literal)
        if found is None:
            found = self.children[literal] = Region(self, literal)
        return found

    def within(self, path: Path) -> Region | None:
        """The region of a further path; literals that hold here are left out; ``None``: never taken from here."""
        whole = extend(self.path, list(path))
        if whole is None:
            return None
        region = self
        for index, literal in enumerate(whole):
            if index >= len(self.path) or literal != self.path[index]:
                region = region.child(literal)
        return region

    def common(self, other: Region) -> Region:
        """The deepest region that contains both."""
        a, b = self, other
        while a is not b:
            if a.depth >= b.depth:
                a = a.parent
            else:
                b = b.parent
        return a

    def up_to(self, top: Region | None) -> list[Region]:
        """This region and those around it, up to but without ``top``."""
        found, region = [], self
        while region is not None and region is not top:
            found.append(region)
            region = region.parent
        return found


@dataclass
class PlacedArm:
    """An arm of a node or register with its region."""

    region: Region
    path: Path
    start: int
    value: Bits
    location: str = ""


#: Operations that may be computed in several places instead of once before all of them.
CHEAP = {"~", "+", "-", "&", "|", "^", "<<", "u>>", "s>>", "b", "r|", "r&", "r^", "in", "part"}
CHEAP |= {"==", "!=", "u<", "u>", "u<=", "u>=", "s<", "s>", "s<=", "s>="}

#: Their greatest width, the most places, and how many may be made of each other: limits to the growth of the code.
NARROW, PLACES, CHAIN = 128, 24, 8


@dataclass
class Placement:
    """Regions of all nodes that are used, and of the arms of decisions."""

    graph: Graph
    options: Options = DEFAULT
    root: Region = field(default_factory=lambda: Region(None, None))
    region: dict[int, Region] = field(default_factory=dict)
    arms: dict[int, list[PlacedArm]] = field(default_factory=dict)
    uses: dict[int, dict[Region, None]] = field(default_factory=dict)
    #: Nodes that are computed anew wherever they are needed.
    inline: set[int] = field(default_factory=set)
    #: How many such nodes are made of each other, up to the last one.
    chain: dict[int, int] = field(default_factory=dict)

    def use(self, value: Bits, region: Region) -> None:
        """A value is needed in a region."""
        for bit in value:
            if bit >= 2:
                number = bit >> SHIFT
                if self.graph.nodes[number].op != "state":
                    old = self.region.get(number)
                    if old is None:
                        old = region if self.options.chosen("guards", number) else self.root
                    self.region[number] = old.common(region)
                    self.uses.setdefault(number, {})[region] = None

    def place(self, path: Path, inside: Region) -> Region | None:
        """The region of a path inside another, whose conditions are thereby needed on the way."""
        region = inside.within(path)
        if region is not None:
            for step in region.up_to(inside):
                self.use(step.literal.bits, step.parent)
        return region

    def finish(self) -> None:
        """Place all nodes, users before what they use; call it once all roots have said what they need."""
        nodes = self.graph.nodes
        for number in range(len(nodes) - 1, 0, -1):
            region = self.region.get(number)
            if region is None:
                continue
            node = nodes[number]
            if node.op == "list":
                self.use(node.args[0], region)
                self.arms[number] = self._arms(list(node.arms), region)
            elif node.op == "mux":
                (condition,), then, otherwise = node.args
                choices = [
                    (self.graph.literals(condition, wanted), v) for wanted, v in ((True, then), (False, otherwise))
                ]
                self.use((condition,), region)
                self.arms[number] = self._arms([Arm(tuple(p), 0, v) for p, v in choices if p is not None], region)
            else:
                places = self._apart(number, region)
                if len(places) > 1:
                    self.inline.add(number)
                    for bit in (bit for value in node.args for bit in value):
                        below = bit >> SHIFT
                        self.chain[below] = max(self.chain.get(below, 0), self.chain.get(number, 0) + 1)
                for value in node.args:
                    for place in places:
                        self.use(value, place)

    def _apart(self, number: int, region: Region) -> list[Region]:
        """The places that need a cheap node, if at most one of them is reached in a step; else the one around them."""
        node, found = self.graph.nodes[number], []
        if self.chain.get(number, 0) >= CHAIN or not self.options.chosen("inline", number):
            return [region]
        if node.op not in CHEAP or node.width > NARROW:
            return [region]
        for place in sorted(self.uses[number], key=lambda place: place.depth):
            if any(other.common(place) is other for other in found):
                continue
            if place is region or len(found) == PLACES or not all(exclusive(o.path, place.path) for o in found):
                return [region]
            found.append(place)
        return found

    def _arms(self, arms: list[Arm], inside: Region) -> list[PlacedArm]:
        placed = []
        for arm in arms:
            region = self.place(arm.path, inside)
            if region is not None:
                self.use(arm.value, region)
                placed.append(PlacedArm(region, arm.path, arm.start, arm.value, arm.location))
        return placed
