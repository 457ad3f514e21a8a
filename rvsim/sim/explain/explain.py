"""The whole report as plain data: what the engine made of a design, and where a cycle's work is."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections import Counter, defaultdict

from ..code.layout import storage_bits
from ..code.regions import Region
from ..graph.pieces import WORD, combinational
from ..model import Model
from ..netlist import FlipFlop, Outside
from ..runner import Runner
from .counting import Counters, Part, count
from .describing import Describer, short_location, source_line
from .gating import DECISION, SEVERAL, Cone, Gating
from .instructions import count as count_instructions

#: Entries of each list of the report.
MOST = 12

#: Of the decisions so many with the most work behind them; those that save most take the other places.
GUARDS = 8

#: Seconds that a measurement of the speed takes at least.
LONG_ENOUGH = 0.02

#: From this share of cycles on a place counts as always visited.
ALWAYS = 0.9995


def explain(run: Runner, cycles: int) -> dict:
    """What the engine made of a design and where the time of its next cycles goes.

    Parameters
    ----------
    run
        The design in the state from which it is to be measured; it is in the same state afterwards.
    cycles
        How many to count.

    Returns
    -------
    dict
        Plain data. All numbers of operations are averages over the cycles, in machine instructions as estimated
        by :mod:`.weights`; rates are times in a cycle.
    """
    before, first = run.save(), run.cycle
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        speed = _speed(run, before, cycles)
        run.restore(before)
        started = time.perf_counter()
        counted = count(run, cycles)
        spent = time.perf_counter() - started
        run.restore(before)
    names = Describer(run.model)
    gatings = [Gating(part, counted) for part in counted.parts]
    report = {
        "cycles": {"first": first, "count": counted.cycles},
        "design": _design(run),
        "program": _program(run.model, counted, spent),
        "speed": speed,
        "operations": _totals(counted, gatings),
        "modules": _modules(counted),
        "lines": _lines(counted),
        "guards": _guards(counted, gatings, names),
        "ungated": _ungated(gatings, names),
        "seldom": _seldom(gatings, names),
    }
    return report


def _speed(run: Runner, state: bytes, cycles: int) -> dict:
    """How fast it is from that state on: over the cycles to be counted, or more if they are over at once."""

    def seconds(amount: int) -> float:
        run.restore(state)
        started = time.perf_counter()
        run(amount)
        return max(time.perf_counter() - started, 1e-9)

    while seconds(cycles) < LONG_ENOUGH and cycles < 1 << 36:
        cycles *= 2
    spent = statistics.median(seconds(cycles) for _ in range(3))
    counts, why_not = [], ""
    for amount in (cycles, 2 * cycles):  # the difference is the loop's, without what Python does around it
        run.restore(state)
        found, why_not = count_instructions(lambda amount=amount: run(amount))
        counts.append(found)
        if found is None:
            break
    return {
        "cycles": cycles,
        "cycles_per_second": cycles / spent,
        "nanoseconds_per_cycle": spent / cycles * 1e9,
        "instructions_per_cycle": None if why_not else (counts[1] - counts[0]) / cycles,
        "instructions_unknown": why_not,
    }


# -- what it is


def _design(run: Runner) -> dict:
    """Size of the design, before and after translation."""
    model, graph = run.model, run.model.design.graph
    cells = model.netlist.cells
    registers = [c for c in cells if isinstance(c, FlipFlop) and not c.is_input]
    inputs = [width for c in cells if isinstance(c, Outside) for _, width, _ in c.ports]
    inputs += [c.width for c in cells if isinstance(c, FlipFlop) and c.is_input and c.width]
    pieces = model.design._lowering.pieces
    bits = [n for n, cut in pieces.items() if len(cut) > 1 and all(w == 1 for _, w in cut) and combinational(cells[n])]
    kinds = Counter(type(cell).__name__ for cell in cells[1:])
    return {
        "cells": len(cells) - 1,
        "cells_by_kind": dict(kinds.most_common()),
        "nodes": sum(node.op != "state" for node in graph.nodes[1:]),
        "registers": len(registers),
        "register_bits": sum(c.width for c in registers),
        "inputs": len(inputs),
        "input_bits": sum(inputs),
        "state_bytes": model.layout.state_bytes - model.layout.first_state,
        "memories": [
            {"name": name, "rows": p.depth, "width": p.width, "bytes": p.depth * p.row_bytes}
            for name, number in model.memories.table.items()
            for p in (model.layout.memories[number],)
        ],
        "wide_values": sum(node.width > WORD for node in graph.nodes),
        "wide_cells_cut": sum(cells[n].width > WORD for n in pieces),
        "false_loops_cut_to_bits": len(bits),
        "instants_in_a_cycle": len(run._phases),
        "clocks_of_its_own": run._general,
        "messages": len(model.design.messages),
    }


def _program(model: Model, counted: Counters, counting: float) -> dict:
    parts = counted.parts
    spent = model.spent
    return {
        "regions": sum(1 + _count(part.step.placement.root) for part in parts),
        "visits": sum(len(v) for part in parts for v in part.visits.values()),
        "values_computed": sum(len(part.step.placement.region) for part in parts),
        "values_computed_where_needed": sum(len(part.step.emitter.inline) for part in parts),
        "slots": sum(len(part.step.emitter.slots) for part in parts),
        "old_values_kept": sum(len(part.step.emitter.preloads) for part in parts),
        "wide_slots": sum(
            storage_bits(model.design.graph.nodes[n].width) > WORD for part in parts for n in part.step.emitter.slots
        ),
        "code_bytes": spent["code"],
        "seconds": {key: spent[key] for key in ("netlist", "graph", "text", "llvm", "cache")},
        "from_cache": not spent["compiled"],
        "seconds_for_counting": counting,
    }


def _count(region: Region) -> int:
    total, stack = 0, list(region.children.values())
    while stack:
        total += 1
        stack += stack.pop().children.values()
    return total


# -- where the work is


def _totals(counted: Counters, gatings: list[Gating]) -> dict:
    done = always = everything = 0.0
    for part in counted.parts:
        for work in part.work:
            rate = counted.rate(work.counter)
            done += work.operations * rate
            everything += work.operations * max(rate, counted.rate(part.root))
            always += work.operations * rate if rate >= ALWAYS else 0
    kinds: dict[str, float] = defaultdict(float)
    for gating in gatings:
        for top, cost in gating.reasons.items():
            kind = {"store": "stores", "effect": "stores", "value": "branches"}.get(top[0])
            kinds[kind or ("decisions" if top == DECISION else "several")] += cost
    return {
        "per_cycle": done,
        "in_every_cycle": always,
        "sometimes": done - always,
        "if_nothing_were_gated": everything,
        "needed_by": {key: kinds[key] for key in ("stores", "decisions", "branches", "several")},
    }


assert SEVERAL[0] not in ("store", "effect", "value")


def _modules(counted: Counters) -> list[dict]:
    """Every module of the hierarchy that has any work, in the order of a tree."""
    own: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for part in counted.parts:
        for work in part.work:
            rate = counted.rate(work.counter)
            for length in range(len(work.module) + 1):
                own[work.module[:length]]  # modules without work of their own
            mine = own[work.module]
            mine[0] += work.operations * rate
            mine[1] += work.operations * rate if rate >= ALWAYS else 0
            mine[2] += work.operations
    totals: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for module, numbers in own.items():
        for length in range(len(module) + 1):
            total = totals[module[:length]]
            for index, value in enumerate(numbers):
                total[index] += value
    whole = totals[()][0] or 1.0
    return [
        {
            "module": list(module),
            "operations": totals[module][0],
            "share": totals[module][0] / whole,
            "own": own[module][0],
            "in_every_cycle": totals[module][1],
            "operations_written": totals[module][2],
        }
        for module in _tree_order(totals)
    ]


def _tree_order(totals: dict[tuple[str, ...], list[float]]) -> list[tuple[str, ...]]:
    """Parents before children, children by cost."""
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for module in totals:
        if module:
            children[module[:-1]].append(module)
    order, stack = [], [()]
    while stack:
        module = stack.pop()
        order.append(module)
        stack += sorted(children[module], key=lambda m: (totals[m][0], m))
    return order


def _lines(counted: Counters) -> list[dict]:
    """The source lines with most work."""
    cost: dict[str, float] = defaultdict(float)
    for part in counted.parts:
        for work in part.work:
            cost[work.location] += work.operations * counted.rate(work.counter)
    whole = sum(cost.values()) or 1.0
    best = sorted((item for item in cost.items() if item[0]), key=lambda item: (-item[1], item[0]))
    return [
        {"location": short_location(where), "source": source_line(where), "operations": c, "share": c / whole}
        for where, c in best[:MOST]
        if c
    ]


def _guards(counted: Counters, gatings: list[Gating], names: Describer) -> list[dict]:
    """The decisions behind which most work lies, and how often it was done; instances of a module together."""
    found: dict[tuple, dict] = {}
    for gating in gatings:
        done, written = _below(gating.part, counted)
        for region in done:
            if region.literal is None:
                continue
            outer, taken = gating.rate(region.parent), gating.rate(region)
            location = names.decided(region.literal)
            same = (location, names.choice(region.literal), region.depth, written[region])
            entry = found.get(same)
            if entry is None:
                entry = found[same] = Counter(times=0)
                entry["region"] = region
            entry.update(
                times=1, taken=taken, decided=outer, operations=done[region], written=written[region],
                saved=max(0.0, outer - taken) * written[region],
            )  # fmt: skip
    best = sorted(found.items(), key=lambda item: -item[1]["operations"])
    rest = sorted(best[GUARDS:], key=lambda item: -item[1]["saved"])
    entries = []
    for (location, *_), entry in [*best[:GUARDS], *rest[: MOST - GUARDS]]:
        region, times = entry.pop("region"), entry["times"]
        entry["taken"] /= times
        entry["decided"] /= times
        entries.append(
            {"condition": names.path(region.up_to(None)), "location": short_location(location), **entry}
        )  # fmt: skip
    return entries


def _below(part: Part, counted: Counters) -> tuple[dict[Region, float], dict[Region, int]]:
    """For each region the operations in it and below: done in a cycle, and written."""
    done: dict[Region, float] = defaultdict(float)
    written: dict[Region, int] = defaultdict(int)
    for work in part.work:
        done[work.region] += work.operations * counted.rate(work.counter)
        written[work.region] += work.operations
    for region in list(done):
        for outer in region.up_to(None)[1:]:
            done[outer] += 0
    for region in sorted(done, key=lambda r: -r.depth):
        if region.parent is not None:
            done[region.parent] += done[region]
            written[region.parent] += written[region]
    return done, written


# -- what is done for nothing


def _ungated(gatings: list[Gating], names: Describer) -> list[dict]:
    """Instances of a module together."""
    groups: dict[tuple, list[tuple[Gating, Cone]]] = defaultdict(list)
    for gating in gatings:
        for cone in gating.cones.values():
            if cone.top[0] == "value" and cone.wasted > 0:
                node = names.graph.nodes[cone.top[1]]
                groups[node.op, node.width, node.location, len(cone.uses)].append((gating, cone))
    best = sorted(groups.values(), key=lambda g: (-sum(c.wasted for _, c in g), g[0][1].top))
    return [_ungated_entry(group, names) for group in best[:MOST]]


def _ungated_entry(group: list[tuple[Gating, Cone]], names: Describer) -> dict:
    gating, cone = max(group, key=lambda item: item[1].wasted)
    node = names.graph.nodes[cone.top[1]]
    ranked = sorted({use.region for use in cone.uses}, key=lambda region: -gating.rate(region))
    paths = {names.path(region.up_to(cone.region)): gating.rate(region) for region in reversed(ranked)}
    shown = sorted(paths.items(), key=lambda item: -item[1])
    operations = sum(c.operations for _, c in group)
    wasted = sum(c.wasted for _, c in group)
    return {
        "value": names.node(cone.top[1]),
        "location": short_location(node.location),
        "module": list(node.module),
        "times": len(group),
        "rate": cone.rate,
        "needed": 1 - wasted / operations,
        "values": cone.nodes,
        "operations": operations,
        "wasted": wasted,
        "used_if": [{"condition": condition, "rate": rate} for condition, rate in shown[:MOST]],
        "branches": len(shown),
    }


def _seldom(gatings: list[Gating], names: Describer) -> list[dict]:
    """Registers that are stored again and again though they seldom change."""
    cones = [c for g in gatings for c in g.cones.values() if c.top[0] == "store" and c.wasted >= 0.5]
    cones.sort(key=lambda cone: (-cone.wasted, cone.top))
    cells = names.model.netlist.cells
    return [
        {
            "register": names.node(cone.top[1]),
            "location": short_location(cells[names.graph.nodes[cone.top[1]].extra.cell].location),
            "stored": cone.rate,
            "changed": cone.needed,
            "values": cone.nodes,
            "operations": cone.operations,
            "wasted": cone.wasted,
        }
        for cone in cones[:MOST]
    ]
