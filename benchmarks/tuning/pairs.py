"""Which pairs of instructions are worth one handler: profile a Linux boot and the kernels of /bin/bench.

Writes ``rvsim/cpu/functional/pairs.txt``. Each instruction is decoded afresh while the profile is taken, so it is
some twenty times slower than a plain run. Usage: ``python benchmarks/tuning/pairs.py [--count N]``.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys

from rvsim.cpu.functional import build
from rvsim.cpu.functional.decode import FORWARDS, PROFILE_SIDE
from rvsim.cpu.functional.generate import PAIRS_FILE
from rvsim.cpu.functional.handlers import Spec, specs
from rvsim.isa.config import IsaConfig
from rvsim.isa.tables import instructions
from rvsim.soc import Machine, SocConfig

#: Kernels of /bin/bench.
KERNELS = ("integer", "memory", "branch", "call")

Pair = tuple[str, str, str]


def profile(machine: Machine, labels: list[str], until: str) -> collections.Counter[Pair]:
    """Run the guest until it has printed a text; how often each pair was executed."""
    import ctypes

    matrix = (ctypes.c_uint64 * (len(FORWARDS) * PROFILE_SIDE * PROFILE_SIDE))()
    machine.hart[0].state.profile = ctypes.addressof(matrix)
    machine.console.expect(until, timeout=None)
    machine.hart[0].state.profile = 0
    counts: collections.Counter[Pair] = collections.Counter()
    for index, count in enumerate(matrix):
        if count:
            rest, second = divmod(index, PROFILE_SIDE)
            forward, first = divmod(rest, PROFILE_SIDE)
            # Single steps decode every jump as far; nearly all of them are near.
            counts[labels[first], labels[second].replace(".far", ""), FORWARDS[forward]] += count
    return counts


def tidy(counts: collections.Counter[Pair], by_label: dict[str, Spec]) -> collections.Counter[Pair]:
    """Only pairs that can be fused, and forwarding only of operands that the second reads."""
    result: collections.Counter[Pair] = collections.Counter()
    for (first, second, forward), count in counts.items():
        a, b = by_label.get(first), by_label.get(second)
        if a is None or b is None or not (a.fuses_first and b.fuses_second):
            continue
        reads = b.instruction.reads - {b.zero}
        if not a.instruction.writes_rd or forward not in reads:
            forward = ""
        result[first, second, forward] += count
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=220, help="pairs to keep (default: 220)")
    parser.add_argument("--scale", default="0.05", help="how much of /bin/bench to run (default: 0.05)")
    parser.add_argument("--output", default=PAIRS_FILE)
    arguments = parser.parse_args()

    config = IsaConfig()
    code = build.compile_interpreter(config, "", pairs=[])
    labels = code.extra
    by_label = {spec.label: spec for spec in specs(instructions(config))}

    from rvsim.cpu.functional import FunctionalCore

    machine = Machine(SocConfig(), core=lambda *a, **k: FunctionalCore(*a, code=code, **k))
    machine.boot()
    runs = {"boot": tidy(profile(machine, labels, "guest ready"), by_label)}
    machine.console.expect("# ")
    for name in KERNELS:
        machine.console.send(f"bench {arguments.scale} {name}; echo DONE-{name[::-1]}\n")
        machine.console.expect("\n")
        runs[name] = tidy(profile(machine, labels, f"DONE-{name[::-1]}\r\n"), by_label)
        print(f"{name}: {sum(runs[name].values())} pairs", file=sys.stderr)
    # The boot counts as much as all kernels together.
    weights = {name: 1.0 if name == "boot" else 1.0 / (len(runs) - 1) for name in runs}
    score: collections.Counter[Pair] = collections.Counter()
    for name, counts in runs.items():
        total = sum(counts.values()) or 1
        for pair, count in counts.items():
            score[pair] += weights[name] * count / total
    chosen = score.most_common(arguments.count)
    covered = sum(value for _, value in chosen) / sum(score.values())
    with open(arguments.output, "w", encoding="ascii") as file:
        file.write("# Pairs of instructions with one handler: first, second, forwarded operand of the second.\n")
        source = ", ".join(runs)
        file.write(f"# Written by benchmarks/tuning/pairs.py from {source}: {covered:.0%} of what can be fused.\n")
        for pair, _ in chosen:
            file.write(" ".join(pair).strip() + "\n")
    print(f"{len(chosen)} pairs, {covered:.0%} of what can be fused, to {os.path.relpath(arguments.output)}")


if __name__ == "__main__":
    main()
